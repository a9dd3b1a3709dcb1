"""The growing prompt: exact, cheap to fork, and the same as what render makes."""

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
START = [
    Message("system", SystemContent()),
    Message("developer", DeveloperContent("Be exact.", (FUNCTIONS,))),
    Message("user", "Go."),
]
ANSWER = Message("tool", "1", name="functions.f", channel="commentary", recipient="assistant")
CALL = (
    "<|channel|>analysis<|message|>Ask.<|end|><|start|>assistant<|channel|>commentary"
    " to=functions.f <|constrain|>json<|message|>{}<|call|>"
)
FINAL = "<|channel|>analysis<|message|>Done.<|end|><|start|>assistant<|channel|>final<|message|>1"


def thought(text: str) -> Message:
    return Message("assistant", text, channel="analysis")


def test_the_prompt_is_what_render_makes() -> None:
    transcript = Transcript(START)
    assert transcript.prompt() == render(START, next_role="assistant")
    assert transcript.prompt("user") == render(START, next_role="user")
    assert transcript.tokens == render(START)
    assert transcript.messages == START


def test_every_prompt_begins_with_the_one_before(spell: Spell) -> None:
    transcript = Transcript(START)
    for _ in range(3):
        before = transcript.prompt()
        said = spell(CALL)
        transcript.append_sampled(said)
        transcript.append(ANSWER)
        assert transcript.prompt()[: len(before) + len(said)] == before + said


def test_sampled_tokens_stay_as_they_were_sampled(spell: Spell) -> None:
    # `1` after `value `: no encoder would cut the text like this.
    odd = [*spell("<|channel|>final<|message|>"), *spell("val"), *spell("ue"), special.RETURN]
    transcript = Transcript(START)
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


def test_return_becomes_end_when_history_goes_on(spell: Spell) -> None:
    transcript = Transcript(START)
    before = transcript.prompt()
    said = spell("<|channel|>final<|message|>1<|return|>")
    transcript.append_sampled(said)
    assert transcript.tokens == before + said
    assert transcript.prompt()[: len(before + said)] == [*before, *said[:-1], special.END]


@pytest.mark.parametrize(
    ("said", "end"),
    [
        ("<|channel|>final<|message|>1", "<|end|>"),
        ("<|channel|>final<|message|>1<|call|>", "<|end|>"),
        ("<|channel|>commentary to=functions.f<|message|>{", "<|call|>"),
        ("<|channel|>commentary to=functions.f<|message|>{}<|return|>", "<|call|>"),
        ("<|channel|>final<|message|>1<|end|><|start|>assistant<|channel|>", "<|end|>"),
    ],
)
def test_whatever_was_cut_or_ended_wrongly_is_closed(said: str, end: str, spell: Spell) -> None:
    transcript = Transcript(START)
    transcript.append_sampled(spell(said))
    transcript.append(ANSWER)
    assert end + "<|start|>functions.f to=assistant" in decode(transcript.tokens)


def test_a_cut_header_leaves_nothing_behind(spell: Spell) -> None:
    transcript = Transcript(START)
    before = transcript.prompt()
    assert transcript.append_sampled(spell("<|channel|>commentary to=")) == []
    assert transcript.prompt() == before


def test_a_new_turn_drops_the_reasoning_of_the_finished_one(spell: Spell) -> None:
    transcript = Transcript(START)
    transcript.append_sampled(spell(CALL))
    transcript.append(ANSWER)
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
    assert text.startswith(decode(render(START)))


def test_the_reasoning_of_a_turn_without_answer_stays() -> None:
    said = [*START, thought("Hm."), Message("user", "Well?")]
    assert "Hm." in decode(Transcript(said).tokens)


def test_it_stays_equal_to_render_over_many_turns() -> None:
    said = list(START)
    for turn in range(4):
        said.append(thought(f"thought {turn}"))
        said.append(Message("assistant", "{}", channel="analysis", recipient="python"))
        said.append(Message("tool", "1", name="python", channel="analysis", recipient="assistant"))
        if turn != 1:
            said.append(Message("assistant", f"answer {turn}", channel="final"))
        for upto in range(len(said)):
            transcript = Transcript(said[:upto])
            assert transcript.tokens == render(said[:upto], reasoning="finished")
            assert transcript.count == len(transcript.prompt())
        said.append(Message("user", f"question {turn}"))


def test_functions_that_come_later_are_told_of_in_the_system_message() -> None:
    transcript = Transcript()
    for message in START:
        transcript.append(message)
    assert transcript.tokens == render(START)


