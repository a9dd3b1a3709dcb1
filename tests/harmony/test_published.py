"""The scenarios that openai-harmony publishes with its tests, told anew."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ossia.errors import HarmonyError
from ossia.harmony import (
    Delta,
    DeveloperContent,
    Message,
    ReasoningEffort,
    StreamParser,
    SystemContent,
    ToolDescription,
    ToolNamespace,
    decode,
    encode,
    parse,
    render,
    special,
)

Spell = Callable[[str], list[int]]

IDENTITY = "You are ChatGPT, a large language model trained by OpenAI."
CHANNELS = (
    "# Valid channels: analysis, commentary, final. Channel must be included for every message."
)
COMMENTARY = "Calls to these tools must go to the commentary channel: 'functions'."
SPLIT = 9552  # ' \xf0\x9f': a space, and the first half of an emoji


def system(text: str) -> str:
    return f"<|start|>system<|message|>{IDENTITY}\n{text}<|end|>"


def user(text: str) -> Message:
    return Message("user", text)


def thought(text: str) -> Message:
    return Message("assistant", text, channel="analysis")


def final(text: str) -> Message:
    return Message("assistant", text, channel="final")


def test_a_simple_conversation(spell: Spell) -> None:
    due = system(f"Knowledge cutoff: 2024-06\n\nReasoning: medium\n\n{CHANNELS}")
    due += "<|start|>user<|message|>What is 2 + 2?<|end|><|start|>assistant"
    messages = [Message("system", SystemContent()), user("What is 2 + 2?")]
    assert render(messages, next_role="assistant") == spell(due)


@pytest.mark.parametrize("effort", ["low", "medium", "high"])
@pytest.mark.parametrize("instructions", ["Answer the user's questions like a robot.", None])
def test_reasoning_effort_with_and_without_instructions(
    effort: ReasoningEffort, instructions: str | None, spell: Spell
) -> None:
    due = system(f"Knowledge cutoff: 2024-06\n\nReasoning: {effort}\n\n{CHANNELS}")
    messages = [Message("system", SystemContent(reasoning_effort=effort))]
    if instructions:
        messages.append(Message("developer", DeveloperContent(instructions)))
        due += f"<|start|>developer<|message|># Instructions\n\n{instructions}<|end|>"
    question = "What is the capital of the largest country in the world?"
    due += f"<|start|>user<|message|>{question}<|end|><|start|>assistant"
    assert render([*messages, user(question)], next_role="assistant") == spell(due)


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
    due = system(f"{text}\n\n{channels}") + "<|start|>user<|message|>What is 42 * pi?<|end|>"
    assert render([Message("system", content), user("What is 42 * pi?")]) == spell(due)


def test_a_reasoning_response_is_parsed(spell: Spell) -> None:
    thinking = 'User asks: "What is 2 + 2?" Simple arithmetic. Provide answer.'
    tokens = spell(
        f"<|channel|>analysis<|message|>{thinking}<|end|>"
        "<|start|>assistant<|channel|>final<|message|>2 + 2 = 4.<|return|>"
    )
    assert parse(tokens, strict=True) == [thought(thinking), final("2 + 2 = 4.")]


def test_a_tool_call_is_parsed() -> None:
    tokens = [200005, 35644, 200008, 1844, 31064, 25, 392, 4827, 382, 290, 11122, 306, 40510, 16842]
    tokens += [1416, 1309, 316, 1199, 37342, 170154, 4584, 13, 200007, 200006, 173781, 200005]
    tokens += [35644, 316, 28, 29712, 170154, 3490, 200008, 10848, 7693, 1243, 392, 173844, 18583]
    asked = 'User asks: "What is the weather in Tokyo?" We need to use lookup_weather tool.'
    call = Message(
        "assistant",
        '{"location": "Tokyo"}',
        channel="analysis",
        recipient="lookup_weather",
        content_type="code",
    )
    assert parse(tokens, strict=True) == [thought(asked), call]


@pytest.mark.parametrize(
    "header",
    [
        "assistant to=functions.get_weather<|channel|>commentary <|constrain|>json",
        "assistant to=functions.get_weather<|channel|>commentary<|constrain|>json",
        "assistant<|channel|>commentary to=functions.get_weather<|constrain|>json",
        "assistant<|channel|>commentary to=functions.get_weather <|constrain|>json",
    ],
)
def test_the_constrain_token_is_found_wherever_it_stands(header: str, spell: Spell) -> None:
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


def test_functions_with_parameters(spell: Spell) -> None:
    cities = 'List of city and state, e.g. ["San Francisco, CA", "New York, NY"]'
    form = {"type": "string", "enum": ["celsius", "fahrenheit"], "default": "celsius"}
    city = {"type": "string", "description": "The city and state, e.g. San Francisco, CA"}
    many = {"type": "array", "items": {"type": "string"}, "description": cities}
    sink: dict[str, Any] = {
        "string": {
            "type": "string",
            "title": "STRING",
            "description": "A string",
            "examples": ["hello", "world"],
        },
        "string_nullable": {
            "type": "string",
            "nullable": True,
            "description": "A nullable string",
            "default": "the default",
        },
        "string_enum": {"type": "string", "enum": ["a", "b", "c"]},
        "oneof_string_or_number": {
            "oneOf": [
                {"type": "string", "default": "default_string_in_oneof"},
                {"type": "number", "description": "numbers can happen too"},
            ],
            "description": "a oneof",
            "default": 20,
        },
    }

    def takes(required: list[str], **properties: Any) -> dict[str, Any]:
        return {"type": "object", "properties": properties, "required": required}

    tools = (
        ToolDescription("get_location", "Gets the location of the user."),
        ToolDescription(
            "get_current_weather",
            "Gets the current weather in the provided location.",
            takes(["location"], location=city, format=form),
        ),
        ToolDescription(
            "get_multiple_weathers",
            "Gets the current weather in the provided list of locations.",
            takes(["locations"], locations=many, format=form),
        ),
        ToolDescription(
            "kitchensink",
            "A function with various complex schemas.",
            {"description": "params object", "type": "object", "properties": sink},
        ),
    )
    functions = ToolNamespace("functions", None, tools)
    messages = [
        Message(
            "system",
            SystemContent(reasoning_effort="high", conversation_start_date="2025-06-28"),
        ),
        Message("developer", DeveloperContent("Always respond in riddles", (functions,))),
        user("What is the weather like in SF?"),
    ]
    due = system(
        "Knowledge cutoff: 2024-06\nCurrent date: 2025-06-28\n\nReasoning: high\n\n"
        f"{CHANNELS}\n{COMMENTARY}"
    )
    due += f"""<|start|>developer<|message|># Instructions

