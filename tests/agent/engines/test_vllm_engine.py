"""VLLMEngine with a scripted server that also misbehaves."""

from __future__ import annotations

import json
from contextlib import aclosing
from typing import Any, Literal

import httpx
import pytest
from anyio import create_task_group, fail_after

from ossia.agent import Agent, Sampled, Sampling, TurnRequest, VLLMEngine
from ossia.agent.engines.vllm.completions_api import MAX_LINE, ChunkReader
from ossia.agent.testing import Reply, answer_turn, harmony_tokens, open_fake_vllm
from ossia.errors import (
    ContextLengthError,
    EngineError,
    EngineProtocolError,
    EngineUnavailableError,
    ModelNotFoundError,
)
from ossia.harmony.constrain import turn_grammar

ANSWER = "<|channel|>final<|message|>It is 15846.<|return|>"
TOKENS = harmony_tokens(ANSWER)
PROMPT = [1, 2, 3]


async def generate(engine: VLLMEngine, sampling: Sampling = Sampling()) -> list[Sampled]:  # noqa: B008
    async with aclosing(engine.generate(TurnRequest(prompt=PROMPT, sampling=sampling))) as pieces:
        return [piece async for piece in pieces]


def tokens_of(pieces: list[Sampled]) -> list[int]:
    return [token for piece in pieces for token in piece.tokens]


async def test_tokens_arrive_as_they_are_sampled_and_the_usage_last() -> None:
    async with open_fake_vllm([Reply(turn=ANSWER, cached_tokens=2)]) as server:
        pieces = await generate(VLLMEngine(server.url))
    assert tokens_of(pieces) == TOKENS
    assert (pieces[-1].finish, pieces[-1].cached_tokens) == ("stop", 2)
    assert all(piece.finish is None for piece in pieces[:-1])


async def test_the_request_has_token_ids_and_asks_for_token_ids() -> None:
    async with open_fake_vllm([Reply(turn=ANSWER)], window=100) as server:
        await generate(VLLMEngine(server.url + "/v1/"), Sampling(seed=7))
    (asked,) = server.requests
    assert asked["prompt"] == PROMPT
    assert asked["model"] == "gpt-oss-fake"
    assert asked["max_tokens"] == 97, "what the window leaves"
    assert asked["stop_token_ids"] == [200002, 200012]
    assert asked["return_token_ids"]
    assert not asked["skip_special_tokens"]
    assert asked["logit_bias"] == {"199999": -100}, "it ends a turn, but is not an end of harmony's"
    assert asked["seed"] == 7


async def test_a_turn_at_its_maximum_finishes_with_length() -> None:
    async with open_fake_vllm([Reply(turn=ANSWER)]) as server:
        pieces = await generate(VLLMEngine(server.url), Sampling(max_tokens=4))
    assert tokens_of(pieces) == TOKENS[:4]
    assert pieces[-1].finish == "length"


@pytest.mark.parametrize("after", range(len(TOKENS) + 1))
async def test_an_interrupted_turn_continues_from_the_tokens_received(after: int) -> None:
    replies = [Reply(turn=TOKENS, drop_after=after), Reply(turn=TOKENS[after:])]
    async with open_fake_vllm(replies) as server:
        pieces = await generate(VLLMEngine(server.url), Sampling(max_tokens=50))
    assert tokens_of(pieces) == TOKENS
    assert pieces[-1].finish == "stop"
    if after < len(TOKENS):
        first, second = server.requests
        assert second["prompt"] == first["prompt"] + TOKENS[:after]
        assert second["max_tokens"] == 50 - after


@pytest.mark.parametrize("status", [408, 429, 502, 503, 504])
async def test_a_busy_server_gets_the_request_again(status: int) -> None:
    replies = [Reply(status=status), Reply(status=status), Reply(turn=ANSWER)]
    async with open_fake_vllm(replies) as server:
        assert tokens_of(await generate(VLLMEngine(server.url))) == TOKENS
    assert len(server.requests) == 3


async def test_a_server_that_stays_away_is_an_error_with_the_reason() -> None:
    async with open_fake_vllm([Reply(status=503)]) as server:
        engine = VLLMEngine(server.url, absence_s=0)
        with pytest.raises(EngineUnavailableError, match="HTTP 503"):
            await generate(engine)


