"""A tool wrapper whose first call in every run fails, to test how a model reacts."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from ossia.harmony import Message, ToolNamespace
from ossia.tools import OpenTool, RunContext, Tool, ToolError, ToolReturn


@dataclass(frozen=True)
class FailsFirst(Tool):
    """A tool that fails at its first call and then behaves like the wrapped tool."""

    tool: Tool

    @property
    def namespace(self) -> ToolNamespace:
        """The namespace of the wrapped tool, so that the model sees no difference."""
        return self.tool.namespace

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[OpenTool]:
        """Open the wrapped tool."""
        async with self.tool.open() as opened:
            yield _OpenFailsFirst(opened)


class _OpenFailsFirst:
    """The wrapper of an open tool."""

    def __init__(self, opened: OpenTool) -> None:
        self._opened = opened
        self._failed = False

    async def call(self, call: Message, context: RunContext[Any]) -> ToolReturn:
        """Raise ToolError at the first call, then call the wrapped tool."""
        if not self._failed:
            self._failed = True
            raise ToolError("service unavailable")
        return await self._opened.call(call, context)
