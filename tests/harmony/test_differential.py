"""Comparison with openai-harmony 0.0.8 on generated conversations: no token differs."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from ossia.errors import HarmonyError
from ossia.harmony import (
    DeveloperContent,
    Message,
    Role,
    SystemContent,
    ToolDescription,
    ToolNamespace,
    conversation_from_json,
    conversation_to_json,
    parse,
)
from ossia.harmony.format.messages import Part
from ossia.harmony.rendering import render

CONVERSATIONS = 1200
PIECES = [
    *(
        "Hello",
        " world",
        "\n",
        "\r\n",
        "\r",
        "  ",
        "\t",
        "don't",
        "I'LL",
        "3.14159",
        "____",
        "null",
    ),
    *(
        "<|start|>system<|message|>",
        "<|end|>",
        "<|constrain|>",
        "<|channel|>final",
        "to=functions.f",
    ),
    *(
        "naïve “x”",
        "你好，世界",
        "👨‍👩‍👧🇺🇸",
        "नमस्ते",
        "مرحبا",
        "\u0000",
        "\u2028",
        "\x85",
        "\u0301",
        '{"a": 1}',
        "//",
    ),
]
WORDS = ["functions.get_weather", "browser.search", "python", "web-search", "naïve", "x", "é/你:1"]
CHANNELS = ["analysis", "commentary", "final", "other"]
VALUES: list[Any] = [
    *(None, True, 0, -7, 2**63, 2**64, -(2**70), 10.0, -0.0, 1.5, 1e16, 1e-5, 2.5e-7, 1e300),
    *("", "x", 'say "x"\n\x01\x7f', [1, "b", {"z": None, "a": []}], {}, {"b": 1, "a": "ü"}),
]


class ConversationMaker:
    """A generator of conversations that openai-harmony accepts; each seed gives the same ones."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._choice = self._random.choice

    def conversation(self) -> list[Message]:
        return [self.message() for _ in range(self._random.randrange(8))]

    def message(self) -> Message:
        role: Role = self._choice(["system", "developer", "user", "assistant", "assistant", "tool"])
        parts = tuple(self._part(role) for _ in range(self._choice([0, 1, 1, 1, 1, 2, 3])))
        kinds = ["<|constrain|>json", "json", "code", "<|constrain|>", *WORDS]
        return Message(
            role,
            parts[0] if len(parts) == 1 else parts,
            name=self._choice(WORDS) if role == "tool" else self._maybe(self._choice(WORDS), 0.2),
            channel=self._maybe(self._choice(CHANNELS), 0.7),
            recipient=self._maybe(self._choice([*WORDS, "all", "assistant"]), 0.4),
            content_type=self._maybe(self._choice(kinds), 0.3),
        )

    def sampled_message(self) -> Message:
        """Return a message that can be part of a completion."""
        recipient = self._maybe(self._choice(WORDS), 0.5)
        # The reference misreads a content type without a recipient; see the last test.
        content_type = self._choice(["<|constrain|>json", "<|constrain|>", "json", *WORDS])
        channel = self._maybe(self._choice(CHANNELS), 0.8)
        if self._random.random() < 0.2:
            result = self.text()
            return Message(
                "tool", result, name="functions.f", channel=channel, recipient="assistant"
            )
        return Message(
            "assistant",
            self.text(),
            channel=channel,
            recipient=recipient,
            content_type=self._maybe(content_type, 0.5) if recipient else None,
        )

    def text(self) -> str:
        count = self._random.randrange(6)
        strange = "".join(chr(self._random.randrange(32, 0xD800)) for _ in range(count))
        return (
            strange
            if self._random.random() < 0.2
            else "".join(self._random.choices(PIECES, k=count))
        )

    def schema(self, depth: int = 0) -> dict[str, Any]:
        """Return a schema for which openai-harmony writes more than `any`."""
        kinds = ["string", "number", "integer", "boolean", "enum", "several"]
        kind = self._choice([*kinds, "object", "object", "array", "oneOf"] if depth < 3 else kinds)
        few = range(self._random.randrange(4))
        schema: dict[str, Any] = {"type": kind}
        if kind == "enum":
            schema = {
                "type": "string",
                "enum": [self._choice(["a", "b c", 'x"y', "ü", 1]) for _ in few],
            }
        elif kind == "several":
            schema = {"type": self._random.sample(["string", "integer", "null", "array"], 2)}
        elif kind == "object":
            names = self._random.sample([*WORDS, "city", "Zip"], len(few))
            schema["properties"] = {name: self.schema(depth + 1) for name in names}
            schema["required"] = [*names[:1], "other"]
        elif kind == "array" and few:
            schema["items"] = self.schema(depth + 1)
        elif kind == "oneOf":
            schema = {"oneOf": [self.schema(depth + 1) for _ in few]}
        extra: dict[str, Callable[[], Any]] = {
            "description": self.text,
            "title": self.text,
            "default": lambda: self._choice(VALUES),
            "nullable": lambda: self._choice([True, False]),
            "examples": lambda: self._random.sample(VALUES, 2),
        }
        return schema | {key: make() for key, make in extra.items() if self._random.random() < 0.2}

    def _part(self, role: Role) -> Part:
        if role == "system" and self._random.random() < 0.8:
            channels = self._maybe(tuple(self._random.sample(CHANNELS, 2)), 0.8)
            return SystemContent(
                model_identity=self._maybe(self.text(), 0.8),
                reasoning_effort=self._choice(["low", "medium", "high", None]),
                conversation_start_date=self._maybe(self.text(), 0.5),
                knowledge_cutoff=self._maybe(self.text(), 0.8),
                channels=channels,
                tools=self._namespaces(),
                channel_required=channels is None or self._choice([True, False]),
            )
        if role == "developer" and self._random.random() < 0.8:
            return DeveloperContent(self._maybe(self.text(), 0.8), self._namespaces())
        return self.text()

    def _namespaces(self) -> tuple[ToolNamespace, ...]:
        names = self._random.sample(
            ["functions", "browser", "python", "Ä"], self._choice([0, 0, 1, 2])
        )
        return tuple(
            ToolNamespace(
                name,
                self._maybe(self.text(), 0.5),
                tuple(
                    ToolDescription(
                        self._choice(WORDS), self.text(), self._maybe(self.schema(), 0.8)
                    )
                    for _ in range(self._random.randrange(3))
                ),
            )
            for name in names
        )

    def _maybe(self, value: Any, chance: float) -> Any:
        return value if self._random.random() < chance else None


