# pyright: basic, reportMissingImports=false
"""The initial weights: random, but prepared for copying.

The model must first learn to copy: to find an earlier occurrence of the last few tokens and to
predict the token that followed it. This takes two layers that work together, an induction head
(Olsson et al., 2022). From random weights alone it takes several times as many steps to appear as
everything else.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from .model import Attention, TinyGptOss

EMBEDDING_STD = 0.3
FOCUS = 40.0
"""How sharply the heads of the first layer attend to their one position."""
MATCH = 1.5
"""How strongly the layers with full attention attend to equal tokens."""
SLOW_DIMENSIONS = [*range(4, 16), *range(20, 32)]
"""The dimensions of a head that YaRN rotates so slowly that positions hardly matter."""


@torch.no_grad()
def initialize(net: TinyGptOss, seed: int) -> None:
    """Set all weights."""
    torch.manual_seed(seed)
    shape, layers = net.shape, net.model.layers
    net.model.embed_tokens.weight.normal_(0, EMBEDDING_STD)
    fan_in, depth = shape.hidden**-0.5, (2 * shape.layers) ** -0.5
    for layer in layers:
        attention, mlp = layer.self_attn, layer.mlp
        for linear in (attention.q_proj, attention.k_proj, attention.v_proj):
            linear.weight.normal_(0, fan_in)
            linear.bias.zero_()
        attention.o_proj.weight.normal_(0, fan_in * depth)
        attention.o_proj.bias.zero_()
        mlp.router.weight.normal_(0, 0.02)
        mlp.router.bias.zero_()
        mlp.experts.gate_up_proj.normal_(0, fan_in)
        mlp.experts.down_proj.normal_(0, shape.expert_hidden**-0.5 * depth * 0.3)
    token, *previous = attend_to_previous(layers[0].self_attn, net)
    for layer in layers[1::2]:
        attend_to_matches(layer.self_attn, token, previous)
    net.clear_reserved()


def attend_to_previous(attention: Attention, net: TinyGptOss) -> list[Tensor]:
    """Make three heads attend 1, 2 and 3 tokens back, and write to subspaces of their own.

    Queries and keys are almost only biases, so that only the rotation between them counts: a query
    that is rotated by n positions matches the key n positions back.

    Returns directions, each of shape (head_dim, hidden): first those in which the embedding is
    read, then those that the tokens 1, 2 and 3 positions back are written to.
    """
    shape, size = net.shape, net.shape.head_dim
    half = size // 2
    # The angle of each frequency for one position. The ratio cancels YaRN's amplitude.
    turns = torch.atan2(net.sin[1, :3], net.cos[1, :3])
    attention.q_proj.weight.mul_(0.1)
    attention.k_proj.weight.mul_(0.1)
    for head in range(shape.kv_heads):
        attention.k_proj.bias[head * size : head * size + 3] = math.sqrt(FOCUS)
    token = directions(shape.hidden, size)
    for head in range(shape.kv_heads):
        attention.v_proj.weight[head * size : (head + 1) * size] = token
    subspaces = directions(shape.hidden, 3 * size)
    previous: list[Tensor] = []
    for head in range(3):
        start = head * size
        angles = -turns * (head + 1)
        attention.q_proj.bias[start : start + 3] = math.sqrt(FOCUS) * angles.cos()
        attention.q_proj.bias[start + half : start + half + 3] = math.sqrt(FOCUS) * angles.sin()
        subspace = subspaces[start : start + size]
        scale = EMBEDDING_STD * math.sqrt(shape.hidden / size)
        attention.o_proj.weight[:, start : start + size] = subspace.T * scale
        previous.append(subspace)
    return [token, *previous]


def attend_to_matches(attention: Attention, token: Tensor, previous: list[Tensor]) -> None:
    """Make a layer with full attention find what followed the last tokens earlier, and copy it.

    A key encodes the tokens before its position, and a query the last tokens. They are equal where
    the query's position repeats the key's. The first pair of heads compares two tokens, and the
    second pair compares three.
    """
    shape, size = attention.shape, attention.shape.head_dim
    group = shape.heads // shape.kv_heads
    spread = [SLOW_DIMENSIONS[5 * i % len(SLOW_DIMENSIONS)] for i in range(len(SLOW_DIMENSIONS))]
    for kv in range(shape.kv_heads):
        first, second = (14, 24) if kv % 2 == 0 else (6, 12)
        groups = (spread[:first], spread[first:second], spread[second:])
        order = torch.randperm(size)
        key, query = torch.zeros(2, size, shape.hidden)
        for dimensions, before, last in zip(groups, previous, [token, *previous], strict=False):
            for i, dimension in enumerate(dimensions):
                key[dimension] = before[order[i]] * MATCH**1.5
                query[dimension] = last[order[i]] * MATCH**1.5
        noise = 0.02 * torch.randn(1 + group, size, shape.hidden)
        attention.k_proj.weight[kv * size : (kv + 1) * size] = key + noise[0]
        value = directions(shape.hidden, size)
        attention.v_proj.weight[kv * size : (kv + 1) * size] = value
        for i in range(group):
            start = (kv * group + i) * size
            strength = 1.0 if i == 0 else 0.5
            attention.q_proj.weight[start : start + size] = query * strength + noise[1 + i]
            attention.o_proj.weight[:, start : start + size] = value.T * (3 * EMBEDDING_STD)


def directions(hidden: int, count: int) -> Tensor:
    """Return random orthogonal directions, shape (count, hidden)."""
    return torch.linalg.qr(torch.randn(hidden, count))[0].T
