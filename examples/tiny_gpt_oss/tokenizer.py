"""The o200k_harmony tokenizer in the format that transformers and vLLM read."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping
from pathlib import Path
from typing import Any

NO_RANK = 1 << 30

UPPER, LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
PATTERN = "|".join(
    (
        rf"[^\r\n\p{{L}}\p{{N}}]?{UPPER}*{LOWER}+(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
        rf"[^\r\n\p{{L}}\p{{N}}]?{UPPER}+{LOWER}*(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
        r"\p{N}{1,3}",
        r" ?[^\s\p{L}\p{N}]+[\r\n/]*",
        r"\s*[\r\n]+",
        r"\s+(?!\S)",
        r"\s+",
    )
)
"""How o200k splits text before BPE. Source: tiktoken, `o200k_base`."""


def read_ranks(file: Path) -> dict[bytes, int]:
    """Return the bytes and id of every ordinary token, from a file in tiktoken's format."""
    lines = (line.split() for line in file.read_bytes().splitlines())
    return {b64decode(token): int(rank) for token, rank in lines}


def merges(ranks: Mapping[bytes, int]) -> list[tuple[bytes, bytes]]:
    """Return the two parts that each longer token was merged from, in the order of the ranks.

    tiktoken stores only ranks, but tokenizers needs the pairs. BPE on the bytes of a token, stopped
    before its last merge, leaves the pair that the token was merged from.
    """
    in_order = sorted(ranks, key=ranks.__getitem__)
    return [last_merge(token, ranks) for token in in_order if len(token) > 1]


def last_merge(token: bytes, ranks: Mapping[bytes, int]) -> tuple[bytes, bytes]:
    """Run BPE on one token until two parts are left, and return them."""
    parts = [token[i : i + 1] for i in range(len(token))]
    pairs = [ranks.get(token[i : i + 2], NO_RANK) for i in range(len(token) - 1)]
    while len(parts) > 2:
        i = pairs.index(min(pairs))
        parts[i : i + 2] = [parts[i] + parts[i + 1]]
        del pairs[i]
        if i > 0:
            pairs[i - 1] = ranks.get(parts[i - 1] + parts[i], NO_RANK)
        if i < len(pairs):
            pairs[i] = ranks.get(parts[i] + parts[i + 1], NO_RANK)
    return parts[0], parts[1]


def visible_bytes() -> dict[int, str]:
    """Return GPT-2's map from bytes to printable characters, for `str.translate`.

    Source: `bytes_to_unicode` of https://github.com/openai/gpt-2/blob/master/src/encoder.py
    """
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    hidden = [byte for byte in range(256) if byte not in printable]
    table = {byte: chr(byte) for byte in printable}
    return table | {byte: chr(256 + i) for i, byte in enumerate(hidden)}


def tokenizer_json(ranks: Mapping[bytes, int], specials: Mapping[int, str]) -> dict[str, Any]:
    """Return the content of `tokenizer.json`.

    ranks: the bytes and id of every ordinary token. specials: the id and name of every special one.
    """
    table = visible_bytes()

    def text(token: bytes) -> str:
        return token.decode("latin-1").translate(table)

    split = {
        "type": "Split",
        "pattern": {"Regex": PATTERN},
        "behavior": "Isolated",
        "invert": False,
    }
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [special_token(token, name) for token, name in specials.items()],
        "normalizer": None,
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [{**split, "invert": False}, {**byte_level, "use_regex": False}],
        },
        "post_processor": None,
        "decoder": {**byte_level, "use_regex": True},
        "model": {
            "type": "BPE",
            "vocab": {text(token): rank for token, rank in ranks.items()},
            "merges": [[text(left), text(right)] for left, right in merges(ranks)],
        },
    }


def special_token(token: int, name: str) -> dict[str, Any]:
    """Return an entry of `added_tokens`, which is matched literally, never split or normalized."""
    return {
        "id": token,
        "content": name,
        "single_word": False,
        "lstrip": False,
        "rstrip": False,
        "normalized": False,
        "special": True,
    }


TOKENIZER_CONFIG = {
    "tokenizer_class": "PreTrainedTokenizerFast",
    "bos_token": "<|startoftext|>",
    "eos_token": "<|return|>",
    "pad_token": "<|endoftext|>",
    "model_max_length": 131072,
    "clean_up_tokenization_spaces": False,
}
"""The content of `tokenizer_config.json`."""
