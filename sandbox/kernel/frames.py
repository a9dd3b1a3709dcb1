"""The frames between the caller and the supervisor: a header in JSON, and a body of bytes."""

from __future__ import annotations

import json
import struct
from typing import Any, cast

_SIZES = struct.Struct(">II")
MAX_HEADER = 16 * 1024 * 1024
"""Bytes of JSON in one frame; a result, a traceback and a list of files fit many times over."""
MAX_BODY = 1024 * 1024
"""Bytes in one frame's body; longer data travels in several frames."""

Header = dict[str, Any]


def pack(header: Header, body: bytes = b"") -> bytes:
    """Return one frame as it travels."""
    text = json.dumps(header).encode()
    return _SIZES.pack(len(text), len(body)) + text + body


class FrameError(Exception):
    """Bytes that are no frame: whoever sent them does not speak this protocol."""


class Unpacker:
    """Cuts a stream of bytes into frames, however the bytes are split."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> None:
        """Append bytes as they came."""
        self._buffer += data

    def next(self) -> tuple[Header, bytes] | None:
        """Return the next whole frame, or None if its end has not come yet.

        Raises FrameError where a size or header cannot be one of ours.
        """
        if len(self._buffer) < _SIZES.size:
            return None
        header_size, body_size = _SIZES.unpack_from(self._buffer)
        if header_size > MAX_HEADER or body_size > MAX_BODY:
            raise FrameError(f"a frame of {header_size} + {body_size} bytes is beyond all limits")
        end = _SIZES.size + header_size + body_size
        if len(self._buffer) < end:
            return None
        text = bytes(self._buffer[_SIZES.size : _SIZES.size + header_size])
        body = bytes(self._buffer[_SIZES.size + header_size : end])
        del self._buffer[:end]
        try:
            header = json.loads(text)
        except ValueError as error:
            raise FrameError(f"a frame's header is no JSON: {text[:80]!r}") from error
        if not isinstance(header, dict):
            raise FrameError(f"a frame's header is no object: {text[:80]!r}")
        return cast("Header", header), body
