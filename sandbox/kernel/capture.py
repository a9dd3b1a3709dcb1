"""Capture of a cell's output: both ends are passed on, and all of it is saved in a file."""

from __future__ import annotations

import os
from collections import deque

MAX_SAVED = 64 * 1024 * 1024
"""Maximum bytes of one stream that are saved in its file."""
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class StreamCapture:
    """One stream of one cell.

    The first half of `cap` bytes is passed on at once, and the last half when the cell ends.
    """

    def __init__(self, path: str, cap: int) -> None:
        self._path = path
        self._half = cap // 2
        self._head = bytearray()
        self._tail: deque[bytes] = deque()
        self._tail_size = 0
        self._size = 0
        self._file: int | None = None
        self._saved = 0
        self._saving = True

    def feed(self, data: bytes) -> bytes:
        """Add data; return the part to pass on now."""
        self._size += len(data)
        space = self._half - len(self._head)
        head, rest = data[:space], data[space:]
        self._head += head
        if rest:
            self._save(rest)
            self._add_to_tail(rest)
        return head

    def finish(self) -> bytes:
        """Return the rest to pass on: a note about omitted bytes, and the tail."""
        tail = b"".join(self._tail)
        if self._tail_size > self._half:
            tail = tail[-self._half :]
            # Do not start inside a UTF-8 character.
            while tail and tail[0] & 0xC0 == 0x80:
                tail = tail[1:]
        omitted = self._size - len(self._head) - len(tail)
        if self._file is not None:
            os.close(self._file)
        if not omitted:
            return tail
        return f"\n[... {omitted} bytes omitted; {self._saved_note()} ...]\n".encode() + tail

    def _saved_note(self) -> str:
        if self._saved == self._size:
            return f"all {self._size} bytes are in {self._path}"
        if self._saved:
            return f"the first {self._saved} of {self._size} bytes are in {self._path}"
        return "they were not saved: no space left"

    def _add_to_tail(self, data: bytes) -> None:
        self._tail.append(data)
        self._tail_size += len(data)
        while self._tail_size - len(self._tail[0]) >= self._half:
            self._tail_size -= len(self._tail.popleft())

    def _save(self, data: bytes) -> None:
        if not self._saving:
            return
        if self._file is None:
            data = bytes(self._head) + data
        data = data[: MAX_SAVED - self._saved]
        try:
            if self._file is None:
                self._file = os.open(self._path, _NEW_FILE, 0o644)
            written = os.write(self._file, data)
        except OSError:
            written = 0
        self._saved += written
        # If the folder or the file is full, what was written stays; finish() says how much.
        self._saving = written == len(data) and self._saved < MAX_SAVED
