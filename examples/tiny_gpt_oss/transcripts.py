"""Transcripts as tokens, in batches whose samples share all that stands before their task."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from random import Random

from ossia.harmony import Message, encode, render, special

from .setting import Form, Offer, random_form, setting
from .tasks import (
    Effort,
    Family,
    Manner,
    Split,
    Step,
    Task,
    failing,
    make_task,
)
from .wording import Style

CODE, JSON = "code", "<|constrain|>json"


@dataclass(slots=True)
class Sample:
    """Tokens, and which of them the model has to learn: those it would have sampled."""

    tokens: list[int] = field(default_factory=list[int])
    learned: list[bool] = field(default_factory=list[bool])

    def add(self, tokens: list[int], *, learned: bool) -> None:
        """Append tokens."""
        self.tokens += tokens
        self.learned += [learned] * len(tokens)


@dataclass(frozen=True, slots=True)
class Batch:
    """Samples, and the tokens that stand before each of them."""

    prefix: list[int]
    samples: list[Sample]


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a batch is made of."""

    samples: int = 64
    split: Split | None = "train"
    style: Style = "noisy"
    history: int = 0
    """Finished tasks that stand before the samples, as far as `room` allows."""
    room: int = 1400
    """Tokens of the prefix at the most."""
    bare: bool = False
    """The system message says how hard to think, and nothing else."""


def make_batch(
    rng: Random, recipe: Recipe, offer: Offer | None = None, kinds: Random | None = None
) -> Batch:
    """A random batch.

    kinds: decides what the tasks are about; batches of the same kinds are of about the same length.
    """
    kinds = kinds or rng
    offer = offer or random_offer(kinds)
    effort: Effort = kinds.choice(["low", "medium", "high"])
    manner = Manner(recipe.split, recipe.style, effort)
    prefix = before(rng, offer, effort, recipe, Random(kinds.random()))
    samples: list[Sample] = []
    for _ in range(recipe.samples):
        task = random_task(rng, offer, manner, kinds)
        samples.append(sample(task, rendered_calls=rng.random() < 0.1))
    return Batch(prefix, samples)


def random_offer(rng: Random) -> Offer:
    """Python alone, get_weather alone, or both; one time in eight the answer has to be JSON."""
    python, weather = rng.choice([(True, False)] * 2 + [(True, True)] * 3 + [(False, True)])
    if rng.random() < 0.125:
        about_weather = weather and (not python or rng.random() < 0.4)
        return Offer(python, weather, random_form(rng, about_weather))
    return Offer(python, weather)


def random_task(rng: Random, offer: Offer, manner: Manner, kinds: Random) -> Task:
    """A task that the offer allows, some with failing calls."""
    if offer.form:
        return formed_task(rng, offer.form, manner)
    family = kinds.choice(families(offer))
    task = make_task(rng, family, manner)
    if family in {"sum", "weather"} and kinds.random() < 0.28:
        return failing(rng, task, 1 if kinds.random() < 0.75 else 2)
    return task


def formed_task(rng: Random, form: Form, manner: Manner) -> Task:
    """A task whose answer is JSON."""
    about_sums = form.keys[0][1] in {"expression", "result"}
    task = make_task(rng, "sum" if about_sums else "weather", manner)
    task = replace(task, final=form.final(task))
    return failing(rng, task, 1) if rng.random() < 0.1 else task


def families(offer: Offer) -> list[Family]:
    """The families that an offer allows, each as often as it is drawn."""
    weights: dict[Family, int] = {"talk": 3}
    if offer.python:
        weights |= {"sum": 6, "two sums": 10}
    if offer.weather:
        weights |= {"weather": 5}
    return [family for family, weight in weights.items() for _ in range(weight)]


def before(rng: Random, offer: Offer, effort: Effort, recipe: Recipe, kinds: Random) -> list[int]:
    """System message, developer message, finished tasks."""
    if recipe.bare:
        tokens = render([Message("system", f"Reasoning: {effort}\n\n")])
    else:
        tokens = render(setting(rng, offer, effort, noisy=recipe.style == "noisy"))
    manner = Manner(None, recipe.style, effort)
    for _ in range(recipe.history):
        turn = finished(rng, random_task(rng, offer, manner, kinds))
        if len(tokens) + len(turn) > recipe.room:
            break
        tokens += turn
    return tokens


def sample(task: Task, *, rendered_calls: bool = False) -> Sample:
    """The task as a run sees it, from the user's message on.

    rendered_calls: the calls stand in the order of the renderer, recipient first, which the model
    meets in conversations that came from elsewhere; it does not learn to write them so.
    """
    out = Sample()
    opening = render([], next_role="assistant")
    out.add(render([Message("user", task.user)]) + opening, learned=False)
    for step in task.steps:
        thought, call = step_tokens(step)
        out.add(thought, learned=True)
        if rendered_calls:
            out.add(render([call_message(step)])[len(opening) :], learned=False)
        else:
            out.add(call, learned=True)
        out.add(render([answer_message(step)]) + opening, learned=False)
    out.add([special.CHANNEL, *encode("final"), special.MESSAGE], learned=True)
    out.add([*encode(task.final), special.RETURN], learned=True)
    return out


def finished(rng: Random, task: Task) -> list[int]:
    """The task as it stands in later prompts: as it was sampled, or without its reasoning."""
    if rng.random() < 0.5:
        *tokens, _ = sample(task, rendered_calls=rng.random() < 0.5).tokens
        return [*tokens, special.END]
    return render(messages(task))


def messages(task: Task) -> list[Message]:
    """A finished task, without its reasoning."""
    told = [Message("user", task.user)]
    for step in task.steps:
        told += [call_message(step), answer_message(step)]
    return [*told, Message("assistant", task.final, channel="final")]


def step_tokens(step: Step) -> tuple[list[int], list[int]]:
    """A step as gpt-oss samples it: the thought with the next opening, and the call.

    The model names the recipient behind the channel, where the renderer names it behind the role.
    """
    thought = [special.CHANNEL, *encode("analysis"), special.MESSAGE, *encode(step.thought)]
    thought += [special.END, *render([], next_role="assistant")]
    message = call_message(step)
    call = [special.CHANNEL, *encode(f"{message.channel} to={step.recipient} ")]
    if message.content_type == JSON:
        call += [special.CONSTRAIN, *encode("json")]
    else:
        call = [special.CHANNEL, *encode(f"{message.channel} to={step.recipient} {CODE}")]
    return thought, [*call, special.MESSAGE, *encode(step.call), special.CALL]


def call_message(step: Step) -> Message:
    """The call of a step."""
    python = step.recipient == "python"
    return Message(
        "assistant",
        step.call,
        channel="analysis" if python else "commentary",
        recipient=step.recipient,
        content_type=CODE if python else JSON,
    )


def answer_message(step: Step) -> Message:
    """What the tool says."""
    channel = "analysis" if step.recipient == "python" else "commentary"
    return Message("tool", step.answer, name=step.recipient, channel=channel, recipient="assistant")
