"""One assistant turn as a grammar of tokens, so that a malformed turn cannot be sampled.

    turn     = reasoning* preamble? (call | answer)
    call     = header to a registered recipient, then arguments valid against its schema, or code
    answer   = the final channel, free text or JSON valid against the output schema

It is written for xgrammar's structural tags, which vLLM takes in `structured_outputs`. Control
tokens are written as token ids: as strings, `<|message|>` could be spelled out in ordinary tokens.
The words between them are strings, and free text excludes every control token. The turn ends where
`<|call|>` or `<|return|>` stands; that token is not written, since a complete grammar allows the
stop tokens and nothing else. Source: xgrammar, "Structural Tag"; checked with 0.2.8.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ...errors import HarmonyError
from ..format import ToolDescription, ToolNamespace, special
from .relax_schema import relax_schema

Format = dict[str, Any]

MOST_THOUGHTS = 4
"""How many reasoning messages may share a budget."""
_NOTHING: Mapping[str, Any] = {"type": "object", "properties": {}, "additionalProperties": False}
_SPECIALS = list(range(special.FIRST, special.SIZE))


def turn_grammar(
    *,
    functions: Sequence[ToolDescription] = (),
    namespaces: Sequence[ToolNamespace] = (),
    output_schema: Mapping[str, Any] | bool | None = None,
    reasoning_budget: int | None = None,
    tool_choice: str = "auto",
) -> Format:
    """The structural tag of one turn, sampled after `<|start|>assistant`.

    functions: the tools of the namespace `functions`; their arguments are JSON.
    namespaces: built-in tools. One without tools, such as `python`, takes raw text.
    output_schema: JSON Schema of the final answer; None is free text. What the grammar engine
        cannot express is loosened, see `loosen`: validate the answer all the same.
    reasoning_budget: tokens of reasoning in the turn, all its messages together (up to four);
        None is no limit, 0 is no reasoning.
    tool_choice: "auto", "required" (a call), "none" (the answer), or a recipient such as
        "functions.ping".

    Raises HarmonyError if the tool choice names no recipient, or leaves nothing to say.
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
            f"tool choice {tool_choice!r} leaves the model nothing to say; known: auto, none"
            + "".join(f", {name}" for name in ("required" if known else "", *known) if name)
        )
    said = _sequence(_optional(_message("commentary", _text())), _or(actions))
    return _tag(_reasoned(said, reasoning_budget))


def answer_grammar(output_schema: Mapping[str, Any] | bool) -> Format:
    """The structural tag of a final answer whose header stands in the prompt already."""
    return _tag(_json(output_schema))


def _tag(turn: Format) -> Format:
    return {"type": "structural_tag", "format": _or([_PREFACE, turn])}


def _recipients(
    functions: Sequence[ToolDescription], namespaces: Sequence[ToolNamespace]
) -> Iterator[tuple[str, ToolDescription | None]]:
    """Whom a call may address; with None where it carries raw text."""
    for tool in functions:
        yield f"functions.{tool.name}", tool
    for space in namespaces:
        if not space.tools:
            yield space.name, None
        for tool in space.tools:
            yield f"{space.name}.{tool.name}", tool


def _call(recipient: str, tool: ToolDescription | None) -> list[Format]:
    """A call, with the recipient behind the channel and in the role part: models write both."""
    if recipient.startswith("functions."):
        channel = "commentary"
        kind = _json_kind()
    else:
        channel, kind = "analysis", [_word(" code")]
    schema = None if tool is None else (tool.parameters or _NOTHING)
    content = _text() if schema is None else _json(schema)
    to, begin, end = f" to={recipient}", _token(special.CHANNEL), _token(special.MESSAGE)
    return [
        _sequence(begin, _word(f"{channel}{to}"), *kind, end, content),
        _sequence(_word(to), begin, _word(channel), *kind, end, content),
    ]


def _answer(schema: Mapping[str, Any] | bool | None) -> list[Format]:
    """The final message, and with a schema the header that names the content type too."""
    begin, end = _token(special.CHANNEL), _token(special.MESSAGE)
    if schema is None:
        return [_sequence(begin, _word("final"), end, _text())]
    kind = _json_kind()
    return [
        _sequence(begin, _word("final"), end, _json(schema)),
        _sequence(begin, _word("final"), *kind, end, _json(schema)),
    ]


def _reasoned(said: Format, budget: int | None) -> Format:
    """Reasoning messages before what is said.

    A grammar has no counter that several messages share. But where it is ambiguous, all readings
    go on side by side: one message of the whole budget, or two of half of it, or three of a third.
    Whatever is written, it is never more than the budget.
    """
    if budget is None:
        return _sequence(_star(_message("analysis", _text())), said)
    readings = [
        _sequence(*[_message("analysis", _text(budget // count))] * count)
        for count in range(1, MOST_THOUGHTS + 1)
        if budget // count > 0
    ]
    return _sequence(_optional(_or(readings)), said) if readings else said


def _message(channel: str, content: Format) -> Format:
    """A message that another one of the same turn follows."""
    return _sequence(
        _token(special.CHANNEL),
        _word(channel),
        _token(special.MESSAGE),
        content,
        _token(special.END),
        _token(special.START),
        _word("assistant"),
    )


def _json_kind() -> list[Format]:
    return [_word(" "), _token(special.CONSTRAIN), _word("json")]


def _word(text: str) -> Format:
    return {"type": "const_string", "value": text}


def _token(token: int) -> Format:
    return {"type": "token", "token": token}


def _text(max_tokens: int | None = None) -> Format:
    """Free text without any control token."""
    text: Format = {"type": "any_tokens", "exclude_tokens": _SPECIALS}
    return text if max_tokens is None else {**text, "max_tokens": max_tokens}


def _json(schema: Mapping[str, Any] | bool) -> Format:
    # Without a bound on white space a weak model can write it for ever. And a control token's name
    # is text to a JSON string: without the exclusion the token itself could stand in one. To
    # exclude each name by itself takes xgrammar seconds; all begin so, and `\u003c|` is left.
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


# A way that can never be taken, for no stop token is ever matched. xgrammar's compiler, which a
# server keeps for all its requests, takes two tokens for the same one if they hold the same place
# in their grammars, and then masks the wrong one. Here each control token has a place of its own.
_PREFACE = _sequence(
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

PROBE_TEXT = "<|channel|>canary<|message|>"
"""What `probe_grammar_tag` admits, as text."""


def probe_grammar_tag() -> Format:
    """A grammar that admits one short nonsense alone, to see whether a server obeys grammars."""
    song = _sequence(_token(special.CHANNEL), _word("canary"), _token(special.MESSAGE))
    return _tag(song)
