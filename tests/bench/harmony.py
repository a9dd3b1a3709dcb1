"""Speed of ossia.harmony relative to openai-harmony: `python tests/bench/harmony.py`."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from ratios import Case, show

from ossia.harmony import (
    Delta,
    DeveloperContent,
    Message,
    StreamParser,
    SystemContent,
    ToolDescription,
    ToolNamespace,
    Transcript,
    parse,
    write_ranks,
)
from ossia.harmony.rendering import render

STEPS = 60
SCHEMA = {
    "type": "object",
    "properties": {
        "query": {"type": "string", "description": "What to look for"},
        "limit": {"type": "integer", "default": 10},
    },
    "required": ["query"],
}
THOUGHT = (
    "The user wants a summary of the quarterly figures. I have the first page; the table goes on, "
    "so I should ask for the next one and compare the totals before I answer.\n"
)
RESULT = '{"row": 17, "region": "Zürich", "total": 1284.5, "note": "“preliminary”, see page 4"}\n'


def conversation() -> list[Message]:
    """Return a run of many steps, each with reasoning, a tool call and its result."""
    search = ToolDescription("search", "Searches the figures.", SCHEMA)
    functions = ToolNamespace("functions", None, (search,))
    messages = [
        Message("system", SystemContent(conversation_start_date="2025-08-05")),
        Message("developer", DeveloperContent("Be exact.", (functions,))),
        Message("user", "Summarize the quarterly figures."),
    ]
    for step in range(STEPS):
        arguments = f'{{"query": "page {step}", "limit": 20}}'
        messages += [
            Message("assistant", THOUGHT * 4, channel="analysis"),
            Message(
                "assistant",
                arguments,
                channel="commentary",
                recipient="functions.search",
                content_type="<|constrain|>json",
            ),
            Message(
                "tool",
                RESULT * 12,
                name="functions.search",
                channel="commentary",
                recipient="assistant",
            ),
        ]
    return messages


def completion() -> list[int]:
    """Return the tokens of a long turn, shape (n,), n about 5,000."""
    turn = [
        Message("assistant", THOUGHT * 90, channel="analysis"),
        Message("assistant", "The total is 1,284.5 – “preliminary”.\n" * 120, channel="final"),
    ]
    return render(turn, reasoning="keep")[2:]


class Reference:
    """The work in openai-harmony."""

    def __init__(self, module: Any) -> None:
        self._module = module
        self._encoding = module.load_harmony_encoding("HarmonyGptOss")

    def _prompt(self, messages: list[Any]) -> list[int]:
        whole = self._module.Conversation.from_messages(messages)
        assistant = self._module.Role.ASSISTANT
        return list(self._encoding.render_conversation_for_completion(whole, assistant))

    def messages(self, dicts: list[Any]) -> list[Any]:
        return [self._module.Message.from_dict(raw) for raw in dicts]

    def render(self, dicts: list[Any]) -> list[int]:
        return self._prompt(self.messages(dicts))

    def run(self, messages: list[Any]) -> list[int]:
        prompt: list[int] = []
        for end in range(3, len(messages) + 1, 3):
            prompt = self._prompt(messages[:end])
        return prompt

    def stream(self, tokens: list[int]) -> int:
        parser = self._module.StreamableParser(self._encoding, self._module.Role.ASSISTANT)
        size = 0
        for token in tokens:
            parser.process(token)
            delta = parser.last_content_delta
            if delta and (parser.current_channel, parser.current_recipient):
                size += len(delta)
        return size

    def parse(self, tokens: list[int]) -> list[str]:
        assistant = self._module.Role.ASSISTANT
        found = self._encoding.parse_messages_from_completion_tokens(tokens, assistant)
        return [message.content[0].text for message in found]


class Ours:
    """The same work in ossia."""

    def render(self, dicts: list[Any]) -> list[int]:
        return render([Message.from_dict(raw) for raw in dicts], next_role="assistant")

    def run(self, messages: list[Message]) -> list[int]:
        # Messages cache their tokens, so use new ones, as in a run.
        fresh = [Message.from_dict(message.to_dict()) for message in messages]
        transcript = Transcript(fresh[:3])
        for at in range(3, len(fresh), 3):
            transcript.prompt()
            for message in fresh[at : at + 3]:
                transcript.append(message)
        return transcript.prompt()

    def stream(self, tokens: Sequence[int] | Sequence[tuple[int, ...]]) -> int:
        parser = StreamParser()
        size = 0
        for token in tokens:
            for event in parser.feed(token):
                if isinstance(event, Delta) and (event.header.channel, event.header.recipient):
                    size += len(event.text)
        return size

    def parse(self, tokens: list[int]) -> list[str]:
        return [message.text for message in parse(tokens)]


def cases(module: Any) -> list[Case]:
    """Return the cases to compare, after a check that both sides give the same result."""
    reference, ours = Reference(module), Ours()
    messages = conversation()
    dicts = [message.to_dict() for message in messages]
    tokens = completion()
    pieces = [(token,) for token in tokens]
    their_messages = reference.messages(dicts)
    for left, right in (
        (reference.render(dicts), ours.render(dicts)),
        (reference.run(their_messages), ours.run(messages)),
        (reference.stream(tokens), ours.stream(tokens)),
        (reference.stream(tokens), ours.stream(pieces)),
        (reference.parse(tokens), ours.parse(tokens)),
    ):
        if left != right:
            raise SystemExit("the results differ, so their times cannot be compared")
    render_both = (partial(reference.render, dicts), partial(ours.render, dicts))
    run_both = (partial(reference.run, their_messages), partial(ours.run, messages))
    stream_both = (partial(reference.stream, tokens), partial(ours.stream, tokens))
    pieces_both = (partial(reference.stream, tokens), partial(ours.stream, pieces))
    parse_both = (partial(reference.parse, tokens), partial(ours.parse, tokens))
    return [
        Case("render 60 steps from dicts", *render_both, 5, STEPS, "step"),
        Case("stream, token by token", *stream_both, 3, len(tokens), "token"),
        Case("stream, in tuples of one", *pieces_both, 3, len(tokens), "token"),
        Case("parse a whole completion", *parse_both, 8, len(tokens), "token"),
        Case("prompts of a 60-step run", *run_both, 60, STEPS, "step"),
    ]


def measure_start_up() -> None:
    """Print how long a new interpreter takes to import the package and to encode."""
    code = (
        "import time; a = time.perf_counter(); import ossia.harmony as h; b = time.perf_counter();"
        "h.encode('a'); c = time.perf_counter(); print(b - a, c - a)"
    )
    runs = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        for _ in range(5)
    ]
    times = [tuple(map(float, run.stdout.split())) for run in runs]
    print(f"import ossia.harmony       {min(run[0] for run in times):.2f} s")
    print(f"to the first encoded token {min(run[1] for run in times):.2f} s")


def main() -> None:
    """Print all ratios and the start-up times."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TIKTOKEN_ENCODINGS_BASE"] = str(write_ranks(Path(folder)).parent)
        show(cases(importlib.import_module("openai_harmony")), reference="openai-harmony")
    measure_start_up()


if __name__ == "__main__":
    main()
