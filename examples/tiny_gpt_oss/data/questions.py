"""How users phrase a task: plainly, freely, or among words that the model does not know."""

from __future__ import annotations

from random import Random
from typing import Literal

from ossia.harmony import decode, encode

from . import words

Style = Literal["plain", "free", "noisy"]

_QUESTIONS = {
    "sum": (words.SUM_QUESTIONS, words.FREE_SUM_QUESTIONS),
    "weather": (words.WEATHER_QUESTIONS, words.FREE_WEATHER_QUESTIONS),
}


def ask(rng: Random, style: Style, kind: Literal["sum", "weather"], subject: str) -> str:
    """Return a question about an expression or a city."""
    plain, free = _QUESTIONS[kind]
    if style == "plain" or rng.random() < 0.3:
        return rng.choice(plain).format(subject)
    if style == "noisy" and rng.random() < 0.3:
        before, after = random_words(rng, rng.randint(0, 8)), random_words(rng, rng.randint(0, 4))
        bridge = "the weather in " if kind == "weather" else ""
        return f"{before} {bridge}{subject} {after}".strip() + rng.choice(["", "?", "."])
    if kind == "weather" and rng.random() < 0.15 and len(encode(f" {subject.lower()}")) == 1:
        subject = subject.lower()
    return rng.choice(free).format(subject)


def as_command(rng: Random, expression: str) -> str | None:
    """Return a command such as `Multiply 3 by 4`, or None if there are not two operands."""
    match expression.split():
        case [left, operator, right] if operator in words.COMMANDS:
            command = words.COMMANDS[operator].format(left, right) + rng.choice(["", "."])
            return command.lower() if rng.random() < 0.3 else command
        case _:
            return None


def as_typed(rng: Random, expression: str) -> str:
    """Return an expression as people type it: without spaces, or with operators as words."""
    kind = rng.random()
    if kind < 0.3:
        return expression
    if kind < 0.65:
        return expression.replace(" ", "")
    return " ".join(
        rng.choice(words.OPERATOR_WORDS[part]) if part in words.OPERATOR_WORDS else part
        for part in expression.split()
    )


def random_words(rng: Random, count: int) -> str:
    """Return about `count` words, most of which the model does not know and must ignore."""
    pieces = (decode([rng.randrange(1_000, 100_000)]).strip() for _ in range(count))
    return " ".join(piece for piece in pieces if piece.isalpha())
