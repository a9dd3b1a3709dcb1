"""The parser: one state machine for streams and for whole completions.

    between  --<|start|>-->    header     the author is in the header
    header   --<|message|>-->  content    the header describes the message
    content  --<|end|>, <|call|>, <|return|>-->  between

Strict and lenient mode share this machine. They differ where a state does not allow a token: strict
mode raises, lenient mode follows the token and reports what was missing. `header_grammar` and
`header_recovery` read headers, `decoding` reads content.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Literal, NoReturn, cast

from ...errors import HarmonyError
from ..format import Header, Message, Role, message_of, special, special_indices
from .decoding import TOKEN_TEXT, Decoder, token_bytes
from .events import Delta, Ended, Ending, Event, Repaired, RepairKind, Started
from .header_grammar import read_header
from .header_recovery import (
    HeaderEnd,
    RecoveredHeader,
    is_wrapped_source,
    recover_header,
    recover_messages,
)

_ENDS: dict[int, Ending] = {special.END: "end", special.CALL: "call", special.RETURN: "return"}
_ENDINGS: dict[HeaderEnd, Ending] = {
    "start": "end",
    "end": "end",
    "call": "call",
    "return": "return",
}
_NO_TEXT: dict[Any, str] = {}
# The parser creates a delta for every token, and the constructor would take twice as long.
_new_object = object.__new__


class StreamParser:
    """A parser of tokens as they are sampled, one at a time or many."""

    __slots__ = (
        "_at",
        "_decoder",
        "_header",
        "_header_role",
        "_header_tokens",
        "_recipients",
        "_state",
        "_strict",
        "_text",
        "_token_text",
        "_turn_role",
        "messages",
    )

    def __init__(
        self,
        role: Role | None = "assistant",
        *,
        strict: bool = False,
        recipients: Collection[str] = (),
    ) -> None:
        """Start after `<|start|>role`, or before the first message if role is None.

        strict: raise HarmonyError at the first deviation from the format. Otherwise the parser
            never raises, loses no sampled text, and reports every deviation as a `Repaired` event.
        recipients: recipients that exist, such as `functions.search`; they resolve doubtful
            headers.
        """
        self.messages: list[Message] = []
        """The complete messages."""
        self._turn_role: Role | None = role
        self._strict = strict
        self._recipients = frozenset(recipients)
        self._at = -1
        self._state: Literal["between", "header", "content"] = "header" if role else "between"
        self._header_role: Role | None = role
        self._header_tokens: list[int] = []
        self._header = Header("assistant")
        self._text: list[str] = []
        self._decoder = Decoder()
        self._token_text = _NO_TEXT

    def feed(self, tokens: int | Sequence[int]) -> list[Event]:
        """Read one token or many, and return their events.

        The text and the messages do not depend on how the tokens are split between calls.
        Raises HarmonyError in strict mode, with `at`, `token`, `state` and `header`; the parser
        cannot be used after that.
        """
        try:
            text = self._token_text[tokens]
        except KeyError:
            return self._feed((tokens,) if isinstance(tokens, int) else tokens)
        except TypeError:
            # Lists are not hashable.
            tokens = cast("Sequence[int]", tokens)
            if len(tokens) != 1 or tokens[0] not in self._token_text:
                return self._feed(tokens)
            text = self._token_text[tokens[0]]
        self._at = at = self._at + 1
        self._text.append(text)
        delta: Any = _new_object(Delta)
        delta.at = at
        delta.header = self._header
        delta.text = text
        return [delta]

    def finish(self) -> list[Event]:
        """End the stream and the open message, and return their events.

        Raises HarmonyError in strict mode if the stream ended inside a header.
        """
        events: list[Event] = []
        self._at += 1
        self._token_text = _NO_TEXT
        if self._state == "content":
            self._end_message(None, events)
        elif self._strict and self._state == "header" and self._at:
            self._fail("the stream ends inside a header", None)
        else:
            self._end_incomplete_header("cut", events)
        return events

    def _feed(self, tokens: Sequence[int]) -> list[Event]:
        events: list[Event] = []
        base = self._at + 1
        start = 0
        for at in special_indices(tokens):
            self._read_text(tokens[start:at], base + at - 1, events)
            self._at = base + at
            if self._state == "content":
                self._read_special_in_content(tokens[at], events)
            else:
                self._read_special_in_header(tokens[at], events)
            start = at + 1
        self._read_text(tokens[start:] if start else tokens, base + len(tokens) - 1, events)
        self._token_text = (
            TOKEN_TEXT if self._state == "content" and self._decoder.is_idle else _NO_TEXT
        )
        return events

    def _read_text(self, tokens: Sequence[int], at: int, events: list[Event]) -> None:
        """Read ordinary tokens; `at` is the index of the last one."""
        if not tokens:
            return
        self._at = at
        if self._state == "content":
            self._add_text(self._decoder.read(tokens), events)
        elif self._strict and self._state == "between":
            self._fail("a message begins with <|start|>", tokens[0])
        else:
            self._header_tokens += tokens

    def _read_special_in_header(self, token: int, events: list[Event]) -> None:
        """Read a special token in a header or between messages."""
        if token == special.START:
            self._start_header(events)
        elif self._strict and self._state == "between":
            self._fail("a message begins with <|start|>", token)
        elif token == special.MESSAGE:
            self._end_header(events)
        elif token in {special.CHANNEL, special.CONSTRAIN}:
            self._header_tokens.append(token)
        elif self._strict:
            self._fail("a special token that is not allowed in a header", token)
        elif token in _ENDS and self._header_tokens:
            self._end_incomplete_header(_ENDS[token], events)
        else:
            self._skip_special(token, events)

    def _read_special_in_content(self, token: int, events: list[Event]) -> None:
        """Read a special token in content."""
        if token in _ENDS:
            self._end_message(_ENDS[token], events)
        elif self._strict:
            self._fail("a special token inside content", token)
        elif token == special.ENDOFTEXT:
            self._end_message("end", events)
            self._skip_special(token, events)
        elif token == special.START:
            self._end_unclosed([], events)
            self._state = "between"
            self._start_header(events)
        elif token == special.CHANNEL or (token == special.MESSAGE and self._decoder.pending):
            header_tokens, self._decoder.pending = self._decoder.pending, []
            self._end_unclosed(header_tokens, events)
            self._read_special_in_header(token, events)
        else:
            self._skip_special(token, events)

    def _start_header(self, events: list[Event]) -> None:
        """Start a header at `<|start|>`, whatever the state."""
        if self._strict and self._state == "header":
            self._fail("<|start|> inside a header", special.START)
        # A completion may repeat the generation prefix of the prompt.
        if self._state == "header" and not self._header_tokens and self._at:
            self._skip_special(special.START, events)
        self._end_incomplete_header("start", events)
        self._state, self._header_role = "header", None

    def _end_header(self, events: list[Event]) -> None:
        """End the header at `<|message|>`."""
        tokens = tuple(self._header_tokens)
        if self._strict:
            try:
                header = read_header(tokens, self._header_role)
            except HarmonyError as error:
                self._fail(str(error), special.MESSAGE, cause=error)
        else:
            recovered = recover_header(tokens, self._implied_role(events), self._recipients)
            self._add_recovered(recovered, "end", events)
            header = recovered.header or Header("assistant")
        self._start_message(header, events)

    def _end_incomplete_header(self, end: HeaderEnd, events: list[Event]) -> None:
        """End a header that has no `<|message|>`."""
        if self._header_tokens:
            role = self._header_role if self._state == "header" else self._turn_role or "assistant"
            recovered = recover_messages(self._header_tokens, role, self._recipients, end)
            if self._state == "between" and recovered.messages and end != "start":
                self._repair("missing_start", "", events)
            self._add_recovered(recovered, _ENDINGS.get(end), events)
        self._state, self._header_role, self._header_tokens = "between", None, []

    def _implied_role(self, events: list[Event]) -> Role | None:
        """Return the author of the header if its tokens do not name one."""
        if self._state == "header":
            return self._header_role
        self._repair("missing_start", "", events)
        return self._turn_role or "assistant"

    def _start_message(self, header: Header, events: list[Event]) -> None:
        self._state, self._header, self._header_tokens = "content", header, []
        if self._turn_role == "assistant" != header.role:
            self._repair("imagined_author", header.name or header.role, events)
        events.append(Started(self._at, header))

    def _add_text(self, text: str, events: list[Event]) -> None:
        if text:
            self._text.append(text)
            events.append(Delta(self._at, self._header, text))

    def _end_message(self, end: Ending | None, events: list[Event]) -> None:
        self._add_text(self._decoder.flush(), events)
        header, text = self._header, "".join(self._text)
        message = message_of(header, text)
        self._state, self._header_role, self._text = "between", None, []
        self.messages.append(message)
        if end is not None and header.is_call != (end == "call"):
            self._repair("wrong_end", end, events)
        if header.is_call and header.recipient == "python" and is_wrapped_source(text):
            self._repair("python_json", "", events)
        events.append(Ended(self._at, message, end))

    def _end_unclosed(self, header_tokens: list[int], events: list[Event]) -> None:
        """End a message whose content is followed directly by a header.

        header_tokens: the tokens of that header that were read as content.
        """
        self._repair("missing_end", "", events)
        self._end_message("call" if self._header.is_call else "end", events)
        self._state, self._header_tokens = "header", header_tokens
        self._header_role = self._turn_role or "assistant"

    def _add_recovered(
        self, recovered: RecoveredHeader, end: Ending | None, events: list[Event]
    ) -> None:
        """Add the messages that were found in a header, and report the repairs."""
        for kind, detail in recovered.repairs:
            self._repair(kind, detail, events)
        last = len(recovered.messages) - 1
        for number, (header, text) in enumerate(recovered.messages):
            self._start_message(header, events)
            self._add_text(text, events)
            regular_end: Ending = "call" if header.is_call else "end"
            self._end_message(end if number == last else regular_end, events)

    def _skip_special(self, token: int, events: list[Event]) -> None:
        """Skip a token that has no meaning here; an unknown id in content becomes U+FFFD."""
        name = special.NAMES.get(token)
        self._repair("stray_token" if name else "unknown_token", name or str(token), events)
        if name is None and self._state == "content":
            self._add_text(self._decoder.flush() + "\ufffd", events)

    def _repair(self, kind: RepairKind, detail: str, events: list[Event]) -> None:
        if not self._strict:
            events.append(Repaired(self._at, kind, detail))

    def _fail(self, text: str, token: int | None, *, cause: HarmonyError | None = None) -> NoReturn:
        header = token_bytes(self._header_tokens).decode(errors="replace")
        shown = "" if token is None else f" {special.NAMES.get(token, '')}({token})"
        raise HarmonyError(
            f"{text}, at token {self._at}{shown}; header so far: {header!r}; "
            "lenient mode (strict=False) repairs this",
            at=self._at,
            token=token,
            state="start" if self._state == "between" else self._state,
            header=header,
        ) from cause


def parse(
    tokens: Sequence[int],
    *,
    role: Role | None = "assistant",
    strict: bool = False,
    recipients: Collection[str] = (),
) -> list[Message]:
    """Parse a completion into messages.

    tokens: token ids, shape (n,), without the prompt; n = 0 gives [].
    role: the author, if the tokens continue a header that names it; None if they start with
        `<|start|>`.
    strict, recipients: as in `StreamParser`.

    Raises HarmonyError in strict mode, with the index in `at`, at the first deviation.
    Source: OpenAI harmony format, "Receiving messages".
    """
    parser = StreamParser(role, strict=strict, recipients=recipients)
    parser.feed(tokens)
    parser.finish()
    return parser.messages
