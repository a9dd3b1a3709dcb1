"""Whole folders, into a sandbox and out of it."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

from anyio import to_thread

from ...errors import SandboxPathError
from ..protocol import DATA, Sandbox
from .paths import to_relative

MAX_BYTES = 512 * 1024 * 1024


async def put_folder(
    sandbox: Sandbox, local: str | Path, path: str = DATA, *, max_bytes: int = MAX_BYTES
) -> list[str]:
    """Copy the regular files below a local folder into the sandbox; return their paths there.

    Links are left out: what they point to was not asked for.

    Raises SandboxPathError where `local` is no folder, holds more than `max_bytes`, or there is
    no room for it.
    """
    root = Path(local)
    files = await to_thread.run_sync(_files_below, root, max_bytes)
    written: list[str] = []
    for file in files:
        target = str(PurePosixPath(DATA, path, *file.relative_to(root).parts))
        await sandbox.put(target, await to_thread.run_sync(file.read_bytes))
        written.append(target)
    return written


async def get_folder(
    sandbox: Sandbox, local: str | Path, path: str = DATA, *, max_bytes: int = MAX_BYTES
) -> list[Path]:
    """Copy the files below a folder of the sandbox into a local one; return their local paths.

    The local folder is made if need be. Nothing in it is followed or replaced: a file or link
    that is already where one would be written is an error.

    Raises SandboxPathError for such a file, for more than `max_bytes`, and where the sandbox
    names a path that leads elsewhere.
    """
    root = Path(local)
    top = PurePosixPath(DATA, path)
    wanted = [file for file in await sandbox.list() if PurePosixPath(file.path).is_relative_to(top)]
    size = sum(file.size_bytes for file in wanted)
    if size > max_bytes:
        raise SandboxPathError(f"{top} holds {size} bytes; max_bytes is {max_bytes}")
    written: list[Path] = []
    for file in wanted:
        # The listing is the sandbox's word: its paths are checked like any other's.
        below = PurePosixPath(DATA, to_relative(file.path)).relative_to(top)
        data = await sandbox.get(file.path, max_bytes=max_bytes)
        written.append(await to_thread.run_sync(_write_new, root, below, data))
    return written


def _files_below(root: Path, max_bytes: int) -> list[Path]:
    if not root.is_dir():
        raise SandboxPathError(f"{str(root)!r} is no folder")
    files: list[Path] = []
    size = 0
    for folder, _, names in os.walk(root):
        for name in names:
            file = Path(folder, name)
            if file.is_symlink() or not file.is_file():
                continue
            size += file.stat().st_size
            files.append(file)
    if size > max_bytes:
        raise SandboxPathError(f"{str(root)!r} holds {size} bytes; max_bytes is {max_bytes}")
    return sorted(files)


def _write_new(root: Path, below: PurePosixPath, data: bytes) -> Path:
    target = root.joinpath(*below.parts)
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.parent.resolve().is_relative_to(root.resolve()):
        raise SandboxPathError(f"{str(target.parent)!r} is a link that leads out of {str(root)!r}")
    try:
        with target.open("xb") as file:
            file.write(data)
    except FileExistsError as error:
        raise SandboxPathError(f"{str(target)!r} is there already") from error
    return target
