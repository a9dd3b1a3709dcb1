"""Typed outputs: types, choices among several types, and output functions."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from functools import partial
from itertools import pairwise
from typing import Annotated, Any, Literal

import pytest
from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, RootModel, model_validator
from typing_extensions import TypedDict

from ossia.agent import Agent, AnswerPartial
from ossia.agent.output.format import OutputFormat, RejectedAnswer
from ossia.agent.testing import ScriptedEngine, answer_turn
from ossia.errors import OutputError, ToolDefinitionError, ToolRetry
from ossia.harmony import decode
from ossia.tools import RunContext, tool


class Refund(BaseModel):
    """Money back."""

    order: str
    cents: Annotated[int, Field(gt=0)]


class Reply(BaseModel):
    """Text only."""

    text: str


@dataclass
class Point:
    x: int
    y: int


class Place(TypedDict):
    city: str
    on: date


class Tree(BaseModel):
    """A tree of trees."""

    name: str
    branches: list[Tree] = []


Tags = RootModel[list[str]]


async def run_agent(output_type: Any, *answers: object, deps: object = None) -> Any:
    engine = ScriptedEngine([answer_turn(answer) for answer in answers])
    return (await Agent(engine, output_type=output_type).run("Go", deps=deps)).output


KINDS: list[tuple[Any, object, object]] = [
    (str, "as it is", "as it is"),
    (int, 7, 7),
    (float, 1.5, 1.5),
    (bool, True, True),
    (Refund, {"order": "A", "cents": 5}, Refund(order="A", cents=5)),
    (Point, {"x": 1, "y": 2}, Point(1, 2)),
    (Place, {"city": "Rome", "on": "2026-01-02"}, {"city": "Rome", "on": date(2026, 1, 2)}),
    (Literal["yes", "no"], '"yes"', "yes"),
    (Refund | Point, {"x": 1, "y": 2}, Point(1, 2)),
    (int | None, "null", None),
    (list[Refund], [{"order": "A", "cents": 5}], [Refund(order="A", cents=5)]),
    (tuple[int, str], [1, "a"], (1, "a")),
    (dict[str, set[int]], {"a": [1, 1]}, {"a": {1}}),
    (Tags, ["a"], Tags(["a"])),
    (Tree, {"name": "a", "branches": [{"name": "b"}]}, Tree(name="a", branches=[Tree(name="b")])),
    (Annotated[int, Field(le=9)], 9, 9),
]


@pytest.mark.parametrize(("kind", "answer", "value"), KINDS, ids=lambda kind: str(kind)[:40])
async def test_the_output_has_the_output_type(kind: Any, answer: object, value: object) -> None:
    assert await run_agent(kind, answer) == value


@pytest.mark.parametrize("kind", [kind for kind, _, _ in KINDS if kind is not str], ids=str)
def test_every_type_is_declared_with_a_name(kind: Any) -> None:
    (declared,) = OutputFormat[Any](kind).response_formats
    assert declared.name.isidentifier()
    assert declared.schema


async def test_with_several_types_the_answer_names_its_type() -> None:
    choices = [Refund, Reply, str, list[Point]]
    assert await run_agent(choices, {"Refund": {"order": "A", "cents": 5}}) == Refund(
        order="A", cents=5
    )
    assert await run_agent(choices, {"Reply": {"text": "No."}}) == Reply(text="No.")
    assert await run_agent(choices, {"str": "No."}) == "No."
    assert await run_agent(choices, {"list_Point": [{"x": 1, "y": 2}]}) == [Point(1, 2)]


async def test_an_answer_that_names_no_choice_is_rejected() -> None:
    engine = ScriptedEngine([answer_turn({"text": "No."}), answer_turn({"Reply": {"text": "No."}})])
    result = await Agent[Refund | Reply](engine, output_type=[Refund, Reply]).run("Go")
    assert result.output == Reply(text="No.")
    assert "Reply" in decode(engine.prompts[1][len(engine.prompts[0]) :])


def test_choices_with_the_same_name_are_an_error() -> None:
    with pytest.raises(TypeError, match="Refund more than once"):
        OutputFormat[Any]([Refund, Refund])
    with pytest.raises(TypeError, match="empty"):
        OutputFormat[Any]([])


def pay(order: str, cents: int) -> str:
    """Pay money back.

    Args:
        order: Its number.
    """
    return f"paid {cents} for {order}"


async def transfer(context: RunContext[str], cents: int) -> str:
    """Transfer."""
    return f"{context.deps} in step {context.step}: {cents}"


class Till:
    async def close(self, cents: int) -> int:
        """Close."""
        return cents


async def test_the_output_is_what_an_output_function_returns() -> None:
    assert await run_agent(pay, {"order": "A", "cents": 5}) == "paid 5 for A"
    named = tool(name="give")(pay)
    assert await run_agent([named, str], {"give": {"order": "A", "cents": 5}}) == "paid 5 for A"
    assert await run_agent(partial(pay, order="B"), {"cents": 5}) == "paid 5 for B"
    assert await run_agent(transfer, {"cents": 5}, deps="Ada") == "Ada in step 1: 5"
    assert await run_agent(Till().close, {"cents": 5}) == 5
    assert await run_agent([Refund, pay], {"pay": {"order": "A", "cents": 5}}) == "paid 5 for A"


async def test_the_docstring_of_an_output_function_is_its_description() -> None:
    engine = ScriptedEngine([answer_turn({"order": "A", "cents": 5})])
    await Agent(engine, output_type=pay).run("Go")
    prompt = decode(engine.prompts[0])
    assert "## pay" in prompt
    assert "// Pay money back." in prompt
    assert "Its number." in prompt
    assert "Pay money back." in json.dumps(OutputFormat[Any]([pay, Refund]).schema)


async def test_an_output_function_is_not_called_with_invalid_arguments() -> None:
    assert await run_agent(pay, {"order": "A", "cents": "much"}, {"order": "A", "cents": 1}) == (
        "paid 1 for A"
    )


async def test_an_output_function_can_reject_the_answer() -> None:
    def check(cents: int) -> int:
        """Check."""
        if cents > 9:
            raise ToolRetry("at most nine")
        return cents

    engine = ScriptedEngine([answer_turn({"cents": 10}), answer_turn({"cents": 9})])
    result = await Agent(engine, output_type=check).run("Go")
    assert result.output == 9
    assert "at most nine" in decode(engine.prompts[1])


async def test_other_exceptions_of_an_output_function_end_the_run() -> None:
    def broken(cents: int) -> int:
        """Break."""
        raise ZeroDivisionError(f"{cents}")

    with pytest.raises(ZeroDivisionError):
        await run_agent(broken, {"cents": 10})


def test_an_unbound_method_is_an_error() -> None:
    with pytest.raises(ToolDefinitionError, match="bound method"):
        OutputFormat[Any](Till.close)


async def test_a_validator_of_the_user_can_reject_the_answer() -> None:
    def even(value: int) -> int:
        if value % 2:
            raise ValueError("the number is odd")
        return value

    engine = ScriptedEngine([answer_turn(3), answer_turn(4)])
    kind: Any = Annotated[int, AfterValidator(even)]
    result = await Agent(engine, output_type=kind).run("Go")
    assert result.output == 4
    assert "the number is odd" in decode(engine.prompts[1])


async def test_a_rejection_lists_only_a_few_of_many_errors() -> None:
    with pytest.raises(RejectedAnswer, match="and 92 more"):
        await OutputFormat[Any](list[int]).validate(json.dumps(["x"] * 100), RunContext(None))


async def test_the_error_after_the_last_rejection_has_all_facts() -> None:
    with pytest.raises(OutputError) as raised:
        await run_agent(Refund, {"order": "A", "cents": 0}, {"order": 1}, "What?")
    error = raised.value
    assert error.answer == "What?"
    assert [fault.split(":")[0] for fault in error.faults] == [
        "- cents",
        "- order",
        "- the answer",
    ]
    texts = [message.text for message in error.messages]
    assert '{"order": "A", "cents": 0}' in texts
    assert texts[-1] == "What?"


async def partials(output_type: Any, answer: object, *, chunk: int = 1) -> list[Any]:
    engine = ScriptedEngine([answer_turn(answer)], chunk=chunk)
    async with Agent(engine, output_type=output_type).stream("Go") as events:
        return [event.value async for event in events if isinstance(event, AnswerPartial)]


async def test_partial_answers_are_emitted_while_the_answer_is_written() -> None:
    seen = await partials(Refund, {"order": "ABC-1", "cents": 12345})
    assert seen[0] == {}
    assert {"order": "ABC-1"} in seen
    assert seen[-1] == {"order": "ABC-1", "cents": 12345}


PARTIAL: list[tuple[Any, object, object, object]] = [
    (Point, {"x": 1, "y": 2}, {"x": 1}, {"x": 1, "y": 2}),
    (
        Place,
        {"city": "Rome", "on": "2026-01-02"},
        {"city": "Ro"},
        {"city": "Rome", "on": date(2026, 1, 2)},
    ),
    (list[Refund], [{"order": "A", "cents": 5}], [{"order": "A"}], [{"order": "A", "cents": 5}]),
    (Tags, ["ab", "cd"], ["ab"], ["ab", "cd"]),
    (
        Tree,
        {"name": "a", "branches": [{"name": "b", "branches": []}]},
        {"name": "a", "branches": [{"name": "b"}]},
        {"name": "a", "branches": [{"name": "b", "branches": []}]},
    ),
    (pay, {"order": "A", "cents": 5}, {"order": "A"}, {"order": "A", "cents": 5}),
    ([Refund, Reply], {"Reply": {"text": "ab"}}, {}, {"Reply": {"text": "ab"}}),
    (Refund | Point, {"x": 1, "y": 2}, {"x": 1}, {"x": 1, "y": 2}),
    (dict[str, Point], {"a": {"x": 1, "y": 2}}, {"a": {"x": 1}}, {"a": {"x": 1, "y": 2}}),
]


@pytest.mark.parametrize(
    ("kind", "answer", "partial_value", "value"),
    PARTIAL,
    ids=lambda kind: getattr(kind, "__name__", str(kind)[:30]),
)
def test_a_partial_answer_has_the_fields_so_far(
    kind: Any, answer: object, partial_value: object, value: object
) -> None:
    reader = OutputFormat[Any](kind).partial_answer()
    assert reader is not None
    fed = [reader.feed(character) for character in json.dumps(answer)]
    seen = [answer_so_far for answer_so_far in fed if answer_so_far is not None]
    assert partial_value in seen
    assert seen[-1] == value
    assert all(before != after for before, after in pairwise(seen))


def test_validators_of_the_user_run_only_on_the_complete_answer() -> None:
    class Sum(BaseModel):
        parts: list[int]
        total: int

        @model_validator(mode="after")
        def adds_up(self) -> Sum:
            if sum(self.parts) != self.total:
                raise ValueError("does not add up")
            return self

    reader = OutputFormat[Any](Sum).partial_answer()
    assert reader is not None
    assert reader.feed('{"parts": [1, 2], "total": ') == {"parts": [1, 2]}


def test_a_field_may_have_the_name_of_a_schema_key() -> None:
    class Odd(BaseModel):
        type: str
        schema_: int = Field(alias="schema")
        default: list[Point] = []

    reader = OutputFormat[Any](Odd).partial_answer()
    assert reader is not None
    seen = reader.feed('{"type": "a", "schema": 5, "default": [{"x": 1}, ')
    assert seen == {"type": "a", "schema": 5, "default": [{"x": 1}]}


def test_free_text_has_no_partial_answers() -> None:
    assert OutputFormat(str).partial_answer() is None


def test_a_long_answer_is_validated_a_bounded_number_of_times() -> None:
    validations = 0

    def count(value: Any) -> Any:
        nonlocal validations
        validations += 1
        return value

    kind: Any = Annotated[list[int], BeforeValidator(count)]
    reader = OutputFormat[Any](kind).partial_answer()
    assert reader is not None
    text = json.dumps(list(range(5000)))
    for character in text:
        reader.feed(character)
    assert validations < len(text) / 20
