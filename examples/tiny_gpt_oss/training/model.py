# pyright: basic, reportMissingImports=false
"""A small gpt-oss in PyTorch, with the parameter names and shapes of transformers.

It is written for training on a CPU. All samples of a batch share a prefix: its tokens are run once,
and every sample uses their keys and values.

The first hidden dimension is reserved. It is 1 in every embedding, no layer writes to it, and the
head ignores it, so that the expanded checkpoint can use it to rule tokens out; see `expand`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812 - the field's name for it
from torch import Tensor, nn

SILU, LIMIT = 1.702, 7.0
"""Constants of gpt-oss's activation. Source: transformers, `GptOssExperts`."""

HEAD_SCALE = 0.25
"""The head is the scaled embedding. A power of two loses no precision in bfloat16."""


@dataclass(frozen=True, slots=True)
class Shape:
    """The sizes of a gpt-oss model. Everything else is as in the published models."""

    vocabulary: int
    hidden: int = 96
    layers: int = 4
    heads: int = 4
    kv_heads: int = 2
    head_dim: int = 32
    experts: int = 4
    active_experts: int = 2
    expert_hidden: int = 64
    window: int = 128
    """Tokens that every second layer attends to, starting with the first layer."""
    theta: float = 150_000.0
    yarn_factor: float = 32.0
    yarn_window: int = 256
    """The context length before YaRN extends it by its factor."""
    epsilon: float = 1e-5

    def windows(self) -> list[int | None]:
        """Return the window of each layer; None means full attention."""
        return [self.window if layer % 2 == 0 else None for layer in range(self.layers)]


@dataclass(frozen=True, slots=True)
class Cache:
    """Keys and values of one layer for the shared tokens, each of shape (kv_heads, n, head_dim)."""

    keys: Tensor
    values: Tensor

    def last(self, window: int | None) -> Cache:
        """Return the part that a later token can attend to."""
        start = 0 if window is None else max(0, self.keys.shape[1] - window + 1)
        return Cache(self.keys[:, start:], self.values[:, start:])


