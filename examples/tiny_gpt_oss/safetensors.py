"""Reading and writing of safetensors files in plain Python, without torch or numpy."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

BYTES = {"BF16": 2, "I32": 4}
"""The size in bytes of each number type that the tiny model uses."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor with the data as in the file: little-endian, row by row."""

    dtype: str
    shape: tuple[int, ...]
    data: bytes | bytearray

    @property
    def row_bytes(self) -> int:
        """The number of bytes of one row."""
        return len(self.data) // self.shape[0]


def read(raw: bytes) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return the tensors by name, in the file's order, and the file's metadata.

    Source: https://github.com/huggingface/safetensors#format
    """
    (length,) = struct.unpack_from("<Q", raw)
    header: dict[str, Any] = json.loads(raw[8 : 8 + length])
    metadata: dict[str, str] = header.pop("__metadata__", {})
    body = memoryview(raw)[8 + length :]
    tensors: dict[str, Tensor] = {}
    for name, entry in header.items():
        start, stop = entry["data_offsets"]
        tensors[name] = Tensor(entry["dtype"], tuple(entry["shape"]), bytes(body[start:stop]))
    return tensors, metadata


def write(file: BinaryIO, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write the tensors in their given order."""
    header: dict[str, object] = {"__metadata__": dict(metadata)}
    start = 0
    for name, tensor in tensors.items():
        stop = start + len(tensor.data)
        header[name] = {
            "dtype": tensor.dtype,
            "shape": tensor.shape,
            "data_offsets": (start, stop),
        }
        start = stop
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    file.write(struct.pack("<Q", len(text)) + text)
    for tensor in tensors.values():
        file.write(tensor.data)
