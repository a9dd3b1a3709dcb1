"""Return values of functions, as the model reads them."""

import enum
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from anyio import to_thread
from pydantic import BaseModel, Field

from ossia.harmony import Message
from ossia.tools import Attachment, Toolbox, ToolResult, ToolReturn

Ask = Callable[..., Awaitable[ToolResult]]


class City(BaseModel):
    name: str
    from_: int = Field(default=0, serialization_alias="from")


@dataclass
class Point:
    x: int


class Color(enum.Enum):
    RED = "red"


NO_VALUE = "Done. Nothing was returned."


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("as it is <|end|> ü\n", "as it is <|end|> ü\n"),
        ("", NO_VALUE),
        (None, NO_VALUE),
        (True, "true"),
        (3, "3"),
        (0.5, "0.5"),
        (float("nan"), "NaN"),
        ([], "[]"),
        ({"a": [1, None, "ü"]}, '{"a":[1,null,"ü"]}'),
        ((1, "b"), '[1,"b"]'),
        ({1}, "[1]"),
        (City(name="Roma"), '{"name":"Roma","from":0}'),
        ([City(name="Roma")], '[{"name":"Roma","from":0}]'),
        (Point(1), '{"x":1}'),
        (Color.RED, '"red"'),
        (datetime(2026, 1, 2, tzinfo=UTC), '"2026-01-02T00:00:00Z"'),
        (Decimal("1.10"), '"1.10"'),
        (Fraction(1, 3), '"1/3"'),
        ({"data": b"\xff"}, '{"data":"_w=="}'),
        (Path("/tmp/x"), '"/tmp/x"'),
        (ToolReturn("said so", files=("/mnt/data/x",)), "said so"),
    ],
)
async def test_a_value_becomes_text(ask: Ask, value: Any, text: str) -> None:
    result = await ask(returning(value))
    assert (result.message.text, result.failed) == (text, False)


def returning(value: Any) -> Callable[[], Any]:
    def give() -> Any:
        return value

    return give


async def test_an_object_without_text_is_a_failure_of_the_function(ask: Ask) -> None:
    result = await ask(returning(object()))
    assert result.failed
    assert "0x" not in result.message.text


def call(recipient: str) -> Message:
    return Message("assistant", "{}", channel="commentary", recipient=recipient)


async def test_bytes_are_stored_in_a_file_that_the_result_names(tmp_path: Path) -> None:
    def plot() -> bytes:
        return b"\x89PNG\r\n\x1a\n" + bytes(1000)

    async with Toolbox([plot], folder=tmp_path) as tools:
        results = [await tools.call(call("functions.plot")) for _ in range(2)]
    first, second = (str(tmp_path / name) for name in ("plot-1.png", "plot-2.png"))
    assert results[0].message.text == f"File saved: {first} (1,008 bytes)"
    assert [result.files for result in results] == [(first,), (second,)]
    assert (tmp_path / "plot-1.png").read_bytes() == plot()


async def test_a_function_can_name_its_files(tmp_path: Path) -> None:
    def report() -> ToolReturn:
        return ToolReturn("Two rows.", attachments=(Attachment("report.csv", b"a\nb\n"),))

    async with Toolbox([report], folder=tmp_path) as tools:
        result = await tools.call(call("functions.report"))
    path = tmp_path / "report-1.csv"
    assert result.message.text == f"Two rows.\nFile saved: {path} (4 bytes)"
    assert path.read_text() == "a\nb\n"


@pytest.mark.parametrize(
    "name", ["../../etc/cron.d/x", "/etc/passwd", "a/b.txt", "..", "", "\0\n", "x" * 999]
)
async def test_a_file_stays_in_its_folder_whatever_its_name(tmp_path: Path, name: str) -> None:
    def leak() -> ToolReturn:
        return ToolReturn("", attachments=(Attachment(name, b"x"),))

    folder = tmp_path / "deep" / "results"
    async with Toolbox([leak], folder=folder) as tools:
        await tools.call(call("functions.leak"))
    files = [Path(root, file) for root, _, files in os.walk(tmp_path) for file in files]
    assert [file.parent for file in files] == [folder]


async def test_the_model_reads_the_beginning_and_the_end_of_a_long_text(tmp_path: Path) -> None:
    def numbers() -> str:
        return "\n".join(map(str, range(10_000)))

    async with Toolbox([numbers], folder=tmp_path, max_chars=400) as tools:
        result = await tools.call(call("functions.numbers"))
    path = tmp_path / "numbers-1.txt"
    text = result.message.text
    assert text.startswith("0\n1\n2\n")
    assert text.endswith("\n9998\n9999")
    assert f"[... 48,489 of 48,889 characters omitted; the full text is in {path} ...]" in text
    assert len(text) < 600
    assert path.read_text() == numbers()
    assert result.files == (str(path),)


async def test_without_a_folder_files_are_stored_in_a_new_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    def plot() -> bytes:
        return b"%PDF-1.7"

    async with Toolbox([plot]) as tools:
        result = await tools.call(call("functions.plot"))
    (file,) = map(Path, result.files)
    assert file.is_relative_to(tmp_path)
    assert await to_thread.run_sync(file.read_bytes) == b"%PDF-1.7"
