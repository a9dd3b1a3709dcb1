"""The agent that a command line describes; stored with its runs, so that they can be resumed."""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from inspect import Parameter
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel

from ..agent import Agent
from ..engines import Sampling
from ..engines.vllm import VLLMEngine
from ..hooks import Hook
from ..journal import Journal
from ..limits import Limits
from . import options
from .engine import open_with_progress
from .tool_loader import load_tool


def _portable_tool(name: str) -> str:
    """Return a tool's name with an absolute path, so that it means the same in every folder."""
    file, colon, function = name.partition(".py:")
    return f"{Path(file).resolve()}{colon}{function}" if colon else name


def _portable_model(name: str) -> str:
    """Return a model's name, or its folder's absolute path."""
    return str(Path(name).resolve()) if Path(name).is_dir() else name


class AgentOptions(BaseModel, frozen=True):
    """The options of an agent. API keys are not stored, so they have to be given again."""

    engine: str = options.DEFAULT_URL
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
    async def open(
        self, journal: Journal, *, api_key: str | None, hooks: Sequence[Hook] = ()
    ) -> AsyncGenerator[Agent]:
        """Open the agent with its engine, and with a server if one is to be started."""
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
                hooks=hooks,
                journal=journal,
            )


OPTIONS: dict[str, Any] = {
    "engine": options.Engine,
    "model": options.Model,
    "serve": options.Serve,
    "tools": options.Tools,
    "instructions": options.Instructions,
    "reasoning": options.Reasoning,
    "temperature": options.Temperature,
    "seed": options.Seed,
    "max_steps": options.MaxSteps,
    "max_seconds": options.MaxSeconds,
}
"""The command line option for each field of AgentOptions."""


def with_agent_options(*excluded: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command an option for each field of AgentOptions.

    The command is called with the `agent_options` that they make.

    excluded: fields without an option.
    """
    names = [name for name in OPTIONS if name not in excluded]

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        def call(**arguments: Any) -> None:
            given = {name: arguments.pop(name) for name in names}
            values = {name: value for name, value in given.items() if value is not None}
            command(agent_options=AgentOptions.model_validate(values), **arguments)

        signature = inspect.signature(command, eval_str=True)
        own = [param for param in signature.parameters.values() if param.name != "agent_options"]
        positional = [param for param in own if param.kind is not Parameter.KEYWORD_ONLY]
        keyword_only = [param for param in own if param.kind is Parameter.KEYWORD_ONLY]
        parameters = [*positional, *map(_parameter, names), *keyword_only]
        call.__name__, call.__doc__ = command.__name__, command.__doc__
        # Typer reads a command's options from its signature.
        call.__dict__["__signature__"] = signature.replace(parameters=parameters)
        return call

    return decorate


def _parameter(name: str) -> Parameter:
    default = AgentOptions.model_fields[name].default
    return Parameter(
        name,
        Parameter.KEYWORD_ONLY,
        default=None if default == () else default,
        annotation=OPTIONS[name],
    )
