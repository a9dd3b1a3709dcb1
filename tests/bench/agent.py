"""Cost of the agent loop, with an engine that needs no time. `python tests/bench/agent.py`.

A run of 200 steps is compared with pydantic-ai and openai-agents. Then ossia alone: a run of 2,000
steps, 1,000 concurrent runs, the memory of a run, and the cost of a journal.
"""

from __future__ import annotations

import statistics
import tempfile
import time
import tracemalloc
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import anyio
from anyio.lowlevel import checkpoint
from ratios import Case, show

from ossia.agent import Agent, Journal, Limits, MemoryJournal, Sampled, SQLiteJournal, TurnRequest
from ossia.agent.testing import answer_turn, call_turn

STEPS = 200
LONG_RUN_STEPS = 2000
RUNS, RUN_STEPS = 1000, 20
MEASURED_RUNS = 50
JOURNAL_RUNS = 32
BUSY_RUNS = 4
REASONING = "I need to add these two numbers."


async def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def make_turns(steps: int) -> list[tuple[int, ...]]:
    """Return the turns of a run: calls that add n and 1, then an answer."""
    calls = [call_turn("add", a=n, b=1, reasoning=REASONING) for n in range(steps)]
    return [tuple(turn) for turn in (*calls, answer_turn("Done."))]


class InstantEngine:
    """An engine for one run that needs no time for a turn."""

    def __init__(self, turns: Sequence[tuple[int, ...]]) -> None:
        self._turns = iter(turns)
        self.request_times_s: list[float] = []
        """When each turn was requested, in CPU seconds of this process."""

    async def generate(self, request: TurnRequest) -> AsyncGenerator[Sampled]:
        """Return the next turn in one piece."""
        self.request_times_s.append(time.process_time())
        yield Sampled(tokens=next(self._turns), finish="stop")


def make_agent(engine: InstantEngine, journal: Journal | None = None) -> Agent:
    """Return an ossia agent with the engine."""
    return Agent(engine, tools=[add], limits=Limits(steps=None), journal=journal)


def pydantic_ai_run(steps: int) -> Callable[[], Awaitable[object]]:
    """Return a function that does the same run in pydantic-ai."""
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
    """Return a function that does the same run in openai-agents."""
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


def compare() -> None:
    """Print the ratios to the other frameworks."""
    turns = make_turns(STEPS)

    def our_run() -> None:
        anyio.run(make_agent(InstantEngine(turns)).run, "Go.")

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


async def measure_long_run() -> None:
    """Print how the cost of a step grows with the length of the run."""
    engine = InstantEngine(make_turns(LONG_RUN_STEPS))
    await make_agent(engine).run("Go.")
    times_s = [end - start for start, end in pairwise(engine.request_times_s)]
    first, last = (statistics.median(part) for part in (times_s[:200], times_s[-200:]))
    print(
        f"median of the last 200 steps of {LONG_RUN_STEPS}, relative to the first 200: "
        f"{last / first:.2f}"
    )


async def measure_concurrent_runs() -> None:
    """Print how many of many concurrent runs succeed."""
    turns = make_turns(RUN_STEPS)
    succeeded = 0

    async def work() -> None:
        nonlocal succeeded
        result = await make_agent(InstantEngine(turns)).run("Go.")
        succeeded += result.usage.tool_calls == RUN_STEPS

    started = time.perf_counter()
    async with anyio.create_task_group() as group:
        for _ in range(RUNS):
            group.start_soon(work)
    seconds = time.perf_counter() - started
    print(f"{RUNS} concurrent runs of {RUN_STEPS} steps: {succeeded} succeeded in {seconds:.1f} s")


