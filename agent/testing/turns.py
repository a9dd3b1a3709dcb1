"""Builders for the turns of a script, so that tests need not spell out harmony."""

from __future__ import annotations

import json
import re
from typing import Any

from pydantic_core import to_jsonable_python

from ...harmony import encode, special

_IDS = {name: token for token, name in special.NAMES.items()}
_CONTROL = re.compile(r"(<\|\w+\|>)")


def call_turn(
    tool: str, arguments: Any = None, /, *, reasoning: str = "", preamble: str = "", **named: Any
) -> list[int]:
    """Return a turn that calls a tool with JSON arguments: `call_turn("add", a=2, b=3)`.

    tool: `add` or `functions.add`, or a function of another namespace such as `browser.search`.
    arguments: the arguments as one object, if a name would clash with an option of this function;
        or text that is sent as it is, such as invalid JSON.
    reasoning: what the model thinks first.
    preamble: what the model tells the user before the call.
    named: the arguments by name.
    """
    recipient = tool if "." in tool else f"functions.{tool}"
    if not isinstance(arguments, str):
        arguments = _json({**(arguments or {}), **named})
    return [*_opening(reasoning, preamble), *call_to(recipient, arguments)]


def python_turn(code: str, *, reasoning: str = "", preamble: str = "") -> list[int]:
    """Return a turn that runs code with the `python` tool."""
    return [*_opening(reasoning, preamble), *call_to("python", code)]


def answer_turn(answer: Any, *, reasoning: str = "") -> list[int]:
    """Return a turn that answers.

    answer: text is sent as it is, any other value that pydantic knows as JSON.
    """
    text = answer if isinstance(answer, str) else _json(answer)
    header = [special.CHANNEL, *encode("final"), special.MESSAGE]
    return [*_opening(reasoning, ""), *header, *encode(text), special.RETURN]


def call_to(recipient: str, content: str) -> list[int]:
    """Return a call in the form that the model was trained with.

    recipient: the complete name, such as `functions.add`, `browser.search` or `python`.
    """
    if recipient.startswith("functions."):
        header = [*encode(f"commentary to={recipient} "), special.CONSTRAIN, *encode("json")]
    else:
        header = encode(f"analysis to={recipient} code")
    return [special.CHANNEL, *header, special.MESSAGE, *encode(content), special.CALL]


def harmony_tokens(text: str) -> list[int]:
    """Return the tokens of harmony text in which `<|start|>` and the like are control tokens.

    Only for scripts and tests: text from anywhere else must never be read this way.
    """
    tokens: list[int] = []
    for part in _CONTROL.split(text):
        tokens += [_IDS[part]] if part in _IDS else encode(part)
    return tokens


def _opening(reasoning: str, preamble: str) -> list[int]:
    """Return the messages before the last one, and the start of its header."""
    tokens: list[int] = []
    for channel, text in (("analysis", reasoning), ("commentary", preamble)):
        if text:
            header = [special.CHANNEL, *encode(channel), special.MESSAGE]
            tokens += [*header, *encode(text), special.END, special.START, *encode("assistant")]
    return tokens


def _json(value: Any) -> str:
    return json.dumps(to_jsonable_python(value), ensure_ascii=False)