def test_forks_grow_apart(spell: Spell) -> None:
    trunk = Transcript(START)
    twin = trunk.fork()
    trunk.append_sampled(spell(CALL))
    twin.append(Message("user", "Other."))
    assert len(trunk.messages) == len(START) + 2
    assert twin.messages == [*START, Message("user", "Other.")]
    assert twin.tokens == render(twin.messages)


def test_it_is_saved_and_read_back_whole(spell: Spell) -> None:
    transcript = Transcript(START)
    transcript.append_sampled(spell(CALL))
    transcript.append(ANSWER)
    transcript.append_sampled(spell(FINAL))
    twin = Transcript.from_dict(json.loads(json.dumps(transcript.to_dict())))
    assert twin.tokens == transcript.tokens
    assert twin.messages == transcript.messages
    for one in (transcript, twin):
        one.append(Message("user", "Again."))
    assert twin.prompt() == transcript.prompt()


def test_a_tangled_turn_is_kept_whole_until_its_reasoning_goes(spell: Spell) -> None:
    transcript = Transcript(START)
    before = transcript.prompt()
    said = spell("<|channel|>analysis<|message|>Hm.<|channel|>final<|message|>1<|return|>")
    transcript.append_sampled(said)
    assert transcript.tokens == before + said
    transcript.append(Message("user", "Again."))
    final = Message("assistant", "1", channel="final")
    assert transcript.tokens == render([*START, final, Message("user", "Again.")])


def test_what_was_sampled_under_a_name_that_cannot_be_rendered_is_kept(spell: Spell) -> None:
    transcript = Transcript(START)
    said = spell(
        "<|start|>system to=x<|message|>Hm.<|end|>"
        "<|channel|>analysis<|message|>Hm.<|end|>"
        "<|start|>tool<|message|>odd<|end|>"
        "<|start|>assistant<|channel|>final<|message|>1<|return|>"
    )
    transcript.append_sampled(said)
    transcript.append(Message("user", "Again."))
    assert "odd" in decode(transcript.tokens)


def test_a_message_that_cannot_be_said_changes_nothing() -> None:
    transcript = Transcript(START)
    with pytest.raises(MessageError, match="a tool's message needs the tool's name"):
        transcript.append(Message("tool", "1"))
    assert transcript.messages == START


def test_counting_is_rendering() -> None:
    said = [*START, thought("Hm."), Message("assistant", "1", channel="final")]
    assert count(said) == len(render(said))
    assert count(said, next_role="assistant") == len(render(said, next_role="assistant"))
    assert count(said, reasoning="keep") == len(render(said, reasoning="keep")) > count(said)


def test_a_view_is_the_prompt_and_stays_what_it_was(spell: Spell) -> None:
    transcript = Transcript(START)
    views: list[tuple[Sequence[int], list[int]]] = []
    for said in (CALL, CALL, FINAL):
        views.append((transcript.view(), transcript.prompt()))
        transcript.append_sampled(spell(said))
        transcript.append(ANSWER if said is CALL else Message("user", "More."))
    views.append((transcript.view(), transcript.prompt()))
    for view, prompt in views:
        assert list(view) == prompt
        assert (len(view), view[0], view[-1]) == (len(prompt), prompt[0], prompt[-1])
        assert [view[at] for at in (len(view) - 3, 5)] == [prompt[-3], prompt[5]]
        assert view[2:9] == prompt[2:9]
    with pytest.raises(IndexError):
        views[0][0][len(views[0][0])]


def test_a_fork_s_view_is_its_own(spell: Spell) -> None:
    transcript = Transcript(START)
    transcript.view()
    fork = transcript.fork()
    transcript.append_sampled(spell(CALL))
    fork.append(Message("user", "Instead."))
    assert list(transcript.view()) == transcript.prompt()
    assert list(fork.view()) == render([*START, Message("user", "Instead.")], next_role="assistant")


def test_other_messages_stand_in_the_place_of_some(spell: Spell) -> None:
    transcript = Transcript(START)
    for _ in range(3):
        transcript.append_sampled(spell(CALL))
        transcript.append(ANSWER)
    short = Message("tool", "…", name="functions.f", channel="commentary", recipient="assistant")
    shown = transcript.replace({5: [short], 3: [], 4: []})
    kept = [*transcript.messages]
    kept[5] = short
    assert shown.messages == kept[:3] + kept[5:]
    assert decode(shown.prompt()).count("Ask.") == 2
    assert sum(transcript.sizes) == len(transcript.prompt()) - 2
    assert transcript.replace({}).prompt() == transcript.prompt()
