"""The grammar of one assistant turn, so that a malformed turn cannot be sampled.

    turn     = reasoning* preamble? (call | answer)
    call     = header to a registered recipient, then arguments valid against its schema, or code
    answer   = the final channel, free text or JSON valid against the output schema

The grammar is a structural tag of xgrammar, which vLLM accepts in `structured_outputs`. Control
tokens are written as token ids, because a string such as `<|message|>` could be sampled as ordinary
tokens. The words between them are strings, and free text excludes every control token. The turn
ends with `<|call|>` or `<|return|>`. The grammar does not contain these tokens: once it is
complete, the engine allows the stop tokens and nothing else.
Source: xgrammar, "Structural Tag"; checked with 0.2.8.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ...errors import HarmonyError
from ..format import ToolDescription, ToolNamespace, special
from .relax_schema import relax_schema

Format = dict[str, Any]

MAX_REASONING_MESSAGES = 4
"""The most reasoning messages that can share a budget."""
_NO_PARAMETERS: Mapping[str, Any] = {
    "type": "object",
    "properties": {},
    "additionalProperties": False,
}
_SPECIAL_TOKENS = list(range(special.FIRST, special.SIZE))


def turn_grammar(
    *,
    functions: Sequence[ToolDescription] = (),
    namespaces: Sequence[ToolNamespace] = (),
    output_schema: Mapping[str, Any] | bool | None = None,
    reasoning_budget: int | None = None,
    tool_choice: str = "auto",
) -> Format:
    """Return the structural tag of one turn, sampled after `<|start|>assistant`.

    functions: tools in the namespace `functions`; their arguments are JSON.
    namespaces: built-in tools. A namespace without tools, such as `python`, takes plain text.
    output_schema: JSON Schema of the answer, or None for free text. `relax_schema` removes what
        the grammar engine cannot express, so validate the answer.
    reasoning_budget: the most reasoning tokens in the turn, over all its reasoning messages (at
        most four); None means any number, 0 means none.
    tool_choice: "auto", "required" (a tool call), "none" (the answer), or a recipient such as
        "functions.ping".

    Raises HarmonyError if the tool choice is not a recipient, or allows neither call nor answer.
    """
    calls = {
        recipient: _call(recipient, tool)
        for recipient, tool in _recipients(functions, namespaces)
        if tool_choice in {"auto", "required", recipient}
    }
    actions = [form for forms in calls.values() for form in forms]
    if tool_choice in {"auto", "none"}:
        actions += _answer(output_schema)
    if not actions:
        known = [recipient for recipient, _ in _recipients(functions, namespaces)]
        raise HarmonyError(
            f"tool choice {tool_choice!r} allows neither a call nor an answer; known: auto, none"
            + "".join(f", {name}" for name in ("required" if known else "", *known) if name)
        )
    action = _sequence(_optional(_message("commentary", _text())), _or(actions))
    return _tag(_with_reasoning(action, reasoning_budget))


def answer_grammar(output_schema: Mapping[str, Any] | bool) -> Format:
    """Return the structural tag of an answer whose header is already in the prompt."""
    return _tag(_json(output_schema))


def _tag(turn: Format) -> Format:
    return {"type": "structural_tag", "format": _or([_UNREACHABLE, turn])}


def _recipients(
    functions: Sequence[ToolDescription], namespaces: Sequence[ToolNamespace]
) -> Iterator[tuple[str, ToolDescription | None]]:
    """Yield each recipient and its tool, or None if it takes plain text."""
    for tool in functions:
        yield f"functions.{tool.name}", tool
    for namespace in namespaces:
        if not namespace.tools:
            yield namespace.name, None
        for tool in namespace.tools:
            yield f"{namespace.name}.{tool.name}", tool


def _call(recipient: str, tool: ToolDescription | None) -> list[Format]:
    """Return the two forms of a call: models write the recipient after the channel or the role."""
    if recipient.startswith("functions."):
        channel = "commentary"
        content_type = _json_content_type()
    else:
        channel, content_type = "analysis", [_word(" code")]
    schema = None if tool is None else (tool.parameters or _NO_PARAMETERS)
    content = _text() if schema is None else _json(schema)
    to = f" to={recipient}"
    start, message = _token(special.CHANNEL), _token(special.MESSAGE)
    return [
        _sequence(start, _word(f"{channel}{to}"), *content_type, message, content),
        _sequence(_word(to), start, _word(channel), *content_type, message, content),
    ]


def _answer(schema: Mapping[str, Any] | bool | None) -> list[Format]:
    """Return the forms of the final message; with a schema, the header may name JSON."""
    header, message = (_token(special.CHANNEL), _word("final")), _token(special.MESSAGE)
    if schema is None:
        return [_sequence(*header, message, _text())]
    return [
        _sequence(*header, message, _json(schema)),
        _sequence(*header, *_json_content_type(), message, _json(schema)),
    ]


def _with_reasoning(action: Format, budget: int | None) -> Format:
    """Return an action with reasoning messages before it.

    A grammar has no counter that several messages can share. It is ambiguous instead, and the
    engine follows all alternatives at once: one message with the whole budget, two with half of
    it each, or three with a third. No alternative exceeds the budget.
    """
    if budget is None:
        return _sequence(_star(_message("analysis", _text())), action)
    alternatives = [
        _sequence(*[_message("analysis", _text(budget // count))] * count)
        for count in range(1, MAX_REASONING_MESSAGES + 1)
        if budget // count > 0
    ]
    return _sequence(_optional(_or(alternatives)), action) if alternatives else action


def _message(channel: str, content: Format) -> Format:
    """Return a message that is followed by another message of the same turn."""
    return _sequence(
        _token(special.CHANNEL),
        _word(channel),
        _token(special.MESSAGE),
        content,
        _token(special.END),
        _token(special.START),
        _word("assistant"),
    )


def _json_content_type() -> list[Format]:
    return [_word(" "), _token(special.CONSTRAIN), _word("json")]


def _word(text: str) -> Format:
    return {"type": "const_string", "value": text}


def _token(token: int) -> Format:
    return {"type": "token", "token": token}


def _text(max_tokens: int | None = None) -> Format:
    """Return free text without control tokens."""
    text: Format = {"type": "any_tokens", "exclude_tokens": _SPECIAL_TOKENS}
    return text if max_tokens is None else {**text, "max_tokens": max_tokens}


def _json(schema: Mapping[str, Any] | bool) -> Format:
    # Without a bound, a weak model can write whitespace forever. The name of a control token is
    # valid text in a JSON string, so without `excludes` the token itself could be sampled there.
    # Excluding each name takes xgrammar seconds, so exclude the prefix of all names. The model can
    # still write it as `\u003c|`.
    return {
        "type": "json_schema",
        "json_schema": relax_schema(schema),
        "max_whitespace_cnt": 1,
        "excludes": ["<|"],
    }


def _sequence(*elements: Format) -> Format:
    return {"type": "sequence", "elements": list(elements)}


def _or(elements: Sequence[Format]) -> Format:
    return elements[0] if len(elements) == 1 else {"type": "or", "elements": list(elements)}


def _optional(content: Format) -> Format:
    return {"type": "optional", "content": content}


def _star(content: Format) -> Format:
    return {"type": "star", "content": content}


# An unreachable branch that works around a cache bug in xgrammar: no stop token is ever matched. A
# server uses one compiler for all requests, and the compiler confuses two tokens that have the same
# position in their grammars, and masks the wrong one. This branch gives each control token its own
# position.
_UNREACHABLE = _sequence(
    *map(
        _token,
        (
            special.RETURN,
            special.CHANNEL,
            special.MESSAGE,
            special.END,
            special.START,
            special.CONSTRAIN,
        ),
    )
)

PROBE_TEXT = "<|channel|>probe<|message|>"
"""The only text that `probe_turn_grammar` allows."""


def probe_turn_grammar() -> Format:
    """Return a grammar that allows only PROBE_TEXT, to test whether a server enforces grammars."""
    return _tag(_sequence(_token(special.CHANNEL), _word("probe"), _token(special.MESSAGE)))
