# pyright: basic, reportMissingImports=false
"""Training by several processes of one thread each, each with batches of its own.

At this size a second thread makes a step no faster, but a second process does twice the work.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
import torch.distributed as dist
from torch import nn


def start(size: int, work: Callable[..., None], *args: object) -> None:
    """Call work(rank, *args) in `size` processes that know each other, and wait for them."""
    with TemporaryDirectory() as folder:
        meeting = Path(folder, "meeting").as_uri()
        torch.multiprocessing.spawn(member, (size, meeting, work, args), nprocs=size)


def member(
    rank: int, size: int, meeting: str, work: Callable[..., None], args: tuple[object, ...]
) -> None:
    """One process of the team."""
    with joined(rank, size, meeting):
        work(rank, *args)


@contextmanager
def joined(rank: int, size: int, meeting: str) -> Iterator[None]:
    """Belong to the team, with one thread."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=meeting, rank=rank, world_size=size)
    try:
        yield
    finally:
        dist.destroy_process_group()


def average_gradients(net: nn.Module) -> None:
    """Give every parameter the mean of the team's gradients, the same bits in each process."""
    gradients = [one.grad for one in net.parameters() if one.grad is not None]
    together = torch.cat([gradient.view(-1) for gradient in gradients])
    dist.all_reduce(together)
    together /= dist.get_world_size()
    parts = together.split([gradient.numel() for gradient in gradients])
    for gradient, part in zip(gradients, parts, strict=True):
        gradient.copy_(part.view_as(gradient))
