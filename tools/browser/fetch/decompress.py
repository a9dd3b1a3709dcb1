"""Packed bodies, unpacked bit by bit: a small packet may hold gigabytes."""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable
from importlib import import_module
from typing import Any

from ....errors import ToolError

# The one ships no types, and the other is part of Python under another name from 3.14 on.
brotli: Any = import_module("brotli")
zstd: Any = import_module("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd")

ACCEPTED = "gzip, deflate, br, zstd"


Unpack = Callable[[bytes, int], bytes]
"""Takes the next packed bytes, and gives what comes out: about so many at most, and the rest to
nobody. Raises ToolError if the bytes are not what they are said to be."""


def unpacker(coding: str) -> Unpack:
    """The way out of a coding by its name in a header, for one body.

    Raises ToolError if it is none of ACCEPTED.
    """
    name = coding.strip().lower()
    if name not in _CODINGS:
        raise ToolError(f"the server packed the page as {name}, which was not asked for")
    unpack = _CODINGS[name]()

    def checked(packed: bytes, room: int) -> bytes:
        try:
            return unpack(packed, room)
        except _BROKEN as error:
            raise ToolError(
                f"the server packed the page as {name}, and wrongly: {error}"
            ) from error

    return checked


def _plain() -> Unpack:
    return lambda packed, room: packed[:room]


def _gzip() -> Unpack:
    return zlib.decompressobj(zlib.MAX_WBITS | 16).decompress


def _deflate() -> Unpack:
    unpack: Unpack | None = None

    def inflate(packed: bytes, room: int) -> bytes:
        nonlocal unpack
        if unpack is None and packed:
            # Some servers leave out the header that deflate should have.
            headed = packed[0] & 0x0F == zlib.DEFLATED
            unpack = zlib.decompressobj(zlib.MAX_WBITS if headed else -zlib.MAX_WBITS).decompress
        return unpack(packed, room) if unpack else b""

    return inflate


def _brotli() -> Unpack:
    unpack = brotli.Decompressor()
    return lambda packed, room: bytes(unpack.process(packed, output_buffer_limit=room))


def _zstd() -> Unpack:
    unpack: Unpack = zstd.ZstdDecompressor().decompress
    return unpack


_CODINGS: dict[str, Callable[[], Unpack]] = {
    "": _plain,
    "identity": _plain,
    "gzip": _gzip,
    "x-gzip": _gzip,
    "deflate": _deflate,
    "br": _brotli,
    "zstd": _zstd,
}
_BROKEN = (zlib.error, brotli.error, zstd.ZstdError, EOFError)
