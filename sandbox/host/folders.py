"""Transfer of whole folders into and out of a sandbox."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

from anyio import to_thread

from ...errors import SandboxPathError
from ..protocol import DATA_FOLDER, Sandbox
from .paths import to_relative

MAX_BYTES = 512 * 1024 * 1024


async def put_folder(
    sandbox: Sandbox, local: str | Path, path: str = DATA_FOLDER, *, max_bytes: int = MAX_BYTES
) -> list[str]:
    """Copy the regular files in a local folder into the sandbox; return their paths there.

    Links are skipped: their targets may lie outside the folder.

    Raises SandboxPathError if `local` is not a folder or is larger than `max_bytes`, and if the
    sandbox has no space left.
    """
    root = Path(local)
    files = await to_thread.run_sync(_files_in, root, max_bytes)
    written: list[str] = []
    for file in files:
        target = str(PurePosixPath(DATA_FOLDER, path, *file.relative_to(root).parts))
        await sandbox.put(target, await to_thread.run_sync(file.read_bytes))
        written.append(target)
    return written


async def get_folder(
    sandbox: Sandbox, local: str | Path, path: str = DATA_FOLDER, *, max_bytes: int = MAX_BYTES
) -> list[Path]:
    """Copy the files of a folder in the sandbox into a local one; return their local paths.

    The local folder is created if needed. Links in it are not followed and files in it are not
    replaced: a file or link that already exists at a target path is an error.

    Raises SandboxPathError for such a file, for more than `max_bytes`, and if the sandbox lists
    a path outside the folder.
    """
    root = Path(local)
    top = PurePosixPath(DATA_FOLDER, path)
    files = [file for file in await sandbox.list() if PurePosixPath(file.path).is_relative_to(top)]
    size = sum(file.size_bytes for file in files)
    if size > max_bytes:
        raise SandboxPathError(f"{top} has {size} bytes; max_bytes is {max_bytes}")
    written: list[Path] = []
    for file in files:
        # The listing comes from the sandbox, so its paths are checked like any other.
        relative = PurePosixPath(DATA_FOLDER, to_relative(file.path)).relative_to(top)
        data = await sandbox.get(file.path, max_bytes=max_bytes)
        written.append(await to_thread.run_sync(_write_new_file, root, relative, data))
    return written


def _files_in(root: Path, max_bytes: int) -> list[Path]:
    if not root.is_dir():
        raise SandboxPathError(f"{str(root)!r} is not a folder")
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
        raise SandboxPathError(f"{str(root)!r} has {size} bytes; max_bytes is {max_bytes}")
    return sorted(files)


def _write_new_file(root: Path, relative: PurePosixPath, data: bytes) -> Path:
    target = root.joinpath(*relative.parts)
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.parent.resolve().is_relative_to(root.resolve()):
        raise SandboxPathError(f"{str(target.parent)!r} is a link that leads out of {str(root)!r}")
    try:
        with target.open("xb") as file:
            file.write(data)
    except FileExistsError as error:
        raise SandboxPathError(f"{str(target)!r} already exists") from error
    return target
