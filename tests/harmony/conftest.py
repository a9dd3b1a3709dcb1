"""Fixtures for the reference implementation, with our own ranks so that it downloads nothing."""

from __future__ import annotations

import importlib
import json
import os
import re
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from ossia.harmony import Message, conversation_to_json, encode, write_ranks
from ossia.harmony.format import special


@pytest.fixture(scope="session")
def openai_harmony(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return the module openai_harmony, which has no types."""
    os.environ["TIKTOKEN_ENCODINGS_BASE"] = str(
        write_ranks(tmp_path_factory.mktemp("ranks")).parent
    )
    return importlib.import_module("openai_harmony")


@pytest.fixture(scope="session")
def reference(openai_harmony: Any) -> Any:
    """Return the encoding of openai-harmony."""
    return openai_harmony.load_harmony_encoding("HarmonyGptOss")


@pytest.fixture(scope="session")
def reference_render(openai_harmony: Any, reference: Any) -> Callable[..., list[int]]:
    """Return a function that renders our messages with openai-harmony."""

    def render(
        messages: Sequence[Message], *, next_role: str | None = None, drop: bool = True
    ) -> list[int]:
        conversation = openai_harmony.Conversation.from_json(conversation_to_json(messages))
        config = openai_harmony.RenderConversationConfig(auto_drop_analysis=drop)
        if next_role is None:
            return list(reference.render_conversation(conversation, config))
        role = openai_harmony.Role(next_role)
        return list(reference.render_conversation_for_completion(conversation, role, config))

    return render


@pytest.fixture(scope="session")
def reference_parse(openai_harmony: Any, reference: Any) -> Callable[..., list[Message]]:
    """Return a function that parses with openai-harmony into our messages."""

    def parse(
        tokens: Sequence[int], *, role: str | None = "assistant", strict: bool = True
    ) -> list[Message]:
        author = None if role is None else openai_harmony.Role(role)
        found = reference.parse_messages_from_completion_tokens(tokens, author, strict=strict)
        return [Message.from_dict(json.loads(message.to_json())) for message in found]

    return parse


@pytest.fixture(scope="session")
def spell() -> Callable[[str], list[int]]:
    """Return a function that encodes text in which special tokens are written by name."""
    ids = {name: token for token, name in special.NAMES.items() if "reserved" not in name}
    names = re.compile("(" + "|".join(map(re.escape, ids)) + ")")

    def tokens(text: str) -> list[int]:
        out: list[int] = []
        for part in names.split(text):
            out += [ids[part]] if part in ids else encode(part)
        return out

    return tokens
