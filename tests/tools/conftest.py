"""Fixtures and tables for the tests of the tools."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, cast

import pydantic_ai
import pytest

from ossia.harmony import Message
from ossia.tools import FunctionTool, RunContext, Toolbox, ToolResult, tool

Ask = Callable[..., Awaitable[ToolResult]]

# Arguments that a model might send to the functions in the tables. Most fit only a few of them.
ARGUMENTS = r"""
{}
{"x": 1}
{"x": "1"}
{"x": "a"}
{"x": null}
{"x": true}
{"x": 1.5}
{"x": 1, "y": 2}
{"x": 1, "zz": 2}
{"x": [1, "2"]}
{"x": [1, 2]}
{"x": ["1"]}
{"x": "[1]"}
{"x": {"a": 1}}
{"x": {"a": 1, "zz": 2}}
{"x": {"1": "b"}}
{"x": {"x": 1, "zz": 2}}
{"x": {"street": "s", "code": "12"}}
{"x": {"street": "s"}, "y": {"street": "t"}}
{"x": {"item": 3}}
{"x": {"from": "a"}}
{"x": {"kind": "cat", "lives": 9}}
{"x": {"name": "n", "home": {"street": "s"}, "friends": []}, "n": 1}
{"x": [{"a": [1]}]}
{"x": "red"}
{"x": "s"}
{"x": "aa"}
{"x": "1+2j"}
{"x": "https://example.org/a"}
{"x": "2024-01-02"}
{"x": "2024-01-02T03:04:05Z"}
{"x": "03:04:05"}
{"x": "f47ac10b-58cc-4372-a567-0e02b2c3d479"}
{"x": 1, "k": 2.5}
{"k": 1}
{"street": "s"}
{"x": 1, "y": 2, "z": 3}
{"from": "a"}
{"from_": "a"}
{"json": "j", "copy": 3}
{"_id": 1}
{"xs": [1, 2]}
{"a": 1, "c": "c"}
{"a": 1, "c": "c", "xs": [3]}
[]
3
{"x": 1
""".strip().splitlines()


@pytest.fixture
def ask() -> Ask:
    """Call a function once, in its own run."""

    async def ask_function(
        function: Callable[..., Any], arguments: str = "{}", context: RunContext[Any] | None = None
    ) -> ToolResult:
        async with Toolbox([function]) as tools:
            (recipient,) = tools.recipients
            call = Message("assistant", arguments, channel="commentary", recipient=recipient)
            return await tools.call(call, context)

    return ask_function


@dataclass
class SideBySide:
    """The schema and the calls of one function, by ossia and by pydantic-ai."""

    schema: Any
    their_schema: Any
    calls: dict[str, str]
    """What the function returned, by the arguments that the model sent."""
    their_calls: dict[str, str]


@pytest.fixture
def side_by_side() -> Callable[[Callable[..., Any]], Awaitable[SideBySide]]:
    async def compare(function: Callable[..., Any]) -> SideBySide:
        ours, theirs = tool(function), pydantic_ai.Tool[Any](function)
        return SideBySide(
            without_titles(dict(ours.namespace.tools[0].parameters or {})),
            without_titles(theirs.function_schema.json_schema),
            {arguments: call_ours(ours, arguments) for arguments in ARGUMENTS},
            {arguments: await call_theirs(theirs, arguments) for arguments in ARGUMENTS},
        )

    return compare


def without_titles(schema: Any) -> Any:
    """Return a schema without titles: pydantic's repeat a name, and the model never sees them."""
    if isinstance(schema, dict):
        entries = cast("dict[str, Any]", schema).items()
        return {
            key: without_titles(value)
            for key, value in entries
            if key != "title" or not isinstance(value, str)
        }
    if isinstance(schema, list):
        return list(map(without_titles, cast("list[object]", schema)))
    return schema


def call_ours(function_tool: FunctionTool[..., Any], arguments: str) -> str:
    try:
        values = function_tool.arguments.read(arguments, strict=False)
    except ValueError:
        return "refused"
    return repr(function_tool.signature.bind(function_tool.function, values, RunContext(None))())


async def call_theirs(function_tool: pydantic_ai.Tool[Any], arguments: str) -> str:
    schema: Any = function_tool.function_schema
    try:
        values = schema.validator.validate_json(arguments)
    except ValueError:
        return "refused"
    return repr(await schema.call(values, None))
