# pyright: basic, reportMissingImports=false
"""Muon: an optimizer with orthogonalized momentum. It needs about half as many steps as AdamW here.

Source: Jordan et al., "Muon: an optimizer for hidden layers in neural networks", 2024.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn


class Muon:
    """The optimizer, for matrices and stacks of matrices (the experts).

    Matrices of the same size are stepped together.

    parameters: the parameters to optimize, each of shape (..., rows, columns).
    """

    def __init__(
        self, parameters: Iterable[nn.Parameter], *, momentum: float = 0.95, decay: float = 0.02
    ) -> None:
        self.momentum = momentum
        self.decay = decay
        self._groups: dict[tuple[int, int], list[tuple[nn.Parameter, Tensor]]] = {}
        for parameter in parameters:
            short, long = sorted(parameter.shape[-2:])
            group = self._groups.setdefault((short, long), [])
            group.append((parameter, torch.zeros_like(parameter)))

    @torch.no_grad()
    def step(self, rate: float) -> None:
        """Update every parameter, and clear the gradients."""
        for (short, long), group in self._groups.items():
            wide: list[Tensor] = []
            for parameter, average in group:
                gradient = parameter.grad
                average.lerp_(gradient, 1 - self.momentum)
                momentum = gradient.lerp(average, self.momentum)
                wide.append(as_wide(momentum).reshape(-1, short, long))
            steps = orthogonal(torch.cat(wide)).split([len(matrices) for matrices in wide])
            for (parameter, _), step in zip(group, steps, strict=True):
                update = step if parameter.shape[-2] == short else step.transpose(1, 2)
                parameter.mul_(1 - rate * self.decay)
                parameter.add_(update.reshape(parameter.shape), alpha=-rate * rate_scale(parameter))
                parameter.grad = None


def as_wide(matrix: Tensor) -> Tensor:
    """Return the matrix, transposed if it has more rows than columns."""
    return matrix if matrix.shape[-2] <= matrix.shape[-1] else matrix.transpose(-1, -2)


def rate_scale(parameter: Tensor) -> float:
    """Return a larger factor for a matrix with more outputs than inputs.

    A matrix has shape (outputs, inputs), but one of the experts has (inputs, outputs).
    """
    rows, columns = parameter.shape[-2:]
    ratio = rows / columns if parameter.ndim == 2 else columns / rows
    return max(1.0, ratio) ** 0.5


def orthogonal(matrices: Tensor, rounds: int = 5) -> Tensor:
    """Return about the nearest matrices with singular values of 1, shape (n, short, long)."""
    x = matrices / (matrices.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(rounds):
        square = x @ x.transpose(1, 2)
        x = 3.4445 * x + (-4.7750 * square + 2.0315 * square @ square) @ x
    return x
