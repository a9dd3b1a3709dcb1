"""Training transcripts as tokens, in batches of samples with a shared prefix."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from random import Random

from ossia.harmony import Message, encode, render, special

from .prompts import OutputFormat, PromptOptions, prompt_messages, random_output_format
from .questions import Style
from .tasks import (
    Effort,
    Family,
    Split,
    Step,
    Task,
    TaskOptions,
    make_task,
    with_failures,
)

CODE, JSON = "code", "<|constrain|>json"


@dataclass(slots=True)
class Sample:
    """The tokens of a task, and a loss mask that selects those that the model samples."""

    tokens: list[int] = field(default_factory=list[int])
    loss_mask: list[bool] = field(default_factory=list[bool])

    def add(self, tokens: list[int], *, sampled: bool) -> None:
        """Append tokens."""
        self.tokens += tokens
        self.loss_mask += [sampled] * len(tokens)


@dataclass(frozen=True, slots=True)
class Batch:
    """Samples, and the tokens before each of them."""

    prefix: list[int]
    samples: list[Sample]


@dataclass(frozen=True, slots=True)
class BatchOptions:
    """The kind of batch to make."""

    samples: int = 64
    split: Split | None = "train"
    style: Style = "noisy"
    history: int = 0
    """Finished tasks in the prefix, as far as `max_prefix_tokens` allows."""
    max_prefix_tokens: int = 1400
    bare: bool = False
    """Whether the system message consists of the reasoning effort alone."""


def make_batch(
    rng: Random,
    options: BatchOptions,
    prompt: PromptOptions | None = None,
    kind_rng: Random | None = None,
) -> Batch:
    """Return a random batch.

    kind_rng: chooses the kinds of tasks. Batches of the same kinds have about the same length.
    """
    kind_rng = kind_rng or rng
    prompt = prompt or random_prompt_options(kind_rng)
    effort: Effort = kind_rng.choice(["low", "medium", "high"])
    task_options = TaskOptions(options.split, options.style, effort)
    prefix = prefix_tokens(rng, prompt, effort, options, Random(kind_rng.random()))
    samples: list[Sample] = []
    for _ in range(options.samples):
        task = random_task(rng, prompt, task_options, kind_rng)
        samples.append(make_sample(task, rendered_calls=rng.random() < 0.1))
    return Batch(prefix, samples)


def random_prompt_options(rng: Random) -> PromptOptions:
    """Return options with python, get_weather or both; one in eight asks for a JSON answer."""
    python, weather = rng.choice([(True, False)] * 2 + [(True, True)] * 3 + [(False, True)])
    if rng.random() < 0.125:
        for_weather = weather and (not python or rng.random() < 0.4)
        return PromptOptions(python, weather, random_output_format(rng, for_weather))
    return PromptOptions(python, weather)


def random_task(rng: Random, prompt: PromptOptions, options: TaskOptions, kind_rng: Random) -> Task:
    """Return a task for the tools of the prompt, sometimes with calls that fail."""
    if prompt.output_format:
        return json_task(rng, prompt.output_format, options)
    family = kind_rng.choice(weighted_families(prompt))
    task = make_task(rng, family, options)
    if family in {"sum", "weather"} and kind_rng.random() < 0.28:
        return with_failures(rng, task, 1 if kind_rng.random() < 0.75 else 2)
    return task


def json_task(rng: Random, output_format: OutputFormat, options: TaskOptions) -> Task:
    """Return a task whose answer is JSON."""
    is_sum = output_format.keys[0][1] in {"expression", "result"}
    task = make_task(rng, "sum" if is_sum else "weather", options)
    task = replace(task, final=output_format.render(task))
    return with_failures(rng, task, 1) if rng.random() < 0.1 else task


def weighted_families(prompt: PromptOptions) -> list[Family]:
    """Return the families for the tools of the prompt, each as often as its weight."""
    weights: dict[Family, int] = {"talk": 3}
    if prompt.python:
        weights |= {"sum": 6, "two sums": 10}
    if prompt.weather:
        weights |= {"weather": 5}
    return [family for family, weight in weights.items() for _ in range(weight)]


def prefix_tokens(
    rng: Random, prompt: PromptOptions, effort: Effort, options: BatchOptions, kind_rng: Random
) -> list[int]:
    """Return the system message, the developer message and finished tasks as tokens."""
    if options.bare:
        tokens = render([Message("system", f"Reasoning: {effort}\n\n")])
    else:
        tokens = render(prompt_messages(rng, prompt, effort, noisy=options.style == "noisy"))
    task_options = TaskOptions(None, options.style, effort)
    for _ in range(options.history):
        earlier = history_tokens(rng, random_task(rng, prompt, task_options, kind_rng))
        if len(tokens) + len(earlier) > options.max_prefix_tokens:
            break
        tokens += earlier
    return tokens


def make_sample(task: Task, *, rendered_calls: bool = False) -> Sample:
    """Return a task as the tokens of a run, from the user's message on.

    rendered_calls: write the headers of calls as the renderer does, with the recipient first. The
        model reads such headers in conversations from elsewhere, but does not learn to write them.
    """
    sample = Sample()
    prefix = render([], next_role="assistant")
    sample.add(render([Message("user", task.user)]) + prefix, sampled=False)
    for step in task.steps:
        reasoning, call = turn_tokens(step)
        sample.add(reasoning, sampled=True)
        if rendered_calls:
            sample.add(render([call_message(step)])[len(prefix) :], sampled=False)
        else:
            sample.add(call, sampled=True)
        sample.add(render([result_message(step)]) + prefix, sampled=False)
    sample.add([special.CHANNEL, *encode("final"), special.MESSAGE], sampled=True)
    sample.add([*encode(task.final), special.RETURN], sampled=True)
    return sample


def history_tokens(rng: Random, task: Task) -> list[int]:
    """Return a finished task as it is in later prompts: as sampled, or without its reasoning."""
    if rng.random() < 0.5:
        *tokens, _ = make_sample(task, rendered_calls=rng.random() < 0.5).tokens
        return [*tokens, special.END]
    return render(task_messages(task))


def task_messages(task: Task) -> list[Message]:
    """Return the messages of a finished task, without its reasoning."""
    messages = [Message("user", task.user)]
    for step in task.steps:
        messages += [call_message(step), result_message(step)]
    return [*messages, Message("assistant", task.final, channel="final")]


def turn_tokens(step: Step) -> tuple[list[int], list[int]]:
    """Return a turn as gpt-oss samples it: the reasoning with the next prefix, and the call.

    The model writes the recipient after the channel; the renderer writes it after the role.
    """
    reasoning = [special.CHANNEL, *encode("analysis"), special.MESSAGE, *encode(step.reasoning)]
    reasoning += [special.END, *render([], next_role="assistant")]
    message = call_message(step)
    header = f"{message.channel} to={step.recipient} "
    if message.content_type == JSON:
        call = [special.CHANNEL, *encode(header), special.CONSTRAIN, *encode("json")]
    else:
        call = [special.CHANNEL, *encode(header + CODE)]
    return reasoning, [*call, special.MESSAGE, *encode(step.call), special.CALL]


def call_message(step: Step) -> Message:
    """Return the tool call of a step."""
    python = step.recipient == "python"
    return Message(
        "assistant",
        step.call,
        channel="analysis" if python else "commentary",
        recipient=step.recipient,
        content_type=CODE if python else JSON,
    )


def result_message(step: Step) -> Message:
    """Return the tool result of a step."""
    channel = "analysis" if step.recipient == "python" else "commentary"
    return Message("tool", step.result, name=step.recipient, channel=channel, recipient="assistant")