class Attention(nn.Module):
    """Grouped-query attention with a learned sink for each head."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        queries, keys = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
        self.q_proj = nn.Linear(shape.hidden, queries)
        self.k_proj = nn.Linear(shape.hidden, keys)
        self.v_proj = nn.Linear(shape.hidden, keys)
        self.o_proj = nn.Linear(queries, shape.hidden)
        self.sinks = nn.Parameter(torch.zeros(shape.heads))

    def forward(
        self, x: Tensor, rotation: tuple[Tensor, Tensor], mask: Tensor, prefix: Cache | None
    ) -> tuple[Tensor, Cache]:
        """Return the output and the new cache.

        x: shape (batch, n, hidden).
        mask: shape (n, 1 + m + n), added to the scores of sink, prefix and own tokens.
        """
        batch, n, _ = x.shape
        size, kv = self.shape.head_dim, self.shape.kv_heads
        queries = rotate(self.q_proj(x).view(batch, n, -1, size).transpose(1, 2), rotation)
        keys = rotate(self.k_proj(x).view(batch, n, -1, size).transpose(1, 2), rotation)
        values = self.v_proj(x).view(batch, n, -1, size).transpose(1, 2)
        cache = Cache(keys[0], values[0])
        # A sink is a score without a key. In one more dimension the queries have the sink, an extra
        # first key has 1, and all other keys have 0, so that a fused kernel computes it.
        group = self.shape.heads // kv
        sinks = (self.sinks * math.sqrt(size)).view(1, -1, 1, 1).expand(batch, -1, n, 1)
        queries = torch.cat((queries, sinks), -1).view(batch, kv, group * n, size + 1)
        all_keys = with_sink(keys, prefix and prefix.keys, 1.0)
        all_values = with_sink(values, prefix and prefix.values, 0.0)
        attended = F.scaled_dot_product_attention(
            queries, all_keys, all_values, attn_mask=mask.repeat(group, 1), scale=size**-0.5
        )
        heads = attended[..., :size].reshape(batch, -1, n, size)
        return self.o_proj(heads.transpose(1, 2).reshape(batch, n, -1)), cache


def with_sink(own: Tensor, prefix: Tensor | None, sink_value: float) -> Tensor:
    """Return sink, prefix and own keys or values, shape (batch, kv_heads, 1 + m + n, size + 1)."""
    batch, kv, _, size = own.shape
    sink = torch.zeros(batch, kv, 1, size + 1)
    sink[..., -1] = sink_value
    parts = [own] if prefix is None else [prefix.expand(batch, -1, -1, -1), own]
    return torch.cat([sink, *(F.pad(part, (0, 1)) for part in parts)], 2)


def rotate(x: Tensor, rotation: tuple[Tensor, Tensor]) -> Tensor:
    """Apply the rotary embedding to two halves, as gpt-oss does."""
    cos, sin = rotation
    left, right = x.chunk(2, -1)
    return torch.cat((left * cos - right * sin, right * cos + left * sin), -1)


def rotary(shape: Shape, positions: int) -> tuple[Tensor, Tensor]:
    """Return the cosines and sines of YaRN, each of shape (positions, head_dim / 2).

    Source: Peng et al., "YaRN", 2023, with gpt-oss's beta 32 and 1, not truncated.
    """
    half = shape.head_dim // 2
    plain = shape.theta ** -(torch.arange(half) / half)

    def dimension(turns: float) -> float:
        """Return the dimension with this number of turns in the original context."""
        ratio = shape.yarn_window / (turns * 2 * math.pi)
        return shape.head_dim * math.log(ratio) / (2 * math.log(shape.theta))

    low, high = max(dimension(32.0), 0.0), min(dimension(1.0), shape.head_dim - 1)
    extended = ((torch.arange(half) - low) / (high - low)).clamp(0, 1)
    frequencies = plain / shape.yarn_factor * extended + plain * (1 - extended)
    angles = torch.arange(positions)[:, None] * frequencies
    amplitude = 0.1 * math.log(shape.yarn_factor) + 1
    return angles.cos() * amplitude, angles.sin() * amplitude


def attention_mask(prefix: int, own: int, window: int | None) -> Tensor:
    """Return 0 where a token may attend and -inf elsewhere, shape (own, 1 + m + own).

    The first column is the sink; m of the prefix tokens are in the window of some own token.
    """
    first = 0 if window is None else max(0, prefix - window + 1)
    query = torch.arange(prefix, prefix + own)[:, None]
    key = torch.arange(first, prefix + own)[None]
    hidden = key > query
    if window is not None:
        hidden |= query - key >= window
    return F.pad(torch.zeros(hidden.shape).masked_fill_(hidden, -math.inf), (1, 0))


class Experts(nn.Module):
    """The feed-forward networks. All of them are computed, which is fastest at this size."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        experts, hidden, inner = shape.experts, shape.hidden, shape.expert_hidden
        self.gate_up_proj = nn.Parameter(torch.zeros(experts, hidden, 2 * inner))
        self.gate_up_proj_bias = nn.Parameter(torch.zeros(experts, 2 * inner))
        self.down_proj = nn.Parameter(torch.zeros(experts, inner, hidden))
        self.down_proj_bias = nn.Parameter(torch.zeros(experts, hidden))

    def forward(self, x: Tensor, weights: Tensor) -> Tensor:
        """Return the weighted sum of the experts.

        x: shape (n, hidden). weights: shape (n, experts), 0 for an expert that is not active.
        """
        experts, hidden, _ = self.gate_up_proj.shape
        into = self.gate_up_proj.permute(1, 0, 2)
        bias = self.gate_up_proj_bias
        # Gate and up are interleaved. The gate's scale is applied to its weights: x sigmoid(s x) is
        # silu(s x) / s, and the division is applied to the routing weights.
        gate_in, up_in = into[..., ::2].reshape(hidden, -1), into[..., 1::2].reshape(hidden, -1)
        gate = torch.addmm(SILU * bias[:, ::2].reshape(-1), x, SILU * gate_in)
        up = torch.addmm(bias[:, 1::2].reshape(-1), x, up_in)
        inner = F.silu(gate.clamp(max=SILU * LIMIT)) * (up.clamp(-LIMIT, LIMIT) + 1)
        inner = inner.view(len(x), experts, -1) * (weights / SILU)[..., None]
        out = inner.view(len(x), -1) @ self.down_proj.view(-1, hidden)
        return out + weights @ self.down_proj_bias


