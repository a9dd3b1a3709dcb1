"""The tool `apply_patch`: the model changes the text files of a folder with a patch."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from anyio import to_thread

from ..errors import ToolDefinitionError, ToolError
from ..harmony import Message, ToolDescription, ToolNamespace
from .patch import ConfinedFolder, FileChange, PatchError, parse_patch, plan_changes
from .protocol import OpenTool, RunContext, Tool, ToolReturn
from .recipients import FUNCTIONS

_DESCRIPTION = """\
Change text files with a patch. Paths are relative. Example of a patch:

*** Begin Patch
*** Add File: hello.txt
+Every line of a new file begins with +
*** Update File: src/app.py
*** Move to: src/main.py
@@ def greet():
     name = ask()
-    print("Hi", name)
+    print("Hello", name)
*** Delete File: old.txt
*** End Patch

`*** Move to:` is optional. In an update, write about three unchanged lines before and after each
change, and after @@ the line of the function or class that the change is in. `*** End of File` ends
a change of a file's last lines."""
_NAMESPACE = ToolNamespace(
    FUNCTIONS,
    None,
    (
        ToolDescription(
            "apply_patch",
            _DESCRIPTION,
            {
                "type": "object",
                "properties": {"patch": {"type": "string", "description": "The whole patch"}},
                "required": ["patch"],
                "additionalProperties": False,
            },
        ),
    ),
)


@dataclass(frozen=True)
class ApplyPatch(Tool):
    """A tool that adds, changes, moves and deletes the text files of one folder.

        agent = Agent(engine, tools=[ApplyPatch("project")])

    The model gets the patch format that gpt-oss was trained with. Nothing outside the folder is
    read or written, not even through symbolic links, and neither is version control (`.git`). A
    patch that does not fit changes nothing: the model reads which line is wrong.

    folder: an existing folder on this machine.

    Raises ToolDefinitionError if the folder does not exist.
    """

    folder: str | Path

    def __post_init__(self) -> None:
        if not Path(self.folder).is_dir():
            raise ToolDefinitionError(f"{self.folder} is not a folder: create it first")
        # The current folder of the process may change.
        object.__setattr__(self, "folder", Path(self.folder).resolve())

    @property
    def namespace(self) -> ToolNamespace:
        """The namespace `functions` with `apply_patch` only."""
        return _NAMESPACE

    @property
    def sequential(self) -> bool:
        """Whether its calls wait for each other: yes, because two patches may change one file."""
        return True

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[OpenTool]:
        """Open the tool; it has no state."""
        yield OpenApplyPatch(ConfinedFolder(Path(self.folder)))


@dataclass(frozen=True, slots=True)
class OpenApplyPatch:
    """The tool during one run."""

    folder: ConfinedFolder

    async def call(self, call: Message, context: RunContext[Any]) -> ToolReturn:  # noqa: ARG002
        """Apply the patch, and return which files have changed."""
        patch = read_patch_argument(call.text)
        changes = await to_thread.run_sync(self._apply, patch)
        return ToolReturn("\n".join(["Done.", *(f"{item.mark} {item.path}" for item in changes)]))

    def _apply(self, patch: str) -> Sequence[FileChange]:
        try:
            changes = plan_changes(parse_patch(patch), self.folder)
        except (PatchError, OSError) as error:
            raise ToolError(f"the patch was not applied: {_reason(error)}") from error
        texts = {change.path: change.text for change in changes}
        done: list[str] = []
        try:
            # Files are written before others are deleted: an error on the way loses nothing.
            for path, text in sorted(texts.items(), key=lambda item: item[1] is None):
                if text is None:
                    self.folder.delete(path)
                else:
                    self.folder.write(path, text)
                done.append(path)
        except (PatchError, OSError) as error:
            which = f"only to {', '.join(done)}" if done else "to no file"
            raise ToolError(f"the patch was applied {which}: {_reason(error)}") from error
        return changes


def _reason(error: PatchError | OSError) -> str:
    return str(error) if isinstance(error, PatchError) else f"{error.filename}: {error.strerror}"


def read_patch_argument(text: str) -> str:
    """Return the patch of a call: the model writes it into JSON, or as it is."""
    try:
        value: object = json.loads(text, strict=False)
    except (ValueError, RecursionError):
        return text
    if isinstance(value, dict):
        values = [*cast("dict[str, object]", value).values()]
        value = values[0] if len(values) == 1 else None
    if not isinstance(value, str):
        raise ToolError('write the patch as the only argument: {"patch": "*** Begin Patch..."}')
    return value