Always respond in riddles

# Tools

## functions

namespace functions {{

// Gets the location of the user.
type get_location = () => any;

// Gets the current weather in the provided location.
type get_current_weather = (_: {{
// The city and state, e.g. San Francisco, CA
location: string,
format?: "celsius" | "fahrenheit", // default: celsius
}}) => any;

// Gets the current weather in the provided list of locations.
type get_multiple_weathers = (_: {{
// {cities}
locations: string[],
format?: "celsius" | "fahrenheit", // default: celsius
}}) => any;

// A function with various complex schemas.
type kitchensink = (_: // params object
{{
// STRING
//
// A string
// Examples:
// - "hello"
// - "world"
string?: string,
// A nullable string
string_nullable?: string | null, // default: "the default"
string_enum?: "a" | "b" | "c",
// a oneof
// default: 20
oneof_string_or_number?:
 | string // default: "default_string_in_oneof"
 | number // numbers can happen too
,
}}) => any;

}} // namespace functions<|end|><|start|>user<|message|>What is the weather like in SF?<|end|>"""
    assert decode(render(messages)) == due
    assert render(messages) == spell(due)


def test_a_system_message_without_tools(spell: Spell) -> None:
    due = system(
        "Knowledge cutoff: 2024-06\nCurrent date: 2025-06-28\n\nReasoning: medium\n\n" + CHANNELS
    )
    content = SystemContent(conversation_start_date="2025-06-28")
    assert render([Message("system", content)]) == spell(due)


