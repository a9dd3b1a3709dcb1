"""The tasks: the user's question, the tool calls it takes, and the answer.

Many tool results in training are unrelated to their expression, so that the model learns to copy
results and never to compute. A hash decides which operands and cities are held out.
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
from .questions import Style, as_command, as_typed, ask, random_words

Split = Literal["train", "heldout"]
Effort = Literal["low", "medium", "high"]
Family = Literal["sum", "division", "two sums", "weather", "talk"]

MakeExpression = Callable[[Random], str]
PYTHON, WEATHER = "python", "functions.get_weather"
SECOND = "Now the second one."
AGAIN = "The tool failed, so I will try again."
GAVE_UP = "The tool failed twice."
WELCOME = "Hello! How can I help you today?"
CANNOT_HELP = "I can only compute, and tell the weather."


@dataclass(frozen=True, slots=True)
class Step:
    """The reasoning of a turn, the tool call at its end, and the tool result."""

    reasoning: str
    recipient: str
    call: str
    result: str


@dataclass(frozen=True, slots=True)
class Task:
    """A user's message, and the only correct run that it leads to."""

    user: str
    steps: tuple[Step, ...]
    final: str
    facts: Mapping[str, str]
    """The values of a JSON answer, each as JSON."""


@dataclass(frozen=True, slots=True)
class TaskOptions:
    """The kind of tasks to make."""

    split: Split | None = "train"
    """None allows all tasks, held out or not."""
    style: Style = "plain"
    effort: Effort = "medium"

    def includes(self, key: str) -> bool:
        """Tell whether a task with this key is in the split; one in ten is held out."""
        held_out = crc32(key.encode()) % 10 == 0
        return self.split is None or held_out == (self.split == "heldout")


def make_task(rng: Random, family: Family, options: TaskOptions) -> Task:
    """Return a random task of the family, in which every call succeeds."""
    if family == "sum":
        return sum_task(rng, options)
    if family == "division":
        return sum_task(rng, options, division)
    if family == "two sums":
        return two_sums_task(rng, options)
    if family == "weather":
        return weather_task(rng, options)
    return talk_task(rng, options)


def with_failures(rng: Random, task: Task, times: int) -> Task:
    """Return the same task with a first call that fails; after two failures the model gives up."""
    first, *rest = task.steps
    failed = replace(first, result=failure_text(rng))
    if times == 1:
        return replace(task, steps=(failed, replace(first, reasoning=AGAIN), *rest))
    again = replace(first, reasoning=AGAIN, result=failure_text(rng))
    return replace(task, steps=(failed, again), final=GAVE_UP)


def failure_text(rng: Random) -> str:
    """Return the result of a call that fails."""
    message = rng.choice(words.FAILURES)
    if rng.random() < 0.2:
        return f'Traceback (most recent call last):\n  File "<cell>", line 1\n{message}'
    return "Error" + rng.choice([": ", ": ", ": ", " "]) + message + rng.choice(["", ".", "\n"])


def sum_task(rng: Random, options: TaskOptions, make: MakeExpression | None = None) -> Task:
    """Return a task with one expression for python."""
    text, result = expression(rng, options, make)
    reasoning = {
        "low": "Use python.",
        "medium": "I should compute this with python.",
        "high": f"The user asks for {text}. I should compute this with python.",
    }[options.effort]
    return Task(
        sum_question(rng, options, text),
        (Step(reasoning, PYTHON, f"print({text})", result + newline(rng)),),
        f"{text} = {result}",
        {"expression": json.dumps(text), "result": result},
    )


def sum_question(rng: Random, options: TaskOptions, text: str) -> str:
    """Return the question of a user who wants an expression computed."""
    if options.style == "plain":
        return ask(rng, options.style, "sum", text)
    command = as_command(rng, text) if rng.random() < 0.06 else None
    return command or ask(rng, options.style, "sum", as_typed(rng, text))