class Mlp(nn.Module):
    """A router and its experts."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.active = shape.active_experts
        self.router = nn.Linear(shape.hidden, shape.experts)
        self.experts = Experts(shape)
        self.imbalance = torch.zeros(())
        """Of the last batch: 1 if all experts are used equally. Source: Switch Transformer."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the output for x of shape (batch, n, hidden)."""
        flat = x.reshape(-1, x.shape[-1])
        scores = self.router(flat)
        best, chosen = scores.topk(self.active, -1)
        weights = torch.zeros_like(scores).scatter(1, chosen, best.softmax(-1))
        used = torch.zeros_like(scores).scatter(1, chosen, 1.0).mean(0) / self.active
        self.imbalance = (scores.softmax(-1).mean(0) * used).sum() * scores.shape[-1]
        return self.experts(flat, weights).view_as(x)


class Layer(nn.Module):
    """Attention, then experts, each after a norm."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.self_attn = Attention(shape)
        self.mlp = Mlp(shape)
        self.input_layernorm = nn.RMSNorm(shape.hidden, shape.epsilon)
        self.post_attention_layernorm = nn.RMSNorm(shape.hidden, shape.epsilon)

    def forward(
        self, x: Tensor, rotation: tuple[Tensor, Tensor], mask: Tensor, prefix: Cache | None
    ) -> tuple[Tensor, Cache]:
        """Return the output and the new cache; arguments as in Attention."""
        attended, cache = self.self_attn(self.input_layernorm(x), rotation, mask, prefix)
        x = x + attended
        return x + self.mlp(self.post_attention_layernorm(x)), cache


class Body(nn.Module):
    """The embedding, the layers and the last norm."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(shape.vocabulary, shape.hidden)
        self.layers = nn.ModuleList(Layer(shape) for _ in range(shape.layers))
        self.norm = nn.RMSNorm(shape.hidden, shape.epsilon)


class TinyGptOss(nn.Module):
    """The model. Its head is its embedding without the reserved dimension."""

    def __init__(self, shape: Shape, *, positions: int = 4096) -> None:
        super().__init__()
        self.shape = shape
        self.model = Body(shape)
        self.cos, self.sin = rotary(shape, positions)

    def forward(self, prefix: Tensor, own: Tensor, mask: Tensor) -> Tensor:
        """Return logits where the mask is true, shape (mask.sum(), vocabulary).

        prefix: the tokens before every sample, shape (m,); m may be 0. own: shape (batch, n).
        mask: bool, shape (batch, n).
        """
        caches: list[Cache] | None = None
        if len(prefix):
            _, caches = self.run(prefix[None], None)
        x, _ = self.run(own, caches)
        final = self.model.norm(x[mask])
        return HEAD_SCALE * final[:, 1:] @ self.model.embed_tokens.weight[:, 1:].T

    def run(self, tokens: Tensor, prefix: list[Cache] | None) -> tuple[Tensor, list[Cache]]:
        """Return the hidden states, shape (batch, n, hidden), and the cache of each layer."""
        start = prefix[0].keys.shape[1] if prefix else 0
        stop = start + tokens.shape[1]
        rotation = self.cos[start:stop], self.sin[start:stop]
        windows = self.shape.windows()
        masks = {window: attention_mask(start, stop - start, window) for window in set(windows)}
        x = self.model.embed_tokens(tokens)
        caches: list[Cache] = []
        for i, layer in enumerate(self.model.layers):
            visible = prefix[i].last(windows[i]) if prefix else None
            x, cache = layer(x, rotation, masks[windows[i]], visible)
            caches.append(cache)
        return x, caches

    def imbalance(self) -> Tensor:
        """Return how unevenly the last batch used the experts, as the mean over the layers."""
        return torch.stack([layer.mlp.imbalance for layer in self.model.layers]).mean()

    @torch.no_grad()
    def clear_reserved(self) -> None:
        """Reset the reserved dimension after an optimizer step."""
        self.model.embed_tokens.weight[:, 0] = 1
        for layer in self.model.layers:
            layer.self_attn.o_proj.weight[0] = 0
            layer.self_attn.o_proj.bias[0] = 0
            layer.mlp.experts.down_proj[..., 0] = 0
            layer.mlp.experts.down_proj_bias[:, 0] = 0
