"""A gpt-oss model with random weights. Its output is well-formed only because of a grammar."""

from __future__ import annotations

import lzma
import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from random import Random

from examples.tiny_gpt_oss import checkpoint as tiny_checkpoint
from examples.tiny_gpt_oss import safetensors
from examples.tiny_gpt_oss.expand import EMBEDDING, HEAD, IDS, WEIGHTS, cached_checkpoint
from examples.tiny_gpt_oss.safetensors import Tensor
from ossia.harmony import decode
from ossia.harmony.format import special

SEED = 1
# Upper bytes of bfloat16 numbers: the sign and all but one bit of the exponent.
SMALL, MIDDLE, LARGE, HUGE = 0x3D, 0x3E, 0x3F, 0x40
"""Magnitudes from 1/32 to 1/8, from 1/8 to 1/2, from 1/2 to 2, from 2 to 8."""
BF16_ONE = b"\x80\x3f"
CLOSING = ('"', "}", "]", ",")
"""The first characters of tokens that end a string, an object, an array or a number."""


def checkpoint() -> Path:
    """Return the folder that vLLM loads. The first call creates it, in two seconds."""
    tiny = tiny_checkpoint()
    made_of = Path(__file__).read_bytes() + str(tiny).encode()
    return cached_checkpoint(made_of, "random-gpt-oss", partial(make, tiny))


def make(tiny: Path, folder: Path) -> None:
    """Create `folder` with the tiny model's shape and tokenizer, and random weights."""
    shutil.copytree(tiny, folder, ignore=shutil.ignore_patterns("*.safetensors"))
    with (folder / "model.safetensors").open("wb") as file:
        safetensors.write(file, weights(Random(SEED)), {"format": "pt"})


def weights(rng: Random) -> dict[str, Tensor]:
    """Return random tensors in the shapes of the tiny model's, for the whole vocabulary.

    In the head, rows of tokens that end a value are large, and rows of tokens that end a text
    are huge. At each position, such a token is very likely or very unlikely, by chance. So every
    value and every text ends eventually.
    """
    packed, _ = safetensors.read(lzma.decompress(WEIGHTS.read_bytes()))
    tensors: dict[str, Tensor] = {}
    for name, tensor in packed.items():
        if name not in {IDS, EMBEDDING}:
            size = len(tensor.data) // 2
            data = BF16_ONE * size if "norm" in name else noise(rng, size, SMALL)
            tensors[name] = Tensor(tensor.dtype, tensor.shape, data)
    shape = (special.SIZE, packed[EMBEDDING].shape[1])
    tensors[EMBEDDING] = Tensor("BF16", shape, noise(rng, shape[0] * shape[1], MIDDLE))
    head = noise(rng, shape[0] * shape[1], SMALL)
    for token, magnitude in end_tokens():
        start, width = token * 2 * shape[1], 2 * shape[1]
        head[start : start + width] = noise(rng, shape[1], magnitude)
    tensors[HEAD] = Tensor("BF16", shape, head)
    return tensors


def end_tokens() -> Iterator[tuple[int, int]]:
    """Yield the tokens that end a text or a JSON value, with the magnitude of their rows."""
    yield from ((token, HUGE) for token in (special.RETURN, special.CALL, special.END))
    yield from (
        (token, LARGE) for token in range(special.FIRST) if decode([token]).startswith(CLOSING)
    )


def noise(rng: Random, count: int, magnitude: int) -> bytearray:
    """Return `count` random bfloat16 numbers of similar magnitude, as little-endian bytes."""
    upper = bytes(byte & 0x80 | magnitude for byte in range(256))
    numbers = bytearray(2 * count)
    numbers[::2] = rng.randbytes(count)
    numbers[1::2] = rng.randbytes(count).translate(upper)
    return numbers
