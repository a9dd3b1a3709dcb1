"""The engine that calls every tool once and then gives an output."""

from __future__ import annotations

import json
from contextlib import aclosing
from dataclasses import dataclass
from typing import Annotated, Any, cast

import pytest
from pydantic import AfterValidator, BaseModel, Field

from ossia.agent import (
    Agent,
    AnswerDelta,
    Limits,
    MemoryJournal,
    Sampling,
    ToolCallStarted,
)
from ossia.agent.engines import TurnRequest
from ossia.agent.testing import TestEngine
from ossia.errors import EngineError, OutputError, RunFacts
from ossia.harmony import Message, ToolDescription, ToolNamespace, parse, render, turn_grammar
from ossia.tools import PythonTool, RunContext, ToolRetry, tool
from tests.harmony.constrain.grammar_matching import match

PYTHON = ToolNamespace("python", "Code.")
QUERY = {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]}
BROWSER = ToolNamespace("browser", "Pages.", (ToolDescription("search", "Search.", QUERY),))


class Item(BaseModel):
    name: Annotated[str, Field(min_length=3)]
    cents: Annotated[int, Field(gt=0)]


class Invoice(BaseModel):
    number: Annotated[str, Field(pattern=r"^INV-\d{4}$")]
    items: Annotated[list[Item], Field(min_length=2)]


@dataclass
class Call:
    """A tool call as the model wrote it."""

    recipient: str
    content: Any


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def greet(name: Annotated[str, Field(min_length=2)], title: str = "") -> str:
    """Greet somebody."""
    return f"Hello {title}{name}"


def store(item: Item) -> str:
    """Store an item."""
    return f"stored {item.name}"


def check_odd(number: int) -> int:
    if number % 2 == 0:
        raise ValueError("even")
    return number


def calls(messages: tuple[Message, ...] | list[Message]) -> list[Call]:
    found = [message for message in messages if message.role == "assistant" and message.recipient]
    return [
        Call(
            message.recipient or "",
            json.loads(message.text) if message.text.startswith("{") else message.text,
        )
        for message in found
    ]


async def test_every_tool_is_called_once_with_valid_arguments() -> None:
    engine = TestEngine()
    result = await Agent(engine, tools=[add, greet, store], output_type=Invoice).run("Go")
    assert calls(result.messages) == [
        Call("functions.add", {"a": 0, "b": 0}),
        Call("functions.greet", {"name": "aa"}),
        Call("functions.store", {"name": "aaa", "cents": 1}),
    ]
    results = [message.text for message in result.messages if message.role == "tool"]
    assert results == ["0", "Hello aa", "stored aaa"]
    item = Item(name="aaa", cents=1)
    assert result.output == Invoice(number="INV-0000", items=[item, item])
    assert len(engine.requests) == 4


async def test_grammars_are_not_needed() -> None:
    result = await Agent(TestEngine(), tools=[add], output_type=Invoice, grammar=False).run("Go")
    assert [call.recipient for call in calls(result.messages)] == ["functions.add"]
    assert result.output.number == "INV-0000"


async def test_a_text_output_is_a_short_sentence_or_the_given_one() -> None:
    assert (await Agent(TestEngine()).run("Go")).output == "This is a test answer."
    assert (await Agent(TestEngine(output="42")).run("Go")).output == "42"


@pytest.mark.parametrize("output", [{"name": "pen", "cents": 5}, Item(name="pen", cents=5)])
async def test_a_typed_output_can_be_given(output: Any) -> None:
    agent = Agent(TestEngine(output=output), output_type=Item)
    assert (await agent.run("Go")).output == Item(name="pen", cents=5)


async def test_a_typed_output_that_is_text_is_sent_as_json() -> None:
    agent: Agent[Any] = Agent(TestEngine(output="5"), output_type=cast("Any", str | int))
    assert (await agent.run("Go")).output == "5"


async def test_the_first_of_several_output_types_is_generated() -> None:
    agent: Agent[Any] = Agent(TestEngine(), output_type=[Item, Invoice])
    assert isinstance((await agent.run("Go")).output, Item)


async def test_an_output_function_gets_valid_arguments() -> None:
    def total(items: Annotated[list[Item], Field(min_length=3)]) -> int:
        return sum(item.cents for item in items)

    assert (await Agent(TestEngine(), output_type=total).run("Go")).output == 3


async def test_an_output_that_is_rejected_each_time_ends_the_run() -> None:
    def refuse(number: int) -> int:
        raise ToolRetry(f"not {number}")

    with pytest.raises(OutputError, match="not 0"):
        await Agent(TestEngine(), output_type=refuse).run("Go")


