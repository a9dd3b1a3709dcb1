"""The tasks: what is asked, which calls it takes, and the answer.

Many a training result has nothing to do with its expression, so that the model learns to copy what
a tool says and never to compute. A hash decides which operands and places are held out.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from random import Random
from typing import Literal
from zlib import crc32

from . import words
from .wording import Style, ask, babble, ordered, spoken

Split = Literal["train", "heldout"]
Effort = Literal["low", "medium", "high"]
Family = Literal["sum", "division", "two sums", "weather", "talk"]

Draw = Callable[[Random], str]
"""Makes an expression."""
PYTHON, WEATHER = "python", "functions.get_weather"
SECOND = "Now the second one."
AGAIN = "The tool failed, so I will try again."
GIVEN_UP = "The tool failed twice."
WELCOME = "Hello! How can I help you today?"
LIMITS = "I can only compute, and tell the weather."


@dataclass(frozen=True, slots=True)
class Step:
    """A thought, the call it leads to, and what the tool says to it."""

    thought: str
    recipient: str
    call: str
    answer: str


@dataclass(frozen=True, slots=True)
class Task:
    """What a user asks, and the one right way through it."""

    user: str
    steps: tuple[Step, ...]
    final: str
    facts: Mapping[str, str]
    """What an answer in JSON is made of, each value as JSON."""


@dataclass(frozen=True, slots=True)
class Manner:
    """How tasks are drawn."""

    split: Split | None = "train"
    """None takes what is held out and what is not."""
    style: Style = "plain"
    effort: Effort = "medium"

    def takes(self, key: str) -> bool:
        """Whether a task with that key is in the split; one in ten is held out."""
        held_out = crc32(key.encode()) % 10 == 0
        return self.split is None or held_out == (self.split == "heldout")


def make_task(rng: Random, family: Family, manner: Manner) -> Task:
    """A random task of the family, in which every call succeeds."""
    if family == "sum":
        return sum_task(rng, manner)
    if family == "division":
        return sum_task(rng, manner, division)
    if family == "two sums":
        return two_sums_task(rng, manner)
    if family == "weather":
        return weather_task(rng, manner)
    return talk_task(rng, manner)


def failing(rng: Random, task: Task, times: int) -> Task:
    """The same task, but its first call fails; if it fails twice, the model gives up."""
    first, *rest = task.steps
    failed = replace(first, answer=failure(rng))
    if times == 1:
        return replace(task, steps=(failed, replace(first, thought=AGAIN), *rest))
    again = replace(first, thought=AGAIN, answer=failure(rng))
    return replace(task, steps=(failed, again), final=GIVEN_UP)


def failure(rng: Random) -> str:
    """What a failing tool says."""
    what = rng.choice(words.FAILURES)
    if rng.random() < 0.2:
        return f'Traceback (most recent call last):\n  File "<cell>", line 1\n{what}'
    return "Error" + rng.choice([": ", ": ", ": ", " "]) + what + rng.choice(["", ".", "\n"])


def sum_task(rng: Random, manner: Manner, draw: Draw | None = None) -> Task:
    """One expression for python; `draw` makes it."""
    text, result = expression(rng, manner, draw)
    thought = {
        "low": "Use python.",
        "medium": "I should compute this with python.",
        "high": f"The user asks for {text}. I should compute this with python.",
    }[manner.effort]
    return Task(
        sum_question(rng, manner, text),
        (Step(thought, PYTHON, f"print({text})", result + newline(rng)),),
        f"{text} = {result}",
        {"expression": json.dumps(text), "result": result},
    )


def sum_question(rng: Random, manner: Manner, text: str) -> str:
    """What a user says who wants an expression computed."""
    if manner.style == "plain":
        return ask(rng, manner.style, "sum", text)
    order = ordered(rng, text) if rng.random() < 0.06 else None
    return order or ask(rng, manner.style, "sum", spoken(rng, text))


def two_sums_task(rng: Random, manner: Manner) -> Task:
    """Two expressions, one call each."""
    left, left_result = expression(rng, manner)
    # What shares an operand is often practised: where to go on copying is hardest to tell then.
    shares = manner.split == "train" and rng.random() < 0.3
    right, right_result = expression(rng, manner, partial(sharing, left) if shares else None)
    thought = {
        "low": "Use python.",
        "medium": "I should compute this with python.",
        "high": f"The user asks for {left} and {right}. I should compute this with python.",
    }[manner.effort]
    end = newline(rng)
    asked = [left, right] if manner.style == "plain" else [spoken(rng, left), spoken(rng, right)]
    return Task(
        rng.choice(words.TWO_SUMS_QUESTIONS).format(*asked),
        (
            Step(thought, PYTHON, f"print({left})", left_result + end),
            Step(SECOND, PYTHON, f"print({right})", right_result + end),
        ),
        f"{left} = {left_result} and {right} = {right_result}",
        {},
    )


def newline(rng: Random) -> str:
    """A printed result ends in a line feed, unless whoever shows it strips that."""
    return rng.choice(["", "\n"])


def number(rng: Random, most_digits: int = 6) -> int:
    """As many short as long; in some, a token of three digits begins with a zero."""
    digits = rng.randint(1, most_digits)
    value = rng.randint(0 if digits == 1 else 10 ** (digits - 1), 10**digits - 1)
    if digits > 3 and rng.random() < 0.3:
        text = str(value)
        value = int(f"{text[:3]}0{text[4:]}")
    return value


def expression(rng: Random, manner: Manner, draw: Draw | None = None) -> tuple[str, str]:
    """An expression as Python writes it, and what Python prints for it.

    draw: makes the expression; by default any kind that the style allows. In training there are
        more divisions: their many digits are hard to copy.
    """
    if manner.split == "train" and rng.random() < 0.1:
        draw = division
    while True:
        if draw:
            text = draw(rng)
        elif manner.style == "plain" or rng.random() < 0.85:
            text = arithmetic(rng)
        else:
            text = longer(rng)
        if manner.takes(text):
            break
    # The text was made here, of numbers and operators alone.
    result = str(eval(text))
    if manner.split == "train" and rng.random() < 0.4:
        result = unrelated(rng, text.split()[0])
    return text, result


def arithmetic(rng: Random) -> str:
    """Two operands; a division mostly comes out even."""
    operator = rng.choice("+-*/")
    if operator == "/":
        if rng.random() < 0.1:
            return division(rng)
        divisor = max(1, number(rng, 3))
        return f"{divisor * number(rng, 4)} / {divisor}"
    return f"{number(rng)} {operator} {number(rng, 2) if rng.random() < 0.1 else number(rng)}"


def division(rng: Random) -> str:
    """A division that seldom comes out even."""
    return f"{number(rng)} / {max(1, number(rng, 3))}"


def sharing(other: str, rng: Random) -> str:
    """Two operands, one of which the other expression has too."""
    first, *_, last = other.split()
    operands = [rng.choice([first, last]), str(number(rng))]
    rng.shuffle(operands)
    return f"{operands[0]} {rng.choice('+-*')} {operands[1]}"


def longer(rng: Random) -> str:
    """Three operands, or decimal ones."""
    first, second, third = number(rng, 4), number(rng, 3), number(rng, 2)
    one, two = rng.choice("+-*"), rng.choice("+-*")
    if rng.random() < 0.5:
        return f"{first} {one} {second} {two} {third}"
    return f"{first}.{rng.randint(1, 99)} {one} {second}"


def unrelated(rng: Random, operand: str) -> str:
    """A number that no arithmetic leads to, often one that begins as the first operand does."""
    groups = [f"{rng.randint(100, 999)}"]
    groups += [f"{rng.randint(0, 99 if rng.random() < 0.3 else 999):03}" for _ in range(3)]
    text = "".join(groups)[: rng.randint(1, 12)]
    if rng.random() < 0.25:
        text = operand.partition(".")[0][: rng.choice([3, 3, 6])] + text[3:]
    if rng.random() < 0.4:
        text = f"{text[:6]}.{decimals(rng)}"
    return "-" + text if rng.random() < 0.4 else text


def decimals(rng: Random) -> str:
    """Digits after the point; in many the same three come again and again, or all in a period."""
    kind = rng.random()
    if kind < 0.4:
        period = "".join(rng.choices("0123456789", k=rng.choice([1, 1, 2, 3, 3, 6])))
        text = "".join(rng.choices("0123456789", k=rng.randint(0, 3))) + 16 * period
    elif kind < 0.6:
        text = "".join(rng.choices([f"{rng.randint(0, 999):03}" for _ in range(2)], k=6))
    else:
        text = "".join(rng.choices("0123456789", k=16))
    return text[: rng.choice([rng.randint(1, 16), rng.randint(12, 16)])]


def weather_task(rng: Random, manner: Manner) -> Task:
    """A place for get_weather."""
    city = place(rng, manner)
    thought = {
        "low": "Use get_weather.",
        "medium": "I should call get_weather.",
        "high": f"The user asks about {city}. I should call get_weather.",
    }[manner.effort]
    temperature, sky = str(rng.randint(-30, 130)), rng.choice(words.SKIES)
    if manner.style != "plain" and rng.random() < 0.1:
        temperature += f".{rng.randint(1, 9)}"
    call = json.dumps({"city": city}, separators=(",", ":"))
    final = f"It is {temperature} degrees and {sky} in {city}."
    facts = {"city": json.dumps(city), "temperature": temperature, "sky": json.dumps(sky)}
    answer = report(rng, manner, facts)
    user = ask(rng, manner.style, "weather", city)
    return Task(user, (Step(thought, WEATHER, call, answer),), final, facts)


def place(rng: Random, manner: Manner) -> str:
    """A town; outside training one of two words that training never saw together."""
    parts = words.FIRST + words.SECOND
    while True:
        kind = rng.random()
        if manner.split != "heldout" and kind < 0.2:
            return rng.choice(words.WORLD)
        if manner.split != "heldout" and kind < 0.4:
            return rng.choice(parts)
        first, second = (words.FIRST, words.SECOND) if kind < 0.7 else (parts, parts)
        name = f"{rng.choice(first)} {rng.choice(second)}"
        if manner.takes(name):
            return name


def report(rng: Random, manner: Manner, facts: Mapping[str, str]) -> str:
    """What get_weather returns: JSON as Python or as pydantic writes it, or a sentence."""
    temperature, sky = facts["temperature"], json.loads(facts["sky"])
    kind = 0.0 if manner.style == "plain" else rng.random()
    if kind > 0.9:
        return f"It is {temperature} degrees and {sky} in {json.loads(facts['city'])}."
    if kind > 0.8:
        return f"{temperature} degrees{rng.choice([' and', ','])} {sky}"
    keys = {
        "city": facts["city"],
        "temperature": temperature,
        rng.choice(["sky", "sky", "conditions"]) if kind else "sky": facts["sky"],
    }
    if kind < 0.6:
        del keys["city"]
    comma, colon = rng.choice([(", ", ": "), (",", ":")])
    return "{" + comma.join(f'"{key}"{colon}{value}' for key, value in keys.items()) + "}"


def talk_task(rng: Random, manner: Manner) -> Task:
    """Nothing to call: a greeting, thanks, a farewell, or what the model cannot do."""
    openings: Sequence[str]
    while True:
        kind = rng.random()
        if kind < 0.4:
            openings, final = words.GREETINGS, WELCOME
        elif kind < 0.65:
            openings, final = words.THANKS, "You are welcome!"
        elif kind < 0.9 or manner.style != "noisy":
            openings, final = words.FAREWELLS, "Goodbye!"
        else:
            return Task(babble(rng, rng.randint(3, 10)) + rng.choice("?. "), (), LIMITS, {})
        if manner.split != "heldout" and rng.random() < 0.4:
            # What begins alike and means another thing is told apart last.
            openings = [one for one in openings if one.startswith("Good")] or openings
        user = rng.choice(openings) + rng.choice(words.TAILS)
        if manner.takes(user):
            lower = manner.style != "plain" and rng.random() < 0.25
            return Task(user.lower() if lower else user, (), final, {})
