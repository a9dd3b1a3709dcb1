# pyright: basic, reportMissingImports=false
"""`python -m examples.tiny_gpt_oss.train` trains the tiny model and packs it.

It takes an environment with torch, such as the one that vLLM runs in.
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

from .batches import Inputs, stack, training_inputs
from .expand import WEIGHTS
from .model import Shape, TinyGptOss
from .muon import Muon
from .pack import pack
from .setting import Offer
from .start import initialise
from .team import average_gradients, start
from .transcripts import Recipe, make_batch
from .vocabulary import Vocabulary, known_tokens


@dataclass(frozen=True, slots=True)
class Plan:
    """How the model is trained."""

    steps: int = 2850
    seed: int = 0
    team: int = 2
    """Processes."""
    batch: int = 16
    """Samples of each process at a step."""
    rate: float = 2e-3
    """Of AdamW: embeddings, biases, norms, routers."""
    muon_rate: float = 0.01
    """Of Muon: all other matrices."""
    warm_up: int = 100
    level: float = 0.4
    """The share of the steps at the full rate; it falls to nearly nothing after them."""
    decay: float = 0.02
    balance: float = 0.02
    """How much an uneven use of the experts counts."""
    sharpness: float = 1.5
    """What the logits are multiplied by in the end."""

    def share(self, step: int) -> float:
        """The share of the full rate at a step."""
        done = step / self.steps
        falling = 1.0 if done < self.level else (1 - done) / (1 - self.level)
        return min((step + 1) / self.warm_up, max(falling, 0.01))


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
        """Step every parameter, and drop the gradients."""
        share = self.plan.share(step)
        for group in self.adamw.param_groups:
            group["lr"] = share * self.plan.rate
        self.muon.step(share * self.plan.muon_rate)
        self.adamw.step()
        self.adamw.zero_grad(set_to_none=True)


def train(rank: int, plan: Plan, out: Path) -> None:
    """Take the plan's steps as one of the team; the first of it tells of them, and packs."""
    vocabulary = Vocabulary(known_tokens())
    net = TinyGptOss(Shape(len(vocabulary)))
    initialise(net, plan.seed)
    if rank == 0:
        count = sum(parameter.numel() for parameter in net.model.layers.parameters())
        print(f"{count} parameters in the layers, {len(vocabulary)} tokens", flush=True)
    take_steps(net, vocabulary, plan, rank)
    if rank == 0:
        pack(net, vocabulary.tokens, plan.sharpness, out)
        print(f"{out}: {out.stat().st_size} bytes")


def take_steps(net: TinyGptOss, vocabulary: Vocabulary, plan: Plan, rank: int) -> None:
    """The steps of one process, on batches that no other has."""
    optimizers = Optimizers(net, plan)
    inputs = training_inputs(vocabulary, plan.seed, rank, plan.batch)
    began, losses, tokens = time.monotonic(), [], 0
    for step in range(plan.steps):
        one = next(inputs)
        logits, truth = predict(net, one)
        loss = F.cross_entropy(logits, truth)
        (loss + plan.balance * net.imbalance()).backward()
        average_gradients(net)
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizers.step(step)
        net.clear_reserved()
        losses.append(loss.item())
        tokens += one.tokens.numel() + len(one.shared)
        if (step + 1) % 100 == 0 and rank == 0:
            seconds = time.monotonic() - began
            mean = sum(losses) / len(losses)
            print(f"{step + 1:5} steps {seconds:5.0f} s "
                  f"{plan.team * tokens / seconds:6.0f} tokens/s "
                  f"loss {mean:.4f}", flush=True)  # fmt: skip
            losses.clear()
        if (step + 1) % 500 == 0 and rank == 0:
            report(net, vocabulary)


def predict(net: TinyGptOss, inputs: Inputs) -> tuple[Tensor, Tensor]:
    """Logits for all learned tokens, shape (n, vocabulary), and these tokens, shape (n,)."""
    wanted = inputs.learned[:, 1:]
    return net(inputs.shared, inputs.tokens[:, :-1], wanted), inputs.tokens[:, 1:][wanted]


@torch.no_grad()
def report(net: TinyGptOss, vocabulary: Vocabulary, samples: int = 64) -> None:
    """Print in how many held-out samples every token is predicted from the true ones before it."""
    for name, offer, history in (
        ("python", Offer(), 0),
        ("get_weather", Offer(python=False, weather=True), 0),
        ("both", Offer(weather=True), 0),
        ("both, after 16 tasks", Offer(weather=True), 16),
    ):
        rng = Random(5)
        right = 0
        for _ in range(2):
            batch = make_batch(rng, Recipe(samples, "heldout", history=history, room=2000), offer)
            prefix = [vocabulary.index(token) for token in batch.prefix]
            inputs = stack(vocabulary, prefix, batch.samples)
            logits, truth = predict(net, inputs)
            rows = inputs.learned[:, 1:].nonzero()[:, 0]
            wrong = rows[logits.argmax(-1) != truth].unique()
            right += samples - len(wrong)
        print(f"      {name}: {right} of {2 * samples} without a fault", flush=True)


def main() -> None:
    """Train, and pack."""
    options = read_options()
    plan = Plan(steps=options.steps, seed=options.seed)
    start(plan.team, train, plan, options.out)


def read_options() -> Namespace:
    """The command line."""
    parser = ArgumentParser(description="Train the tiny gpt-oss and pack it.")
    parser.add_argument("--steps", type=int, default=Plan().steps)
    parser.add_argument("--seed", type=int, default=Plan().seed)
    parser.add_argument("--out", type=Path, default=WEIGHTS, help="the packed model")
    return parser.parse_args()


if __name__ == "__main__":
    main()