def two_sums_task(rng: Random, options: TaskOptions) -> Task:
    """Return a task with two expressions, one call each."""
    left, left_result = expression(rng, options)
    # Expressions that share an operand are frequent, because the place to copy from is ambiguous.
    shares = options.split == "train" and rng.random() < 0.3
    right, right_result = expression(
        rng, options, partial(with_operand_of, left) if shares else None
    )
    reasoning = {
        "low": "Use python.",
        "medium": "I should compute this with python.",
        "high": f"The user asks for {left} and {right}. I should compute this with python.",
    }[options.effort]
    end = newline(rng)
    expressions = (
        [left, right] if options.style == "plain" else [as_typed(rng, left), as_typed(rng, right)]
    )
    return Task(
        rng.choice(words.TWO_SUMS_QUESTIONS).format(*expressions),
        (
            Step(reasoning, PYTHON, f"print({left})", left_result + end),
            Step(SECOND, PYTHON, f"print({right})", right_result + end),
        ),
        f"{left} = {left_result} and {right} = {right_result}",
        {},
    )


def newline(rng: Random) -> str:
    """Return the end of a printed result: a line feed, or nothing if the tool strips it."""
    return rng.choice(["", "\n"])


def number(rng: Random, most_digits: int = 6) -> int:
    """Return a number of random length; sometimes its second token begins with a zero."""
    digits = rng.randint(1, most_digits)
    value = rng.randint(0 if digits == 1 else 10 ** (digits - 1), 10**digits - 1)
    if digits > 3 and rng.random() < 0.3:
        text = str(value)
        value = int(f"{text[:3]}0{text[4:]}")
    return value


def expression(
    rng: Random, options: TaskOptions, make: MakeExpression | None = None
) -> tuple[str, str]:
    """Return an expression as Python writes it, and the result that Python prints.

    make: makes the expression; by default any kind that the style allows. Training has more
        divisions, because their many digits are hard to copy.
    """
    if options.split == "train" and rng.random() < 0.1:
        make = division
    while True:
        if make:
            text = make(rng)
        elif options.style == "plain" or rng.random() < 0.85:
            text = arithmetic(rng)
        else:
            text = long_expression(rng)
        if options.includes(text):
            break
    # The text contains only numbers and operators of our own.
    result = str(eval(text))
    if options.split == "train" and rng.random() < 0.4:
        result = unrelated_number(rng, text.split()[0])
    return text, result


def arithmetic(rng: Random) -> str:
    """Return an expression of two operands; most divisions have no remainder."""
    operator = rng.choice("+-*/")
    if operator == "/":
        if rng.random() < 0.1:
            return division(rng)
        divisor = max(1, number(rng, 3))
        return f"{divisor * number(rng, 4)} / {divisor}"
    return f"{number(rng)} {operator} {number(rng, 2) if rng.random() < 0.1 else number(rng)}"


def division(rng: Random) -> str:
    """Return a division, mostly with a remainder."""
    return f"{number(rng)} / {max(1, number(rng, 3))}"


def with_operand_of(other: str, rng: Random) -> str:
    """Return an expression of two operands that shares one with another expression."""
    first, *_, last = other.split()
    operands = [rng.choice([first, last]), str(number(rng))]
    rng.shuffle(operands)
    return f"{operands[0]} {rng.choice('+-*')} {operands[1]}"


def long_expression(rng: Random) -> str:
    """Return an expression of three operands, or with a decimal operand."""
    first, second, third = number(rng, 4), number(rng, 3), number(rng, 2)
    left, right = rng.choice("+-*"), rng.choice("+-*")
    if rng.random() < 0.5:
        return f"{first} {left} {second} {right} {third}"
    return f"{first}.{rng.randint(1, 99)} {left} {second}"


