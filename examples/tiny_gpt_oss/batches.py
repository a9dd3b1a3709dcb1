# pyright: basic, reportMissingImports=false
"""What each training step sees, as tensors: the same for the same seed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from random import Random

import torch
from torch import Tensor

from ossia.harmony import special

from .transcripts import Batch, Recipe, Sample, make_batch
from .vocabulary import Vocabulary

COPYING, BARE = 250, 700
"""Steps of copying alone, then of mostly bare system messages; after that everything."""
LONG = 24
"""Finished tasks in the longest histories."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """One batch for the model, in the ids of the small vocabulary."""

    shared: Tensor
    """What stands before every sample, shape (m,)."""
    tokens: Tensor
    """Shape (batch, n); short samples end in the unknown token."""
    learned: Tensor
    """Which of the tokens are to be predicted, shape (batch, n)."""


def training_inputs(vocabulary: Vocabulary, seed: int, rank: int, size: int) -> Iterator[Inputs]:
    """One batch after the other, without end.

    rank: the process in its team. At a step, all have tasks of the same kinds, and so of about one
        length, though no two alike: nobody waits long for the others.
    """
    rng, common = Random(f"{seed} {rank}"), Random(seed)
    for _ in range(COPYING):
        yield copying(rng, vocabulary, size)
    step = COPYING
    while True:
        planned = recipe(common, step - COPYING, size)
        batch = make_batch(rng, planned, kinds=Random(common.random()))
        for inputs in as_inputs(rng, vocabulary, batch, size):
            yield inputs
            step += 1


def recipe(rng: Random, step: int, size: int) -> Recipe:
    """What is practised at a step: first short prompts, then long ones too."""
    early = step < BARE
    bare = rng.random() < (0.85 if early else 0.25)
    made = Recipe(2 * size, style="free" if early else "noisy", bare=bare)
    if step < 0.7 * BARE or rng.random() < 0.65:
        return made
    history = rng.choice([1, 1, 2, 2, 3, 5, 8, 12, LONG, LONG])
    if history == LONG:
        return replace(made, samples=size, history=LONG, room=2200)
    return replace(made, history=history)


def as_inputs(rng: Random, vocabulary: Vocabulary, batch: Batch, size: int) -> Iterator[Inputs]:
    """Batches of `size` samples of about equal length."""
    prefix = [vocabulary.index(token) for token in batch.prefix]
    if rng.random() < 0.1:
        for _ in range(rng.randint(1, 15)):
            prefix.insert(rng.randint(len(prefix) // 2, len(prefix) - 1), vocabulary.unknown)
    samples = sorted(batch.samples, key=lambda sample: len(sample.tokens))
    for start in range(0, len(samples), size):
        yield stack(vocabulary, prefix, samples[start : start + size])


def stack(vocabulary: Vocabulary, prefix: Sequence[int], samples: Sequence[Sample]) -> Inputs:
    """Samples as one matrix."""
    longest = max(len(sample.tokens) for sample in samples)
    tokens = torch.full((len(samples), longest), vocabulary.unknown)
    learned = torch.zeros(tokens.shape, dtype=torch.bool)
    for row, sample in enumerate(samples):
        ids = [vocabulary.index(token) for token in sample.tokens]
        tokens[row, : len(ids)] = torch.tensor(ids)
        learned[row, : len(ids)] = torch.tensor(sample.learned)
    return Inputs(torch.tensor(prefix, dtype=torch.long), tokens, learned)


def copying(rng: Random, vocabulary: Vocabulary, size: int, length: int = 48) -> Inputs:
    """Runs of random tokens, each said again from somewhere in it: copying, at every place."""
    end = vocabulary.index(special.END)
    samples: list[Sample] = []
    for _ in range(2 * size):
        sample = Sample()
        while len(sample.tokens) < length:
            run = [random_token(rng, vocabulary) for _ in range(rng.randint(3, 14))]
            gap = [rng.choice(vocabulary.words) for _ in range(rng.randint(0, 6))]
            again = run[rng.randint(0, len(run) - 3) if rng.random() < 0.5 else 0 :]
            sample.add([*run, end, *gap, again[0]], learned=False)
            sample.add(again[1:], learned=True)
        samples.append(Sample(sample.tokens[:length], sample.learned[:length]))
    tokens = torch.tensor([sample.tokens for sample in samples])
    learned = torch.tensor([sample.learned for sample in samples])
    return Inputs(torch.zeros(0, dtype=torch.long), tokens, learned)


def random_token(rng: Random, vocabulary: Vocabulary) -> int:
    """Mostly a number: these are what has to be copied best."""
    return rng.choice(vocabulary.numbers if rng.random() < 0.7 else vocabulary.words)
