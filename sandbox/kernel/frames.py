"""The frames between host and supervisor: each has a JSON header and a body of bytes."""

from __future__ import annotations

import json
import struct
from typing import Any, cast

_SIZES = struct.Struct(">II")
MAX_HEADER = 16 * 1024 * 1024
"""Maximum size of a header; ample for a result, a traceback and a list of files."""
MAX_BODY = 1024 * 1024
"""Maximum size of a body; longer data takes several frames."""

Header = dict[str, Any]


def pack(header: Header, body: bytes = b"") -> bytes:
    """Return a frame as bytes."""
    text = json.dumps(header).encode()
    return _SIZES.pack(len(text), len(body)) + text + body


class FrameError(Exception):
    """Bytes that are not a frame: the sender does not follow the protocol."""


class Unpacker:
    """An incremental decoder of frames."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> None:
        """Append received bytes."""
        self._buffer += data

    def next(self) -> tuple[Header, bytes] | None:
        """Return the next complete frame, or None if more bytes are needed.

        Raises FrameError if a size or a header is invalid.
        """
        if len(self._buffer) < _SIZES.size:
            return None
        header_size, body_size = _SIZES.unpack_from(self._buffer)
        if header_size > MAX_HEADER or body_size > MAX_BODY:
            raise FrameError(f"a frame of {header_size} + {body_size} bytes is too large")
        end = _SIZES.size + header_size + body_size
        if len(self._buffer) < end:
            return None
        text = bytes(self._buffer[_SIZES.size : _SIZES.size + header_size])
        body = bytes(self._buffer[_SIZES.size + header_size : end])
        del self._buffer[:end]
        try:
            header = json.loads(text)
        except ValueError as error:
            raise FrameError(f"a frame's header is not JSON: {text[:80]!r}") from error
        if not isinstance(header, dict):
            raise FrameError(f"a frame's header is not an object: {text[:80]!r}")
        return cast("Header", header), body
