"""Storage for tool results that are files, or too long for the model to read."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable
from itertools import count
from pathlib import Path, PurePath

from anyio import to_thread

from ..errors import SandboxError
from ..sandbox import get_logger
from .protocol import Attachment, FileStore, ToolReturn

log = get_logger("ossia.tools")

DATA_FOLDER = "/mnt/data/"
"""The folder of the files in a sandbox, as the model was trained to use it."""

_UNSAFE = re.compile(r"[^\w.-]")
_NAME_CHARS = 100


class ArtifactStore:
    """The files of one run, stored where the model can open them, if any tool allows that.

    file_store: the tool that stores files, such as python.
    folder: where files go otherwise. None: a new temporary folder, created with the first file. It
        is not removed at the end of the run, because the files are results of the run.
    max_chars: of a text that the model reads in full.
    """

    def __init__(self, file_store: FileStore | None, folder: Path | None, max_chars: int) -> None:
        self._file_store = file_store
        self._folder = folder
        self._max_chars = max_chars
        self._numbers = count(1)
        self._written: set[str] = set()

    async def store(self, returned: ToolReturn, name: str) -> tuple[str, tuple[str, ...]]:
        """Store the attached files, and the full text if it is too long.

        name: of the tool, for the file that has the full text.
        Returns the text for the model, which names the stored files, and the paths of all files.
        """
        paths = [await self._store_file(file) for file in returned.attachments]
        lines = [
            f"File saved: {path} ({len(file.data):,} bytes)"
            for file, path in zip(returned.attachments, paths, strict=True)
        ]
        text = returned.text
        if len(text) > self._max_chars:
            path = await self._store_file(Attachment(f"{name}.txt", text.encode()))
            paths.append(path)
            text = self._shorten(text, path)
        text = "\n".join(part for part in [text, *lines] if part)
        return text, (*returned.files, *paths)

    async def read(self, path: str) -> bytes:
        """Read a file that a tool result named.

        Raises SandboxError or OSError if it no longer exists.
        """
        if path in self._written:
            return await to_thread.run_sync(Path(path).read_bytes)
        if self._file_store is None:
            raise FileNotFoundError(f"no tool of this run has a file {path!r}")
        return await self._file_store.read_file(path)

    def _shorten(self, text: str, path: str) -> str:
        """Return the beginning and the end of a text, with a note in between."""
        head = self._max_chars * 3 // 4
        tail = self._max_chars - head
        omitted = len(text) - self._max_chars
        note = (
            f"[... {omitted:,} of {len(text):,} characters omitted; the full text is in {path} ...]"
        )
        return f"{text[:head]}\n{note}\n{text[-tail:]}"

    async def _store_file(self, file: Attachment) -> str:
        name = PurePath(_UNSAFE.sub("_", file.name)[-_NAME_CHARS:])
        numbered = f"{name.stem}-{next(self._numbers)}{name.suffix}"
        if self._file_store is not None:
            try:
                return await self._file_store.write_file(numbered, file.data)
            except SandboxError as error:
                reason = type(error).__name__
                log.warning("file_not_stored_in_sandbox", bytes=len(file.data), error=reason)
        return await to_thread.run_sync(self._write, numbered, file.data)

    def _write(self, name: str, data: bytes) -> str:
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="ossia-"))
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / name
        with path.open("xb") as file:
            file.write(data)
        self._written.add(str(path))
        return str(path)


def find_file_store(tools: Iterable[object]) -> FileStore | None:
    """Return the first open tool that stores files."""
    return next((tool for tool in tools if isinstance(tool, FileStore)), None)
