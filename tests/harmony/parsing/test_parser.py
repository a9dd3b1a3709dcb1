"""The states and events of the parser, and its errors in strict mode."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from ossia.errors import HarmonyError
from ossia.harmony import (
    Delta,
    Ended,
    Event,
    Header,
    Message,
    Repaired,
    Started,
    StreamParser,
    encode,
    parse,
)
from ossia.harmony.format import special

Spell = Callable[[str], list[int]]

CALL = (
    "<|channel|>analysis<|message|>Ask.<|end|>"
    "<|start|>assistant<|channel|>commentary to=functions.f <|constrain|>json<|message|>{}<|call|>"
)


def read(parser: StreamParser, tokens: list[int]) -> list[Event]:
    return parser.feed(tokens) + parser.finish()


def test_events_report_headers_deltas_and_ends(spell: Spell) -> None:
    parser = StreamParser()
    thought = Header("assistant", channel="analysis")
    call = Header("assistant", None, "commentary", "functions.f", "<|constrain|>json")
    assert read(parser, spell(CALL)) == [
        Started(2, thought),
        Delta(4, thought, "Ask."),
        Ended(5, Message("assistant", "Ask.", channel="analysis"), "end"),
        Started(18, call),
        Delta(19, call, "{}"),
        Ended(20, parser.messages[1], "call"),
    ]


def only_token(tokens: list[int]) -> int:
    return tokens[0]


@pytest.mark.parametrize("form", [only_token, tuple[int, ...], list[int]])
def test_every_content_token_has_a_delta(
    form: Callable[[list[int]], int | Sequence[int]], spell: Spell
) -> None:
    parser = StreamParser()
    parser.feed(spell("<|channel|>final<|message|>"))
    pieces = [form([token]) for token in encode("Streams are read as they come.")]
    deltas = [event for piece in pieces for event in parser.feed(piece)]
    assert len(deltas) == len(pieces)
    assert [event.at for event in deltas] == [*range(3, 3 + len(pieces))]
    # The second time, the text of each token is in the table.
    assert [event for piece in pieces for event in parser.feed(piece)] == [
        Delta(event.at + len(pieces), event.header, event.text)
        for event in deltas
        if isinstance(event, Delta)
    ]


def test_a_cut_message_has_no_end(spell: Spell) -> None:
    parser = StreamParser()
    ended = read(parser, spell("<|channel|>final<|message|>Half an ans"))[-1]
    assert ended == Ended(6, Message("assistant", "Half an ans", channel="final"), None)


def test_a_cut_header_is_reported_and_makes_no_message(spell: Spell) -> None:
    parser = StreamParser()
    events = read(parser, spell("<|channel|>commentary to=functions.f <|constrain|>json"))
    assert parser.messages == []
    text = "<|channel|>commentary to=functions.f <|constrain|>json"
    assert events == [Repaired(10, "cut_header", text)]


def test_finishing_twice_changes_nothing(spell: Spell) -> None:
    parser = StreamParser()
    read(parser, spell(CALL))
    assert parser.finish() == []
    assert len(parser.messages) == 2


@pytest.mark.parametrize("strict", [True, False])
def test_no_tokens_make_no_messages(strict: bool) -> None:
    assert parse([], strict=strict) == []
    assert parse([], role=None, strict=strict) == []


def test_names_and_roles_are_read(spell: Spell) -> None:
    text = (
        "<|start|>user:ada<|message|>Hi<|end|>"
        "<|start|>functions.f to=assistant<|channel|>commentary<|message|>1<|end|>"
    )
    expected = [
        Message("user", "Hi", name="ada"),
        Message("tool", "1", name="functions.f", channel="commentary", recipient="assistant"),
    ]
    assert parse(spell(text), role=None, strict=True) == expected
    assert parse(spell(text), role=None) == expected


@pytest.mark.parametrize(
    ("text", "at", "state", "header", "reason"),
    [
        ("Hello<|end|>", 1, "header", "Hello", "not allowed in a header"),
        ("<|channel|><|message|>", 1, "header", "<|channel|>", "names no channel"),
        ("<|channel|>a b c<|message|>", 4, "header", "<|channel|>a b c", "unexpected 'c'"),
        (
            " to=f<|channel|>x to=g<|message|>",
            6,
            "header",
            " to=f<|channel|>x to=g",
            "two recipients: 'f' and 'g'",
        ),
        ("<|channel|>a<|channel|>b<|message|>", 4, "header", "<|channel|>a<|channel|>b", "has one"),
        ("<|channel|>a<|message|>x<|end|>y", 5, "start", "", "begins with <|start|>"),
        ("<|channel|>a<|message|>x<|end|><|channel|>", 5, "start", "", "begins with <|start|>"),
        ("<|channel|>a<|message|>x<|start|>", 4, "content", "", "special token inside content"),
        ("<|channel|>a<|start|>", 2, "header", "<|channel|>a", "<|start|> inside a header"),
        ("<|channel|>a", 2, "header", "<|channel|>a", "ends inside a header"),
    ],
)
def test_strict_mode_errors_say_where_and_why(
    text: str, at: int, state: str, header: str, reason: str, spell: Spell
) -> None:
    with pytest.raises(HarmonyError) as caught:
        parse(spell(text), strict=True)
    error = caught.value
    assert (error.at, error.state, error.header) == (at, state, header)
    assert reason in str(error)


@pytest.mark.parametrize("author", ["bash", "assistant:", "User"])
def test_strict_mode_rejects_unknown_roles(author: str, spell: Spell) -> None:
    with pytest.raises(HarmonyError, match=f"unknown role '{author}'; known: assistant, developer"):
        parse(spell(f"<|start|>{author}<|message|>x<|end|>"), role=None, strict=True)


def test_strict_mode_accepts_either_stop_token(spell: Spell) -> None:
    # At the end of a turn a grammar allows both stop tokens, so either may be sampled.
    text = "<|channel|>final<|message|>4<|call|>"
    assert parse(spell(text), strict=True) == [Message("assistant", "4", channel="final")]


def test_a_message_by_an_imagined_author_is_reported(spell: Spell) -> None:
    parser = StreamParser()
    events = read(parser, spell(CALL + "<|start|>functions.f to=assistant<|message|>20<|end|>"))
    authors = [event.detail for event in events if isinstance(event, Repaired)]
    assert authors == ["functions.f"]
    assert parser.messages[-1].role == "tool"


@pytest.mark.parametrize("token", [special.SIZE + 1, 2**40, -1])
@pytest.mark.parametrize("state", ["header", "content"])
def test_ids_outside_the_vocabulary_are_tolerated(token: int, state: str, spell: Spell) -> None:
    tokens = spell("<|channel|>final<|message|>a")
    tokens.insert(2 if state == "header" else 4, token)
    assert parse([*tokens, *spell("b<|return|>")])[0].text.replace("\ufffd", "") == "ab"


def test_a_header_word_at_the_end_of_content_is_content(spell: Spell) -> None:
    for word in ("final", "assistant", "commentary", "comment", "assistantcommentary"):
        tokens = spell(f"<|channel|>final<|message|>{word}<|return|>")
        parser = StreamParser()
        events = [event for token in tokens for event in parser.feed(token)]
        assert parser.messages == [Message("assistant", word, channel="final")]
        assert "".join(event.text for event in events if isinstance(event, Delta)) == word


def test_a_call_to_an_unknown_tool_is_a_call_without_repair(spell: Spell) -> None:
    parser = StreamParser(recipients=["functions.f"])
    events = read(parser, spell("<|channel|>commentary to=container.exec<|message|>{}<|call|>"))
    assert [message.recipient for message in parser.messages] == ["container.exec"]
    assert not [event for event in events if isinstance(event, Repaired)]