@pytest.mark.slow
def test_no_token_of_a_rendered_conversation_differs(
    reference_render: Callable[..., list[int]],
) -> None:
    for seed in range(CONVERSATIONS):
        conversation = ConversationMaker(seed).conversation()
        expected = reference_render(conversation, next_role="assistant")
        assert render(conversation, next_role="assistant") == expected, seed
        expected = reference_render(conversation, drop=False)
        assert render(conversation, reasoning="keep") == expected, seed


def test_conversations_round_trip_through_json() -> None:
    for seed in range(300):
        conversation = ConversationMaker(seed).conversation()
        assert conversation_from_json(conversation_to_json(conversation)) == conversation, seed


def test_json_equals_that_of_the_reference(openai_harmony: Any) -> None:
    for seed in range(300):
        for message in ConversationMaker(seed).conversation():
            theirs = openai_harmony.Message.from_dict(message.to_dict())
            assert Message.from_dict(theirs.to_dict()).to_dict().keys() == message.to_dict().keys()
            if message.text == "".join(map(str, message.parts)):
                assert theirs.to_dict() == message.to_dict(), seed


@pytest.mark.slow
def test_strict_parsing_agrees_with_the_reference(
    reference_parse: Callable[..., list[Message]],
) -> None:
    for seed in range(CONVERSATIONS):
        maker = ConversationMaker(seed)
        turn = [maker.sampled_message() for _ in range(4)]
        tokens = render(turn, reasoning="keep")
        assert parse(tokens, role=None, strict=True) == turn, seed
        assert reference_parse(tokens, role=None) == turn, seed


@pytest.mark.slow
def test_damaged_turns_that_strict_mode_accepts_parse_as_in_the_reference(
    reference_parse: Callable[..., list[Message]],
) -> None:
    accepted = 0
    for seed in range(CONVERSATIONS):
        maker, chance = ConversationMaker(seed), random.Random(seed)
        tokens = render([maker.sampled_message() for _ in range(3)], reasoning="keep")
        del tokens[chance.randrange(len(tokens))]
        try:
            found = parse(tokens, role=None, strict=True)
        except HarmonyError:
            continue
        accepted += 1
        texts = [message.text for message in found]
        assert texts == [message.text for message in reference_parse(tokens, role=None)], seed
    assert accepted > CONVERSATIONS / 10


def test_a_content_type_is_not_a_recipient_although_the_reference_reads_it_so(
    spell: Callable[[str], list[int]], reference_parse: Callable[..., list[Message]]
) -> None:
    tokens = spell('<|channel|>final json<|message|>{"ok": true}<|return|>')
    assert reference_parse(tokens)[0].recipient == "json"
    found = parse(tokens, strict=True)
    assert found == [Message("assistant", '{"ok": true}', channel="final", content_type="json")]