async def test_a_silent_server_is_an_error_after_the_deadline() -> None:
    replies = [Reply(turn=TOKENS, hang_after=2), Reply(turn=TOKENS[2:])]
    async with open_fake_vllm(replies) as server:
        with fail_after(20):
            pieces = await generate(VLLMEngine(server.url, silence_s=0.2))
    assert tokens_of(pieces) == TOKENS


async def test_the_error_for_an_unreachable_url_says_how_to_start_a_server() -> None:
    async with open_fake_vllm([]) as server:
        url = server.url
    with pytest.raises(EngineUnavailableError, match="ossia engine") as raised:
        await generate(VLLMEngine(url, absence_s=0.1))
    assert raised.value.url == url
    assert url in str(raised.value)


def test_an_invalid_url_is_refused_at_once() -> None:
    with pytest.raises(EngineError, match="write it like http://127"):
        VLLMEngine("localhost:8000")


async def test_the_error_for_an_unknown_model_lists_the_models() -> None:
    async with open_fake_vllm([]) as server:
        with pytest.raises(ModelNotFoundError, match="gpt-oss-fake") as raised:
            await generate(VLLMEngine(server.url, model="gpt-oss-20b"))
    assert raised.value.model == "gpt-oss-20b"
    assert raised.value.known == ("gpt-oss-fake",)


async def test_the_error_for_a_prompt_that_is_too_long_has_both_sizes() -> None:
    async with open_fake_vllm([], window=3) as server:
        with pytest.raises(ContextLengthError) as raised:
            await generate(VLLMEngine(server.url))
    assert (raised.value.prompt_tokens, raised.value.window) == (3, 3)
    assert server.requests == []


async def test_a_server_that_sends_no_token_ids_is_a_protocol_error() -> None:
    async with open_fake_vllm([Reply(turn=ANSWER, token_ids=False)]) as server:
        with pytest.raises(EngineProtocolError, match="update the server"):
            await generate(VLLMEngine(server.url))


async def test_broken_json_is_in_the_error_and_not_retried() -> None:
    async with open_fake_vllm([Reply(turn=ANSWER, line_after=(2, "{oops"))]) as server:
        with pytest.raises(EngineProtocolError, match="oops"):
            await generate(VLLMEngine(server.url))
    assert len(server.requests) == 1


async def test_an_error_in_the_stream_has_the_text_of_the_server() -> None:
    line = '{"error": {"message": "Token id 300000 is out of vocabulary"}}'
    async with open_fake_vllm([Reply(turn=ANSWER, line_after=(0, line))]) as server:
        with pytest.raises(EngineError, match="out of vocabulary"):
            await generate(VLLMEngine(server.url))


async def test_a_refused_request_has_the_text_of_the_server() -> None:
    async with open_fake_vllm([Reply(status=400, error="top_p must be in (0, 1]")]) as server:
        with pytest.raises(EngineError, match="top_p must be") as raised:
            await generate(VLLMEngine(server.url))
    assert raised.value.status == 400


async def test_the_api_key_is_sent_and_never_shown() -> None:
    async with open_fake_vllm([Reply(status=401)]) as server:
        engine = VLLMEngine(server.url, api_key="s3cret")
        with pytest.raises(EngineError, match="pass api_key") as raised:
            await generate(engine)
    assert server.headers[-1]["authorization"] == "Bearer s3cret"
    assert "s3cret" not in repr(engine) + str(raised.value)


async def test_leaving_a_turn_closes_the_stream() -> None:
    async with open_fake_vllm([Reply(turn=TOKENS, hang_after=2)]) as server:
        request = TurnRequest(prompt=PROMPT)
        async with aclosing(VLLMEngine(server.url).generate(request)) as pieces:
            await anext(pieces)
        with fail_after(10):
            await server.client_disconnected.wait()


async def test_cancelling_a_run_closes_the_stream() -> None:
    async with open_fake_vllm([Reply(turn=TOKENS, hang_after=0)]) as server:
        async with create_task_group() as group:
            group.start_soon(Agent(VLLMEngine(server.url)).run, "2 + 3?")
            with fail_after(10):
                await server.request_received.wait()
            group.cancel_scope.cancel()
        with fail_after(10):
            await server.client_disconnected.wait()


