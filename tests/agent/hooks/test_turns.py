"""What a hook can change in the request for a turn."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ossia.agent import Agent, Hook, Sampling, TurnRequest
from ossia.agent.testing import ScriptedEngine
from ossia.harmony import decode
from tests.agent.hooks.sample_hooks import TURNS, add, make_agent


class Sampler(Hook):
    """Changes everything in a request that a hook may change."""

    async def before_turn(self, request: TurnRequest) -> TurnRequest | None:
        return replace(
            request,
            sampling=replace(request.sampling, temperature=0.25, seed=7),
            grammar='root ::= "yes"',
            reasoning_budget=99,
        )


async def test_a_hook_can_change_sampling_grammar_and_budget() -> None:
    changed, unchanged = ScriptedEngine(TURNS), ScriptedEngine(TURNS)
    agent = Agent(changed, tools=[add], hooks=[Sampler()], sampling=Sampling(top_p=0.5))
    await agent.run("2 + 3?")
    await replace(agent, engine=unchanged, hooks=()).run("2 + 3?")
    for request in changed.requests:
        assert request.sampling == Sampling(temperature=0.25, top_p=0.5, seed=7)
        assert request.grammar == 'root ::= "yes"'
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
