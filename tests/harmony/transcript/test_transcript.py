"""The transcript: exact tokens, cheap forks, and the same tokens as `render`."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

import pytest

from ossia.errors import MessageError
from ossia.harmony import (
    DeveloperContent,
    Ended,
    Message,
    StreamParser,
    SystemContent,
    ToolDescription,
    ToolNamespace,
    Transcript,
    count,
    decode,
)
from ossia.harmony.format import special
from ossia.harmony.rendering import render

Spell = Callable[[str], list[int]]

FUNCTIONS = ToolNamespace("functions", None, (ToolDescription("f", "Does it."),))
MESSAGES = [
    Message("system", SystemContent()),
    Message("developer", DeveloperContent("Be exact.", (FUNCTIONS,))),
    Message("user", "Go."),
]
RESULT = Message("tool", "1", name="functions.f", channel="commentary", recipient="assistant")
CALL = (
    "<|channel|>analysis<|message|>Ask.<|end|><|start|>assistant<|channel|>commentary"
    " to=functions.f <|constrain|>json<|message|>{}<|call|>"
)
FINAL = "<|channel|>analysis<|message|>Done.<|end|><|start|>assistant<|channel|>final<|message|>1"


def reasoning(text: str) -> Message:
    return Message("assistant", text, channel="analysis")


def test_the_prompt_equals_render() -> None:
    transcript = Transcript(MESSAGES)
    assert transcript.prompt() == render(MESSAGES, next_role="assistant")
    assert transcript.prompt("user") == render(MESSAGES, next_role="user")
    assert transcript.tokens == render(MESSAGES)
    assert transcript.messages == MESSAGES


def test_every_prompt_starts_with_the_previous_one(spell: Spell) -> None:
    transcript = Transcript(MESSAGES)
    for _ in range(3):
        before = transcript.prompt()
        tokens = spell(CALL)
        transcript.append_sampled(tokens)
        transcript.append(RESULT)
        assert transcript.prompt()[: len(before) + len(tokens)] == before + tokens


def test_sampled_tokens_are_kept_exactly(spell: Spell) -> None:
    # `val` and `ue`: an encoder would not split the word.
    odd = [*spell("<|channel|>final<|message|>"), *spell("val"), *spell("ue"), special.RETURN]
    transcript = Transcript(MESSAGES)
    before = transcript.prompt()
    assert transcript.append_sampled(odd) == [Message("assistant", "value", channel="final")]
    assert transcript.tokens == before + odd


@pytest.mark.parametrize("end", ["<|return|>", ""])
def test_tokens_whose_events_are_given_are_not_parsed_again(end: str, spell: Spell) -> None:
    tokens = spell("<|channel|>final<|message|>1" + end)
    parser = StreamParser()
    events = parser.feed(tokens) + parser.finish()
    other = Message("assistant", "2", channel="final")
    changed = [e._replace(message=other) if isinstance(e, Ended) else e for e in events]
    assert Transcript().append_sampled(tokens, events=changed) == [other]


def test_return_becomes_end_in_the_history(spell: Spell) -> None:
    transcript = Transcript(MESSAGES)
    before = transcript.prompt()
    tokens = spell("<|channel|>final<|message|>1<|return|>")
    transcript.append_sampled(tokens)
    assert transcript.tokens == before + tokens
    assert transcript.prompt()[: len(before + tokens)] == [*before, *tokens[:-1], special.END]


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("<|channel|>final<|message|>1", "<|end|>"),
        ("<|channel|>final<|message|>1<|call|>", "<|end|>"),
        ("<|channel|>commentary to=functions.f<|message|>{", "<|call|>"),
        ("<|channel|>commentary to=functions.f<|message|>{}<|return|>", "<|call|>"),
        ("<|channel|>final<|message|>1<|end|><|start|>assistant<|channel|>", "<|end|>"),
    ],
)
def test_cut_and_wrongly_ended_messages_are_closed(text: str, end: str, spell: Spell) -> None:
    transcript = Transcript(MESSAGES)
    transcript.append_sampled(spell(text))
    transcript.append(RESULT)
    assert end + "<|start|>functions.f to=assistant" in decode(transcript.tokens)


def test_a_transcript_with_the_old_key_of_closing_tokens_is_read(spell: Spell) -> None:
    transcript = Transcript(MESSAGES)
    transcript.append_sampled(spell(CALL))
    saved = transcript.to_dict()
    for entry in saved["entries"]:
        entry["due"] = entry.pop("closing_token")
    assert Transcript.from_dict(saved).to_dict() == transcript.to_dict()


def test_a_cut_header_adds_nothing(spell: Spell) -> None:
    transcript = Transcript(MESSAGES)
    before = transcript.prompt()
    assert transcript.append_sampled(spell("<|channel|>commentary to=")) == []
    assert transcript.prompt() == before


def test_a_new_turn_drops_the_reasoning_of_the_finished_one(spell: Spell) -> None:
    transcript = Transcript(MESSAGES)
    transcript.append_sampled(spell(CALL))
    transcript.append(RESULT)
    transcript.append_sampled(spell(FINAL + "<|return|>"))
    assert "Done." in decode(transcript.prompt())
    transcript.append(Message("user", "Again."))
    text = decode(transcript.tokens)
    assert "Ask." not in text
    assert "Done." not in text
    assert [message.text for message in transcript.messages if message.channel == "analysis"] == [
        "Ask.",
        "Done.",
    ]
    assert text.startswith(decode(render(MESSAGES)))


def test_reasoning_of_a_turn_without_final_message_is_kept() -> None:
    messages = [*MESSAGES, reasoning("Hm."), Message("user", "Well?")]
    assert "Hm." in decode(Transcript(messages).tokens)


def test_tokens_equal_render_over_many_turns() -> None:
    messages = list(MESSAGES)
    for turn in range(4):
        messages.append(reasoning(f"reasoning {turn}"))
        messages.append(Message("assistant", "{}", channel="analysis", recipient="python"))
        messages.append(
            Message("tool", "1", name="python", channel="analysis", recipient="assistant")
        )
        if turn != 1:
            messages.append(Message("assistant", f"answer {turn}", channel="final"))
        for upto in range(len(messages)):
            transcript = Transcript(messages[:upto])
            assert transcript.tokens == render(messages[:upto], reasoning="finished")
            assert transcript.count == len(transcript.prompt())
        messages.append(Message("user", f"question {turn}"))


def test_functions_added_later_appear_in_the_system_message() -> None:
    transcript = Transcript()
    for message in MESSAGES:
        transcript.append(message)
    assert transcript.tokens == render(MESSAGES)


def test_forks_are_independent(spell: Spell) -> None:
    original = Transcript(MESSAGES)
    copy = original.fork()
    original.append_sampled(spell(CALL))
    copy.append(Message("user", "Other."))
    assert len(original.messages) == len(MESSAGES) + 2
    assert copy.messages == [*MESSAGES, Message("user", "Other.")]
    assert copy.tokens == render(copy.messages)


def test_a_transcript_round_trips_through_json(spell: Spell) -> None:
    transcript = Transcript(MESSAGES)
    transcript.append_sampled(spell(CALL))
    transcript.append(RESULT)
    transcript.append_sampled(spell(FINAL))
    copy = Transcript.from_dict(json.loads(json.dumps(transcript.to_dict())))
    assert copy.tokens == transcript.tokens
    assert copy.messages == transcript.messages
    for each in (transcript, copy):
        each.append(Message("user", "Again."))
    assert copy.prompt() == transcript.prompt()


def test_messages_that_cannot_be_separated_are_kept_until_reasoning_is_dropped(
    spell: Spell,
) -> None:
    transcript = Transcript(MESSAGES)
    before = transcript.prompt()
    tokens = spell("<|channel|>analysis<|message|>Hm.<|channel|>final<|message|>1<|return|>")
    transcript.append_sampled(tokens)
    assert transcript.tokens == before + tokens
    transcript.append(Message("user", "Again."))
    final = Message("assistant", "1", channel="final")
    assert transcript.tokens == render([*MESSAGES, final, Message("user", "Again.")])


def test_sampled_messages_that_cannot_be_rendered_are_kept(spell: Spell) -> None:
    transcript = Transcript(MESSAGES)
    tokens = spell(
        "<|start|>system to=x<|message|>Hm.<|end|>"
        "<|channel|>analysis<|message|>Hm.<|end|>"
        "<|start|>tool<|message|>odd<|end|>"
        "<|start|>assistant<|channel|>final<|message|>1<|return|>"
    )
    transcript.append_sampled(tokens)
    transcript.append(Message("user", "Again."))
    assert "odd" in decode(transcript.tokens)


def test_a_message_that_cannot_be_rendered_changes_nothing() -> None:
    transcript = Transcript(MESSAGES)
    with pytest.raises(MessageError, match="a tool message needs the tool's name"):
        transcript.append(Message("tool", "1"))
    assert transcript.messages == MESSAGES


def test_count_equals_the_number_of_rendered_tokens() -> None:
    messages = [*MESSAGES, reasoning("Hm."), Message("assistant", "1", channel="final")]
    assert count(messages) == len(render(messages))
    assert count(messages, next_role="assistant") == len(render(messages, next_role="assistant"))
    assert (
        count(messages, reasoning="keep")
        == len(render(messages, reasoning="keep"))
        > count(messages)
    )


def test_a_view_equals_the_prompt_and_does_not_change(spell: Spell) -> None:
    transcript = Transcript(MESSAGES)
    views: list[tuple[Sequence[int], list[int]]] = []
    for text in (CALL, CALL, FINAL):
        views.append((transcript.view(), transcript.prompt()))
        transcript.append_sampled(spell(text))
        transcript.append(RESULT if text is CALL else Message("user", "More."))
    views.append((transcript.view(), transcript.prompt()))
    for view, prompt in views:
        assert list(view) == prompt
        assert (len(view), view[0], view[-1]) == (len(prompt), prompt[0], prompt[-1])
        assert [view[at] for at in (len(view) - 3, 5)] == [prompt[-3], prompt[5]]
        assert view[2:9] == prompt[2:9]
    with pytest.raises(IndexError):
        views[0][0][len(views[0][0])]


def test_a_fork_has_its_own_view(spell: Spell) -> None:
    transcript = Transcript(MESSAGES)
    transcript.view()
    fork = transcript.fork()
    transcript.append_sampled(spell(CALL))
    fork.append(Message("user", "Instead."))
    assert list(transcript.view()) == transcript.prompt()
    assert list(fork.view()) == render(
        [*MESSAGES, Message("user", "Instead.")], next_role="assistant"
    )


def test_replace_replaces_and_removes_messages(spell: Spell) -> None:
    transcript = Transcript(MESSAGES)
    for _ in range(3):
        transcript.append_sampled(spell(CALL))
        transcript.append(RESULT)
    short = Message("tool", "…", name="functions.f", channel="commentary", recipient="assistant")
    changed = transcript.replace({5: [short], 3: [], 4: []})
    expected = [*transcript.messages]
    expected[5] = short
    assert changed.messages == expected[:3] + expected[5:]
    assert decode(changed.prompt()).count("Ask.") == 2
    assert sum(transcript.sizes) == len(transcript.prompt()) - 2
    assert transcript.replace({}).prompt() == transcript.prompt()