@pytest.mark.parametrize(
    ("call_tools", "recipients"),
    [
        ("all", ["functions.add", "functions.greet", "functions.store"]),
        ([], []),
        (["store", "functions.add"], ["functions.store", "functions.add"]),
    ],
)
async def test_tools_to_call_can_be_chosen(call_tools: Any, recipients: list[str]) -> None:
    agent = Agent(TestEngine(call_tools=call_tools), tools=[add, greet, store])
    result = await agent.run("Go")
    assert [call.recipient for call in calls(result.messages)] == recipients


async def test_an_unknown_tool_to_call_is_an_error_with_the_known_ones() -> None:
    agent = Agent(TestEngine(call_tools=["ad"]), tools=[add, greet])
    with pytest.raises(EngineError, match=r"'ad', which is not available.*: add, greet"):
        await agent.run("Go")


def test_one_name_instead_of_a_list_is_an_error() -> None:
    with pytest.raises(ValueError, match='write "all" or a list of names'):
        TestEngine(call_tools="add")


async def test_arguments_can_be_given() -> None:
    engine = TestEngine(
        arguments={"add": {"a": 2, "b": 3}, "functions.store": {"item": Item(name="pen", cents=5)}}
    )
    result = await Agent(engine, tools=[add, store]).run("Go")
    results = [message.text for message in result.messages if message.role == "tool"]
    assert results == ["5", "stored pen"]


async def test_arguments_that_are_text_are_sent_as_they_are() -> None:
    engine = TestEngine(arguments={"add": '{"a": "x"}'})
    result = await Agent(engine, tools=[add]).run("Go")
    (text,) = [message.text for message in result.messages if message.role == "tool"]
    assert text.startswith("Error: invalid arguments for functions.add:")
    assert result.output == "This is a test answer."


async def test_arguments_that_cannot_be_generated_are_an_error_with_the_way_out() -> None:
    def pay(code: Annotated[str, Field(pattern=r"^\p{Lu}+$")]) -> None:
        """Pay."""

    with pytest.raises(EngineError) as caught:
        await Agent(TestEngine(), tools=[pay]).run("Go")
    text = str(caught.value)
    assert "cannot generate arguments for functions.pay: .code: no value was found" in text
    assert "pass TestEngine(arguments={'pay': {...}})" in text
    assert caught.value.run_id


async def test_arguments_that_a_validator_refuses_are_an_error_with_the_way_out() -> None:
    def halve(number: Annotated[int, AfterValidator(check_odd)]) -> int:
        """Halve a number."""
        return number // 2

    with pytest.raises(EngineError, match=r"invalid arguments for functions.halve:") as caught:
        await Agent(TestEngine(), tools=[halve]).run("Go")
    assert "TestEngine(arguments={'halve': {...}})" in str(caught.value)
    assert (await Agent(TestEngine(seed=1), tools=[halve]).run("Go")).output


async def test_an_output_that_cannot_be_generated_is_an_error_with_the_way_out() -> None:
    class Price(BaseModel):
        currency: Annotated[str, Field(pattern=r"^\p{Lu}{3}$")]

    with pytest.raises(EngineError, match=r"output: .currency: .*pass TestEngine\(output=\.\.\.\)"):
        await Agent(TestEngine(), output_type=Price).run("Go")


async def test_a_tool_that_fails_is_not_called_again() -> None:
    def fail() -> None:
        """Fail."""
        raise ToolRetry("try again")

    result = await Agent(TestEngine(), tools=[fail, add]).run("Go")
    recipients = [call.recipient for call in calls(result.messages)]
    assert recipients == ["functions.fail", "functions.add"]


async def test_a_tool_that_becomes_available_later_is_called_too() -> None:
    ready: list[str] = []

    def prepare() -> None:
        """Prepare."""
        ready.append("yes")

    @tool(enabled=lambda context: bool(ready))
    def go() -> None:
        """Go."""

    agent = Agent(TestEngine(call_tools=["prepare", "go"]), tools=[go, prepare])
    recipients = [call.recipient for call in calls((await agent.run("Go")).messages)]
    assert recipients == ["functions.prepare", "functions.go"]


async def test_a_run_at_its_limit_gets_a_valid_output() -> None:
    agent = Agent(
        TestEngine(),
        tools=[add, greet],
        output_type=Invoice,
        limits=Limits(steps=1, then="answer"),
    )
    result = await agent.run("Go")
    assert [call.recipient for call in calls(result.messages)] == ["functions.add"]
    assert result.output.number == "INV-0000"


async def test_a_stream_has_one_delta_per_token() -> None:
    answer = "one two three four five"
    agent = Agent(TestEngine(output=answer), tools=[add])
    async with agent.stream("Go") as run:
        events = [event async for event in run]
    texts = [event.text for event in events if isinstance(event, AnswerDelta)]
    assert len(texts) == 5
    assert "".join(texts) == answer
    assert sum(isinstance(event, ToolCallStarted) for event in events) == 1


