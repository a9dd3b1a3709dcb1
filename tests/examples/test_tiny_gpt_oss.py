from __future__ import annotations

import json
import lzma
from pathlib import Path
from typing import Any

import pytest

from examples.tiny_gpt_oss import checkpoint
from examples.tiny_gpt_oss.data.vocabulary import known_tokens
from examples.tiny_gpt_oss.expand import EMBEDDING, HEAD, IDS, WEIGHTS, scatter
from examples.tiny_gpt_oss.safetensors import Tensor, read
from examples.tiny_gpt_oss.tokenizer import PATTERN, last_merge
from ossia.harmony.format import special
from ossia.harmony.format.vocabulary import load_vocabulary


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        return checkpoint()


def load(file: Path) -> dict[str, Any]:
    return dict(json.loads(file.read_text()))


def test_the_shipped_file_is_about_a_megabyte() -> None:
    assert WEIGHTS.stat().st_size < 1_100_000


def test_the_shipped_file_has_the_tokens_of_the_transcripts() -> None:
    tensors, _ = read(lzma.decompress(WEIGHTS.read_bytes()))
    assert sorted(memoryview(tensors[IDS].data).cast("i")) == known_tokens()


def test_the_second_call_finds_the_checkpoint_of_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    created = checkpoint()
    (created / "config.json").write_text("unchanged")
    assert checkpoint() == created
    assert (created / "config.json").read_text() == "unchanged"
    assert list(created.parent.iterdir()) == [created], "a temporary file was left behind"


def test_an_incomplete_checkpoint_is_never_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("examples.tiny_gpt_oss.expand.save", fail)
    with pytest.raises(OSError, match="disk is full"):
        checkpoint()
    assert not any((tmp_path / "ossia" / "models").glob("*/*"))


def fail(path: Path, value: object) -> None:
    raise OSError(f"disk is full: {path.name}")


def test_the_architecture_is_gpt_oss(folder: Path) -> None:
    config = load(folder / "config.json")
    assert config["architectures"] == ["GptOssForCausalLM"]
    assert config["vocab_size"] == special.SIZE
    tensors, _ = read((folder / "model.safetensors").read_bytes())
    assert tensors[EMBEDDING].shape == (special.SIZE, config["hidden_size"])
    assert tensors[HEAD].shape == tensors[EMBEDDING].shape


def test_every_token_gets_its_rows() -> None:
    known = Tensor("BF16", (3, 2), b"\x01\x02\x03\x04" + b"\x05\x06\x07\x08" + b"\x09\x0a\x0b\x0c")
    ids = Tensor("I32", (2,), (7).to_bytes(4, "little") + (200002).to_bytes(4, "little"))
    tensors = scatter({IDS: ids, EMBEDDING: known})
    embedding, head = tensors[EMBEDDING].data, tensors[HEAD].data

    def row(matrix: bytes | bytearray, token: int) -> bytes:
        return bytes(matrix[4 * token : 4 * token + 4])

    assert row(embedding, 7) == b"\x01\x02\x03\x04"
    assert row(head, 7) == b"\x00\x00\x03\x04"
    assert row(embedding, 200002) == b"\x05\x06\x07\x08"
    assert row(embedding, 8) == b"\x09\x0a\x0b\x0c", (
        "an unknown token has the row of all unknown tokens"
    )
    assert row(head, 8) == b"\xea\xc6\x00\x00", "an unknown token is never sampled"
    assert len(embedding) == len(head) == 4 * special.SIZE


def test_the_tokenizer_matches_that_of_the_prompts(folder: Path) -> None:
    tokenizer = load(folder / "tokenizer.json")
    assert load_vocabulary().encoding._pat_str == PATTERN  # pyright: ignore[reportPrivateUsage]
    assert len(tokenizer["model"]["vocab"]) == special.FIRST
    names = {entry["id"]: entry["content"] for entry in tokenizer["added_tokens"]}
    assert names == special.NAMES


def test_a_token_splits_into_the_parts_it_was_merged_from() -> None:
    ranks = {b"a": 0, b"b": 1, b"c": 2, b"bc": 3, b"ab": 4, b"abc": 5}
    assert last_merge(b"abc", ranks) == (b"a", b"bc")
