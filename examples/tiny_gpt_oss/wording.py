"""How users put a task: by the book, freely, or among words that the model does not know."""

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
    """A question about an expression or a place."""
    plain, free = _QUESTIONS[kind]
    if style == "plain" or rng.random() < 0.3:
        return rng.choice(plain).format(subject)
    if style == "noisy" and rng.random() < 0.3:
        before, after = babble(rng, rng.randint(0, 8)), babble(rng, rng.randint(0, 4))
        bridge = "the weather in " if kind == "weather" else ""
        return f"{before} {bridge}{subject} {after}".strip() + rng.choice(["", "?", "."])
    if kind == "weather" and rng.random() < 0.15 and len(encode(f" {subject.lower()}")) == 1:
        subject = subject.lower()
    return rng.choice(free).format(subject)


def ordered(rng: Random, expression: str) -> str | None:
    """An expression of two operands as an order, `Multiply 3 by 4` say; None for any other."""
    match expression.split():
        case [left, operator, right] if operator in words.ORDERS:
            order = words.ORDERS[operator].format(left, right) + rng.choice(["", "."])
            return order.lower() if rng.random() < 0.3 else order
        case _:
            return None


def spoken(rng: Random, expression: str) -> str:
    """An expression as people type it: without spaces, or with words for the operators."""
    kind = rng.random()
    if kind < 0.3:
        return expression
    if kind < 0.65:
        return expression.replace(" ", "")
    return " ".join(
        rng.choice(words.OPERATOR_WORDS[part]) if part in words.OPERATOR_WORDS else part
        for part in expression.split()
    )


def babble(rng: Random, count: int) -> str:
    """About `count` words, most of them unknown to the model, which has to read past them."""
    pieces = (decode([rng.randrange(1_000, 100_000)]).strip() for _ in range(count))
    return " ".join(piece for piece in pieces if piece.isalpha())
