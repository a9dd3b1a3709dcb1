"""What a cell writes: passed on as it comes, its middle cut, the whole kept in a file."""

from __future__ import annotations

import os
from collections import deque

SPILL_MAX = 64 * 1024 * 1024
"""Bytes of one stream that are kept in its file at most."""
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Capture:
    """One stream of one cell: the first half of `cap` bytes passes at once, the last at the end."""

    def __init__(self, path: str, cap: int) -> None:
        self._path = path
        self._half = cap // 2
        self._head = bytearray()
        self._tail: deque[bytes] = deque()
        self._tail_size = 0
        self._size = 0
        self._spill: int | None = None
        self._spilled = 0
        self._spilling = True

    def feed(self, data: bytes) -> bytes:
        """Take what came; return what is to be passed on now."""
        self._size += len(data)
        room = self._half - len(self._head)
        now, later = data[:room], data[room:]
        self._head += now
        if later:
            self._spill_out(later)
            self._keep(later)
        return now

    def finish(self) -> bytes:
        """Return what is still to be passed on: a line about what is missing, and the tail."""
        tail = b"".join(self._tail)
        if self._tail_size > self._half:
            tail = tail[-self._half :]
            # A character whose first bytes were cut off is cut off whole.
            while tail and tail[0] & 0xC0 == 0x80:
                tail = tail[1:]
        missing = self._size - len(self._head) - len(tail)
        if self._spill is not None:
            os.close(self._spill)
        if not missing:
            return tail
        return f"\n[... {missing} bytes left out; {self._where()} ...]\n".encode() + tail

    def _where(self) -> str:
        if self._spilled == self._size:
            return f"all {self._size} bytes are in {self._path}"
        if self._spilled:
            return f"the first {self._spilled} of {self._size} bytes are in {self._path}"
        return "they could not be kept, there is no room"

    def _keep(self, data: bytes) -> None:
        self._tail.append(data)
        self._tail_size += len(data)
        while self._tail_size - len(self._tail[0]) >= self._half:
            self._tail_size -= len(self._tail.popleft())

    def _spill_out(self, data: bytes) -> None:
        if not self._spilling:
            return
        if self._spill is None:
            data = bytes(self._head) + data
        data = data[: SPILL_MAX - self._spilled]
        try:
            if self._spill is None:
                self._spill = os.open(self._path, _NEW_FILE, 0o644)
            written = os.write(self._spill, data)
        except OSError:
            written = 0
        self._spilled += written
        # Full, the folder or the file: what was written stays, and finish() says how much.
        self._spilling = written == len(data) and self._spilled < SPILL_MAX