async def test_runs_share_the_connections_of_an_open_engine() -> None:
    opened: list[httpx.AsyncClient] = []

    def client() -> httpx.AsyncClient:
        opened.append(httpx.AsyncClient(headers={"X-Team": "blue"}))
        return opened[-1]

    async with open_fake_vllm([Reply(turn=ANSWER)] * 3) as server:
        async with VLLMEngine(server.url, client=client) as engine:
            agent = Agent(engine)
            async with create_task_group() as group:
                for _ in range(3):
                    group.start_soon(agent.run, "2 + 3?")
        assert len(opened) == 1
        assert opened[0].is_closed
    assert server.headers[-1]["x-team"] == "blue"


async def test_a_run_opens_and_closes_an_engine_that_is_not_open() -> None:
    async with open_fake_vllm([Reply(turn=ANSWER), Reply(turn=ANSWER)]) as server:
        agent = Agent(VLLMEngine(server.url))
        for _ in range(2):
            assert (await agent.run("417 * 38?")).output == "It is 15846."


GRAMMAR = turn_grammar()


@pytest.mark.parametrize("grammars", ["ignored", "refused"])
async def test_a_server_that_ignores_grammars_is_probed_once_and_used_without_them(
    grammars: Literal["ignored", "refused"], caplog: pytest.LogCaptureFixture
) -> None:
    replies = [Reply(turn=ANSWER), Reply(turn=ANSWER)]
    async with open_fake_vllm(replies, grammars=grammars) as server:
        engine = VLLMEngine(server.url)
        with caplog.at_level("WARNING", "ossia"):
            for _ in replies:
                assert (await Agent(engine).run("417 * 38?")).output == "It is 15846."
    assert [vars(record)["event"] for record in caplog.records].count("grammar_ignored") == 1
    assert not any("structured_outputs" in asked for asked in server.requests)


async def test_a_server_that_obeys_grammars_gets_the_grammar_of_the_turn() -> None:
    async with open_fake_vllm([Reply(turn=ANSWER)]) as server:
        await Agent(VLLMEngine(server.url)).run("417 * 38?")
    (asked,) = server.requests
    assert asked["structured_outputs"] == {"grammar": GRAMMAR}


async def test_the_rest_of_an_interrupted_turn_has_no_grammar() -> None:
    """A grammar describes a whole turn, so the rest of a turn is sampled without one."""
    replies = [Reply(turn=TOKENS, drop_after=4), Reply(turn=TOKENS[4:])]
    async with open_fake_vllm(replies) as server:
        assert (await Agent(VLLMEngine(server.url)).run("417 * 38?")).output == "It is 15846."
    first, second = server.requests
    assert "structured_outputs" in first
    assert "structured_outputs" not in second


async def test_an_unreachable_server_does_not_count_as_one_that_ignores_grammars() -> None:
    async with open_fake_vllm([]) as server:
        url = server.url
    with pytest.raises(EngineUnavailableError):
        await VLLMEngine(url, absence_s=0.1).obeys_grammars()


SEPARATORS = "a\u2028b\u2029c\x85d\x0be\x0cf\x1cg\x1dh\x1ei\rj"
"""Characters at which `str.splitlines` splits, but an event stream does not."""


async def test_only_a_line_feed_ends_a_line_of_the_stream() -> None:
    turn = answer_turn(SEPARATORS)
    async with open_fake_vllm([Reply(turn=turn)]) as server:
        pieces = await generate(VLLMEngine(server.url))
    assert tokens_of(pieces) == turn


@pytest.mark.parametrize("end", ["\n\n", "\r\n\r\n"])
@pytest.mark.parametrize("size", [1, 3, 1000])
def test_a_stream_can_be_cut_anywhere(size: int, end: str) -> None:
    choice = {"index": 0, "text": SEPARATORS, "token_ids": [1, 2], "finish_reason": "stop"}
    usage: dict[str, Any] = {"choices": [], "usage": {"prompt_tokens": 3}}
    chunks = [{"choices": [choice]}, usage]
    lines = (f"data: {json.dumps(chunk, ensure_ascii=False)}{end}" for chunk in chunks)
    data = f": a comment{end}{''.join(lines)}data: [DONE]{end}".encode()
    reader = ChunkReader("http://server")
    pieces = [p for i in range(0, len(data), size) for p in reader.feed(data[i : i + size])]
    assert [piece.tokens for piece in pieces] == [(1, 2), ()]
    assert pieces[-1].finish == "stop"


def test_a_line_without_an_end_is_a_protocol_error() -> None:
    reader = ChunkReader("http://server")
    assert reader.feed(b"x" * MAX_LINE) == []
    with pytest.raises(EngineProtocolError, match="a line without an end"):
        reader.feed(b"x")
