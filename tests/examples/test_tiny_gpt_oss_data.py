from __future__ import annotations

from random import Random

import pytest

from examples.tiny_gpt_oss.setting import PYTHON_DESCRIPTION, Form, Offer, random_form
from examples.tiny_gpt_oss.tasks import (
    GIVEN_UP,
    Family,
    Manner,
    Step,
    Task,
    failing,
    make_task,
)
from examples.tiny_gpt_oss.transcripts import (
    Recipe,
    answer_message,
    call_message,
    finished,
    make_batch,
    sample,
)
from examples.tiny_gpt_oss.vocabulary import Vocabulary, known_tokens
from ossia.harmony import Message, decode, encode, parse
from ossia.harmony.format import special
from ossia.harmony.rendering import render
from ossia.tools import PythonTool

FAMILIES: tuple[Family, ...] = ("sum", "two sums", "weather", "talk")


@pytest.fixture(scope="module")
def load_vocabulary() -> Vocabulary:
    return Vocabulary(known_tokens())


def turns(task: Task) -> list[list[int]]:
    """What the model would sample, turn by turn."""
    one = sample(task)
    found: list[list[int]] = [[]]
    for token, learned in zip(one.tokens, one.learned, strict=True):
        if learned:
            found[-1].append(token)
        elif found[-1]:
            found.append([])
    return found


@pytest.mark.parametrize("family", FAMILIES)
def test_what_is_learned_is_what_the_format_says(family: Family) -> None:
    for seed in range(50):
        task = make_task(Random(seed), family, Manner(style="noisy"))
        *calls, last = turns(task)
        assert len(calls) == len(task.steps)
        for step, tokens in zip(task.steps, calls, strict=True):
            thought = Message("assistant", step.thought, channel="analysis")
            assert parse(tokens, strict=True) == [thought, call_message(step)]
            assert tokens[-1] == special.CALL
        assert parse(last, strict=True) == [Message("assistant", task.final, channel="final")]
        assert last[-1] == special.RETURN


def test_a_sample_is_a_run_as_the_engine_sees_it() -> None:
    step = Step("Use python.", "python", "print(2 + 3)", "5\n")
    task = Task("What is 2 + 3?", (step,), "2 + 3 = 5", {})
    one = sample(task)
    assert decode(one.tokens) == (
        "<|start|>user<|message|>What is 2 + 3?<|end|>"
        "<|start|>assistant<|channel|>analysis<|message|>Use python.<|end|>"
        "<|start|>assistant<|channel|>analysis to=python code<|message|>print(2 + 3)<|call|>"
        "<|start|>python to=assistant<|channel|>analysis<|message|>5\n<|end|>"
        "<|start|>assistant<|channel|>final<|message|>2 + 3 = 5<|return|>"
    )
    assert decode([t for t, told in zip(one.tokens, one.learned, strict=True) if not told]) == (
        "<|start|>user<|message|>What is 2 + 3?<|end|><|start|>assistant"
        "<|start|>python to=assistant<|channel|>analysis<|message|>5\n<|end|><|start|>assistant"
    )


def test_later_prompts_hold_a_task_sampled_or_rendered() -> None:
    task = make_task(Random(1), "weather", Manner())
    (step,) = task.steps
    final = Message("assistant", task.final, channel="final")
    rendered = render([Message("user", task.user), call_message(step), answer_message(step), final])
    rng = Random(2)
    seen = {tuple(finished(rng, task)) for _ in range(50)}
    assert tuple(rendered) in seen
    assert (*sample(task).tokens[:-1], special.END) in seen
    assert len(seen) == 3, "the third has its reasoning, and its call in the renderer's order"


@pytest.mark.parametrize("family", FAMILIES)
def test_what_is_held_out_is_never_trained_on(family: Family) -> None:
    def drawn(manner: Manner) -> set[str]:
        rng = Random(3)
        tasks = [make_task(rng, family, manner) for _ in range(3000)]
        return {task.steps[0].call if task.steps else task.user for task in tasks}

    assert not drawn(Manner("train")) & drawn(Manner("heldout"))


def test_training_results_are_often_no_results() -> None:
    rng = Random(4)
    tasks = [make_task(rng, "sum", Manner("train")) for _ in range(1000)]
    wrong = [task for task in tasks if str(eval(task.steps[0].call[6:-1])) != task.facts["result"]]
    assert 250 < len(wrong) < 500
    for task in wrong:
        assert task.final.endswith(f"= {task.facts['result']}"), "the answer copies the tool"


def test_a_failed_call_is_made_again_and_after_the_second_time_never() -> None:
    task = make_task(Random(5), "sum", Manner())
    (step,) = task.steps
    once, twice = failing(Random(6), task, 1), failing(Random(6), task, 2)
    assert [one.call for one in once.steps] == [step.call] * 2
    assert once.steps[1].answer == step.answer
    assert once.final == task.final
    assert [one.call for one in twice.steps] == [step.call] * 2
    assert step.answer not in {one.answer for one in twice.steps}
    assert twice.final == GIVEN_UP


def test_a_form_asks_for_facts_by_the_schemas_keys() -> None:
    task = make_task(Random(7), "sum", Manner("heldout"))
    form = Form((("value", "result"), ("expression", "expression")))
    facts = task.facts
    assert form.final(task) == f'{{"value":{facts["result"]},"expression":{facts["expression"]}}}'
    batch = make_batch(Random(8), Recipe(1, "heldout", "plain"), Offer(form=form))
    shown = decode(batch.prefix)
    assert "# Response Formats" in shown
    assert shown.index('"value"') < shown.index('"expression"')


def test_the_python_tool_is_described_as_ossia_describes_it() -> None:
    assert PythonTool().namespace.description == PYTHON_DESCRIPTION


def test_every_token_to_be_learned_is_in_the_vocabulary(vocabulary: Vocabulary) -> None:
    rng = Random(9)
    for _ in range(60):
        for one in make_batch(rng, Recipe(32, None, "noisy")).samples:
            for token, learned in zip(one.tokens, one.learned, strict=True):
                assert not learned or vocabulary.index(token) != vocabulary.unknown, decode([token])


def test_the_vocabulary_is_small_and_knows_all_numbers(vocabulary: Vocabulary) -> None:
    assert len(vocabulary) < 2500
    for number in (0, 7, 42, 999):
        (token,) = encode(str(number))
        assert vocabulary.index(token) in vocabulary.numbers
    (word,) = encode("Quixote")[:1]
    assert vocabulary.index(word) == vocabulary.unknown


def test_the_same_seed_makes_the_same_batch() -> None:
    one, two = (make_batch(Random(10), Recipe(8, history=2)) for _ in range(2))
    assert one == two


def test_forms_are_for_sums_or_for_weather() -> None:
    rng = Random(11)
    for weather in (False, True):
        facts = {"city", "temperature", "sky"} if weather else {"expression", "result"}
        for _ in range(50):
            keys = random_form(rng, weather).keys
            assert keys
            assert {fact for _, fact in keys} <= facts
