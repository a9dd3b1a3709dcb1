"""The tokens that the transcripts are made of: few enough that the model stays small."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from ossia.harmony import encode, special

from . import words
from .setting import Offer, random_form
from .tasks import LIMITS, Manner, make_task
from .transcripts import Recipe, make_batch, sample


class Vocabulary:
    """Token ids of o200k_harmony, numbered from 0; one more number stands for all others.

    tokens: the known ones, in ascending order, shape (n,).
    """

    def __init__(self, tokens: Sequence[int]) -> None:
        self.tokens = list(tokens)
        self.unknown = len(self.tokens)
        self._index = {token: index for index, token in enumerate(self.tokens)}
        digits = {token for text in digit_groups() for token in encode(text)}
        self.numbers = [index for token, index in self._index.items() if token in digits]
        """The numbers of the tokens of one to three digits."""
        self.words = [index for token, index in self._index.items() if token not in digits]
        """All the others, the unknown token apart."""

    def __len__(self) -> int:
        return len(self.tokens) + 1

    def index(self, token: int) -> int:
        """A token's number."""
        return self._index.get(token, self.unknown)


def known_tokens() -> list[int]:
    """Every token that a transcript can hold, but for those that stand for anything."""
    found = {special.END, special.RETURN, *encode(LIMITS)}
    for text in digit_groups():
        found.update(encode(text))
    for name in (*words.FIRST, *words.SECOND, *words.WORLD):
        for text in (name, f" {name}", f'"{name}', f'{{"city":"{name}"}}', f"in {name}?"):
            found.update(encode(text))
        if len(encode(f" {name.lower()}")) == 1:
            found.update(encode(f" {name.lower()}") + encode(name.lower()))
    rng = Random(1)
    for round_ in range(400):
        form = random_form(rng, weather=round_ % 2 == 0) if round_ % 4 > 1 else None
        offer = Offer(python=round_ % 3 != 0, weather=round_ % 3 != 1, form=form)
        batch = make_batch(rng, Recipe(16, None, "free", history=2), offer)
        found.update(batch.prefix)
        for one in batch.samples:
            found.update(one.tokens)
    for effort in ("low", "medium", "high"):
        for _ in range(2000):
            manner = Manner(None, "free", effort)
            found.update(sample(make_task(rng, rng.choice(["sum", "weather"]), manner)).tokens)
    return sorted(found)


def digit_groups() -> list[str]:
    """All that one to three digits can say."""
    return [f"{value:0{width}}" for width in (1, 2, 3) for value in range(10**width)]
