"""Rendering scenarios from the published tests of openai-harmony."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ossia.errors import HarmonyError
from ossia.harmony import DeveloperContent, Message, ReasoningEffort, SystemContent, decode, encode
from ossia.harmony.format import special
from ossia.harmony.rendering import render

Spell = Callable[[str], list[int]]

IDENTITY = "You are ChatGPT, a large language model trained by OpenAI."
CHANNELS = (
    "# Valid channels: analysis, commentary, final. Channel must be included for every message."
)
SPLIT = 9552  # ' \xf0\x9f': a space, and the first half of an emoji


def system(text: str) -> str:
    return f"<|start|>system<|message|>{IDENTITY}\n{text}<|end|>"


def user(text: str) -> Message:
    return Message("user", text)


def reasoning(text: str) -> Message:
    return Message("assistant", text, channel="analysis")


def final(text: str) -> Message:
    return Message("assistant", text, channel="final")


def test_a_simple_conversation(spell: Spell) -> None:
    expected = system(f"Knowledge cutoff: 2024-06\n\nReasoning: medium\n\n{CHANNELS}")
    expected += "<|start|>user<|message|>What is 2 + 2?<|end|><|start|>assistant"
    messages = [Message("system", SystemContent()), user("What is 2 + 2?")]
    assert render(messages, next_role="assistant") == spell(expected)


@pytest.mark.parametrize("effort", ["low", "medium", "high"])
@pytest.mark.parametrize("instructions", ["Answer the user's questions like a robot.", None])
def test_reasoning_effort_with_and_without_instructions(
    effort: ReasoningEffort, instructions: str | None, spell: Spell
) -> None:
    expected = system(f"Knowledge cutoff: 2024-06\n\nReasoning: {effort}\n\n{CHANNELS}")
    messages = [Message("system", SystemContent(reasoning_effort=effort))]
    if instructions:
        messages.append(Message("developer", DeveloperContent(instructions)))
        expected += f"<|start|>developer<|message|># Instructions\n\n{instructions}<|end|>"
    question = "What is the capital of the largest country in the world?"
    expected += f"<|start|>user<|message|>{question}<|end|><|start|>assistant"
    assert render([*messages, user(question)], next_role="assistant") == spell(expected)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (SystemContent(), "Knowledge cutoff: 2024-06\n\nReasoning: medium"),
        (SystemContent(reasoning_effort="high"), "Knowledge cutoff: 2024-06\n\nReasoning: high"),
        (
            SystemContent(conversation_start_date="2021-01-01", knowledge_cutoff="2021-01"),
            "Knowledge cutoff: 2021-01\nCurrent date: 2021-01-01\n\nReasoning: medium",
        ),
    ],
)
def test_a_system_message_with_two_channels(
    content: SystemContent, text: str, spell: Spell
) -> None:
    content = SystemContent(
        reasoning_effort=content.reasoning_effort,
        conversation_start_date=content.conversation_start_date,
        knowledge_cutoff=content.knowledge_cutoff,
        channels=("analysis", "final"),
    )
    channels = CHANNELS.replace(" commentary,", "")
    expected = system(f"{text}\n\n{channels}") + "<|start|>user<|message|>What is 42 * pi?<|end|>"
    assert render([Message("system", content), user("What is 42 * pi?")]) == spell(expected)


def test_a_system_message_without_tools(spell: Spell) -> None:
    expected = system(
        "Knowledge cutoff: 2024-06\nCurrent date: 2025-06-28\n\nReasoning: medium\n\n" + CHANNELS
    )
    content = SystemContent(conversation_start_date="2025-06-28")
    assert render([Message("system", content)]) == spell(expected)


TURN = [user("What is 2 + 2?"), reasoning("Simple arithmetic."), final("2 + 2 equals 4.")]


def test_reasoning_before_a_final_message_is_dropped(spell: Spell) -> None:
    expected = spell(
        "<|start|>user<|message|>What is 2 + 2?<|end|>"
        "<|start|>assistant<|channel|>final<|message|>2 + 2 equals 4.<|end|>"
        "<|start|>user<|message|>What about 9 / 2?<|end|><|start|>assistant"
    )
    assert render([*TURN, user("What about 9 / 2?")], next_role="assistant") == expected


def test_reasoning_is_kept_on_demand() -> None:
    text = decode(render([*TURN, user("What about 9 / 2?")], reasoning="keep"))
    assert "<|channel|>analysis<|message|>Simple arithmetic.<|end|>" in text


def test_reasoning_is_kept_during_tool_calls(spell: Spell) -> None:
    messages = [
        user("What is the weather in SF?"),
        reasoning("We need to use lookup_weather tool."),
        Message(
            "assistant",
            '{"location": "San Francisco"}',
            channel="commentary",
            recipient="functions.lookup_weather",
            content_type="<|constrain|>json",
        ),
        Message("tool", '{"temperature": 20}', name="functions.lookup_weather"),
    ]
    expected = spell(
        "<|start|>user<|message|>What is the weather in SF?<|end|>"
        "<|start|>assistant<|channel|>analysis<|message|>We need to use lookup_weather tool.<|end|>"
        "<|start|>assistant to=functions.lookup_weather<|channel|>commentary <|constrain|>json"
        '<|message|>{"location": "San Francisco"}<|call|>'
        '<|start|>functions.lookup_weather<|message|>{"temperature": 20}<|end|><|start|>assistant'
    )
    assert render(messages, next_role="assistant") == expected


def test_only_reasoning_before_the_first_final_message_is_dropped() -> None:
    messages = [*TURN, user("What is 3 + 5?"), reasoning("thinking 3+5"), final("8")]
    text = decode(render(messages))
    assert "Simple arithmetic." not in text
    assert "thinking 3+5" in text


def test_earlier_reasoning_is_kept_while_a_later_turn_calls_tools() -> None:
    call = Message("assistant", "{}", channel="commentary", recipient="functions.python")
    messages = [*TURN, user("Run it"), reasoning("run"), call]
    assert "Simple arithmetic." in decode(render(messages, next_role="assistant"))


def test_training_data_ends_with_the_return_token() -> None:
    tokens = render(TURN, training=True)
    assert tokens[-1] == special.RETURN
    assert tokens[:-1] == render(TURN)[:-1]
    assert render(TURN[:1], training=True) == render(TURN[:1])


def test_a_prompt_is_the_conversation_and_the_generation_prefix() -> None:
    tokens = render(TURN[:1])
    assert render(TURN[:1], next_role="assistant") == [*tokens, special.START, 173781]


def test_reserved_tokens_are_written_by_number() -> None:
    assert decode([200014]) == "<|reserved_200014|>"
    assert decode([201088]) == "<|reserved_201088|>"


def test_decoding_an_unknown_token_raises_an_error() -> None:
    with pytest.raises(
        HarmonyError, match="token 99999999 at 1 is not in the vocabulary"
    ) as caught:
        decode([1, 99999999])
    assert (caught.value.at, caught.value.token) == (1, 99999999)


def test_ordinary_text_never_becomes_a_special_token() -> None:
    assert encode("hello world") == [24912, 2375]
    assert decode([24912, 2375]) == "hello world"
    assert encode("<|start|>") == [27, 91, 5236, 91, 29]
    assert 200006 in special.NAMES
    assert 24912 not in special.NAMES


def test_decoding_replaces_incomplete_characters() -> None:
    assert "Chicken" in decode([132990, SPLIT])
    assert decode([132990, SPLIT]).endswith(" \ufffd")