async def measure_memory() -> None:
    """Print the memory of a run that waits for the engine in its last step."""
    turns = make_turns(RUN_STEPS)
    all_wait, waiting = anyio.Event(), 0

    class WaitingEngine(InstantEngine):
        async def generate(self, request: TurnRequest) -> AsyncGenerator[Sampled]:
            nonlocal waiting
            if len(self.request_times_s) == RUN_STEPS:
                waiting += 1
                if waiting == MEASURED_RUNS:
                    all_wait.set()
                await anyio.sleep_forever()
            async for piece in super().generate(request):
                yield piece

    # This run creates what all runs share, so it is not measured.
    await make_agent(InstantEngine(turns)).run("Go.")
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    async with anyio.create_task_group() as group:
        for _ in range(MEASURED_RUNS):
            group.start_soon(make_agent(WaitingEngine(turns)).run, "Go.")
        await all_wait.wait()
        after, _ = tracemalloc.get_traced_memory()
        group.cancel_scope.cancel()
        size_kb = (after - before) / MEASURED_RUNS / 1000
        print(f"memory of a run that waits in its last step: {size_kb:.0f} kB (promised <= 200)")
    tracemalloc.stop()


async def measure_journal() -> None:
    """Print the cost of a journal, for one run and for concurrent runs."""
    turns = make_turns(STEPS)

    async def run_seconds(journal: Journal | None) -> float:
        started = time.perf_counter()
        await make_agent(InstantEngine(turns), journal).run("Go.")
        return time.perf_counter() - started

    with tempfile.TemporaryDirectory() as folder:
        async with SQLiteJournal(Path(folder) / "journal.db") as journal:
            pairs = [(await run_seconds(None), await run_seconds(journal)) for _ in range(5)]
            without_s, with_s = (min(times) for times in zip(*pairs, strict=True))
            extra_us = 1e6 * (with_s - without_s) / STEPS
            print(
                f"a step with a journal, relative to one without: {with_s / without_s:.1f} "
                f"(+{extra_us:.0f} us)"
            )
            started = time.perf_counter()
            async with anyio.create_task_group() as group:
                for _ in range(JOURNAL_RUNS):
                    group.start_soon(run_seconds, journal)
            run_s = (time.perf_counter() - started) / JOURNAL_RUNS
            print(f"the same in {JOURNAL_RUNS} runs that share commits: {run_s / without_s:.1f}")


async def measure_wake_up_delay() -> None:
    """Print how late the event loop wakes a task while other runs write to a durable journal."""
    turns = make_turns(STEPS)

    class RemoteEngine(InstantEngine):
        async def generate(self, request: TurnRequest) -> AsyncGenerator[Sampled]:
            # An engine that waits for the network lets other tasks run.
            await checkpoint()
            async for piece in super().generate(request):
                yield piece

    async def run_forever(journal: Journal) -> None:
        while True:
            await make_agent(RemoteEngine(turns), journal).run("Go.")

    async def p99_delay_s(journal: Journal) -> float:
        delays_s: list[float] = []
        async with anyio.create_task_group() as group:
            for _ in range(BUSY_RUNS):
                group.start_soon(run_forever, journal)
            for _ in range(500):
                expected = time.perf_counter() + 0.001
                await anyio.sleep(0.001)
                delays_s.append(time.perf_counter() - expected)
            group.cancel_scope.cancel()
        return statistics.quantiles(delays_s, n=100)[-1]

    with tempfile.TemporaryDirectory() as folder:
        async with SQLiteJournal(Path(folder) / "journal.db") as journal:
            pairs = [
                (await p99_delay_s(MemoryJournal()), await p99_delay_s(journal)) for _ in range(5)
            ]
    memory_s, disk_s = (statistics.median(times) for times in zip(*pairs, strict=True))
    print(
        f"p99 of the delay of a wake-up beside {BUSY_RUNS} runs with a durable journal: "
        f"{1000 * disk_s:.1f} ms; with a journal in memory {1000 * memory_s:.1f} ms; "
        f"ratio {disk_s / memory_s:.2f}"
    )


def main() -> None:
    """Print all measurements."""
    compare()
    for measure in (
        measure_long_run,
        measure_concurrent_runs,
        measure_memory,
        measure_journal,
        measure_wake_up_delay,
    ):
        anyio.run(measure)


if __name__ == "__main__":
    main()