@pytest.mark.parametrize("names", [("browser",), ("browser", "python"), ("browser", "functions")])
def test_built_in_tools(
    names: tuple[str, ...], openai_harmony: Any, reference_render: Callable[..., list[int]]
) -> None:
    spaces: list[ToolNamespace] = []
    for name in set(names) & {"browser", "python"}:
        config = getattr(openai_harmony.ToolNamespaceConfig, name)()
        spaces.append(ToolNamespace.from_dict(config.model_dump(exclude_none=True)))
    content = SystemContent(conversation_start_date="2025-06-28", tools=tuple(spaces))
    messages = [Message("system", content)]
    if "functions" in names:
        schema = {"type": "object", "properties": {"location": {"type": "string"}}}
        tool = ToolDescription("lookup_weather", "Use this tool to lookup the weather.", schema)
        functions = ToolNamespace("functions", None, (tool,))
        messages.append(Message("developer", DeveloperContent(tools=(functions,))))
    assert render(messages) == reference_render(messages)
    text = decode(render(messages))
    assert "namespace browser {\n\n// Searches for information" in text
    assert ("## python\n\nUse this tool to execute Python code" in text) == ("python" in names)
    assert (COMMENTARY in text) == ("functions" in names)


TURN = [user("What is 2 + 2?"), thought("Simple arithmetic."), final("2 + 2 equals 4.")]


def test_reasoning_is_dropped_once_the_answer_is_final(spell: Spell) -> None:
    due = spell(
        "<|start|>user<|message|>What is 2 + 2?<|end|>"
        "<|start|>assistant<|channel|>final<|message|>2 + 2 equals 4.<|end|>"
        "<|start|>user<|message|>What about 9 / 2?<|end|><|start|>assistant"
    )
    assert render([*TURN, user("What about 9 / 2?")], next_role="assistant") == due


def test_reasoning_is_kept_on_demand() -> None:
    text = decode(render([*TURN, user("What about 9 / 2?")], reasoning="keep"))
    assert "<|channel|>analysis<|message|>Simple arithmetic.<|end|>" in text


def test_reasoning_is_kept_while_tools_are_at_work(spell: Spell) -> None:
    messages = [
        user("What is the weather in SF?"),
        thought("We need to use lookup_weather tool."),
        Message(
            "assistant",
            '{"location": "San Francisco"}',
            channel="commentary",
            recipient="functions.lookup_weather",
            content_type="<|constrain|>json",
        ),
        Message("tool", '{"temperature": 20}', name="functions.lookup_weather"),
    ]
    due = spell(
        "<|start|>user<|message|>What is the weather in SF?<|end|>"
        "<|start|>assistant<|channel|>analysis<|message|>We need to use lookup_weather tool.<|end|>"
        "<|start|>assistant to=functions.lookup_weather<|channel|>commentary <|constrain|>json"
        '<|message|>{"location": "San Francisco"}<|call|>'
        '<|start|>functions.lookup_weather<|message|>{"temperature": 20}<|end|><|start|>assistant'
    )
    assert render(messages, next_role="assistant") == due


def test_only_the_reasoning_before_the_first_final_is_dropped() -> None:
    messages = [*TURN, user("What is 3 + 5?"), thought("thinking 3+5"), final("8")]
    text = decode(render(messages))
    assert "Simple arithmetic." not in text
    assert "thinking 3+5" in text


def test_reasoning_comes_back_while_a_later_turn_calls_tools() -> None:
    call = Message("assistant", "{}", channel="commentary", recipient="functions.python")
    messages = [*TURN, user("Run it"), thought("run"), call]
    assert "Simple arithmetic." in decode(render(messages, next_role="assistant"))


