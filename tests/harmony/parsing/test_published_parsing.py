"""Parsing scenarios from the published tests of openai-harmony."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ossia.errors import HarmonyError
from ossia.harmony import Delta, Message, StreamParser, encode, parse
from ossia.harmony.rendering import render

Spell = Callable[[str], list[int]]

SPLIT = 9552  # ' \xf0\x9f': a space, and the first half of an emoji


def reasoning(text: str) -> Message:
    return Message("assistant", text, channel="analysis")


def final(text: str) -> Message:
    return Message("assistant", text, channel="final")


def test_a_reasoning_response_is_parsed(spell: Spell) -> None:
    thinking = 'User asks: "What is 2 + 2?" Simple arithmetic. Provide answer.'
    tokens = spell(
        f"<|channel|>analysis<|message|>{thinking}<|end|>"
        "<|start|>assistant<|channel|>final<|message|>2 + 2 = 4.<|return|>"
    )
    assert parse(tokens, strict=True) == [reasoning(thinking), final("2 + 2 = 4.")]


def test_a_tool_call_is_parsed() -> None:
    tokens = [200005, 35644, 200008, 1844, 31064, 25, 392, 4827, 382, 290, 11122, 306, 40510, 16842]
    tokens += [1416, 1309, 316, 1199, 37342, 170154, 4584, 13, 200007, 200006, 173781, 200005]
    tokens += [35644, 316, 28, 29712, 170154, 3490, 200008, 10848, 7693, 1243, 392, 173844, 18583]
    question = 'User asks: "What is the weather in Tokyo?" We need to use lookup_weather tool.'
    call = Message(
        "assistant",
        '{"location": "Tokyo"}',
        channel="analysis",
        recipient="lookup_weather",
        content_type="code",
    )
    assert parse(tokens, strict=True) == [reasoning(question), call]


@pytest.mark.parametrize(
    "header",
    [
        "assistant to=functions.get_weather<|channel|>commentary <|constrain|>json",
        "assistant to=functions.get_weather<|channel|>commentary<|constrain|>json",
        "assistant<|channel|>commentary to=functions.get_weather<|constrain|>json",
        "assistant<|channel|>commentary to=functions.get_weather <|constrain|>json",
    ],
)
def test_the_constrain_token_is_accepted_in_every_position(header: str, spell: Spell) -> None:
    tokens = spell(f"<|start|>{header}<|message|>" + '{"location": "Tokyo"}<|call|>')
    call = Message(
        "assistant",
        '{"location": "Tokyo"}',
        channel="commentary",
        recipient="functions.get_weather",
        content_type="<|constrain|>json",
    )
    assert parse(tokens, role=None, strict=True) == [call]
    canonical = "<|start|>assistant to=functions.get_weather<|channel|>commentary <|constrain|>json"
    assert render([call]) == spell(canonical + '<|message|>{"location": "Tokyo"}<|call|>')


def test_a_tool_result(spell: Spell) -> None:
    result = Message(
        "tool",
        '{"result": "https://openai.com/"}',
        name="browser.search",
        channel="commentary",
        recipient="assistant",
    )
    text = "<|start|>browser.search to=assistant<|channel|>commentary<|message|>"
    tokens = spell(text + '{"result": "https://openai.com/"}')
    assert render([result])[:-1] == tokens
    assert parse(tokens, role=None, strict=True) == [result]


def test_a_stream_of_three_messages(spell: Spell) -> None:
    parser = StreamParser(strict=True)
    for token in spell(
        "<|channel|>analysis<|message|>Let me look.<|end|>"
        "<|start|>assistant<|channel|>commentary<|message|>I will search.<|end|>"
        "<|start|>assistant<|channel|>commentary to=browser.search <|constrain|>json<|message|>"
        '{"query": "ossia"}<|call|>'
    ):
        parser.feed(token)
    assert [message.channel for message in parser.messages] == [
        "analysis",
        "commentary",
        "commentary",
    ]


def test_a_constrained_answer_without_recipient(spell: Spell) -> None:
    tokens = spell("<|start|>assistant<|channel|>final <|constrain|>json<|message|>{}<|return|>")
    found = parse(tokens, role=None, strict=True)
    assert found == [Message("assistant", "{}", channel="final", content_type="<|constrain|>json")]


REFUSAL = [reasoning("We must refuse"), final("I'm sorry, but I can't help with that.")]
REFUSAL_TEXT = (
    "<|start|>assistant<|channel|>analysis<|message|>We must refuse<|end|>"
    "<|start|>assistant<|channel|>final<|message|>I'm sorry, but I can't help with that.<|return|>"
)


@pytest.mark.parametrize(
    ("start", "first"),
    [
        ("I must refuse<|end|>", Message("assistant", "I must refuse")),
        ("<|channel|>analysis I must refuse<|end|>", reasoning("I must refuse")),
        ("<|channel|>commentary Hello<|end|>", Message("assistant", "Hello", channel="commentary")),
        ("... Let's use the tool.<|end|>", Message("assistant", "... Let's use the tool.")),
    ],
)
def test_a_missing_message_token(start: str, first: Message, spell: Spell) -> None:
    tokens = spell(start + REFUSAL_TEXT)
    assert parse(tokens) == [first, *REFUSAL]
    with pytest.raises(HarmonyError, match="not allowed in a header"):
        parse(tokens, strict=True)


@pytest.mark.parametrize(
    ("tokens", "text"),
    [
        ([SPLIT, SPLIT, *encode("worked")], " \ufffd \ufffdworked"),
        ([SPLIT, *encode("XY")], " \ufffdXY"),
        ([SPLIT, *encode(" interesting")], " \ufffd interesting"),
        ([SPLIT, *encode(" interesting story")], " \ufffd interesting story"),
        ([SPLIT, *encode("Hi")], " \ufffdHi"),
        (
            encode("Hello Müller, Γειά σου, שלום, नमस्ते, 안녕하세요, naïve naïve 😊👋🏾👨‍👩‍👧‍👦🇺🇸."),
            "Hello Müller, Γειά σου, שלום, नमस्ते, 안녕하세요, naïve naïve 😊👋🏾👨‍👩‍👧‍👦🇺🇸.",
        ),
    ],
)
@pytest.mark.parametrize("end", ["<|end|>", ""])
def test_incomplete_and_split_characters(
    tokens: list[int], text: str, end: str, spell: Spell
) -> None:
    parser = StreamParser(None)
    events = parser.feed(spell("<|start|>assistant<|message|>"))
    for token in [*tokens, *spell(end)]:
        events += parser.feed(token)
    events += parser.finish()
    assert parser.messages == [Message("assistant", text)]
    assert "".join(event.text for event in events if isinstance(event, Delta)) == text


def test_an_incomplete_character_does_not_affect_the_next_message(spell: Spell) -> None:
    header, end = spell("<|start|>assistant<|message|>"), spell("<|end|>")
    tokens = [*header, SPLIT, SPLIT, *end, *header, *encode("Hi"), *end]
    assert [message.text for message in parse(tokens, role=None)] == [" \ufffd \ufffd", "Hi"]


def test_a_character_of_several_tokens_is_one_delta(spell: Spell) -> None:
    first, second = encode("💖")
    parser = StreamParser()
    parser.feed(spell("<|channel|>final<|message|>"))
    assert parser.feed(first) == []
    assert [event.text for event in parser.feed(second) if isinstance(event, Delta)] == ["💖"]


def test_an_unknown_token_in_content_becomes_a_replacement_character(spell: Spell) -> None:
    tokens = [*spell("<|channel|>analysis<|message|>Practice."), 2**32 - 1]
    assert parse(tokens) == [reasoning("Practice.\ufffd")]
