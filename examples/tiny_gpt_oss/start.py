# pyright: basic, reportMissingImports=false
"""Where training starts: random weights in which copying is half built.

What the model has to learn first is to copy: find where the last few tokens stood before, and say
what followed. That takes two layers working together, an induction head (Olsson et al., 2022),
which from plain noise takes several times as many steps to appear as all the rest.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from .model import Attention, TinyGptOss

EMBEDDING_STD = 0.3
FOCUS = 40.0
"""How sharply the first layer's heads look at their one place."""
MATCH = 1.5
"""How strongly the full layers look at equal tokens."""
STILL = [*range(4, 16), *range(20, 32)]
"""The dimensions of a head that YaRN turns so slowly that places hardly matter."""


@torch.no_grad()
def initialise(net: TinyGptOss, seed: int) -> None:
    """Fill in all weights."""
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
    token, *earlier = look_back(layers[0].self_attn, net)
    for layer in layers[1::2]:
        match(layer.self_attn, token, earlier)
    net.clear_reserved()


def look_back(attention: Attention, net: TinyGptOss) -> list[Tensor]:
    """Make three heads look 1, 2 and 3 tokens back, and carry what they see in spaces of their own.

    Queries and keys are biases alone, so that only the rotation between them counts: a query turned
    by so many places meets the key that stands there.

    Returns the directions, each of shape (head_dim, hidden), in which the embedding is read, and in
    which the tokens 1, 2 and 3 places back are found.
    """
    shape, size = net.shape, net.shape.head_dim
    half = size // 2
    # cos(a) and sin(a) of one place, without YaRN's amplitude: the angle of each frequency.
    turns = torch.atan2(net.sin[1, :3], net.cos[1, :3])
    attention.q_proj.weight.mul_(0.1)
    attention.k_proj.weight.mul_(0.1)
    for head in range(shape.kv_heads):
        attention.k_proj.bias[head * size : head * size + 3] = math.sqrt(FOCUS)
    token = directions(shape.hidden, size)
    for head in range(shape.kv_heads):
        attention.v_proj.weight[head * size : (head + 1) * size] = token
    places = directions(shape.hidden, 3 * size)
    found: list[Tensor] = []
    for head in range(3):
        at = head * size
        angles = -turns * (head + 1)
        attention.q_proj.bias[at : at + 3] = math.sqrt(FOCUS) * angles.cos()
        attention.q_proj.bias[at + half : at + half + 3] = math.sqrt(FOCUS) * angles.sin()
        space = places[at : at + size]
        scale = EMBEDDING_STD * math.sqrt(shape.hidden / size)
        attention.o_proj.weight[:, at : at + size] = space.T * scale
        found.append(space)
    return [token, *found]


def match(attention: Attention, token: Tensor, earlier: list[Tensor]) -> None:
    """Make a full layer look at what followed the last tokens before, and say it.

    A key holds the tokens before its place, a query the last tokens: they are alike where the
    query's place repeats the key's. The first pair of heads minds the last token and the one
    before, the second also the one before that.
    """
    shape, size = attention.shape, attention.shape.head_dim
    group = shape.heads // shape.kv_heads
    spread = [STILL[5 * i % len(STILL)] for i in range(len(STILL))]
    for kv in range(shape.kv_heads):
        one, two = (14, 24) if kv % 2 == 0 else (6, 12)
        runs = (spread[:one], spread[one:two], spread[two:])
        order = torch.randperm(size)
        key, query = torch.zeros(2, size, shape.hidden)
        for run, behind, last in zip(runs, earlier, [token, *earlier], strict=False):
            for i, dimension in enumerate(run):
                key[dimension] = behind[order[i]] * MATCH**1.5
                query[dimension] = last[order[i]] * MATCH**1.5
        noise = 0.02 * torch.randn(1 + group, size, shape.hidden)
        attention.k_proj.weight[kv * size : (kv + 1) * size] = key + noise[0]
        said = directions(shape.hidden, size)
        attention.v_proj.weight[kv * size : (kv + 1) * size] = said
        for i in range(group):
            at = (kv * group + i) * size
            strength = 1.0 if i == 0 else 0.5
            attention.q_proj.weight[at : at + size] = query * strength + noise[1 + i]
            attention.o_proj.weight[:, at : at + size] = said.T * (3 * EMBEDDING_STD)


def directions(hidden: int, count: int) -> Tensor:
    """Random directions at right angles to each other, shape (count, hidden)."""
    return torch.linalg.qr(torch.randn(hidden, count))[0].T
