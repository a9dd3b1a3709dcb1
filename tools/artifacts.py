"""Where results go that are too long for the model to read, or no text at all."""

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

_UNSAFE = re.compile(r"[^\w.-]")
_NAME_CHARS = 100


class ArtifactStore:
    """The files of one run, where the model can reach them if any tool lets it.

    keeper: the tool with a place for files, python say.
    folder: where they go otherwise; None: a new temporary folder, made when the first file comes.
        It is not removed with the run: the files are the run's results.
    max_chars: of a text that the model is to read at once.
    """

    def __init__(self, keeper: FileStore | None, folder: Path | None, max_chars: int) -> None:
        self._keeper = keeper
        self._folder = folder
        self._max_chars = max_chars
        self._numbers = count(1)
        self._written: set[str] = set()

    async def store(self, returned: ToolReturn, name: str) -> tuple[str, tuple[str, ...]]:
        """Store the attached files, and the full text if it is too long.

        name: of the tool, for the file that has the full text.
        Returns the text for the model, which names the stored files, and the paths of all files.
        """
        paths = [await self._keep(file) for file in returned.attached]
        lines = [
            f"The file is {path} ({len(file.data):,} bytes)."
            for file, path in zip(returned.attached, paths, strict=True)
        ]
        text = returned.text
        if len(text) > self._max_chars:
            full = await self._keep(Attachment(f"{name}.txt", text.encode()))
            paths.append(full)
            text = self._both_ends(text, full)
        text = "\n".join(part for part in [text, *lines] if part)
        return text, (*returned.files, *paths)

    async def read(self, path: str) -> bytes:
        """A file that some result named, from wherever it lies.

        Raises SandboxError or OSError if it is not there any more.
        """
        if path in self._written:
            return await to_thread.run_sync(Path(path).read_bytes)
        if self._keeper is None:
            raise FileNotFoundError(f"no tool of this run has a file {path!r}")
        return await self._keeper.fetch(path)

    def _both_ends(self, text: str, path: str) -> str:
        """The text's beginning and its end, and what is missing in between."""
        head = self._max_chars * 3 // 4
        tail = self._max_chars - head
        left_out = len(text) - self._max_chars
        note = (
            f"[... {left_out:,} of {len(text):,} characters left out; all of it is in {path} ...]"
        )
        return f"{text[:head]}\n{note}\n{text[-tail:]}"

    async def _keep(self, file: Attachment) -> str:
        name = PurePath(_UNSAFE.sub("_", file.name)[-_NAME_CHARS:])
        numbered = f"{name.stem}-{next(self._numbers)}{name.suffix}"
        if self._keeper is not None:
            try:
                return await self._keeper.keep(numbered, file.data)
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
    """The first open tool that has a place for files."""
    return next((one for one in tools if isinstance(one, FileStore)), None)
