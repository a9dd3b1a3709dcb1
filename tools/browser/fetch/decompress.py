"""Decompression of response bodies with a limit: a small body may expand to gigabytes."""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable
from importlib import import_module
from typing import Any

from ....errors import ToolError

# brotli has no types. zstd is in the standard library under another name from Python 3.14 on.
brotli: Any = import_module("brotli")
zstd: Any = import_module("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd")

ACCEPT_ENCODING = "gzip, deflate, br, zstd"

Decompress = Callable[[bytes, int], bytes]
"""Returns the output for the next compressed bytes, cut at about the given length. The rest is
discarded. Raises ToolError if the bytes are invalid."""


def decompressor(encoding: str) -> Decompress:
    """Return the decompressor for one body.

    encoding: the value of the Content-Encoding header.

    Raises ToolError if it is not one of ACCEPT_ENCODING.
    """
    name = encoding.strip().lower()
    if name not in _DECOMPRESSORS:
        raise ToolError(f"unsupported content encoding: {name}")
    decompress = _DECOMPRESSORS[name]()

    def checked(data: bytes, max_length: int) -> bytes:
        try:
            return decompress(data, max_length)
        except _INVALID_DATA as error:
            raise ToolError(f"the server sent invalid {name} data: {error}") from error

    return checked


def _identity() -> Decompress:
    return lambda data, max_length: data[:max_length]


def _gzip() -> Decompress:
    return zlib.decompressobj(zlib.MAX_WBITS | 16).decompress


def _deflate() -> Decompress:
    decompress: Decompress | None = None

    def inflate(data: bytes, max_length: int) -> bytes:
        nonlocal decompress
        if decompress is None and data:
            # Some servers omit the zlib header.
            has_header = data[0] & 0x0F == zlib.DEFLATED
            bits = zlib.MAX_WBITS if has_header else -zlib.MAX_WBITS
            decompress = zlib.decompressobj(bits).decompress
        return decompress(data, max_length) if decompress else b""

    return inflate


def _brotli() -> Decompress:
    state = brotli.Decompressor()
    return lambda data, max_length: bytes(state.process(data, output_buffer_limit=max_length))


def _zstd() -> Decompress:
    decompress: Decompress = zstd.ZstdDecompressor().decompress
    return decompress


_DECOMPRESSORS: dict[str, Callable[[], Decompress]] = {
    "": _identity,
    "identity": _identity,
    "gzip": _gzip,
    "x-gzip": _gzip,
    "deflate": _deflate,
    "br": _brotli,
    "zstd": _zstd,
}
_INVALID_DATA = (zlib.error, brotli.error, zstd.ZstdError, EOFError)
