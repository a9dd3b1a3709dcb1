"""An engine that calls every tool once and then gives an output, for tests without a model."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any, Literal

from pydantic_core import to_jsonable_python

from ...errors import EngineError
from ...harmony import Message, ToolDescription, parse
from ...harmony.rendering import answer_header, generation_prefix
from ..engines import Sampled, TurnRequest
from .schema_values import NoValueError, value_for
from .scripted import pieces_of
from .turns import answer_turn, call_to

DEFAULT_OUTPUT = "This is a test answer."
DEFAULT_TEXT = "test"
"""What a tool without JSON arguments is called with, unless it is `python`."""
DEFAULT_CODE = 'print("test")'

_GENERATED: Any = object()
_NO_PARAMETERS: Mapping[str, Any] = {"type": "object"}


class TestEngine:
    """An engine that plays a model which calls every tool once and then gives a valid output.

    Arguments and outputs are generated from their JSON Schemas: short, valid, and the same each
    time. What has been called is read from the prompt, so one engine serves many runs at once, and
    resumed runs and chats continue where they are. In a chat, each tool is called once in total.

        engine = TestEngine(arguments={"add": {"a": 2, "b": 3}})
        agent = Agent(engine, tools=[add], output_type=Invoice)
        assert isinstance((await agent.run("Go")).output, Invoice)

    call_tools: "all" calls every tool, in the order of the agent's tools; or the names of the tools
        to call, in this order: `add`, `functions.add`, `browser.search` or `python`; [] calls none.
    arguments: what tools are called with instead, by name. A text is sent as it is, such as code
        for `python`, or invalid JSON.
    output: the output instead of a generated one. For a typed output, any value that pydantic can
        convert to JSON.
    seed: a different number gives different values, if the schema allows it.
    """

    __test__ = False  # pytest would collect it as a test class because of its name

    def __init__(
        self,
        *,
        call_tools: Literal["all"] | Sequence[str] = "all",
        arguments: Mapping[str, Any] | None = None,
        output: Any = _GENERATED,
        seed: int = 0,
    ) -> None:
        if isinstance(call_tools, str) and call_tools != "all":
            raise ValueError(f'call_tools is {call_tools!r}; write "all" or a list of names')
        self._call_tools = call_tools
        self._arguments = arguments or {}
        self._output = output
        self._seed = seed
        self.requests: list[TurnRequest] = []

    async def generate(self, request: TurnRequest) -> AsyncGenerator[Sampled]:
        """Sample the next call, or the output. Raises EngineError if no value is valid for it."""
        self.requests.append(request)
        for piece in pieces_of(self._turn(request), request):
            yield piece

    def _turn(self, request: TurnRequest) -> list[int]:
        header = answer_header()
        if tuple(request.prompt[-len(header) :]) == tuple(header):
            # The run has reached a limit: the answer's header is part of the prompt.
            return self._answer(request)[len(header) :]
        prompt = request.prompt[: -len(generation_prefix("assistant"))]
        messages = parse(prompt, role=None)
        if messages:
            self._check_accepted(messages[-1])
        called = {message.recipient for message in messages if message.role == "assistant"}
        tools = _tools_of(request)
        for recipient in self._chosen(tools):
            if recipient in tools and recipient not in called:
                return call_to(recipient, self._content(recipient, tools[recipient]))
        for recipient in self._chosen(tools):
            if recipient not in called:
                raise EngineError(
                    f"TestEngine was told to call {_short(recipient)!r}, which is not available; "
                    f"available tools: {', '.join(map(_short, tools)) or 'none'}"
                )
        return self._answer(request)

    def _chosen(self, tools: Mapping[str, object]) -> list[str]:
        """Return the recipients to call, in order, available or not."""
        if isinstance(self._call_tools, str):
            return list(tools)
        return [
            name if name in tools or "." in name or name == "python" else f"functions.{name}"
            for name in self._call_tools
        ]

    def _content(self, recipient: str, tool: ToolDescription | None) -> str:
        """Return the content of a call."""
        if (name := self._override(recipient)) is not None:
            arguments = self._arguments[name]
            return arguments if isinstance(arguments, str) else _json(arguments)
        if tool is None:
            return DEFAULT_CODE if recipient == "python" else DEFAULT_TEXT
        try:
            return _json(value_for(tool.parameters or _NO_PARAMETERS, variant=self._seed))
        except NoValueError as error:
            raise EngineError(
                f"TestEngine cannot generate arguments for {recipient}: {error}; pass "
                f"TestEngine(arguments={{{_short(recipient)!r}: {{...}}}})"
            ) from error

    def _override(self, recipient: str) -> str | None:
        """Return the name under which `arguments` has this tool, if it does."""
        names = (recipient, _short(recipient))
        return next((name for name in names if name in self._arguments), None)

    def _answer(self, request: TurnRequest) -> list[int]:
        """Return a turn that answers with the output."""
        schema, output = request.output_schema, self._output
        if schema is None:
            return answer_turn(DEFAULT_OUTPUT if output is _GENERATED else output)
        if output is _GENERATED:
            try:
                output = value_for(schema, variant=self._seed)
            except NoValueError as error:
                raise EngineError(
                    f"TestEngine cannot generate an output: {error}; pass TestEngine(output=...)"
                ) from error
        return answer_turn(_json(output))

    def _check_accepted(self, result: Message) -> None:
        """Raise EngineError if a tool did not accept the arguments that were generated for it.

        A schema cannot say everything that a validator checks. Without this, the run would go on as
        if the tool had been called.
        """
        recipient = result.name or ""
        if result.role != "tool" or self._override(recipient) is not None:
            return
        if result.text.startswith(f"Error: invalid arguments for {recipient}:"):
            raise EngineError(
                f"TestEngine generated {result.text.removeprefix('Error: ')}\nPass "
                f"TestEngine(arguments={{{_short(recipient)!r}: {{...}}}})"
            )


def _tools_of(request: TurnRequest) -> dict[str, ToolDescription | None]:
    """Return the tools of a request by recipient; None for a tool that takes plain text."""
    found: dict[str, ToolDescription | None] = {}
    for namespace in request.tools:
        if not namespace.tools:
            found[namespace.name] = None
        for tool in namespace.tools:
            found[f"{namespace.name}.{tool.name}"] = tool
    return found


def _short(recipient: str) -> str:
    """Return the name of a tool as users know it."""
    return recipient.removeprefix("functions.")


def _json(value: Any) -> str:
    return json.dumps(to_jsonable_python(value), ensure_ascii=False)