async def test_a_resumed_run_continues_where_it_stopped() -> None:
    should_fail = [True]

    def crash() -> str:
        """Crash once."""
        if should_fail.pop():
            raise SystemExit
        return "done"

    journal = MemoryJournal()
    agent = Agent(TestEngine(), tools=[add, crash, greet], journal=journal)
    with pytest.raises(SystemExit) as caught:
        await agent.run("Go")
    facts = RunFacts.of(caught.value)
    assert facts is not None
    result = await Agent(TestEngine(), tools=[add, crash, greet], journal=journal).resume(
        facts.run_id
    )
    recipients = [call.recipient for call in calls(result.messages)]
    assert recipients == ["functions.add", "functions.crash", "functions.greet"]


async def test_one_engine_serves_many_runs_at_once() -> None:
    counts: list[str] = []

    def note(context: RunContext[Any]) -> None:
        """Note the run."""
        counts.append(context.run_id)

    agent = Agent(TestEngine(), tools=[add, note, greet])
    async with agent.run_many([f"Task {n}" for n in range(20)], concurrency=8) as outcomes:
        results = [outcome async for outcome in outcomes]
    assert [outcome.error for outcome in results] == [None] * 20
    assert len(counts) == len(set(counts)) == 20


async def test_a_chat_calls_each_tool_once_in_total() -> None:
    async with Agent(TestEngine(), tools=[add]).chat() as chat:
        first = await chat.say("Hello")
        second = await chat.say("Again")
    assert [call.recipient for call in calls(first.messages)] == ["functions.add"]
    assert [call.recipient for call in calls(second.messages)] == ["functions.add"]
    assert second.output == "This is a test answer."


async def test_python_gets_a_small_cell_or_the_given_one() -> None:
    assert await sampled(TestEngine(), (PYTHON,)) == Call("python", 'print("test")')
    engine = TestEngine(arguments={"python": "2 + 3"})
    assert await sampled(engine, (PYTHON,)) == Call("python", "2 + 3")


async def test_the_python_tool_can_be_chosen_by_its_name() -> None:
    engine = TestEngine(call_tools=["python"])
    namespaces = (ToolNamespace("functions", "", (ToolDescription("f", ""),)),)
    python = PythonTool().namespace
    assert await sampled(engine, (*namespaces, python)) == Call("python", 'print("test")')


async def test_functions_of_other_namespaces_get_valid_arguments() -> None:
    assert await sampled(TestEngine(), (BROWSER,)) == Call("browser.search", {"query": "a"})


async def test_tools_without_parameters_get_an_empty_object() -> None:
    functions = ToolNamespace("functions", "", (ToolDescription("ping", "Ping."),))
    assert await sampled(TestEngine(), (functions,)) == Call("functions.ping", {})


async def test_an_engine_yields_single_tokens_and_stops_at_the_maximum() -> None:
    request = TurnRequest(prompt=prompt(), sampling=Sampling(max_tokens=3))
    async with aclosing(TestEngine().generate(request)) as pieces:
        sampled_pieces = [piece async for piece in pieces]
    assert [len(piece.tokens) for piece in sampled_pieces] == [1, 1, 1, 0]
    assert [piece.finish for piece in sampled_pieces] == [None, None, None, "length"]


def test_pytest_does_not_collect_the_engine() -> None:
    assert not TestEngine.__test__


@pytest.mark.vllm
@pytest.mark.timeout(180)
async def test_turns_match_the_grammar_of_their_request() -> None:
    engine = TestEngine()
    journal = MemoryJournal()
    agent = Agent(engine, tools=[add, greet, store], output_type=Invoice, journal=journal)
    await agent.run("Go")
    cases: list[tuple[str, list[list[int]]]] = []
    for namespace in (PYTHON, BROWSER):
        grammar = turn_grammar(namespaces=(namespace,))
        request = TurnRequest(prompt=prompt(), tools=(namespace,), grammar=grammar)
        engine.requests.append(request)
    for request in engine.requests:
        async with aclosing(TestEngine().generate(request)) as pieces:
            tokens = [token async for piece in pieces for token in piece.tokens]
        assert request.grammar is not None
        cases.append((request.grammar, [tokens[:-1]]))
    assert match(cases) == [[None]] * 6


def prompt() -> list[int]:
    return render([Message("user", "Go")], next_role="assistant")


async def sampled(engine: TestEngine, tools: tuple[ToolNamespace, ...]) -> Call:
    """Return the call that the engine samples first."""
    request = TurnRequest(prompt=prompt(), tools=tools)
    async with aclosing(engine.generate(request)) as pieces:
        tokens = [token async for piece in pieces for token in piece.tokens]
    (call,) = calls(parse(tokens, strict=True))
    return call
