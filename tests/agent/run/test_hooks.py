"""Hooks: what each method may change, in which order they run, and how they end a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from ossia.agent import (
    Agent,
    Event,
    Hook,
    Limits,
    MemoryJournal,
    ReasoningDelta,
    Refusal,
    RunFacts,
    RunFinished,
    RunStarted,
    Sampling,
    ToolCallFinished,
    ToolCallReady,
    TurnRequest,
)
from ossia.agent.testing import ScriptedEngine, answer_turn, call_turn
from ossia.errors import GuardrailTripped, OutputError
from ossia.harmony import decode
from ossia.tools import Attachment, ToolCall, ToolResult, ToolRetry, ToolReturn

TURNS = [call_turn("add", a=2, b=3, reasoning="Let me add."), answer_turn("5")]


class Adder:
    """The tool `add`, and the arguments that it was called with."""

    def __init__(self) -> None:
        self.calls: list[tuple[int, int]] = []

    def tools(self) -> list[Any]:
        def add(a: int, b: int) -> int:
            """Add two numbers."""
            self.calls.append((a, b))
            return a + b

        return [add]


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def make_agent(
    *hooks: Hook, turns: Sequence[Any] = TURNS, tools: Sequence[Any] = (add,), **options: Any
) -> Agent[Any]:
    return Agent(ScriptedEngine(turns), tools=tools, hooks=hooks, **options)


class Recorder(Hook):
    """Notes the name of every method that runs, and every event."""

    def __init__(self, name: str = "", log: list[str] | None = None) -> None:
        self.name = name
        self.log: list[str] = [] if log is None else log
        self.events: list[Event] = []

    def note(self, method: str) -> None:
        self.log.append(f"{self.name}{method}")

    async def on_event(self, event: Event) -> None:
        self.events.append(event)

    async def before_turn(self, request: TurnRequest) -> TurnRequest | None:
        self.note("before_turn")
        return None

    async def before_tool_call(self, call: ToolCall) -> ToolCall | Refusal | None:
        self.note("before_tool_call")
        return None

    async def after_tool_call(self, call: ToolCall, result: ToolResult) -> ToolResult | None:
        self.note("after_tool_call")
        return None

    async def before_output(self, output: Any) -> Any | None:
        self.note("before_output")
        return None


def with_arguments(call: ToolCall, arguments: str) -> ToolCall:
    return replace(call, message=replace(call.message, content=arguments))


def with_text(result: ToolResult, text: str) -> ToolResult:
    return replace(result, message=replace(result.message, content=text))


# Order.


async def test_a_hook_that_overrides_nothing_changes_nothing() -> None:
    result = await make_agent(Hook()).run("2 + 3?")
    assert result.output == "5"


async def test_methods_run_once_for_each_turn_call_and_output() -> None:
    hook = Recorder()
    await make_agent(hook).run("2 + 3?")
    assert hook.log == [
        "before_turn",
        "before_tool_call",
        "after_tool_call",
        "before_turn",
        "before_output",
    ]


async def test_hooks_run_in_the_order_of_the_list() -> None:
    log: list[str] = []
    await make_agent(Recorder("first ", log), Recorder("second ", log)).run("2 + 3?")
    methods = ["before_turn", "before_tool_call", "after_tool_call", "before_turn", "before_output"]
    assert log == [f"{name} {method}" for method in methods for name in ("first", "second")]


class Appender(Hook):
    """Adds its letter to arguments, results and outputs."""

    def __init__(self, letter: str) -> None:
        self.letter = letter

    async def before_tool_call(self, call: ToolCall) -> ToolCall | Refusal | None:
        return with_arguments(call, call.message.text.replace('"}', f'{self.letter}"}}'))

    async def after_tool_call(self, call: ToolCall, result: ToolResult) -> ToolResult | None:
        return with_text(result, result.message.text + self.letter)

    async def before_output(self, output: Any) -> Any | None:
        return output + self.letter


async def test_each_hook_sees_the_changes_of_those_before_it() -> None:
    def echo(text: str) -> str:
        """Echo."""
        return f"{text}|"

    turns = [call_turn("echo", text="x"), answer_turn("y")]
    engine = ScriptedEngine(turns)
    agent = Agent(engine, tools=[echo], hooks=[Appender("a"), Appender("b")])
    result = await agent.run("Go")
    assert "xab|ab" in decode(engine.prompts[1])
    assert result.output == "yab"


# Tool calls.


async def test_a_hook_can_change_the_arguments_of_a_call() -> None:
    class Doubler(Hook):
        async def before_tool_call(self, call: ToolCall) -> ToolCall | Refusal | None:
            return with_arguments(call, '{"a": 4, "b": 6}')

    adder, journal = Adder(), MemoryJournal()
    engine = ScriptedEngine(TURNS)
    agent = Agent(engine, tools=adder.tools(), hooks=[Doubler()], journal=journal)
    result = await agent.run("2 + 3?")
    assert adder.calls == [(4, 6)]
    prompt = decode(engine.prompts[1])
    assert '{"a": 2, "b": 3}' in prompt, "the transcript keeps what the model wrote"
    assert '{"a": 4, "b": 6}' not in prompt
    assert "10" in [message.text for message in result.messages if message.role == "tool"]


async def test_a_call_with_changed_arguments_is_validated() -> None:
    class Breaker(Hook):
        async def before_tool_call(self, call: ToolCall) -> ToolCall | Refusal | None:
            return with_arguments(call, '{"a": "two"}')

    adder = Adder()
    engine = ScriptedEngine(TURNS)
    await Agent(engine, tools=adder.tools(), hooks=[Breaker()]).run("2 + 3?")
    assert adder.calls == []
    assert "Error: " in decode(engine.prompts[1])


class Refuser(Hook):
    """Refuses every call of a tool."""

    def __init__(self, tool: str = "functions.add") -> None:
        self.tool = tool

    async def before_tool_call(self, call: ToolCall) -> ToolCall | Refusal | None:
        return Refusal("adding is not allowed") if call.name == self.tool else None


async def test_a_refused_call_does_not_run_and_the_model_reads_why() -> None:
    adder, after = Adder(), Recorder()
    engine = ScriptedEngine(TURNS)
    agent = Agent(engine, tools=adder.tools(), hooks=[Refuser(), after])
    result = await agent.run("2 + 3?")
    assert adder.calls == []
    assert "<|message|>Error: adding is not allowed<|end|>" in decode(engine.prompts[1])
    assert after.log == ["before_turn", "before_turn", "before_output"]
    (finished,) = [event for event in after.events if isinstance(event, ToolCallFinished)]
    assert (finished.text, finished.failed) == ("Error: adding is not allowed", True)
    assert result.usage.tool_calls == 0
    assert result.output == "5"


async def test_a_refused_call_does_not_count_for_the_limits() -> None:
    turns = [*[call_turn("add", a=2, b=3)] * 3, answer_turn("5")]
    limits = Limits(tool_calls=1, calls_of={"functions.add": 1})
    result = await make_agent(Refuser(), turns=turns, limits=limits).run("2 + 3?")
    assert result.output == "5"


async def test_a_hook_sees_calls_of_tools_that_do_not_exist() -> None:
    hook = Recorder()
    turns = [call_turn("subtract", a=2, b=3), answer_turn("5")]
    await make_agent(hook, turns=turns).run("2 - 3?")
    assert hook.log[1:3] == ["before_tool_call", "after_tool_call"]


async def test_a_hook_can_change_a_result() -> None:
    class Redactor(Hook):
        async def after_tool_call(self, call: ToolCall, result: ToolResult) -> ToolResult | None:
            return with_text(replace(result, failed=True), "[redacted]")

    engine, journal, watcher = ScriptedEngine(TURNS), MemoryJournal(), Recorder()
    agent = Agent(engine, tools=[add], hooks=[Redactor(), watcher], journal=journal)
    result = await agent.run("2 + 3?")
    assert "<|message|>[redacted]<|end|>" in decode(engine.prompts[1])
    (finished,) = [event for event in watcher.events if isinstance(event, ToolCallFinished)]
    assert (finished.text, finished.failed) == ("[redacted]", True)
    assert '"5"' not in repr(await journal.read(result.run_id)), "the result is not journaled"
    texts = [message.text for message in result.messages if message.role == "tool"]
    assert texts == ["[redacted]"]


class Withholder(Hook):
    """Refuses every result."""

    async def after_tool_call(self, call: ToolCall, result: ToolResult) -> Refusal:
        return Refusal("the sum is secret")


async def test_a_hook_can_withhold_a_result_and_the_model_reads_why() -> None:
    adder, engine, journal, watcher = Adder(), ScriptedEngine(TURNS), MemoryJournal(), Recorder()
    agent = Agent(engine, tools=adder.tools(), hooks=[Withholder(), watcher], journal=journal)
    result = await agent.run("2 + 3?")
    assert adder.calls == [(2, 3)]
    assert watcher.log == ["before_turn", "before_tool_call", "before_turn", "before_output"]
    assert "<|message|>Error: the sum is secret<|end|>" in decode(engine.prompts[1])
    (finished,) = [event for event in watcher.events if isinstance(event, ToolCallFinished)]
    assert (finished.text, finished.failed) == ("Error: the sum is secret", True)
    assert result.usage.tool_calls == 1, "the tool ran"
    assert '"5"' not in repr(await journal.read(result.run_id)), "the result is not journaled"


async def test_a_withheld_result_keeps_its_files_for_a_resumed_run() -> None:
    def write() -> ToolReturn:
        """Write a file."""
        return ToolReturn("done", attachments=(Attachment("sum.txt", b"5"),))

    journal = MemoryJournal()
    agent = make_agent(
        Withholder(), turns=[call_turn("write"), answer_turn("5")], tools=[write], journal=journal
    )
    result = await agent.run("Write 5.")
    assert [(file.path.rpartition("/")[2], file.data) for file in result.files] == [
        ("sum-1.txt", b"5")
    ]


async def test_refused_and_withheld_calls_are_logged_without_the_reason(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO", logger="ossia")
    await make_agent(Refuser()).run("2 + 3?")
    await make_agent(Withholder()).run("2 + 3?")
    lines = [record.getMessage() for record in caplog.records if record.name == "ossia.tools"]
    assert [line.partition(" ")[0] for line in lines] == [
        "tool_call_refused",
        "tool_call_finished",
        "tool_call_refused",
    ]
    assert not [line for line in lines if "allowed" in line or "secret" in line]


async def test_a_hook_sees_the_exception_of_a_failed_call() -> None:
    class Reporter(Hook):
        error: BaseException | None = None

        async def after_tool_call(self, call: ToolCall, result: ToolResult) -> ToolResult | None:
            self.error = result.error
            return None

    def fail() -> None:
        """Fail."""
        raise ZeroDivisionError("no")

    hook = Reporter()
    await make_agent(hook, turns=[call_turn("fail"), answer_turn("5")], tools=[fail]).run("Go")
    assert isinstance(hook.error, ZeroDivisionError)


# Turns.


class Sampler(Hook):
    """Changes everything in a request that a hook may change."""

    async def before_turn(self, request: TurnRequest) -> TurnRequest | None:
        return replace(
            request,
            sampling=replace(request.sampling, temperature=0.25, seed=7),
            grammar={"type": "structural_tag", "format": {"type": "any_text"}},
            reasoning_budget=99,
        )


async def test_a_hook_can_change_sampling_grammar_and_budget() -> None:
    changed, unchanged = ScriptedEngine(TURNS), ScriptedEngine(TURNS)
    agent = Agent(changed, tools=[add], hooks=[Sampler()], sampling=Sampling(top_p=0.5))
    await agent.run("2 + 3?")
    await replace(agent, engine=unchanged, hooks=()).run("2 + 3?")
    for request in changed.requests:
        assert request.sampling == Sampling(temperature=0.25, top_p=0.5, seed=7)
        assert request.grammar == {"type": "structural_tag", "format": {"type": "any_text"}}
        assert request.reasoning_budget == 99
    assert changed.prompts == unchanged.prompts
    first, second = changed.prompts
    assert second[: len(first)] == first


@pytest.mark.parametrize(
    ("part", "added"), [(slice(1, None), []), (slice(None), [1]), (slice(0), [])]
)
async def test_a_hook_that_changes_the_prompt_ends_the_run(part: slice, added: list[int]) -> None:
    class Prompter(Hook):
        async def before_turn(self, request: TurnRequest) -> TurnRequest | None:
            return replace(request, prompt=[*request.prompt[part], *added])

    engine = ScriptedEngine(TURNS)
    with pytest.raises(ValueError, match=r"Prompter\.before_turn changed the prompt"):
        await Agent(engine, tools=[add], hooks=[Prompter()]).run("2 + 3?")
    assert engine.prompts == []


async def test_a_hook_may_return_a_copy_of_the_prompt() -> None:
    class Copier(Hook):
        async def before_turn(self, request: TurnRequest) -> TurnRequest | None:
            return replace(request, prompt=list(request.prompt))

    assert (await make_agent(Copier()).run("2 + 3?")).output == "5"


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("before_turn", "TurnRequest"),
        ("before_tool_call", "ToolCall"),
        ("after_tool_call", "ToolResult"),
    ],
)
async def test_a_hook_that_returns_another_type_ends_the_run(method: str, expected: str) -> None:
    async def return_text(self: Hook, *args: object) -> str:
        return "no"

    hook = type("Wrong", (Hook,), {method: return_text})()
    with pytest.raises(TypeError, match=f"a value of type str; return a changed {expected}"):
        await make_agent(hook).run("2 + 3?")


async def test_a_change_of_a_request_is_for_one_turn() -> None:
    class Once(Hook):
        async def before_turn(self, request: TurnRequest) -> TurnRequest | None:
            if "<|call|>" in decode(request.prompt):
                return None
            return replace(request, sampling=replace(request.sampling, temperature=0.0))

    engine = ScriptedEngine(TURNS)
    await Agent(engine, tools=[add], hooks=[Once()]).run("2 + 3?")
    assert [request.sampling.temperature for request in engine.requests] == [0.0, 1.0]


# Output.


async def test_a_hook_can_change_the_output() -> None:
    class Rounder(Hook):
        async def before_output(self, output: Any) -> Any | None:
            return round(output)

    agent = make_agent(Rounder(), turns=[answer_turn(4.6)], output_type=float)
    result = await agent.run("2 + 3?")
    assert result.output == 5
    assert result.messages[-1].text == "4.6"


async def test_an_output_may_be_changed_to_a_false_value() -> None:
    class Zero(Hook):
        async def before_output(self, output: Any) -> Any | None:
            return 0

    assert (await make_agent(Zero(), turns=[answer_turn(5)], output_type=int).run("?")).output == 0


class AtMost(Hook):
    """Refuses outputs above a maximum."""

    def __init__(self, maximum: int) -> None:
        self.maximum = maximum

    async def before_output(self, output: Any) -> Any | Refusal | None:
        return Refusal(f"at most {self.maximum}") if output > self.maximum else None


async def test_a_refused_output_goes_back_to_the_model_with_the_reason() -> None:
    engine = ScriptedEngine([answer_turn(11), answer_turn(9)])
    result = await Agent(engine, output_type=int, hooks=[AtMost(10)]).run("?")
    assert result.output == 9
    assert "Your answer was not accepted:\nat most 10" in decode(engine.prompts[1])


async def test_outputs_that_are_refused_too_often_end_the_run() -> None:
    agent = make_agent(AtMost(1), turns=[answer_turn(2)] * 3, output_type=int)
    with pytest.raises(OutputError, match="at most 1") as raised:
        await agent.run("?")
    assert raised.value.faults == ("at most 1",) * 3
    assert raised.value.answer == "2"


async def test_a_hook_may_refuse_an_output_that_another_process_accepted() -> None:
    journal = MemoryJournal()
    agent = make_agent(turns=[answer_turn(2)], output_type=int, journal=journal)
    run_id = (await agent.run("?")).run_id
    with pytest.raises(OutputError, match="accepted before") as raised:
        await replace(agent, hooks=[AtMost(1)]).resume(run_id)
    assert (raised.value.run_id, raised.value.answer) == (run_id, "2")
    assert (await agent.resume(run_id)).output == 2


# Errors.


class Raiser(Hook):
    """Raises an exception in one of its methods."""

    def __init__(self, method: str, error: BaseException) -> None:
        self.method = method
        self.error = error

    def check(self, method: str) -> None:
        if method == self.method:
            raise self.error

    async def on_event(self, event: Event) -> None:
        self.check("on_event" if isinstance(event, ToolCallReady) else "")
        self.check("on_delta" if isinstance(event, ReasoningDelta) else "")

    async def before_turn(self, request: TurnRequest) -> TurnRequest | None:
        self.check("before_turn")
        return None

    async def before_tool_call(self, call: ToolCall) -> ToolCall | Refusal | None:
        self.check("before_tool_call")
        return None

    async def after_tool_call(self, call: ToolCall, result: ToolResult) -> ToolResult | None:
        self.check("after_tool_call")
        return None

    async def before_output(self, output: Any) -> Any | None:
        self.check("before_output")
        return None


METHODS = {
    "on_event": 1,
    "on_delta": 1,
    "before_turn": 0,
    "before_tool_call": 1,
    "after_tool_call": 1,
    "before_output": 2,
}
"""The methods, and how many turns were sampled when each is first called."""


@pytest.mark.parametrize("kind", [GuardrailTripped, ZeroDivisionError])
@pytest.mark.parametrize("method", METHODS)
async def test_an_exception_in_a_hook_ends_the_run_with_its_facts(
    method: str, kind: type[Exception]
) -> None:
    error, journal = kind("stop"), MemoryJournal()
    with pytest.raises(kind) as raised:
        await make_agent(Raiser(method, error), journal=journal).run("2 + 3?", run_id="r1")
    assert raised.value is error
    facts = RunFacts.of(error)
    assert facts is not None
    assert (facts.run_id, facts.usage.steps) == ("r1", METHODS[method])
    assert "2 + 3?" in [message.text for message in facts.messages]
    (run,) = await journal.runs()
    assert (run.status, run.failure) == ("failed", f"{kind.__name__}: stop")


@pytest.mark.parametrize("method", METHODS)
async def test_a_run_that_a_hook_stopped_can_be_resumed(method: str) -> None:
    agent = make_agent(
        Raiser(method, GuardrailTripped("stop")),
        turns=[*TURNS[:1], *TURNS] if method == "on_delta" else TURNS,
        journal=MemoryJournal(),
    )
    with pytest.raises(GuardrailTripped):
        await agent.run("2 + 3?", run_id="r1")
    assert (await replace(agent, hooks=()).resume("r1")).output == "5"


# All ways to run an agent.


async def test_hooks_see_each_event_of_a_run_once() -> None:
    first, second = Recorder(), Recorder()
    await make_agent(first, second).run("2 + 3?")
    assert isinstance(first.events[0], RunStarted)
    assert isinstance(first.events[-1], RunFinished)
    assert len(set(map(id, first.events))) == len(first.events)
    assert [id(event) for event in first.events] == [id(event) for event in second.events]


async def test_hooks_and_a_stream_see_the_same_events() -> None:
    hook = Recorder()
    async with make_agent(hook).stream("2 + 3?") as run:
        streamed = [event async for event in run]
    assert [id(event) for event in streamed] == [id(event) for event in hook.events]
    assert hook.log.count("before_turn") == 2


async def test_hooks_run_in_a_resumed_run() -> None:
    journal = MemoryJournal()
    stopped = make_agent(Raiser("before_output", GuardrailTripped("stop")), journal=journal)
    with pytest.raises(GuardrailTripped):
        await stopped.run("2 + 3?", run_id="r1")
    hook = Recorder()
    resumed = replace(stopped, hooks=[hook], engine=ScriptedEngine([]))
    assert (await resumed.resume("r1")).output == "5"
    assert hook.log == ["before_output"]
    assert hook.events[0] == RunStarted(
        run_id="r1", step=2, at_s=hook.events[0].at_s, is_resumed=True
    )


async def test_hooks_run_for_every_message_of_a_chat() -> None:
    hook = Recorder()
    turns = [answer_turn("One."), answer_turn("Two."), answer_turn("Three.")]
    async with make_agent(hook, turns=turns).chat() as chat:
        await chat.say("1?")
        await chat.say("2?")
        async with chat.stream("3?") as run:
            streamed = [event async for event in run]
    assert hook.log == ["before_turn", "before_output"] * 3
    assert [event.kind for event in hook.events].count("run_finished") == 3
    assert [id(event) for event in hook.events[-len(streamed) :]] == [*map(id, streamed)]


async def test_a_chat_can_continue_after_a_guardrail() -> None:
    class NoSwearing(Hook):
        async def before_output(self, output: Any) -> Any | None:
            if "damn" in output:
                raise GuardrailTripped("do not swear")
            return None

    turns = [answer_turn("damn"), answer_turn("Sorry.")]
    async with make_agent(NoSwearing(), turns=turns).chat() as chat:
        with pytest.raises(GuardrailTripped):
            await chat.say("Hi")
        assert (await chat.say("What?")).output == "Sorry."


async def test_hooks_run_in_run_many_and_stop_one_run_alone() -> None:
    class OnlyEven(Recorder):
        async def before_output(self, output: Any) -> Any | None:
            self.note("before_output")
            if int(output) % 2:
                raise GuardrailTripped(f"{output} is odd")
            return None

    hook = OnlyEven()
    turns = [answer_turn(str(number)) for number in range(4)]
    async with make_agent(hook, turns=turns).run_many(
        map(str, range(4)), concurrency=1
    ) as outcomes:
        found = [outcome async for outcome in outcomes]
    assert [outcome.error is None for outcome in found] == [True, False, True, False]
    assert isinstance(found[1].error, GuardrailTripped)
    assert hook.log.count("before_output") == 4
    started = [event for event in hook.events if isinstance(event, RunStarted)]
    assert len({event.run_id for event in started}) == 4


async def test_a_tool_error_inside_a_hook_ends_the_run() -> None:
    error = ToolRetry("try again")
    with pytest.raises(ToolRetry) as raised:
        await make_agent(Raiser("before_tool_call", error)).run("2 + 3?")
    assert raised.value is error
