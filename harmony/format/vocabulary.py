"""The o200k_harmony encoding. Its ranks are part of the package; nothing is downloaded."""

from __future__ import annotations

import hashlib
import lzma
import threading
from binascii import a2b_base64
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

import tiktoken

from ...errors import HarmonyError
from .special import FIRST, NAMES

RANKS_FILE = "o200k_base.tiktoken"
"""The file that vLLM and openai-harmony look for in the folder TIKTOKEN_ENCODINGS_BASE."""

_SHA256 = "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d"

# The pattern by which o200k splits text before merging. Source: tiktoken, `o200k_base`.
_LETTER = r"[^\r\n\p{L}\p{N}]?"
_UPPER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]"
_LOWER = r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
_SUFFIX = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
_PATTERN = "|".join(
    (
        f"{_LETTER}{_UPPER}*{_LOWER}+{_SUFFIX}",
        f"{_LETTER}{_UPPER}+{_LOWER}*{_SUFFIX}",
        r"\p{N}{1,3}",
        r" ?[^\s\p{L}\p{N}]+[\r\n/]*",
        r"\s*[\r\n]+",
        r"\s+(?!\S)",
        r"\s+",
    )
)


def _ranks() -> bytes:
    compressed = files("ossia.harmony.format").joinpath(f"{RANKS_FILE}.xz").read_bytes()
    ranks = lzma.decompress(compressed)
    found = hashlib.sha256(ranks).hexdigest()
    if found != _SHA256:
        raise HarmonyError(
            f"the vocabulary in the package is damaged: the sha256 of {RANKS_FILE} is {found}, "
            f"not {_SHA256}; reinstall ossia"
        )
    return ranks


class Vocabulary:
    """The encoding, and the bytes of each token."""

    def __init__(self) -> None:
        # Line i has the token of rank i; the hash guarantees it.
        tokens = list(map(a2b_base64, _ranks().split()[::2]))
        self.bytes_of = [*tokens, *(name.encode() for name in NAMES.values())]
        """The bytes of each id, in order; for a special token, its name."""
        self.encoding = tiktoken.Encoding(
            "o200k_harmony",
            pat_str=_PATTERN,
            mergeable_ranks=dict(zip(tokens, range(FIRST), strict=True)),
            special_tokens={name: token for token, name in NAMES.items()},
        )


_lock = threading.Lock()
_loaded: list[Vocabulary] = []


def load_vocabulary() -> Vocabulary:
    """Return the vocabulary. The first call loads it; threads share it."""
    if not _loaded:
        with _lock:
            if not _loaded:
                _loaded.append(Vocabulary())
    return _loaded[0]


def encode(text: str) -> list[int]:
    """Return the token ids of text, which is always encoded without special tokens.

    A lone surrogate is encoded as U+FFFD.
    """
    return load_vocabulary().encoding.encode_ordinary(text)


def decode(tokens: Sequence[int]) -> str:
    """Return the text of token ids, with special tokens by name and invalid UTF-8 as U+FFFD.

    Raises HarmonyError, with the index in `at`, if an id is not in the vocabulary.
    """
    try:
        return load_vocabulary().encoding.decode(tokens)
    except (KeyError, OverflowError) as error:
        size = len(load_vocabulary().bytes_of)
        at = next(at for at, token in enumerate(tokens) if not 0 <= token < size)
        raise HarmonyError(
            f"token {tokens[at]} at {at} is not in the vocabulary: ids are 0 to {size - 1}",
            at=at,
            token=tokens[at],
        ) from error


def write_ranks(folder: Path) -> Path:
    """Write the uncompressed ranks to a folder, and return the file's path.

    A vLLM server whose TIKTOKEN_ENCODINGS_BASE is this folder starts without a network.
    folder: created if missing. A correct file that already exists is not rewritten.
    """
    target = folder / RANKS_FILE
    ranks = _ranks()
    if not (target.is_file() and target.read_bytes() == ranks):
        folder.mkdir(parents=True, exist_ok=True)
        # Rename the finished file, so that no reader sees a partial one.
        partial = target.with_suffix(".partial")
        partial.write_bytes(ranks)
        partial.replace(target)
    return target
