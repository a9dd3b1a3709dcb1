"""Messages as values, and as JSON that is compatible with openai-harmony."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from typing import Any

import pytest

from ossia.errors import MessageError
from ossia.harmony import (
    DeveloperContent,
    Message,
    ResponseFormat,
    Role,
    SystemContent,
    ToolDescription,
    ToolNamespace,
    conversation_from_json,
    conversation_to_json,
    decode,
)
from ossia.harmony.rendering import render

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}


def test_messages_are_immutable_values() -> None:
    message = Message("user", "Hi")
    assert message == Message("user", "Hi")
    assert hash(message) == hash(Message("user", "Hi"))
    render([message])
    assert message == Message("user", "Hi")
    with pytest.raises(FrozenInstanceError):
        message.content = "Bye"  # type: ignore[misc] # pyright: ignore[reportAttributeAccessIssue]


def test_message_json_equals_that_of_openai_harmony(openai_harmony: Any) -> None:
    message = Message("assistant", "{}", channel="commentary", recipient="functions.f")
    expected = {
        "role": "assistant",
        "name": None,
        "content": [{"type": "text", "text": "{}"}],
        "channel": "commentary",
        "recipient": "functions.f",
    }
    assert message.to_dict() == expected
    assert openai_harmony.Message.from_dict(expected).to_dict() == expected


def test_settings_json_equals_that_of_openai_harmony(openai_harmony: Any) -> None:
    tool = ToolDescription("f", "Does it.", SCHEMA)
    content = SystemContent(
        reasoning_effort="high",
        conversation_start_date="2025-08-05",
        tools=(ToolNamespace("browser", "Tool.", (tool,)), ToolNamespace("python")),
    )
    ours = Message("system", content).to_dict()
    assert openai_harmony.Message.from_dict(ours).to_dict() == ours
    developer = DeveloperContent("Be.", (ToolNamespace("functions", None, (tool,)),))
    ours = Message("developer", developer).to_dict()
    assert openai_harmony.Message.from_dict(ours).to_dict() == ours


@pytest.mark.parametrize(
    "content",
    [
        "text",
        ("one", "two"),
        (),
        SystemContent(None, None, None, None, None),
        SystemContent(channels=(), channel_required=False),
        (SystemContent(), "and text"),
        DeveloperContent(),
        DeveloperContent(response_formats=(ResponseFormat("answer", SCHEMA, "The answer."),)),
    ],
)
def test_messages_round_trip_through_json(content: Any) -> None:
    role: Role = "developer" if isinstance(content, DeveloperContent) else "system"
    messages = [Message(role, content)]
    assert conversation_from_json(conversation_to_json(messages)) == messages


def test_content_may_be_a_plain_string() -> None:
    assert Message.from_dict({"role": "user", "content": "Hi"}) == Message("user", "Hi")


def test_a_conversation_may_be_a_plain_list() -> None:
    assert conversation_from_json('[{"role": "user", "content": "Hi"}]') == [Message("user", "Hi")]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("{", "must be JSON: Expecting property name"),
        ("7", 'must be {"messages": \\[...]} or a list of messages'),
        ('{"message": []}', "or a list of messages"),
        ('[{"content": "Hi"}]', "message 0 has no 'role'"),
        (
            '[{"role": "user", "content": "Hi"}, {"role": "bot", "content": ""}]',
            "message 1: unknown",
        ),
        ("[7]", "message 0 has the wrong form"),
        ('[{"role": "user", "content": 7}]', "message 0 has the wrong form"),
    ],
)
def test_an_invalid_conversation_raises_an_error_that_says_where(text: str, error: str) -> None:
    with pytest.raises(MessageError, match=error):
        conversation_from_json(text)


def test_text_omits_settings() -> None:
    assert Message("system", (SystemContent(), "and ", "text")).text == "and text"
    assert Message("user", "Hi").text == "Hi"


def test_errors_name_unknown_values() -> None:
    with pytest.raises(MessageError, match="unknown role 'bot'; known: assistant, developer"):
        Message.from_dict({"role": "bot", "content": "x"})
    with pytest.raises(MessageError, match="unknown content type 'image'; known: text"):
        Message.from_dict({"role": "user", "content": [{"type": "image"}]})
    with pytest.raises(MessageError, match="the namespace under 'a' is named 'b'"):
        DeveloperContent.from_dict({"tools": {"a": {"name": "b", "tools": []}}})


def test_response_formats_are_rendered_last() -> None:
    tool = ToolNamespace("functions", None, (ToolDescription("f", "Does it."),))
    response_format = ResponseFormat("shopping_list", SCHEMA, "What to buy.\nIn order.")
    text = decode(
        render([Message("developer", DeveloperContent("Help.", (tool,), (response_format,)))])
    )
    assert text.endswith(
        "} // namespace functions\n\n# Response Formats\n\n## shopping_list\n\n"
        "// What to buy.\n// In order.\n"
        '{"type":"object","properties":{"city":{"type":"string"}}}<|end|>'
    )
