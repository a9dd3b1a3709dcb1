# pyright: basic, reportMissingImports=false
"""Train the tiny model and pack it: `python -m examples.tiny_gpt_oss.train`.

This requires an environment with torch, such as the one that vLLM runs in.
"""

from __future__ import annotations

import time
from argparse import ArgumentParser, Namespace
from dataclasses import dataclass
from pathlib import Path
from random import Random

import torch
import torch.nn.functional as F  # noqa: N812 - the field's name for it
from torch import Tensor

from .data.prompts import PromptOptions
from .data.transcripts import BatchOptions, make_batch
from .data.vocabulary import Vocabulary, known_tokens
from .expand import WEIGHTS
from .training.batches import Inputs, stack, training_inputs
from .training.initialization import initialize
from .training.model import Shape, TinyGptOss
from .training.muon import Muon
from .training.pack import pack
from .training.processes import average_gradients, run_processes


@dataclass(frozen=True, slots=True)
class Plan:
    """The settings of the training."""

    steps: int = 2850
    seed: int = 0
    processes: int = 2
    batch: int = 16
    """Samples per process and step."""
    rate: float = 2e-3
    """The rate of AdamW: embeddings, biases, norms and routers."""
    muon_rate: float = 0.01
    """The rate of Muon: all other matrices."""
    warm_up: int = 100
    constant: float = 0.4
    """The share of the steps at the full rate, before it decays to almost 0."""
    decay: float = 0.02
    balance: float = 0.02
    """The weight of the loss for an uneven use of the experts."""
    sharpness: float = 1.5
    """The factor for the logits after training."""

    def rate_factor(self, step: int) -> float:
        """Return the share of the full rate at a step."""
        progress = step / self.steps
        decay = 1.0 if progress < self.constant else (1 - progress) / (1 - self.constant)
        return min((step + 1) / self.warm_up, max(decay, 0.01))


class Optimizers:
    """Muon for the layers' matrices, AdamW for everything else."""

    def __init__(self, net: TinyGptOss, plan: Plan) -> None:
        matrices, others, vectors = [], [], []
        for name, parameter in net.named_parameters():
            if parameter.ndim < 2:
                vectors.append(parameter)
            elif "layers" in name and "bias" not in name and "router" not in name:
                matrices.append(parameter)
            else:
                others.append(parameter)
        self.plan = plan
        self.muon = Muon(matrices, decay=plan.decay)
        self.adamw = torch.optim.AdamW(
            [
                {"params": others, "weight_decay": plan.decay},
                {"params": vectors, "weight_decay": 0.0},
            ],
            lr=plan.rate,
            betas=(0.9, 0.98),
            eps=1e-9,
        )

    def step(self, step: int) -> None:
        """Update every parameter, and clear the gradients."""
        factor = self.plan.rate_factor(step)
        for group in self.adamw.param_groups:
            group["lr"] = factor * self.plan.rate
        self.muon.step(factor * self.plan.muon_rate)
        self.adamw.step()
        self.adamw.zero_grad(set_to_none=True)


def train(rank: int, plan: Plan, out: Path) -> None:
    """Train as one of several processes. The first process prints progress and packs the model."""
    vocabulary = Vocabulary(known_tokens())
    net = TinyGptOss(Shape(len(vocabulary)))
    initialize(net, plan.seed)
    if rank == 0:
        count = sum(parameter.numel() for parameter in net.model.layers.parameters())
        print(f"{count} parameters in the layers, {len(vocabulary)} tokens", flush=True)
    run_steps(net, vocabulary, plan, rank)
    if rank == 0:
        pack(net, vocabulary.tokens, plan.sharpness, out)
        print(f"{out}: {out.stat().st_size} bytes")


def run_steps(net: TinyGptOss, vocabulary: Vocabulary, plan: Plan, rank: int) -> None:
    """Run the steps of one process on its own batches."""
    optimizers = Optimizers(net, plan)
    inputs = training_inputs(vocabulary, plan.seed, rank, plan.batch)
    start, losses, tokens = time.monotonic(), [], 0
    for step in range(plan.steps):
        batch = next(inputs)
        logits, targets = predict(net, batch)
        loss = F.cross_entropy(logits, targets)
        (loss + plan.balance * net.imbalance()).backward()
        average_gradients(net)
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizers.step(step)
        net.clear_reserved()
        losses.append(loss.item())
        tokens += batch.tokens.numel() + len(batch.prefix)
        if (step + 1) % 100 == 0 and rank == 0:
            seconds = time.monotonic() - start
            mean = sum(losses) / len(losses)
            print(f"{step + 1:5} steps {seconds:5.0f} s "
                  f"{plan.processes * tokens / seconds:6.0f} tokens/s "
                  f"loss {mean:.4f}", flush=True)  # fmt: skip
            losses.clear()
        if (step + 1) % 500 == 0 and rank == 0:
            report(net, vocabulary)


def predict(net: TinyGptOss, inputs: Inputs) -> tuple[Tensor, Tensor]:
    """Return logits for all tokens of the loss, shape (n, vocabulary), and the tokens, (n,)."""
    mask = inputs.loss_mask[:, 1:]
    return net(inputs.prefix, inputs.tokens[:, :-1], mask), inputs.tokens[:, 1:][mask]


@torch.no_grad()
def report(net: TinyGptOss, vocabulary: Vocabulary, samples: int = 64) -> None:
    """Print how many held-out samples have every token predicted, each from the correct prefix."""
    for name, prompt, history in (
        ("python", PromptOptions(), 0),
        ("get_weather", PromptOptions(python=False, weather=True), 0),
        ("both", PromptOptions(weather=True), 0),
        ("both, after 16 tasks", PromptOptions(weather=True), 16),
    ):
        rng = Random(5)
        correct = 0
        for _ in range(2):
            options = BatchOptions(samples, "heldout", history=history, max_prefix_tokens=2000)
            batch = make_batch(rng, options, prompt)
            prefix = [vocabulary.index(token) for token in batch.prefix]
            inputs = stack(vocabulary, prefix, batch.samples)
            logits, targets = predict(net, inputs)
            rows = inputs.loss_mask[:, 1:].nonzero()[:, 0]
            wrong = rows[logits.argmax(-1) != targets].unique()
            correct += samples - len(wrong)
        print(f"      {name}: {correct} of {2 * samples} correct", flush=True)


def main() -> None:
    """Train the model and pack it."""
    options = read_options()
    plan = Plan(steps=options.steps, seed=options.seed)
    run_processes(plan.processes, train, plan, options.out)


def read_options() -> Namespace:
    """Parse the command line."""
    parser = ArgumentParser(description="Train the tiny gpt-oss and pack it.")
    parser.add_argument("--steps", type=int, default=Plan().steps)
    parser.add_argument("--seed", type=int, default=Plan().seed)
    parser.add_argument("--out", type=Path, default=WEIGHTS, help="file for the packed model")
    return parser.parse_args()


if __name__ == "__main__":
    main()
