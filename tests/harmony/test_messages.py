"""Messages as values, and as JSON that openai-harmony reads and writes."""

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


def test_a_message_is_written_as_openai_harmony_writes_it(openai_harmony: Any) -> None:
    message = Message("assistant", "{}", channel="commentary", recipient="functions.f")
    due = {
        "role": "assistant",
        "name": None,
        "content": [{"type": "text", "text": "{}"}],
        "channel": "commentary",
        "recipient": "functions.f",
    }
    assert message.to_dict() == due
    assert openai_harmony.Message.from_dict(due).to_dict() == due


def test_settings_are_written_as_openai_harmony_writes_them(openai_harmony: Any) -> None:
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
def test_nothing_is_lost_in_json(content: Any) -> None:
    role: Role = "developer" if isinstance(content, DeveloperContent) else "system"
    messages = [Message(role, content)]
    assert conversation_from_json(conversation_to_json(messages)) == messages


def test_a_plain_string_is_content_too() -> None:
    assert Message.from_dict({"role": "user", "content": "Hi"}) == Message("user", "Hi")


def test_a_bare_list_is_a_conversation_too() -> None:
    assert conversation_from_json('[{"role": "user", "content": "Hi"}]') == [Message("user", "Hi")]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "is JSON, and this is not: Expecting property name"),
        ("7", 'a conversation is {"messages": \\[...]}, or the list alone'),
        ('{"message": []}', "or the list alone"),
        ('[{"content": "Hi"}]', "message 0 lacks 'role'"),
        (
            '[{"role": "user", "content": "Hi"}, {"role": "bot", "content": ""}]',
            "message 1: unknown",
        ),
        ("[7]", "message 0 is of the wrong shape"),
        ('[{"role": "user", "content": 7}]', "message 0 is of the wrong shape"),
    ],
)
def test_what_is_no_conversation_is_told_where(text: str, said: str) -> None:
    with pytest.raises(MessageError, match=said):
        conversation_from_json(text)


def test_text_is_what_is_said() -> None:
    assert Message("system", (SystemContent(), "and ", "text")).text == "and text"
    assert Message("user", "Hi").text == "Hi"


def test_unknown_things_are_named() -> None:
    with pytest.raises(MessageError, match="unknown role 'bot'; known: assistant, developer"):
        Message.from_dict({"role": "bot", "content": "x"})
    with pytest.raises(MessageError, match="unknown content type 'image'; known: text"):
        Message.from_dict({"role": "user", "content": [{"type": "image"}]})
    with pytest.raises(MessageError, match="the namespace under 'a' is named 'b'"):
        DeveloperContent.from_dict({"tools": {"a": {"name": "b", "tools": []}}})


def test_response_formats_stand_at_the_end() -> None:
    tool = ToolNamespace("functions", None, (ToolDescription("f", "Does it."),))
    form = ResponseFormat("shopping_list", SCHEMA, "What to buy.\nIn order.")
    text = decode(render([Message("developer", DeveloperContent("Help.", (tool,), (form,)))]))
    assert text.endswith(
        "} // namespace functions\n\n# Response Formats\n\n## shopping_list\n\n"
        "// What to buy.\n// In order.\n"
        '{"type":"object","properties":{"city":{"type":"string"}}}<|end|>'
    )
