"""Properties of every message, every stream of tokens, and every way to split a stream."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ossia.errors import HarmonyError
from ossia.harmony import (
    Delta,
    Ended,
    Event,
    Message,
    Repaired,
    Started,
    StreamParser,
    Transcript,
    decode,
    encode,
    parse,
)
from ossia.harmony.format import special
from ossia.harmony.format.vocabulary import load_vocabulary
from ossia.harmony.rendering import render

CONTROL = [
    special.START,
    special.END,
    special.MESSAGE,
    special.CHANNEL,
    special.CONSTRAIN,
    special.CALL,
    special.RETURN,
]
ODD = [special.ENDOFTEXT, special.STARTOFTEXT, 200013, 201087, 201088, 2**32 - 1, -1]
BROKEN = [9552, 132990, 222]  # pieces of characters
PHRASES = [
    encode(text)
    for text in (
        *("assistant", "analysis", "commentary", "final", "user", "system", "tool", "comment"),
        *(" to=functions.f", " to=python", "to=", " to=assistant", "to=final", "functions.f"),
        *(" json", "json", " code", "code", '{"a": 1}', "{", "Hello", " world", "??", "naïve"),
        *("<|channel|>", "<|message|>x", "\n", " ", "assistantfinal", "analysisWe", "'s", "."),
    )
]
# Text that a header may repeat without a repair.
FORMAT = Counter("assistant" * 40 + "to=" * 40)

TEXT = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"])),
    st.lists(st.sampled_from(["<|start|>", "<|end|>", "final", " ", "analysis", "é"])).map("".join),
)
WORD = st.text("abz09_-./é", min_size=1).map("x".__add__)


def stream(chance: random.Random) -> list[int]:
    """Return tokens as a confused model might sample them."""
    out: list[int] = []
    for _ in range(chance.randrange(1, 24)):
        kind = chance.random()
        if kind < 0.45:
            out.append(chance.choice(CONTROL))
        elif kind < 0.85:
            out += chance.choice(PHRASES)
        elif kind < 0.93:
            out.append(chance.randrange(special.FIRST))
        else:
            out.append(chance.choice(ODD + BROKEN))
    return out


def read(
    tokens: Sequence[int], role: Any, known: Iterable[str]
) -> tuple[StreamParser, list[Event]]:
    parser = StreamParser(role, recipients=[*known])
    return parser, parser.feed(tokens) + parser.finish()


def forms_of(tokens: list[int]) -> list[int | Sequence[int]]:
    """Return the forms in which a caller can pass these tokens to `feed`."""
    return [tokens, tuple(tokens), *(tokens if len(tokens) == 1 else ())]


def join_deltas(events: list[Event]) -> list[Event]:
    """Return the events, with all deltas of a message joined into one."""
    out: list[Event] = []
    for event in events:
        if isinstance(event, Delta):
            previous = out[-1]
            text = event.text
            if isinstance(previous, Delta):
                text = previous.text + text
                out.pop()
            out.append(Delta(0, event.header, text))
        else:
            out.append(event)
    return out


def check_nothing_is_lost(tokens: list[int], parser: StreamParser, events: list[Event]) -> None:
    """Assert that each letter of an ordinary token is in a message, a header or a repair."""
    fed = Counter[str]()
    for ordinary, run in groupby(tokens, lambda token: 0 <= token < special.FIRST):
        fed.update(decode([*run]) if ordinary else "")
    reported = Counter(FORMAT)
    for message in parser.messages:
        reported.update(message.text)
        for word in (message.role, message.name, message.channel, message.recipient):
            reported.update(word or "")
        reported.update(message.content_type or "")
    for event in events:
        if isinstance(event, Repaired):
            reported.update(event.detail)
    lost = {char for char in fed - reported if char.isalnum() and char != "\ufffd"}
    assert not lost, (lost, tokens)


def check_events(parser: StreamParser, events: list[Event]) -> None:
    """Assert that messages start and end in order, and that their deltas are their text."""
    texts: list[str] = []
    is_open = False
    for event in events:
        if isinstance(event, Started):
            assert not is_open
            is_open = True
            texts.append("")
        elif isinstance(event, Delta):
            assert is_open
            assert event.text
            texts[-1] += event.text
        elif isinstance(event, Ended):
            assert is_open
            is_open = False
    assert not is_open
    assert texts == [message.text for message in parser.messages]


@pytest.mark.slow
@pytest.mark.parametrize("part", range(4))
def test_every_stream_is_parsed_without_losing_text(part: int) -> None:
    for seed in range(part * 25_000, (part + 1) * 25_000):
        chance = random.Random(seed)
        tokens = stream(chance)
        role = chance.choice(["assistant", "assistant", "assistant", None, "user"])
        known = chance.choice([(), ("functions.f",), ("functions.f", "python")])
        parser, events = read(tokens, role, known)
        check_events(parser, events)
        check_nothing_is_lost(tokens, parser, events)


def test_the_result_does_not_depend_on_how_a_stream_is_split() -> None:
    for seed in range(2_000):
        chance = random.Random(seed)
        tokens = stream(chance)
        _, expected = read(tokens, "assistant", ())
        parser = StreamParser()
        events: list[Event] = []
        at = 0
        while at < len(tokens):
            piece = tokens[at : at + chance.randrange(1, 4)]
            at += len(piece)
            events += parser.feed(chance.choice(forms_of(piece)))
        events += parser.finish()
        assert join_deltas(events) == join_deltas(expected), seed


def test_stream_events_make_the_same_transcript_as_parsing() -> None:
    for seed in range(300):
        chance = random.Random(seed)
        tokens = stream(chance)
        recipients = chance.choice([(), ("functions.f",), ("functions.f", "python")])
        parser = StreamParser(recipients=recipients)
        unfinished = [event for token in tokens for event in parser.feed((token,))]
        finished = unfinished + parser.finish()
        for size in range(len(tokens) + 1):
            parsed, *given = Transcript(), Transcript(), Transcript()
            parsed.append_sampled(tokens[:size], recipients=recipients)
            for transcript, events in zip(given, (unfinished, finished), strict=True):
                transcript.append_sampled(tokens[:size], recipients=recipients, events=events)
                assert transcript.to_dict() == parsed.to_dict(), (seed, size)


def test_strict_mode_raises_only_harmony_errors() -> None:
    accepted = 0
    for seed in range(4_000):
        tokens = stream(random.Random(seed))
        try:
            found = parse(tokens, strict=True)
        except HarmonyError:
            continue
        accepted += 1
        texts = {message.text for message in parse(tokens)}
        assert texts >= {message.text for message in found}
    assert accepted


@settings(deadline=None)
@given(
    content=TEXT,
    channel=st.sampled_from(["analysis", "commentary", "final", None]),
    recipient=st.one_of(st.none(), WORD),
    content_type=st.sampled_from([None, "json", "code", "<|constrain|>json"]),
    role=st.sampled_from(["assistant", "user", "developer", "system", "tool"]),
    name=st.one_of(st.none(), WORD),
)
def test_rendered_messages_parse_back(
    content: str,
    channel: str | None,
    recipient: str | None,
    content_type: str | None,
    role: Any,
    name: str | None,
) -> None:
    if role == "tool":
        name, recipient = name or "functions.f", recipient or "assistant"
    message = Message(
        role,
        content,
        name=name,
        channel=channel,
        recipient=recipient,
        content_type=content_type,
    )
    tokens = render([message])
    assert parse(tokens, role=None) == [message]
    assert parse(tokens, role=None, strict=True) == [message]
    parser = StreamParser(None)
    events = [event for token in tokens for event in parser.feed(token)]
    assert not [event for event in events if isinstance(event, Repaired)]


@settings(deadline=None)
@given(data=st.binary())
def test_invalid_utf_8_is_replaced_as_python_does(data: bytes) -> None:
    tokens = [load_vocabulary().encoding.encode_single_token(bytes([byte])) for byte in data]
    header = [special.CHANNEL, *encode("final"), special.MESSAGE]
    parser = StreamParser()
    for token in [*header, *tokens]:
        parser.feed(token)
    parser.finish()
    expected = data.decode("utf-8", "replace")
    assert [message.text for message in parser.messages] == [expected]
    assert parse([*header, *tokens])[0].text == expected
