"""What the command line says of an agent; kept with its runs, so that they can be resumed."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel

from ..agent import Agent
from ..engine import Sampling
from ..journal import Journal
from ..limits import Limits
from ..vllm import VLLMEngine
from .engine import open_with_progress
from .options import DEFAULT_URL
from .toolnames import load_tool


def _portable_tool(name: str) -> str:
    """A tool by a name that means the same in every folder."""
    file, colon, function = name.partition(".py:")
    return f"{Path(file).resolve()}{colon}{function}" if colon else name


def _portable_model(name: str) -> str:
    """A model likewise."""
    return str(Path(name).resolve()) if Path(name).is_dir() else name


class Setup(BaseModel, frozen=True):
    """An agent in words. It holds no key: that is asked for anew."""

    engine: str = DEFAULT_URL
    model: str | None = None
    serve: Annotated[str, AfterValidator(_portable_model)] | None = None
    """A model to start a server for."""
    tools: tuple[Annotated[str, AfterValidator(_portable_tool)], ...] = ()
    instructions: str | None = None
    reasoning: Literal["low", "medium", "high"] = "medium"
    temperature: float = 1.0
    seed: int | None = None
    max_steps: int | None = 50
    max_seconds: float | None = None

    @asynccontextmanager
    async def open(self, journal: Journal, *, api_key: str | None) -> AsyncGenerator[Agent]:
        """The agent, with its engine, and its server if one is to be started."""
        tools = [load_tool(name) for name in self.tools]
        async with AsyncExitStack() as stack:
            url, model = self.engine, self.model
            if self.serve is not None:
                server = await stack.enter_async_context(open_with_progress(self.serve))
                url, model = server.url, server.model
            engine = VLLMEngine(url, model=model, api_key=api_key)
            yield Agent(
                await stack.enter_async_context(engine),
                instructions=self.instructions,
                tools=tools,
                reasoning=self.reasoning,
                sampling=Sampling(temperature=self.temperature, seed=self.seed),
                limits=Limits(steps=self.max_steps, seconds=self.max_seconds),
                journal=journal,
            )
