"""A tool whose first call in every run fails, to see what a model makes of that."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from ossia.harmony import Message, ToolNamespace
from ossia.tools import OpenTool, RunContext, Tool, ToolError, ToolReturn


@dataclass(frozen=True)
class FailsFirst(Tool):
    """Another tool, but for the first call."""

    tool: Tool

    @property
    def namespace(self) -> ToolNamespace:
        """The other tool's: the model cannot tell."""
        return self.tool.namespace

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[OpenTool]:
        """Open the other tool."""
        async with self.tool.open() as opened:
            yield _OnceFailing(opened)


class _OnceFailing:
    """The open tool."""

    def __init__(self, opened: OpenTool) -> None:
        self._opened = opened
        self._failed = False

    async def call(self, call: Message, context: RunContext[Any]) -> ToolReturn:
        """Fail once, then answer."""
        if not self._failed:
            self._failed = True
            raise ToolError("service unavailable")
        return await self._opened.call(call, context)
