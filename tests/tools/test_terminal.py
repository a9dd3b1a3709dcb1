"""Text with control characters, as a terminal finally shows it."""

from __future__ import annotations

import random

import pytest

from ossia.sandbox import BubblewrapSandbox, UnsafeLocalSandbox
from ossia.tools import PythonTool, Toolbox
from ossia.tools.terminal import CLEAR, CLEAR_LATER, shown_text
from tests.tools.test_python import call

PROGRESS = "".join(f"\r{percent:3}%|{'#' * (percent // 10):10}|" for percent in range(101))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", ""),
        ("plain\n\ttext é 日本 😀\n", "plain\n\ttext é 日本 😀\n"),
        ("windows\r\nlines\r\n", "windows\nlines\n"),
        (f"{PROGRESS}\ndone\n", "100%|##########|\ndone\n"),
        ("abc\rX", "Xbc"),
        ("日本語\rab", "ab本語"),
        ("one\b\b\btwo", "two"),
        ("\x1b[31mred\x1b[0m \x1b[38;2;1;2;3mtrue\x1b[m \x1b[1;4mbold\x1b[22m", "red true bold"),
        ("\x1b]0;a title\x07text \x1b]8;;http://a\x1b\\link\x1b]8;;\x1b\\", "text link"),
        ("\x1b[?25lhidden cursor\x1b[?25h", "hidden cursor"),
        ("downloading\n 10%\n\x1b[1A\x1b[2K 90%\n\x1b[1A\x1b[2K100%\n", "downloading\n100%\n"),
        ("a\nb\nc\x1b[2;1HB", "a\nB\nc"),
        ("abcdef\x1b[3D\x1b[K", "abc"),
        ("bell\x07 and nul\x00", "bell and nul"),
        ("an escape at the end\x1b", "an escape at the end"),
        ("x" * 500 + "\x1b[m\n", "x" * 500 + "\n"),
        (f"old\n{CLEAR}new", "new"),
        (f"old{CLEAR}", ""),
        (f"one{CLEAR_LATER}two{CLEAR_LATER}three", "three"),
        (f"one{CLEAR_LATER}", "one"),
    ],
)
async def test_the_final_state_is_shown(text: str, shown: str) -> None:
    assert await shown_text(text) == shown


async def test_no_sequence_of_control_characters_fails() -> None:
    rng = random.Random(0)
    pieces = [
        *"abé日\r\n\b\t\a\x0e\x0f\x84\x85\x90\x9b\x9d\x1b",
        "\x1b[",
        "\x1b]",
        "\x1b%",
        "\x1b#",
    ]
    endings = [*"ABCDEFGHJKLMPXZ@`abcdefghlmnprsu~q;?>!0159", "1000000000000000000"]
    for _ in range(3_000):
        text = "".join(rng.choices(pieces + endings, k=rng.randrange(1, 30)))
        shown = await shown_text(text)
        assert "\x1b" not in shown
        assert "\r" not in shown


@pytest.mark.parametrize(
    "sandbox", [UnsafeLocalSandbox, pytest.param(BubblewrapSandbox, marks=pytest.mark.bubblewrap)]
)
@pytest.mark.parametrize(
    ("code", "shown"),
    [
        ("for i in range(3): print(f'{i + 1}/3', end='\\r')", "3/3"),
        ("print('\\x1b[32mgreen\\x1b[0m')", "green"),
        ("!printf 'a\\rb\\n'", "b"),
        ("from IPython.display import clear_output\nprint('a'); clear_output(); print('b')", "b"),
        ("print('a'); clear_output(wait=True)", "a"),
        ("print('a'); clear_output(wait=True); print('b')", "b"),
        ("print('a'); clear_output(); 'c'", "'c'"),
    ],
)
async def test_the_model_reads_the_final_state(sandbox: type, code: str, shown: str) -> None:
    async with Toolbox([PythonTool(sandbox)]) as tools:
        await tools.call(call("from IPython.display import clear_output"))
        assert (await tools.call(call(code))).message.text == shown
