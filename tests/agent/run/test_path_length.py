"""How many functions a task and a token pass through between the caller and the server."""

from __future__ import annotations

import inspect
import sys
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import httpx
import pytest
import tiktoken

import ossia
from ossia.agent import Agent, AnswerDelta, VLLMEngine
from ossia.agent.testing import Reply, answer_turn, open_fake_vllm
from ossia.harmony import encode

ROOT = str(Path(ossia.__file__).parent)
TASK = "a task like no other"
TURN = answer_turn("word " * 300)


def is_ours(code: CodeType) -> bool:
    return code.co_filename.startswith(ROOT) and "site-packages" not in code.co_filename


def functions_since_agent_run() -> list[CodeType]:
    """Return our functions on the call stack, from `Agent.run` to the innermost one."""
    stack = list[CodeType]()
    frame = inspect.currentframe()
    while frame is not None:
        if is_ours(frame.f_code) and "/tests/" not in frame.f_code.co_filename:
            stack.append(frame.f_code)
        if frame.f_code is Agent.run.__code__:
            return stack[::-1]
        frame = frame.f_back
    raise AssertionError("Agent.run is not on the call stack")


@dataclass
class Transport(httpx.AsyncHTTPTransport):
    """A transport that reports each completion request before it sends it."""

    on_request: Callable[[], None]

    def __post_init__(self) -> None:
        super().__init__()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            self.on_request()
        return await super().handle_async_request(request)


async def test_a_task_passes_through_few_functions_to_the_server(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    encode("loads the vocabulary")
    stacks: dict[str, list[CodeType]] = {}
    encode_ordinary = tiktoken.Encoding.encode_ordinary

    def record_and_encode(encoding: tiktoken.Encoding, text: str) -> list[int]:
        if text == TASK:
            stacks["encoded"] = functions_since_agent_run()
        return encode_ordinary(encoding, text)

    def record() -> None:
        stacks["sent"] = functions_since_agent_run()

    monkeypatch.setattr(tiktoken.Encoding, "encode_ordinary", record_and_encode)
    async with open_fake_vllm([Reply(turn=TURN)]) as fake:
        client = partial(httpx.AsyncClient, transport=Transport(record))
        await Agent(VLLMEngine(fake.url, client=client)).run(TASK)
    path = dict.fromkeys([*stacks["encoded"], *stacks["sent"]])
    names = [f"{code.co_filename.removeprefix(ROOT)} {code.co_qualname}" for code in path]
    assert len(names) <= 12, names
    files = {code.co_filename for code in path}
    assert len(files) <= 10, files


@contextmanager
def counted_generators(counts: Counter[CodeType]) -> Generator[None]:
    """Count how often each generator of ours is resumed in the block."""

    def profile(frame: FrameType, event: str, _: Any) -> None:
        flags = frame.f_code.co_flags & (inspect.CO_GENERATOR | inspect.CO_ASYNC_GENERATOR)
        if event == "call" and flags and is_ours(frame.f_code):
            counts[frame.f_code] += 1

    before = sys.getprofile()
    sys.setprofile(profile)
    try:
        yield
    finally:
        sys.setprofile(before)


async def test_a_token_passes_through_few_generators_from_the_socket_to_an_observer() -> None:
    counts, deltas = Counter[CodeType](), 0
    async with open_fake_vllm([Reply(turn=TURN)]) as fake:
        agent = Agent(VLLMEngine(fake.url))
        with counted_generators(counts):
            async with agent.stream(TASK) as run:
                async for event in run:
                    deltas += isinstance(event, AnswerDelta)
    assert deltas >= 250
    names = [code.co_qualname for code, count in counts.items() if count >= deltas]
    assert 1 <= len(names) <= 3, names
