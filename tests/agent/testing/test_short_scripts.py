"""A test engine whose script is too short or wrong says what is missing."""

from __future__ import annotations

from typing import Any

import pytest

from ossia.agent import Agent, VLLMEngine
from ossia.agent.testing import Reply, ScriptedEngine, answer_turn, open_fake_vllm
from ossia.errors import EngineError


async def test_a_scripted_engine_shows_the_prompt_that_it_has_no_turn_for() -> None:
    with pytest.raises(AssertionError, match=r"turn 1\. The prompt ends with:\n(.|\n)*One\?"):
        await Agent(ScriptedEngine([])).run("One?")


async def test_a_fake_server_fails_the_request_that_it_has_no_reply_for() -> None:
    async with open_fake_vllm([Reply(turn=answer_turn("1"))]) as fake:
        agent = Agent(VLLMEngine(fake.url))
        assert (await agent.run("One?")).output == "1"
        with pytest.raises(EngineError, match="the script has no reply 2") as caught:
            await agent.run("Two?")
    assert caught.value.status == 500


@pytest.mark.parametrize("reply", ["text", answer_turn("1"), None])
async def test_a_fake_server_needs_replies(reply: Any) -> None:
    async with open_fake_vllm([reply]) as fake:
        with pytest.raises(EngineError, match=r"write Reply\(\.\.\.\)"):
            await Agent(VLLMEngine(fake.url)).run("One?")
