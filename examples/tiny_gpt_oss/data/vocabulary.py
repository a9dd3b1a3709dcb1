"""The tokens of the transcripts: few enough to keep the model small."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from ossia.harmony import encode, special

from . import words
from .prompts import PromptOptions, random_output_format
from .tasks import CANNOT_HELP, TaskOptions, make_task
from .transcripts import BatchOptions, make_batch, make_sample


class Vocabulary:
    """Token ids of o200k_harmony, numbered from 0, and one number for all other tokens.

    tokens: the known token ids, in ascending order, shape (n,).
    """

    def __init__(self, tokens: Sequence[int]) -> None:
        self.tokens = list(tokens)
        self.unknown = len(self.tokens)
        self._index = {token: index for index, token in enumerate(self.tokens)}
        digits = {token for text in digit_groups() for token in encode(text)}
        self.numbers = [index for token, index in self._index.items() if token in digits]
        """The numbers of the tokens of one to three digits."""
        self.words = [index for token, index in self._index.items() if token not in digits]
        """The numbers of all other known tokens."""

    def __len__(self) -> int:
        return len(self.tokens) + 1

    def index(self, token: int) -> int:
        """Return a token's number."""
        return self._index.get(token, self.unknown)


def known_tokens() -> list[int]:
    """Return every token that occurs in transcripts, except in their random words."""
    found = {special.END, special.RETURN, *encode(CANNOT_HELP)}
    for text in digit_groups():
        found.update(encode(text))
    for name in (*words.FIRST, *words.SECOND, *words.WORLD):
        for text in (name, f" {name}", f'"{name}', f'{{"city":"{name}"}}', f"in {name}?"):
            found.update(encode(text))
        if len(encode(f" {name.lower()}")) == 1:
            found.update(encode(f" {name.lower()}") + encode(name.lower()))
    rng = Random(1)
    for round_ in range(400):
        output_format = (
            random_output_format(rng, weather=round_ % 2 == 0) if round_ % 4 > 1 else None
        )
        prompt = PromptOptions(
            python=round_ % 3 != 0, weather=round_ % 3 != 1, output_format=output_format
        )
        batch = make_batch(rng, BatchOptions(16, None, "free", history=2), prompt)
        found.update(batch.prefix)
        for sample in batch.samples:
            found.update(sample.tokens)
    for effort in ("low", "medium", "high"):
        for _ in range(2000):
            options = TaskOptions(None, "free", effort)
            found.update(
                make_sample(make_task(rng, rng.choice(["sum", "weather"]), options)).tokens
            )
    return sorted(found)


def digit_groups() -> list[str]:
    """Return every string of one to three digits."""
    return [f"{value:0{width}}" for width in (1, 2, 3) for value in range(10**width)]
