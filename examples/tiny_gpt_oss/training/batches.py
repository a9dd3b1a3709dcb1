# pyright: basic, reportMissingImports=false
"""The batches of the training steps as tensors: the same for the same seed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from random import Random

import torch
from torch import Tensor

from ossia.harmony import special

from ..data.transcripts import Batch, BatchOptions, Sample, make_batch
from ..data.vocabulary import Vocabulary

COPY_STEPS, BARE_STEPS = 250, 700
"""Steps that only copy, then steps with mostly bare system messages; then all kinds."""
LONG_HISTORY = 24
"""Finished tasks in the longest histories."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """One batch for the model, in the ids of the small vocabulary."""

    prefix: Tensor
    """The tokens before every sample, shape (m,)."""
    tokens: Tensor
    """Shape (batch, n); short samples are padded with the unknown token."""
    loss_mask: Tensor
    """Whether the model learns to predict each token, shape (batch, n)."""


def training_inputs(vocabulary: Vocabulary, seed: int, rank: int, size: int) -> Iterator[Inputs]:
    """Yield batches forever.

    rank: the number of the process. At each step all processes have tasks of the same kinds, and so
        of about the same length, but different ones: no process waits long for the others.
    """
    rng, common = Random(f"{seed} {rank}"), Random(seed)
    for _ in range(COPY_STEPS):
        yield copy_inputs(rng, vocabulary, size)
    step = COPY_STEPS
    while True:
        options = batch_options(common, step - COPY_STEPS, size)
        batch = make_batch(rng, options, kind_rng=Random(common.random()))
        for inputs in split_batch(rng, vocabulary, batch, size):
            yield inputs
            step += 1


def batch_options(rng: Random, step: int, size: int) -> BatchOptions:
    """Return the kind of batch for a step: first short prompts, later long ones too."""
    early = step < BARE_STEPS
    bare = rng.random() < (0.85 if early else 0.25)
    options = BatchOptions(2 * size, style="free" if early else "noisy", bare=bare)
    if step < 0.7 * BARE_STEPS or rng.random() < 0.65:
        return options
    history = rng.choice([1, 1, 2, 2, 3, 5, 8, 12, LONG_HISTORY, LONG_HISTORY])
    if history == LONG_HISTORY:
        return replace(options, samples=size, history=LONG_HISTORY, max_prefix_tokens=2200)
    return replace(options, history=history)


def split_batch(rng: Random, vocabulary: Vocabulary, batch: Batch, size: int) -> Iterator[Inputs]:
    """Yield batches of `size` samples of about equal length."""
    prefix = [vocabulary.index(token) for token in batch.prefix]
    if rng.random() < 0.1:
        for _ in range(rng.randint(1, 15)):
            prefix.insert(rng.randint(len(prefix) // 2, len(prefix) - 1), vocabulary.unknown)
    samples = sorted(batch.samples, key=lambda sample: len(sample.tokens))
    for start in range(0, len(samples), size):
        yield stack(vocabulary, prefix, samples[start : start + size])


def stack(vocabulary: Vocabulary, prefix: Sequence[int], samples: Sequence[Sample]) -> Inputs:
    """Return samples as one matrix."""
    longest = max(len(sample.tokens) for sample in samples)
    tokens = torch.full((len(samples), longest), vocabulary.unknown)
    loss_mask = torch.zeros(tokens.shape, dtype=torch.bool)
    for row, sample in enumerate(samples):
        ids = [vocabulary.index(token) for token in sample.tokens]
        tokens[row, : len(ids)] = torch.tensor(ids)
        loss_mask[row, : len(ids)] = torch.tensor(sample.loss_mask)
    return Inputs(torch.tensor(prefix, dtype=torch.long), tokens, loss_mask)


def copy_inputs(rng: Random, vocabulary: Vocabulary, size: int, length: int = 48) -> Inputs:
    """Return random tokens in runs that repeat, in whole or from within, to learn copying."""
    end = vocabulary.index(special.END)
    samples: list[Sample] = []
    for _ in range(2 * size):
        sample = Sample()
        while len(sample.tokens) < length:
            run = [random_token(rng, vocabulary) for _ in range(rng.randint(3, 14))]
            gap = [rng.choice(vocabulary.words) for _ in range(rng.randint(0, 6))]
            again = run[rng.randint(0, len(run) - 3) if rng.random() < 0.5 else 0 :]
            sample.add([*run, end, *gap, again[0]], sampled=False)
            sample.add(again[1:], sampled=True)
        samples.append(Sample(sample.tokens[:length], sample.loss_mask[:length]))
    tokens = torch.tensor([sample.tokens for sample in samples])
    loss_mask = torch.tensor([sample.loss_mask for sample in samples])
    return Inputs(torch.zeros(0, dtype=torch.long), tokens, loss_mask)


def random_token(rng: Random, vocabulary: Vocabulary) -> int:
    """Return a random token, mostly a number: copying numbers matters most."""
    return rng.choice(vocabulary.numbers if rng.random() < 0.7 else vocabulary.words)