def unrelated_number(rng: Random, operand: str) -> str:
    """Return a random number, which often begins like the first operand."""
    groups = [f"{rng.randint(100, 999)}"]
    groups += [f"{rng.randint(0, 99 if rng.random() < 0.3 else 999):03}" for _ in range(3)]
    text = "".join(groups)[: rng.randint(1, 12)]
    if rng.random() < 0.25:
        text = operand.partition(".")[0][: rng.choice([3, 3, 6])] + text[3:]
    if rng.random() < 0.4:
        text = f"{text[:6]}.{decimals(rng)}"
    return "-" + text if rng.random() < 0.4 else text


def decimals(rng: Random) -> str:
    """Return digits after the decimal point, often with groups or periods that repeat."""
    kind = rng.random()
    if kind < 0.4:
        period = "".join(rng.choices("0123456789", k=rng.choice([1, 1, 2, 3, 3, 6])))
        text = "".join(rng.choices("0123456789", k=rng.randint(0, 3))) + 16 * period
    elif kind < 0.6:
        text = "".join(rng.choices([f"{rng.randint(0, 999):03}" for _ in range(2)], k=6))
    else:
        text = "".join(rng.choices("0123456789", k=16))
    return text[: rng.choice([rng.randint(1, 16), rng.randint(12, 16)])]


def weather_task(rng: Random, options: TaskOptions) -> Task:
    """Return a task with a city for get_weather."""
    city = random_city(rng, options)
    reasoning = {
        "low": "Use get_weather.",
        "medium": "I should call get_weather.",
        "high": f"The user asks about {city}. I should call get_weather.",
    }[options.effort]
    temperature, sky = str(rng.randint(-30, 130)), rng.choice(words.SKIES)
    if options.style != "plain" and rng.random() < 0.1:
        temperature += f".{rng.randint(1, 9)}"
    call = json.dumps({"city": city}, separators=(",", ":"))
    final = f"It is {temperature} degrees and {sky} in {city}."
    facts = {"city": json.dumps(city), "temperature": temperature, "sky": json.dumps(sky)}
    result = weather_report(rng, options, facts)
    user = ask(rng, options.style, "weather", city)
    return Task(user, (Step(reasoning, WEATHER, call, result),), final, facts)


def random_city(rng: Random, options: TaskOptions) -> str:
    """Return a city. If held out, it is a pair of words that does not occur in training."""
    parts = words.FIRST + words.SECOND
    while True:
        kind = rng.random()
        if options.split != "heldout" and kind < 0.2:
            return rng.choice(words.WORLD)
        if options.split != "heldout" and kind < 0.4:
            return rng.choice(parts)
        first, second = (words.FIRST, words.SECOND) if kind < 0.7 else (parts, parts)
        name = f"{rng.choice(first)} {rng.choice(second)}"
        if options.includes(name):
            return name


def weather_report(rng: Random, options: TaskOptions, facts: Mapping[str, str]) -> str:
    """Return the result of get_weather: JSON as Python or pydantic writes it, or a sentence."""
    temperature, sky = facts["temperature"], json.loads(facts["sky"])
    kind = 0.0 if options.style == "plain" else rng.random()
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


def talk_task(rng: Random, options: TaskOptions) -> Task:
    """Return a task without a call: a greeting, thanks, a farewell, or an impossible request."""
    phrases: Sequence[str]
    while True:
        kind = rng.random()
        if kind < 0.4:
            phrases, final = words.GREETINGS, WELCOME
        elif kind < 0.65:
            phrases, final = words.THANKS, "You are welcome!"
        elif kind < 0.9 or options.style != "noisy":
            phrases, final = words.FAREWELLS, "Goodbye!"
        else:
            return Task(
                random_words(rng, rng.randint(3, 10)) + rng.choice("?. "), (), CANNOT_HELP, {}
            )
        if options.split != "heldout" and rng.random() < 0.4:
            # Phrases with the same first word and different meanings are the hardest to learn.
            phrases = [phrase for phrase in phrases if phrase.startswith("Good")] or phrases
        user = rng.choice(phrases) + rng.choice(words.TAILS)
        if options.includes(user):
            lower = options.style != "plain" and rng.random() < 0.25
            return Task(user.lower() if lower else user, (), final, {})
