"""What the loop itself costs: tool steps with an engine that answers at once.

One run of 200 steps next to pydantic-ai and openai-agents, then ours alone: 2,000 steps in a row,
1,000 runs at once, and the journal. Run it by `make bench`.
"""

from __future__ import annotations

import logging
import statistics
import tempfile
import time
import tracemalloc
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import anyio
import structlog
from anyio.lowlevel import checkpoint
from ratios import Case, show

from ossia.agent import Agent, Journal, Limits, MemoryJournal, Sampled, SQLiteJournal, TurnRequest
from ossia.agent.testing import harmony_tokens

STEPS = 200
LONG = 2000
RUNS, RUN_STEPS = 1000, 20
WEIGHED = 50
NEIGHBOURS = 4
REASONING = "I need to add these two numbers."


async def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


class Instant:
    """An engine that has its turns ready. The nth step of each run adds n and 1."""

    def __init__(self, steps: int) -> None:
        call = (
            f"<|channel|>analysis<|message|>{REASONING}<|end|><|start|>assistant<|channel|>"
            "commentary to=functions.add <|constrain|>json<|message|>"
        )
        calls = [f'{call}{{"a": {n}, "b": 1}}<|call|>' for n in range(steps)]
        final = "<|channel|>final<|message|>Done.<|return|>"
        self.turns = [tuple(harmony_tokens(turn)) for turn in (*calls, final)]

    def run(self) -> OneRun:
        """An engine for one run."""
        return OneRun(self.turns)


class OneRun:
    """Plays the turns once, and notes when it was asked for each: in seconds of this process."""

    def __init__(self, turns: Sequence[tuple[int, ...]]) -> None:
        self._turns = iter(turns)
        self.asked_s: list[float] = []

    async def generate(self, request: TurnRequest) -> AsyncGenerator[Sampled]:
        """Play the next turn."""
        self.asked_s.append(time.process_time())
        yield Sampled(tokens=next(self._turns), finish="stop")


def ours(engine: OneRun, journal: Journal | None = None) -> Agent:
    """Our agent over such an engine."""
    return Agent(engine, tools=[add], limits=Limits(steps=None), journal=journal)


