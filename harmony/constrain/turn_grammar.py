"""The grammar of one assistant turn, so that a malformed turn cannot be sampled.

    turn     = reasoning* preamble? (call | answer)
    call     = header to a registered recipient, then arguments valid against its schema, or code
    answer   = the final channel, free text or JSON valid against the output schema

The grammar is written in the EBNF of xgrammar, which vLLM accepts in `structured_outputs`. Control
tokens are written as token ids, because a string such as `<|message|>` could be sampled as ordinary
tokens. The words between them are strings, and free text excludes every control token. The turn
ends with `<|call|>` or `<|return|>`. The grammar does not contain these tokens: once it is
complete, the engine allows the stop tokens and nothing else.
Source: xgrammar, checked with 0.2.8.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ...errors import HarmonyError
from ..format import ToolDescription, ToolNamespace, special
from .ebnf import Rules, either, literal
from .schema_rules import SchemaRules

MAX_REASONING_MESSAGES = 4
"""The most reasoning messages that can share a budget."""
_NO_PARAMETERS: Mapping[str, Any] = {
    "type": "object",
    "properties": {},
    "additionalProperties": False,
}
_SPECIAL_TOKENS = ", ".join(map(str, range(special.FIRST, special.SIZE)))
_JSON_TYPE = f'(" " Token({special.CONSTRAIN}) "json")'


def turn_grammar(
    *,
    functions: Sequence[ToolDescription] = (),
    namespaces: Sequence[ToolNamespace] = (),
    output_schema: Mapping[str, Any] | bool | None = None,
    reasoning_budget: int | None = None,
    tool_choice: str = "auto",
) -> str:
    """Return the grammar of one turn, sampled after `<|start|>assistant`.

    functions: tools in the namespace `functions`; their arguments are JSON.
    namespaces: built-in tools. A namespace without tools, such as `python`, takes plain text.
    output_schema: JSON Schema of the answer, or None for free text. The grammar leaves out what it
        cannot express, so validate the answer.
    reasoning_budget: the most reasoning tokens in the turn, over all its reasoning messages (at
        most four); None means any number, 0 means none.
    tool_choice: "auto", "required" (a tool call), "none" (the answer), or a recipient such as
        "functions.ping".

    Raises HarmonyError if the tool choice is not a recipient, or allows neither call nor answer.
    """
    grammar = _Turn()
    recipients = dict(_recipients(functions, namespaces))
    actions = list[str]()
    if tool_choice in {"auto", "none"}:
        actions.append(grammar.answer(output_schema))
    for recipient, tool in recipients.items():
        if tool_choice in {"auto", "required", recipient}:
            actions.append(grammar.call(recipient, tool))
    if not actions:
        raise HarmonyError(
            f"tool choice {tool_choice!r} allows neither a call nor an answer; known: auto, none"
            + "".join(
                f", {name}" for name in ("required" if recipients else "", *recipients) if name
            )
        )
    preamble = grammar.message("commentary", grammar.text())
    return grammar.finish(f"{grammar.reasoning(reasoning_budget)} ({preamble})? {either(actions)}")


def answer_grammar(output_schema: Mapping[str, Any] | bool) -> str:
    """Return the grammar of an answer whose header is already in the prompt."""
    grammar = _Turn()
    return grammar.finish(grammar.json(output_schema, "answer"))


class _Turn:
    """The rules of a turn."""

    def __init__(self) -> None:
        self._rules = Rules()
        # It must be the first rule.
        self._root = self._rules.new_name("root")
        self._schemas: SchemaRules | None = None

    def finish(self, turn: str) -> str:
        """Return the grammar of a turn with this expression."""
        self._rules.define(self._root, f"{_UNREACHABLE} | {turn}")
        return self._rules.text()

    def call(self, recipient: str, tool: ToolDescription | None) -> str:
        """Return a call; models write the recipient after the channel or the role."""
        is_function = recipient.startswith("functions.")
        channel = "commentary" if is_function else "analysis"
        content_type = _JSON_TYPE if is_function else literal(" code")
        schema = None if tool is None else (tool.parameters or _NO_PARAMETERS)
        content = self.text() if schema is None else self.json(schema, "arguments")
        to = f" to={recipient}"
        header = either(
            [
                f"Token({special.CHANNEL}) {literal(channel + to)}",
                f"{literal(to)} Token({special.CHANNEL}) {literal(channel)}",
            ]
        )
        return f"{header} {content_type} Token({special.MESSAGE}) {content}"

    def answer(self, schema: Mapping[str, Any] | bool | None) -> str:
        """Return the final message; with a schema, the header may name JSON."""
        header = f'Token({special.CHANNEL}) "final"'
        if schema is None:
            return f"{header} Token({special.MESSAGE}) {self.text()}"
        answer = self.json(schema, "answer")
        return f"{header} {_JSON_TYPE}? Token({special.MESSAGE}) {answer}"

    def reasoning(self, budget: int | None) -> str:
        """Return the reasoning messages before the action.

        A grammar has no counter that several messages can share. It is ambiguous instead, and the
        engine follows all alternatives at once: one message with the whole budget, two with half
        of it each, or three with a third. No alternative exceeds the budget.
        """
        if budget is None:
            return f"({self.message('analysis', self.text())})*"
        alternatives = list[str]()
        for count in range(1, MAX_REASONING_MESSAGES + 1):
            if budget // count:
                message = self.message("analysis", self.text(budget // count))
                alternatives.append(" ".join([message] * count))
        return f"({' | '.join(alternatives)})?" if alternatives else '""'

    def message(self, channel: str, content: str) -> str:
        """Return a message that is followed by another message of the same turn."""
        return (
            f"Token({special.CHANNEL}) {literal(channel)} Token({special.MESSAGE}) {content} "
            f'Token({special.END}) Token({special.START}) "assistant"'
        )

    def text(self, max_tokens: int | None = None) -> str:
        """Return free text without control tokens."""
        if "ordinary" not in self._rules:
            name = self._rules.new_name("ordinary")
            self._rules.define(name, f"ExcludeToken({_SPECIAL_TOKENS})")
        name = "text" if max_tokens is None else f"text_{max_tokens}"
        if name not in self._rules:
            self._rules.new_name(name)
            self._rules.define(name, f'"" | ordinary {name}', max_tokens)
        return name

    def json(self, schema: Mapping[str, Any] | bool, stem: str) -> str:
        """Return the JSON values that a schema allows."""
        if self._schemas is None:
            self._schemas = SchemaRules(self._rules)
        return self._schemas.add(schema, stem)


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


# An unreachable branch that works around a cache bug in xgrammar: no stop token is ever matched. A
# server uses one compiler for all requests, and the compiler confuses two tokens that have the same
# position in their grammars, and masks the wrong one. This branch gives each control token its own
# position.
_UNREACHABLE = " ".join(
    f"Token({token})"
    for token in (
        special.RETURN,
        special.CHANNEL,
        special.MESSAGE,
        special.END,
        special.START,
        special.CONSTRAIN,
    )
)

PROBE_TEXT = "<|channel|>probe<|message|>"
"""The only text that `probe_turn_grammar` allows."""


def probe_turn_grammar() -> str:
    """Return a grammar that allows only PROBE_TEXT, to test whether a server enforces grammars."""
    return _Turn().finish(f'Token({special.CHANNEL}) "probe" Token({special.MESSAGE})')