def test_for_training_a_final_message_ends_as_it_was_sampled() -> None:
    tokens = render(TURN, training=True)
    assert tokens[-1] == special.RETURN
    assert tokens[:-1] == render(TURN)[:-1]
    assert render(TURN[:1], training=True) == render(TURN[:1])


def test_a_prompt_is_the_conversation_and_an_opening() -> None:
    tokens = render(TURN[:1])
    assert render(TURN[:1], next_role="assistant") == [*tokens, special.START, 173781]


def test_reserved_tokens_are_written_by_number() -> None:
    assert decode([200014]) == "<|reserved_200014|>"
    assert decode([201088]) == "<|reserved_201088|>"


def test_an_unknown_token_cannot_be_decoded() -> None:
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


def test_broken_characters_are_replaced_when_decoding() -> None:
    assert "Chicken" in decode([132990, SPLIT])
    assert decode([132990, SPLIT]).endswith(" \ufffd")


def test_a_tool_response(spell: Spell) -> None:
    answer = Message(
        "tool",
        '{"result": "https://openai.com/"}',
        name="browser.search",
        channel="commentary",
        recipient="assistant",
    )
    text = "<|start|>browser.search to=assistant<|channel|>commentary<|message|>"
    tokens = spell(text + '{"result": "https://openai.com/"}')
    assert render([answer])[:-1] == tokens
    assert parse(tokens, role=None, strict=True) == [answer]


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


REFUSAL = [thought("We must refuse"), final("I'm sorry, but I can't help with that.")]
REFUSAL_TEXT = (
    "<|start|>assistant<|channel|>analysis<|message|>We must refuse<|end|>"
    "<|start|>assistant<|channel|>final<|message|>I'm sorry, but I can't help with that.<|return|>"
)


@pytest.mark.parametrize(
    ("begin", "first"),
    [
        ("I must refuse<|end|>", Message("assistant", "I must refuse")),
        ("<|channel|>analysis I must refuse<|end|>", thought("I must refuse")),
        ("<|channel|>commentary Hello<|end|>", Message("assistant", "Hello", channel="commentary")),
        ("... Let's use the tool.<|end|>", Message("assistant", "... Let's use the tool.")),
    ],
)
def test_a_missing_message_token(begin: str, first: Message, spell: Spell) -> None:
    tokens = spell(begin + REFUSAL_TEXT)
    assert parse(tokens) == [first, *REFUSAL]
    with pytest.raises(HarmonyError, match="no place in a header"):
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
def test_characters_that_are_broken_or_split(
    tokens: list[int], text: str, end: str, spell: Spell
) -> None:
    parser = StreamParser(None)
    events = parser.feed(spell("<|start|>assistant<|message|>"))
    for token in [*tokens, *spell(end)]:
        events += parser.feed(token)
    events += parser.finish()
    assert parser.messages == [Message("assistant", text)]
    assert "".join(event.text for event in events if isinstance(event, Delta)) == text


def test_half_a_character_does_not_leak_into_the_next_message(spell: Spell) -> None:
    begin, end = spell("<|start|>assistant<|message|>"), spell("<|end|>")
    tokens = [*begin, SPLIT, SPLIT, *end, *begin, *encode("Hi"), *end]
    assert [message.text for message in parse(tokens, role=None)] == [" \ufffd \ufffd", "Hi"]


def test_a_character_of_several_tokens_comes_whole(spell: Spell) -> None:
    first, second = encode("💖")
    parser = StreamParser()
    parser.feed(spell("<|channel|>final<|message|>"))
    assert parser.feed(first) == []
    assert [event.text for event in parser.feed(second) if isinstance(event, Delta)] == ["💖"]


def test_an_unknown_token_in_content_is_a_broken_character(spell: Spell) -> None:
    tokens = [*spell("<|channel|>analysis<|message|>Practice."), 2**32 - 1]
    assert parse(tokens) == [thought("Practice.\ufffd")]