def pydantic_ai_run(steps: int) -> Callable[[], Awaitable[object]]:
    """The same run in pydantic-ai."""
    import pydantic_ai
    from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ThinkingPart
    from pydantic_ai.messages import ToolCallPart as Call
    from pydantic_ai.models.function import AgentInfo, FunctionModel
    from pydantic_ai.usage import UsageLimits

    def work() -> Awaitable[object]:
        count = iter(range(steps))

        async def model(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
            n = next(count, None)
            if n is None:
                return ModelResponse(parts=[TextPart("Done.")])
            call = Call("add", f'{{"a": {n}, "b": 1}}')
            return ModelResponse(parts=[ThinkingPart(REASONING), call])

        agent: Any = pydantic_ai.Agent(FunctionModel(model), tools=[add])
        return agent.run("Go.", usage_limits=UsageLimits(request_limit=None))  # type: ignore[no-any-return]

    return work


def openai_agents_run(steps: int) -> Callable[[], Awaitable[object]]:
    """The same run in openai-agents."""
    import agents
    from openai.types import responses

    agents.set_tracing_disabled(True)

    class Model(agents.Model):
        def __init__(self) -> None:
            self.count = iter(range(steps))

        async def get_response(self, *args: Any, **kwargs: Any) -> agents.ModelResponse:
            n = next(self.count, None)
            item: Any = (
                responses.ResponseOutputMessage(
                    id="m",
                    role="assistant",
                    status="completed",
                    type="message",
                    content=[
                        responses.ResponseOutputText(
                            text="Done.", type="output_text", annotations=[]
                        )
                    ],
                )
                if n is None
                else responses.ResponseFunctionToolCall(
                    arguments=f'{{"a": {n}, "b": 1}}',
                    call_id=f"call-{n}",
                    name="add",
                    type="function_call",
                )
            )
            return agents.ModelResponse(output=[item], usage=agents.Usage(), response_id=None)

        def stream_response(self, *args: Any, **kwargs: Any) -> Any:
            raise NotImplementedError

    async def work() -> object:
        agent = agents.Agent(name="bench", model=Model(), tools=[agents.function_tool(add)])
        return await agents.Runner.run(agent, "Go.", max_turns=steps + 2)

    return work


def side_by_side() -> None:
    """The table of ratios to the other frameworks."""
    script = Instant(STEPS)

    def our_run() -> None:
        anyio.run(ours(script.run()).run, "Go.")

    for name, work in (
        ("pydantic-ai", pydantic_ai_run(STEPS)),
        ("openai-agents", openai_agents_run(STEPS)),
    ):

        def their_run(work: Callable[[], Awaitable[object]] = work) -> None:
            async def main() -> None:
                await work()

            anyio.run(main)

        case = Case(f"a run of {STEPS} tool steps", their_run, our_run, 10, STEPS, "step")
        show([case], reference=name, spend_s=1)


async def long_run() -> None:
    """How the cost of a step grows with the length of a run."""
    engine = Instant(LONG).run()
    await ours(engine).run("Go.")
    times = [b - a for a, b in zip(engine.asked_s, engine.asked_s[1:], strict=False)]
    first, last = (statistics.median(part) for part in (times[:200], times[-200:]))
    print(f"median of the last 200 steps of {LONG}, to the first 200: {last / first:.2f}")


async def crowd() -> None:
    """Many runs at once."""
    script = Instant(RUN_STEPS)
    answered = 0

    async def one() -> None:
        nonlocal answered
        result = await ours(script.run()).run("Go.")
        answered += result.usage.tool_calls == RUN_STEPS

    async with anyio.create_task_group() as group:
        for _ in range(RUNS):
            group.start_soon(one)
    print(f"{RUNS} runs of {RUN_STEPS} steps at once: {answered} answered")


async def weight() -> None:
    """What a run weighs that waits for its engine, in its last step."""
    script = Instant(RUN_STEPS)
    arrived, waiting = anyio.Event(), 0

    class Waiting(OneRun):
        async def generate(self, request: TurnRequest) -> AsyncGenerator[Sampled]:
            nonlocal waiting
            if len(self.asked_s) == RUN_STEPS:
                waiting += 1
                if waiting == WEIGHED:
                    arrived.set()
                await anyio.sleep_forever()
            async for piece in super().generate(request):
                yield piece

    await ours(script.run()).run("Go.")  # what all runs share is there
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    async with anyio.create_task_group() as group:
        for _ in range(WEIGHED):
            group.start_soon(ours(Waiting(script.turns)).run, "Go.")
        await arrived.wait()
        after, _ = tracemalloc.get_traced_memory()
        group.cancel_scope.cancel()
        each = (after - before) / WEIGHED
        print(f"memory of a run that waits in its last step: {each / 1000:.0f} kB  (<= 200)")
    tracemalloc.stop()


async def journal_cost() -> None:
    """A run with and without a journal."""
    script = Instant(STEPS)

    async def seconds(journal: Journal | None) -> float:
        started = time.perf_counter()
        await ours(script.run(), journal).run("Go.")
        return time.perf_counter() - started

    with tempfile.TemporaryDirectory() as folder:
        async with SQLiteJournal(Path(folder) / "journal.db") as journal:
            pairs = [(await seconds(None), await seconds(journal)) for _ in range(5)]
            without, having = (min(times) for times in zip(*pairs, strict=True))
            step = 1e6 * (having - without) / STEPS
            print(f"a step with a journal, to one without: {having / without:.1f} (+{step:.0f} us)")
            many = 32
            started = time.perf_counter()
            async with anyio.create_task_group() as group:
                for _ in range(many):
                    group.start_soon(seconds, journal)
            share = (time.perf_counter() - started) / many
            print(f"the same, {many} runs sharing commits: {share / without:.1f}")


async def lateness() -> None:
    """How late a run is served that waits for nothing, beside others whose writes are durable."""
    script = Instant(STEPS)

    class Distant(OneRun):
        async def generate(self, request: TurnRequest) -> AsyncGenerator[Sampled]:
            await checkpoint()  # as every engine does that is asked over a network
            async for piece in super().generate(request):
                yield piece

    async def work(journal: Journal) -> None:
        while True:
            await ours(Distant(script.turns), journal).run("Go.")

    async def worst(journal: Journal) -> float:
        late: list[float] = []
        async with anyio.create_task_group() as group:
            for _ in range(NEIGHBOURS):
                group.start_soon(work, journal)
            for _ in range(500):
                due = time.perf_counter() + 0.001
                await anyio.sleep(0.001)
                late.append(time.perf_counter() - due)
            group.cancel_scope.cancel()
        return statistics.quantiles(late, n=100)[-1]

    with tempfile.TemporaryDirectory() as folder:
        async with SQLiteJournal(Path(folder) / "journal.db") as journal:
            pairs = [(await worst(MemoryJournal()), await worst(journal)) for _ in range(5)]
    memory, disk = (statistics.median(times) for times in zip(*pairs, strict=True))
    print(
        f"p99 of how late a wake-up comes beside {NEIGHBOURS} runs, their writes durable, to in "
        f"memory: {disk / memory:.2f} ({1000 * disk:.1f} ms)"
    )


def main() -> None:
    """Print everything."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    side_by_side()
    for part in (long_run, crowd, weight, journal_cost, lateness):
        anyio.run(part)


if __name__ == "__main__":
    main()
