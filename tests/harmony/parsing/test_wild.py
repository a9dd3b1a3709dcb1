"""Malformed completions from public reports (`wild.jsonl`), and variants of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ossia.harmony import Ended, Message, Repaired, StreamParser, Transcript, parse

Spell = Callable[[str], list[int]]
Case = dict[str, Any]


def read(name: str) -> list[Case]:
    text = Path(__file__).with_name(name).read_text(encoding="utf-8")
    return [json.loads(line) for line in text.split("\n") if line]


CASES = read("wild.jsonl")
VARIANTS = read("variants.jsonl")


def plain_type(content_type: str | None) -> str | None:
    return content_type and content_type.removeprefix("<|constrain|>").lower()


def calls(messages: list[Message]) -> list[list[str]]:
    """Return recipient and arguments of each call; an immediate repetition counts once."""
    found: list[list[str]] = []
    for message in messages:
        if message.role == "assistant" and message.recipient:
            call = [message.recipient, message.text]
            if found[-1:] != [call]:
                found.append(call)
    return found


def fields(message: Message) -> dict[str, Any]:
    return {
        "role": message.role,
        "channel": message.channel,
        "recipient": message.recipient,
        "content_type": plain_type(message.content_type),
        "content": message.text,
    }


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_a_real_completion_is_recovered(case: Case, spell: Spell) -> None:
    expect = case["expect"]
    messages = parse(spell(case["text"]))
    if expect["calls"] is not None:
        assert calls(messages) == expect["calls"]
    for text in expect["keep"]:
        assert any(text in message.text for message in messages), text
    if expect["exact"]:
        expected = [
            {**raw, "content_type": plain_type(raw["content_type"])} for raw in expect["messages"]
        ]
        assert [fields(message) for message in messages] == expected


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_a_real_completion_is_recovered_however_it_is_split(case: Case, spell: Spell) -> None:
    tokens = spell(case["text"])
    by_token, by_tuple = StreamParser(), StreamParser()
    for token in tokens:
        assert by_token.feed(token) == by_tuple.feed((token,))
    assert by_token.finish() == by_tuple.finish()
    assert by_token.messages == by_tuple.messages == parse(tokens)


@pytest.mark.parametrize("case", [*CASES, *VARIANTS], ids=lambda case: case["text"][:60])
def test_a_streamed_completion_makes_the_same_transcript_as_a_parsed_one(
    case: Case, spell: Spell
) -> None:
    tokens, recipients = spell(case["text"]), case.get("recipients", ())
    parser = StreamParser(recipients=recipients)
    events = [event for token in tokens for event in parser.feed((token,))] + parser.finish()
    parsed, given = Transcript(), Transcript()
    messages = parsed.append_sampled(tokens, recipients=recipients)
    assert given.append_sampled(tokens, recipients=recipients, events=events) == messages
    assert given.to_dict() == parsed.to_dict()


@pytest.mark.parametrize(
    "case", [case for case in CASES if case["kind"] == "wellformed"], ids=lambda case: case["id"]
)
def test_a_well_formed_completion_needs_no_repair(case: Case, spell: Spell) -> None:
    parser = StreamParser()
    events = parser.feed(spell(case["text"])) + parser.finish()
    assert not [event for event in events if isinstance(event, Repaired)]
    assert parse(spell(case["text"]), strict=True) == parser.messages


@pytest.mark.parametrize(
    "case", [case for case in CASES if case["expect"]["incomplete"]], ids=lambda case: case["id"]
)
def test_a_cut_completion_is_reported(case: Case, spell: Spell) -> None:
    parser = StreamParser()
    events = parser.feed(spell(case["text"])) + parser.finish()
    cut = [event for event in events if isinstance(event, Repaired) and event.kind == "cut_header"]
    ended = [event.end for event in events if isinstance(event, Ended)]
    assert cut or ended[-1] is None


def test_known_recipients_resolve_doubtful_headers(spell: Spell) -> None:
    for case in CASES:
        if "calls_with_tools" in case["expect"]:
            known = [f"functions.{name}" for name in case["expect"]["tools"]]
            messages = parse(spell(case["text"]), recipients=known)
            assert calls(messages) == case["expect"]["calls_with_tools"]


def as_message(raw: Case) -> Message:
    fields = {key: raw.get(key) for key in ("name", "channel", "recipient", "content_type")}
    return Message(raw.get("role", "assistant"), raw["text"], **fields)


@pytest.mark.parametrize("case", VARIANTS, ids=[case["text"][:60] for case in VARIANTS])
def test_a_variant_is_recovered_and_every_repair_is_reported(case: Case, spell: Spell) -> None:
    parser = StreamParser(recipients=case.get("recipients", ()))
    events = parser.feed(spell(case["text"])) + parser.finish()
    assert parser.messages == [as_message(raw) for raw in case["messages"]]
    assert [event.kind for event in events if isinstance(event, Repaired)] == case["repairs"]


def test_completions_that_the_reference_rejects_are_recovered(
    spell: Spell, reference_parse: Callable[..., list[Message]]
) -> None:
    rejected = 0
    for case in [*CASES, *VARIANTS]:
        try:
            reference_parse(spell(case["text"]), strict=False)
        except Exception:  # noqa: BLE001 - whatever the reference raises
            rejected += 1
            assert parse(spell(case["text"])) or "cut" in case.get("family", "")
    assert rejected > 40
