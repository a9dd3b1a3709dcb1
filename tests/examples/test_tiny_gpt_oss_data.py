from __future__ import annotations

from random import Random

import pytest

from examples.tiny_gpt_oss.data.prompts import (
    PYTHON_DESCRIPTION,
    OutputFormat,
    PromptOptions,
    random_output_format,
)
from examples.tiny_gpt_oss.data.tasks import (
    GAVE_UP,
    Family,
    Step,
    Task,
    TaskOptions,
    make_task,
    with_failures,
)
from examples.tiny_gpt_oss.data.transcripts import (
    BatchOptions,
    call_message,
    history_tokens,
    make_batch,
    make_sample,
    result_message,
)
from examples.tiny_gpt_oss.data.vocabulary import Vocabulary, known_tokens
from ossia.harmony import Message, decode, encode, parse
from ossia.harmony.format import special
from ossia.harmony.rendering import render
from ossia.tools import PythonTool

FAMILIES: tuple[Family, ...] = ("sum", "two sums", "weather", "talk")


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    return Vocabulary(known_tokens())


def turns(task: Task) -> list[list[int]]:
    """Return the tokens that the model samples in each turn."""
    sample = make_sample(task)
    found: list[list[int]] = [[]]
    for token, sampled in zip(sample.tokens, sample.loss_mask, strict=True):
        if sampled:
            found[-1].append(token)
        elif found[-1]:
            found.append([])
    return found


@pytest.mark.parametrize("family", FAMILIES)
def test_the_loss_mask_selects_valid_harmony_turns(family: Family) -> None:
    for seed in range(50):
        task = make_task(Random(seed), family, TaskOptions(style="noisy"))
        *calls, last = turns(task)
        assert len(calls) == len(task.steps)
        for step, tokens in zip(task.steps, calls, strict=True):
            reasoning = Message("assistant", step.reasoning, channel="analysis")
            assert parse(tokens, strict=True) == [reasoning, call_message(step)]
            assert tokens[-1] == special.CALL
        assert parse(last, strict=True) == [Message("assistant", task.final, channel="final")]
        assert last[-1] == special.RETURN


def test_a_sample_has_the_tokens_of_a_run() -> None:
    step = Step("Use python.", "python", "print(2 + 3)", "5\n")
    task = Task("What is 2 + 3?", (step,), "2 + 3 = 5", {})
    sample = make_sample(task)
    assert decode(sample.tokens) == (
        "<|start|>user<|message|>What is 2 + 3?<|end|>"
        "<|start|>assistant<|channel|>analysis<|message|>Use python.<|end|>"
        "<|start|>assistant<|channel|>analysis to=python code<|message|>print(2 + 3)<|call|>"
        "<|start|>python to=assistant<|channel|>analysis<|message|>5\n<|end|>"
        "<|start|>assistant<|channel|>final<|message|>2 + 3 = 5<|return|>"
    )
    pairs = zip(sample.tokens, sample.loss_mask, strict=True)
    assert decode([token for token, sampled in pairs if not sampled]) == (
        "<|start|>user<|message|>What is 2 + 3?<|end|><|start|>assistant"
        "<|start|>python to=assistant<|channel|>analysis<|message|>5\n<|end|><|start|>assistant"
    )


def test_later_prompts_contain_a_task_as_sampled_or_as_rendered() -> None:
    task = make_task(Random(1), "weather", TaskOptions())
    (step,) = task.steps
    final = Message("assistant", task.final, channel="final")
    rendered = render([Message("user", task.user), call_message(step), result_message(step), final])
    rng = Random(2)
    seen = {tuple(history_tokens(rng, task)) for _ in range(50)}
    assert tuple(rendered) in seen
    assert (*make_sample(task).tokens[:-1], special.END) in seen
    assert len(seen) == 3, "the third has reasoning, and a call with a rendered header"


@pytest.mark.parametrize("family", FAMILIES)
def test_training_never_includes_held_out_tasks(family: Family) -> None:
    def random_tasks(options: TaskOptions) -> set[str]:
        rng = Random(3)
        tasks = [make_task(rng, family, options) for _ in range(3000)]
        return {task.steps[0].call if task.steps else task.user for task in tasks}

    assert not random_tasks(TaskOptions("train")) & random_tasks(TaskOptions("heldout"))


def test_many_training_results_are_wrong() -> None:
    rng = Random(4)
    tasks = [make_task(rng, "sum", TaskOptions("train")) for _ in range(1000)]
    wrong = [task for task in tasks if str(eval(task.steps[0].call[6:-1])) != task.facts["result"]]
    assert 250 < len(wrong) < 500
    for task in wrong:
        assert task.final.endswith(f"= {task.facts['result']}"), "the answer copies the tool"


def test_a_failed_call_is_repeated_once() -> None:
    task = make_task(Random(5), "sum", TaskOptions())
    (call,) = task.steps
    once, twice = with_failures(Random(6), task, 1), with_failures(Random(6), task, 2)
    assert [step.call for step in once.steps] == [call.call] * 2
    assert once.steps[1].result == call.result
    assert once.final == task.final
    assert [step.call for step in twice.steps] == [call.call] * 2
    assert call.result not in {step.result for step in twice.steps}
    assert twice.final == GAVE_UP


def test_a_json_answer_has_the_keys_of_the_schema() -> None:
    task = make_task(Random(7), "sum", TaskOptions("heldout"))
    output_format = OutputFormat((("value", "result"), ("expression", "expression")))
    facts = task.facts
    assert (
        output_format.render(task)
        == f'{{"value":{facts["result"]},"expression":{facts["expression"]}}}'
    )
    batch = make_batch(
        Random(8), BatchOptions(1, "heldout", "plain"), PromptOptions(output_format=output_format)
    )
    prompt = decode(batch.prefix)
    assert "# Response Formats" in prompt
    assert prompt.index('"value"') < prompt.index('"expression"')


def test_the_python_description_equals_that_of_the_tool() -> None:
    assert PythonTool().namespace.description == PYTHON_DESCRIPTION


def test_the_vocabulary_has_every_token_of_the_loss(vocabulary: Vocabulary) -> None:
    rng = Random(9)
    for _ in range(60):
        for sample in make_batch(rng, BatchOptions(32, None, "noisy")).samples:
            for token, sampled in zip(sample.tokens, sample.loss_mask, strict=True):
                assert not sampled or vocabulary.index(token) != vocabulary.unknown, decode([token])


def test_the_vocabulary_is_small_and_has_all_numbers(vocabulary: Vocabulary) -> None:
    assert len(vocabulary) < 2500
    for number in (0, 7, 42, 999):
        (token,) = encode(str(number))
        assert vocabulary.index(token) in vocabulary.numbers
    (word,) = encode("Quixote")[:1]
    assert vocabulary.index(word) == vocabulary.unknown


def test_the_same_seed_makes_the_same_batch() -> None:
    first, second = (make_batch(Random(10), BatchOptions(8, history=2)) for _ in range(2))
    assert first == second


def test_output_formats_are_for_sums_or_for_weather() -> None:
    rng = Random(11)
    for weather in (False, True):
        facts = {"city", "temperature", "sky"} if weather else {"expression", "result"}
        for _ in range(50):
            keys = random_output_format(rng, weather).keys
            assert keys
            assert {fact for _, fact in keys} <= facts
