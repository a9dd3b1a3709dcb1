"""Typed answers: every kind of type, choices among several, functions that make the output."""

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
from ossia.agent.testing import ScriptedEngine
from ossia.errors import OutputError, ToolDefinitionError, ToolRetry
from ossia.harmony import decode
from ossia.tools import RunContext, tool


class Refund(BaseModel):
    """Money back."""

    order: str
    cents: Annotated[int, Field(gt=0)]


class Reply(BaseModel):
    """Words alone."""

    text: str


@dataclass
class Point:
    x: int
    y: int


class Place(TypedDict):
    city: str
    on: date


class Tree(BaseModel):
    """Holds others of its kind."""

    name: str
    branches: list[Tree] = []


Tags = RootModel[list[str]]


def final(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return f"<|channel|>final<|message|>{text}<|return|>"


async def ask(output_type: Any, *answers: object, deps: object = None) -> Any:
    engine = ScriptedEngine([final(answer) for answer in answers])
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
async def test_an_answer_is_of_the_asked_type(kind: Any, answer: object, value: object) -> None:
    assert await ask(kind, answer) == value


@pytest.mark.parametrize("kind", [kind for kind, _, _ in KINDS if kind is not str], ids=str)
def test_every_type_is_described_under_a_name(kind: Any) -> None:
    (described,) = OutputFormat[Any](kind).response_formats
    assert described.name.isidentifier()
    assert described.schema


async def test_of_several_types_the_answer_says_which_it_is() -> None:
    choices = [Refund, Reply, str, list[Point]]
    assert await ask(choices, {"Refund": {"order": "A", "cents": 5}}) == Refund(order="A", cents=5)
    assert await ask(choices, {"Reply": {"text": "No."}}) == Reply(text="No.")
    assert await ask(choices, {"str": "No."}) == "No."
    assert await ask(choices, {"list_Point": [{"x": 1, "y": 2}]}) == [Point(1, 2)]


async def test_an_answer_that_names_no_choice_goes_back() -> None:
    engine = ScriptedEngine([final({"text": "No."}), final({"Reply": {"text": "No."}})])
    result = await Agent[Refund | Reply](engine, output_type=[Refund, Reply]).run("Go")
    assert result.output == Reply(text="No.")
    assert "Reply" in decode(engine.prompts[1][len(engine.prompts[0]) :])


def test_choices_that_share_a_name_are_refused() -> None:
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


async def test_what_an_output_function_returns_is_the_output() -> None:
    assert await ask(pay, {"order": "A", "cents": 5}) == "paid 5 for A"
    named = tool(name="give")(pay)
    assert await ask([named, str], {"give": {"order": "A", "cents": 5}}) == "paid 5 for A"
    assert await ask(partial(pay, order="B"), {"cents": 5}) == "paid 5 for B"
    assert await ask(transfer, {"cents": 5}, deps="Ada") == "Ada in step 1: 5"
    assert await ask(Till().close, {"cents": 5}) == 5
    assert await ask([Refund, pay], {"pay": {"order": "A", "cents": 5}}) == "paid 5 for A"


async def test_an_output_function_is_described_by_its_docstring() -> None:
    engine = ScriptedEngine([final({"order": "A", "cents": 5})])
    await Agent(engine, output_type=pay).run("Go")
    shown = decode(engine.prompts[0])
    assert "## pay" in shown
    assert "// Pay money back." in shown
    assert "Its number." in shown
    assert "Pay money back." in json.dumps(OutputFormat[Any]([pay, Refund]).schema)


async def test_arguments_that_do_not_fit_never_reach_the_function() -> None:
    assert await ask(pay, {"order": "A", "cents": "much"}, {"order": "A", "cents": 1}) == (
        "paid 1 for A"
    )


async def test_a_function_may_send_the_answer_back() -> None:
    def check(cents: int) -> int:
        """Check."""
        if cents > 9:
            raise ToolRetry("nine at the most")
        return cents

    engine = ScriptedEngine([final({"cents": 10}), final({"cents": 9})])
    result = await Agent(engine, output_type=check).run("Go")
    assert result.output == 9
    assert "nine at the most" in decode(engine.prompts[1])


async def test_what_else_a_function_raises_ends_the_run() -> None:
    def broken(cents: int) -> int:
        """Break."""
        raise ZeroDivisionError(f"{cents}")

    with pytest.raises(ZeroDivisionError):
        await ask(broken, {"cents": 10})


def test_a_method_without_its_object_is_refused() -> None:
    with pytest.raises(ToolDefinitionError, match="bound one"):
        OutputFormat[Any](Till.close)


async def test_a_validator_of_the_user_s_sends_the_answer_back() -> None:
    def even(value: int) -> int:
        if value % 2:
            raise ValueError("odd numbers are not wanted")
        return value

    engine = ScriptedEngine([final(3), final(4)])
    kind: Any = Annotated[int, AfterValidator(even)]
    result = await Agent(engine, output_type=kind).run("Go")
    assert result.output == 4
    assert "odd numbers are not wanted" in decode(engine.prompts[1])


async def test_an_answer_with_many_faults_names_a_few() -> None:
    with pytest.raises(RejectedAnswer, match="and 92 more"):
        await OutputFormat[Any](list[int]).validate(json.dumps(["x"] * 100), RunContext(None))


async def test_answers_that_stay_wrong_leave_everything_in_the_error() -> None:
    with pytest.raises(OutputError) as raised:
        await ask(Refund, {"order": "A", "cents": 0}, {"order": 1}, "What?")
    error = raised.value
    assert error.answer == "What?"
    assert [fault.split(":")[0] for fault in error.faults] == [
        "- cents",
        "- order",
        "- the answer",
    ]
    said = [message.text for message in error.messages]
    assert '{"order": "A", "cents": 0}' in said
    assert said[-1] == "What?"


async def partials(output_type: Any, answer: object, *, chunk: int = 1) -> list[Any]:
    engine = ScriptedEngine([final(answer)], chunk=chunk)
    async with Agent(engine, output_type=output_type).stream("Go") as events:
        return [event.value async for event in events if isinstance(event, AnswerPartial)]


async def test_an_answer_is_told_while_it_grows() -> None:
    seen = await partials(Refund, {"order": "ABC-1", "cents": 12345})
    assert seen[0] == {}
    assert {"order": "ABC-1"} in seen
    assert seen[-1] == {"order": "ABC-1", "cents": 12345}


GROWING: list[tuple[Any, object, object, object]] = [
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
    ("kind", "answer", "between", "end"), GROWING, ids=lambda kind: str(kind)[:30]
)
def test_what_has_come_is_validated_and_what_has_not_is_absent(
    kind: Any, answer: object, between: object, end: object
) -> None:
    growing = OutputFormat[Any](kind).partial()
    assert growing is not None
    seen = [value for letter in json.dumps(answer) if (value := growing.feed(letter)) is not None]
    assert between in seen
    assert seen[-1] == end
    assert all(one != other for one, other in pairwise(seen))


def test_the_user_s_validators_judge_whole_answers_alone() -> None:
    class Sum(BaseModel):
        parts: list[int]
        total: int

        @model_validator(mode="after")
        def adds_up(self) -> Sum:
            if sum(self.parts) != self.total:
                raise ValueError("does not add up")
            return self

    growing = OutputFormat[Any](Sum).partial()
    assert growing is not None
    assert growing.feed('{"parts": [1, 2], "total": ') == {"parts": [1, 2]}


def test_a_field_may_be_called_like_a_schema_s_own_key() -> None:
    class Odd(BaseModel):
        type: str
        schema_: int = Field(alias="schema")
        default: list[Point] = []

    growing = OutputFormat[Any](Odd).partial()
    assert growing is not None
    seen = growing.feed('{"type": "a", "schema": 5, "default": [{"x": 1}, ')
    assert seen == {"type": "a", "schema": 5, "default": [{"x": 1}]}


def test_free_text_has_no_partial_objects() -> None:
    assert OutputFormat(str).partial() is None


def test_a_long_answer_is_read_a_bounded_number_of_times() -> None:
    reads = 0

    def count(value: Any) -> Any:
        nonlocal reads
        reads += 1
        return value

    kind: Any = Annotated[list[int], BeforeValidator(count)]
    growing = OutputFormat[Any](kind).partial()
    assert growing is not None
    text = json.dumps(list(range(5000)))
    for letter in text:
        growing.feed(letter)
    assert reads < len(text) / 20
