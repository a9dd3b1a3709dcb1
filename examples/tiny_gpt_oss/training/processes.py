# pyright: basic, reportMissingImports=false
"""Training in several processes of one thread, each with its own batches.

For a model of this size a second thread does not make a step faster, but a second process doubles
the throughput.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
import torch.distributed as dist
from torch import nn


def run_processes(size: int, function: Callable[..., None], *args: object) -> None:
    """Call function(rank, *args) in `size` processes of one group, and wait for them."""
    with TemporaryDirectory() as folder:
        url = Path(folder, "rendezvous").as_uri()
        torch.multiprocessing.spawn(run_process, (size, url, function, args), nprocs=size)


def run_process(
    rank: int, size: int, url: str, function: Callable[..., None], args: tuple[object, ...]
) -> None:
    """Call function(rank, *args) as one process of the group."""
    with process_group(rank, size, url):
        function(rank, *args)


@contextmanager
def process_group(rank: int, size: int, url: str) -> Iterator[None]:
    """Join the process group at a rendezvous URL, with one thread."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=url, rank=rank, world_size=size)
    try:
        yield
    finally:
        dist.destroy_process_group()


def average_gradients(net: nn.Module) -> None:
    """Replace all gradients with their mean over the processes, bit-identical in each."""
    gradients = [p.grad for p in net.parameters() if p.grad is not None]
    flat = torch.cat([gradient.view(-1) for gradient in gradients])
    dist.all_reduce(flat)
    flat /= dist.get_world_size()
    parts = flat.split([gradient.numel() for gradient in gradients])
    for gradient, part in zip(gradients, parts, strict=True):
        gradient.copy_(part.view_as(gradient))
