"""What the tests of the tools share."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, cast

import pydantic_ai
import pytest

from ossia.harmony import Message
from ossia.tools import FunctionTool, RunContext, Toolbox, ToolResult, tool

Ask = Callable[..., Awaitable[ToolResult]]

# What a model might send to any of the functions in the tables; most of it fits few of them.
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
    """One call to a function, in a run of its own."""

    async def asked(
        function: Callable[..., Any], arguments: str = "{}", context: RunContext[Any] | None = None
    ) -> ToolResult:
        async with Toolbox([function]) as tools:
            (recipient,) = tools.recipients
            call = Message("assistant", arguments, channel="commentary", recipient=recipient)
            return await tools.call(call, context)

    return asked


@dataclass
class SideBySide:
    """What ossia and pydantic-ai make of one function."""

    schema: Any
    their_schema: Any
    calls: dict[str, str]
    """What the function was called with, by the arguments the model sent."""
    their_calls: dict[str, str]


@pytest.fixture
def side_by_side() -> Callable[[Callable[..., Any]], Awaitable[SideBySide]]:
    async def compared(function: Callable[..., Any]) -> SideBySide:
        ours, theirs = tool(function), pydantic_ai.Tool[Any](function)
        return SideBySide(
            plain(dict(ours.namespace.tools[0].parameters or {})),
            plain(theirs.function_schema.json_schema),
            {one: called(ours, one) for one in ARGUMENTS},
            {one: await called_by_pydantic_ai(theirs, one) for one in ARGUMENTS},
        )

    return compared


def plain(schema: Any) -> Any:
    """A schema without titles: pydantic's repeat a name, and no model is shown them."""
    if isinstance(schema, dict):
        entries = cast("dict[str, Any]", schema).items()
        return {
            key: plain(value)
            for key, value in entries
            if key != "title" or not isinstance(value, str)
        }
    if isinstance(schema, list):
        return list(map(plain, cast("list[object]", schema)))
    return schema


def called(made: FunctionTool[..., Any], arguments: str) -> str:
    try:
        values = made.arguments.read(arguments, strict=False)
    except ValueError:
        return "refused"
    return repr(made.signature.bind(made.function, values, RunContext(None))())


async def called_by_pydantic_ai(made: pydantic_ai.Tool[Any], arguments: str) -> str:
    schema: Any = made.function_schema
    try:
        values = schema.validator.validate_json(arguments)
    except ValueError:
        return "refused"
    return repr(await schema.call(values, None))
