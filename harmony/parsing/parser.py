"""Tokens to messages: one state machine, for a stream and for a whole completion.

    between  --<|start|>-->    header     the author is in the header
    header   --<|message|>-->  content    the header is read, and makes the message
    content  --<|end|>, <|call|>, <|return|>-->  between

Strict and lenient are the same machine. They differ where a token has no place in a state: strict
raises, lenient goes where the token leads nevertheless and tells what was missing. What the words
of a header mean is told in `grammar` and `mending`, what becomes of content tokens in `decoding`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Literal, NoReturn, cast

from ...errors import HarmonyError
from ..format import Header, Message, Role, message_of, special
from .decoding import PLAIN, Decoder, token_bytes
from .events import Delta, Ended, Ending, Event, Repaired, RepairKind, Started
from .header_grammar import read_header
from .header_recovery import Close, Mended, is_wrapped_source, recover_header, recover_messages

_ENDS: dict[int, Ending] = {special.END: "end", special.CALL: "call", special.RETURN: "return"}
_ENDINGS: dict[Close, Ending] = {"start": "end", "end": "end", "call": "call", "return": "return"}
_NOTHING: dict[Any, str] = {}
# The parser makes a delta for every token, and the generated constructor takes twice the time.
_new = object.__new__


class StreamParser:
    """Reads messages from tokens as they are sampled, one at a time or thousands."""

    __slots__ = (
        "_at",
        "_decoder",
        "_head",
        "_header",
        "_known",
        "_plain",
        "_role",
        "_state",
        "_strict",
        "_text",
        "_whose",
        "messages",
    )

    def __init__(
        self,
        role: Role | None = "assistant",
        *,
        strict: bool = False,
        recipients: Collection[str] = (),
    ) -> None:
        """Begin after `<|start|>role`, or before any message if role is None.

        strict: raise HarmonyError at the first deviation from the format. Else nothing is ever
        raised, no sampled text is lost, and every deviation is told as a `Repaired` event.
        recipients: those that exist, `functions.search` say; they settle doubtful headers.
        """
        self.messages: list[Message] = []
        """The messages that are over."""
        self._whose: Role | None = role
        self._strict = strict
        self._known = frozenset(recipients)
        self._at = -1
        self._state: Literal["between", "header", "content"] = "header" if role else "between"
        self._role: Role | None = role
        self._head: list[int] = []
        self._header = Header("assistant")
        self._text: list[str] = []
        self._decoder = Decoder()
        self._plain = _NOTHING

    def feed(self, tokens: int | Sequence[int]) -> list[Event]:
        """Read one token or many, and tell what they brought.

        However the tokens are cut, the texts and the messages are the same.
        Raises HarmonyError in strict mode, with `at`, `token`, `state` and `header`; the parser
        is of no more use then.
        """
        try:
            text = self._plain[tokens]
        except KeyError:
            return self._feed((tokens,) if isinstance(tokens, int) else tokens)
        except TypeError:
            # A list cannot be a key.
            tokens = cast("Sequence[int]", tokens)
            if len(tokens) != 1 or tokens[0] not in self._plain:
                return self._feed(tokens)
            text = self._plain[tokens[0]]
        self._at = at = self._at + 1
        self._text.append(text)
        delta: Any = _new(Delta)
        delta.at = at
        delta.header = self._header
        delta.text = text
        return [delta]

    def finish(self) -> list[Event]:
        """End the stream: an open message ends here, as it is.

        Raises HarmonyError in strict mode if the stream ended inside a header.
        """
        events: list[Event] = []
        self._at += 1
        self._plain = _NOTHING
        if self._state == "content":
            self._end(None, events)
        elif self._strict and self._state == "header" and self._at:
            self._fail("the stream ends inside a header", None)
        else:
            self._close_header("cut", events)
        return events

    def _feed(self, tokens: Sequence[int]) -> list[Event]:
        events: list[Event] = []
        base = self._at + 1
        start = 0
        for at in special.places(tokens):
            self._ordinary(tokens[start:at], base + at - 1, events)
            self._at = base + at
            if self._state == "content":
                self._leave_content(tokens[at], events)
            else:
                self._leave_header(tokens[at], events)
            start = at + 1
        self._ordinary(tokens[start:] if start else tokens, base + len(tokens) - 1, events)
        self._plain = PLAIN if self._state == "content" and self._decoder.is_idle else _NOTHING
        return events

    def _ordinary(self, tokens: Sequence[int], at: int, events: list[Event]) -> None:
        """Take ordinary tokens, the last of them at that index."""
        if not tokens:
            return
        self._at = at
        if self._state == "content":
            self._say(self._decoder.read(tokens), events)
        elif self._strict and self._state == "between":
            self._fail("a message begins with <|start|>", tokens[0])
        else:
            self._head += tokens

    def _leave_header(self, token: int, events: list[Event]) -> None:
        """Take a special token in a header, or between two messages."""
        if token == special.START:
            self._start(events)
        elif self._strict and self._state == "between":
            self._fail("a message begins with <|start|>", token)
        elif token == special.MESSAGE:
            self._open(events)
        elif token in {special.CHANNEL, special.CONSTRAIN}:
            self._head.append(token)
        elif self._strict:
            self._fail("a special token that has no place in a header", token)
        elif token in _ENDS and self._head:
            self._close_header(_ENDS[token], events)
        else:
            self._stray(token, events)

    def _leave_content(self, token: int, events: list[Event]) -> None:
        """Take a special token in the content of a message."""
        if token in _ENDS:
            self._end(_ENDS[token], events)
        elif self._strict:
            self._fail("a special token inside content", token)
        elif token == special.ENDOFTEXT:
            self._end("end", events)
            self._stray(token, events)
        elif token == special.START:
            self._break_off([], events)
            self._state = "between"
            self._start(events)
        elif token == special.CHANNEL or (token == special.MESSAGE and self._decoder.held):
            head, self._decoder.held = self._decoder.held, []
            self._break_off(head, events)
            self._leave_header(token, events)
        else:
            self._stray(token, events)

    def _start(self, events: list[Event]) -> None:
        """`<|start|>`: a header begins, whatever was before."""
        if self._strict and self._state == "header":
            self._fail("<|start|> inside a header", special.START)
        # A completion may repeat the opening that stood in the prompt.
        if self._state == "header" and not self._head and self._at:
            self._stray(special.START, events)
        self._close_header("start", events)
        self._state, self._role = "header", None

    def _open(self, events: list[Event]) -> None:
        """`<|message|>`: the header is whole."""
        tokens = tuple(self._head)
        if self._strict:
            try:
                header = read_header(tokens, self._role)
            except HarmonyError as error:
                self._fail(str(error), special.MESSAGE, cause=error)
        else:
            mended = recover_header(tokens, self._implied(events), self._known)
            self._tell(mended, "end", events)
            header = mended.header or Header("assistant")
        self._begin(header, events)

    def _close_header(self, close: Close, events: list[Event]) -> None:
        """A header is over that never came to its `<|message|>`."""
        if self._head:
            role = self._role if self._state == "header" else self._whose or "assistant"
            mended = recover_messages(self._head, role, self._known, close)
            if self._state == "between" and mended.messages and close != "start":
                self._repair("missing_start", "", events)
            self._tell(mended, _ENDINGS.get(close), events)
        self._state, self._role, self._head = "between", None, []

    def _implied(self, events: list[Event]) -> Role | None:
        """Whose header it is: the prompt's, the header's own, or nobody said."""
        if self._state == "header":
            return self._role
        self._repair("missing_start", "", events)
        return self._whose or "assistant"

    def _begin(self, header: Header, events: list[Event]) -> None:
        self._state, self._header, self._head = "content", header, []
        if self._whose == "assistant" != header.role:
            self._repair("imagined_author", header.name or header.role, events)
        events.append(Started(self._at, header))

    def _say(self, text: str, events: list[Event]) -> None:
        if text:
            self._text.append(text)
            events.append(Delta(self._at, self._header, text))

    def _end(self, end: Ending | None, events: list[Event]) -> None:
        self._say(self._decoder.flush(), events)
        header, text = self._header, "".join(self._text)
        message = message_of(header, text)
        self._state, self._role, self._text = "between", None, []
        self.messages.append(message)
        if end is not None and header.is_call != (end == "call"):
            self._repair("wrong_end", end, events)
        if header.is_call and header.recipient == "python" and is_wrapped_source(text):
            self._repair("python_json", "", events)
        events.append(Ended(self._at, message, end))

    def _break_off(self, head: list[int], events: list[Event]) -> None:
        """Content runs into a header; some words of that may be known already."""
        self._repair("missing_end", "", events)
        self._end("call" if self._header.is_call else "end", events)
        self._state, self._role, self._head = "header", self._whose or "assistant", head

    def _tell(self, mended: Mended, end: Ending | None, events: list[Event]) -> None:
        """Tell of the messages that were found in a header, and of what was mended."""
        for kind, detail in mended.notes:
            self._repair(kind, detail, events)
        for left, (header, text) in enumerate(mended.messages, 1 - len(mended.messages)):
            self._begin(header, events)
            self._say(text, events)
            whole: Ending = "call" if header.is_call else "end"
            self._end(whole if left else end, events)

    def _stray(self, token: int, events: list[Event]) -> None:
        """Leave out a token that means nothing here; an unknown one is as good as a character."""
        name = special.NAMES.get(token)
        self._repair("stray_token" if name else "unknown_token", name or str(token), events)
        if name is None and self._state == "content":
            self._say(self._decoder.flush() + "\ufffd", events)

    def _repair(self, kind: RepairKind, detail: str, events: list[Event]) -> None:
        if not self._strict:
            events.append(Repaired(self._at, kind, detail))

    def _fail(self, text: str, token: int | None, *, cause: HarmonyError | None = None) -> NoReturn:
        header = token_bytes(self._head).decode(errors="replace")
        shown = "" if token is None else f" {special.NAMES.get(token, '')}({token})"
        raise HarmonyError(
            f"{text}, at token {self._at}{shown}; header so far: {header!r}; "
            "without strict=True it would be mended",
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
    """Read one completion as messages.

    tokens: token ids, shape (n,), without the prompt; n = 0 gives [].
    role: whose turn it is where the tokens open in mid-header; None if they open a message.
    strict, recipients: as in `StreamParser`.

    Raises HarmonyError in strict mode, with the index in `at`, at the first deviation.
    Source: OpenAI harmony format, "Receiving messages".
    """
    parser = StreamParser(role, strict=strict, recipients=recipients)
    parser.feed(tokens)
    parser.finish()
    return parser.messages
