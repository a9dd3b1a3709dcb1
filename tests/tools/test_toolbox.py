"""From the model's call to the tool's message."""

import pytest

from ossia.harmony import Message, ToolDescription
from ossia.tools import RunContext, Toolbox, ToolDefinitionError, ToolError, ToolRetry, tool


def call(recipient: str, arguments: str, channel: str = "commentary") -> Message:
    return Message("assistant", arguments, channel=channel, recipient=recipient)


@tool
def add(a: int, b: int = 1) -> int:
    """Add two numbers.

    Args:
        a: The first.
        b: The second.
    """
    return a + b


@tool(name="greet")
async def greeting(context: RunContext[str], name: str) -> str:
    """Greet somebody."""
    return f"{context.deps}, {name}!"


async def test_a_call_becomes_the_tools_message() -> None:
    async with Toolbox([add]) as tools:
        answer = await tools.answer(call("functions.add", '{"a": 2, "b": 3}'))
    assert answer.message == Message(
        "tool", "5", name="functions.add", channel="commentary", recipient="assistant"
    )
    assert not answer.failed


async def test_a_default_is_pythons_own() -> None:
    async with Toolbox([add]) as tools:
        assert (await tools.dispatch(call("functions.add", '{"a": 2}'))).content == "3"


async def test_the_context_reaches_the_first_parameter() -> None:
    async with Toolbox([greeting], deps="Ciao") as tools:
        own = await tools.dispatch(call("functions.greet", '{"name": "Ada"}'))
        given = await tools.dispatch(
            call("functions.greet", '{"name": "Ada"}'), RunContext("Salve", "run", 2)
        )
    assert (own.content, given.content) == ("Ciao, Ada!", "Salve, Ada!")


def test_a_function_is_described_by_its_signature_and_docstring() -> None:
    assert Toolbox([add]).functions == (
        ToolDescription(
            "add",
            "Add two numbers.",
            {
                "type": "object",
                "properties": {
                    "a": {"type": "integer", "description": "The first."},
                    "b": {"type": "integer", "description": "The second.", "default": 1},
                },
                "required": ["a"],
                "additionalProperties": False,
            },
        ),
    )


async def test_a_plain_function_is_taken_as_a_tool() -> None:
    def double(x: int) -> int:
        return 2 * x

    async with Toolbox([double]) as tools:
        assert (await tools.dispatch(call("functions.double", '{"x": 4}'))).content == "8"


async def test_invalid_arguments_come_back_as_places_and_reasons() -> None:
    async with Toolbox([add]) as tools:
        answer = await tools.answer(call("functions.add", '{"b": "many"}'))
    assert answer.failed
    assert answer.message.content == (
        "Error: invalid arguments for functions.add:\n"
        "- a: Field required\n"
        "- b: Input should be a valid integer, unable to parse string as an integer "
        '(given: "many")\n'
        "Try again; 3 tries left."
    )


@pytest.mark.parametrize("error", [ToolError, ToolRetry])
async def test_a_failure_is_told_in_the_tools_own_words(error: type[ToolError]) -> None:
    def divide(a: float, b: float) -> float:
        if not b:
            raise error(f"cannot divide {a} by {b}")
        return a / b

    async with Toolbox([divide]) as tools:
        answer = await tools.answer(call("functions.divide", '{"a": 1, "b": 0}'))
    assert answer.failed
    assert answer.message.text.startswith("Error: cannot divide 1.0 by 0.0")


def test_two_tools_of_one_name_are_refused() -> None:
    with pytest.raises(ToolDefinitionError, match=r"functions\.add"):
        Toolbox([add, add])
