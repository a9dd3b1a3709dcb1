"""A gpt-oss of random weights: whatever well-formed it says, it owes to a grammar."""

from __future__ import annotations

import lzma
import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from random import Random

from examples.tiny_gpt_oss import checkpoint as tiny_checkpoint
from examples.tiny_gpt_oss import safetensors
from examples.tiny_gpt_oss.expand import EMBEDDING, HEAD, IDS, WEIGHTS, made_once
from examples.tiny_gpt_oss.safetensors import Tensor
from ossia.harmony import decode
from ossia.harmony.format import special

SEED = 1
# The upper byte of a bfloat16: its sign and all of its exponent but one bit.
SMALL, MIDDLE, LARGE, HUGE = 0x3D, 0x3E, 0x3F, 0x40
"""Magnitudes of 1/32 to 1/8, of 1/8 to 1/2, of 1/2 to 2, of 2 to 8."""
ONE = b"\x80\x3f"
CLOSING = ('"', "}", "]", ",")
"""What tokens begin with that end a string, an object, an array, a number."""


def checkpoint() -> Path:
    """The folder that vLLM loads; made in two seconds."""
    tiny = tiny_checkpoint()
    made_of = Path(__file__).read_bytes() + str(tiny).encode()
    return made_once(made_of, "random-gpt-oss", partial(make, tiny))


def make(tiny: Path, folder: Path) -> None:
    """Make `folder`, with the tiny model's shape and tokenizer, and weights by chance."""
    shutil.copytree(tiny, folder, ignore=shutil.ignore_patterns("*.safetensors"))
    with (folder / "model.safetensors").open("wb") as file:
        safetensors.write(file, weights(Random(SEED)), {"format": "pt"})


def weights(rng: Random) -> dict[str, Tensor]:
    """Random tensors in the shapes of the tiny model's, for the whole vocabulary.

    In the head the rows of what ends a value are large, and those of what ends a text are huge:
    such a token is hopeless or certain, by chance, and all that is written comes to its end.
    """
    packed, _ = safetensors.read(lzma.decompress(WEIGHTS.read_bytes()))
    made: dict[str, Tensor] = {}
    for name, tensor in packed.items():
        if name not in {IDS, EMBEDDING}:
            size = len(tensor.data) // 2
            data = ONE * size if "norm" in name else noise(rng, size, SMALL)
            made[name] = Tensor(tensor.dtype, tensor.shape, data)
    shape = (special.SIZE, packed[EMBEDDING].shape[1])
    made[EMBEDDING] = Tensor("BF16", shape, noise(rng, shape[0] * shape[1], MIDDLE))
    head = noise(rng, shape[0] * shape[1], SMALL)
    for token, magnitude in endings():
        at, width = token * 2 * shape[1], 2 * shape[1]
        head[at : at + width] = noise(rng, shape[1], magnitude)
    made[HEAD] = Tensor("BF16", shape, head)
    return made


def endings() -> Iterator[tuple[int, int]]:
    """Control tokens, and tokens that end a JSON value, with the magnitude of their rows."""
    yield from ((token, HUGE) for token in (special.RETURN, special.CALL, special.END))
    yield from (
        (token, LARGE) for token in range(special.FIRST) if decode([token]).startswith(CLOSING)
    )


def noise(rng: Random, count: int, magnitude: int) -> bytearray:
    """Random bfloat16 numbers of about one magnitude, little-endian; shape (2 * count,)."""
    upper = bytes(byte & 0x80 | magnitude for byte in range(256))
    numbers = bytearray(2 * count)
    numbers[::2] = rng.randbytes(count)
    numbers[1::2] = rng.randbytes(count).translate(upper)
    return numbers
