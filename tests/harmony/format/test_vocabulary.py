"""The vocabulary is part of the package: no network, no import cost, no race."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from ossia.errors import HarmonyError
from ossia.harmony import STOP_TOKENS, decode, encode, write_ranks
from ossia.harmony.format import special

ROOT = Path(__file__).parents[3]
SHA256 = "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d"


def run(code: str, **environment: str) -> str:
    """Return what a new interpreter prints."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **environment},
    )
    return done.stdout


def test_the_special_tokens_have_their_ids() -> None:
    assert (special.START, special.END, special.MESSAGE, special.CHANNEL) == (
        200006,
        200007,
        200008,
        200005,
    )
    assert (special.RETURN, special.CALL, special.CONSTRAIN) == (200002, 200012, 200003)
    assert STOP_TOKENS == (200002, 200012)
    assert special.NAMES[200006] == "<|start|>"


def test_importing_loads_no_heavy_package_and_no_vocabulary() -> None:
    code = (
        "import sys, ossia.harmony, ossia.harmony.format.vocabulary as v;"
        "print([name for name in ('httpx', 'docker', 'playwright', 'requests', 'asyncio', 'numpy')"
        " if name in sys.modules], v._loaded)"
    )
    assert run(code) == "[] []\n"


def test_no_network_is_needed() -> None:
    code = (
        "import socket\n"
        "def refuse(*_): raise OSError('no network')\n"
        "socket.socket.connect = socket.getaddrinfo = refuse\n"
        "import ossia.harmony as h; print(h.encode('Hello world'))"
    )
    nowhere = {"TIKTOKEN_CACHE_DIR": "/nonexistent", "TIKTOKEN_ENCODINGS_BASE": "/nonexistent"}
    assert run(code, **nowhere) == "[13225, 2375]\n"


def test_threads_share_one_vocabulary() -> None:
    code = (
        "import threading, ossia.harmony.format.vocabulary as v\n"
        "created = []\n"
        "class Counted(v.Vocabulary):\n"
        "    def __init__(self): created.append(self); super().__init__()\n"
        "v.Vocabulary = Counted\n"
        "threads = [threading.Thread(target=v.load_vocabulary) for _ in range(8)]\n"
        "[thread.start() for thread in threads]; [thread.join() for thread in threads]\n"
        "print(len(created))"
    )
    assert run(code) == "1\n"


def test_ranks_are_written_only_if_missing_or_damaged(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "ranks"
    target = write_ranks(folder)
    assert target == folder / "o200k_base.tiktoken"
    assert hashlib.sha256(target.read_bytes()).hexdigest() == SHA256
    modified = target.stat().st_mtime_ns
    write_ranks(folder)
    assert target.stat().st_mtime_ns == modified
    target.write_text("damaged")
    write_ranks(folder)
    assert hashlib.sha256(target.read_bytes()).hexdigest() == SHA256
    assert [*folder.iterdir()] == [target]


def test_damaged_ranks_raise_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    from ossia.harmony.format import vocabulary

    monkeypatch.setattr(vocabulary, "_SHA256", "0" * 64)
    with pytest.raises(HarmonyError, match="the vocabulary in the package is damaged"):
        vocabulary.Vocabulary()


def test_the_ranks_are_part_of_the_package() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    data = settings["tool"]["setuptools"]["package-data"]["ossia.harmony.format"]
    assert data == [path.name for path in (ROOT / "harmony" / "format").glob("*.xz")]


def test_lone_surrogates_become_replacement_characters() -> None:
    assert decode(encode("a\ud800b")) == "a\ufffdb"
