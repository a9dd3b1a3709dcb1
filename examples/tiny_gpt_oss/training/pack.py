# pyright: basic, reportMissingImports=false
"""Writes a trained model as one small file: bfloat16, the small vocabulary, xz."""

from __future__ import annotations

import io
import json
import lzma
from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from ossia.harmony import special

from ..expand import IDS
from ..safetensors import Tensor, write
from .model import HEAD_SCALE, LIMIT, Shape, TinyGptOss

FILTERS = [
    # lp and pb let xz model the two bytes of a bfloat16 separately: only one is nearly random.
    {"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "lc": 3, "lp": 1, "pb": 1}
]
NORM = "model.norm.weight"


def pack(net: TinyGptOss, tokens: Sequence[int], sharpness: float, file: Path) -> None:
    """Write the model.

    tokens: the real id of each row of the embedding except the last, shape (n,).
    sharpness: a factor for the logits. Sampling at temperature 1 then equals sampling the trained
        model at temperature 1 / sharpness.
    """
    weights = {name: weight.detach().clone() for name, weight in net.state_dict().items()}
    # The head is the unscaled embedding, so the last norm includes the head's scale. It does not
    # scale the reserved dimension, where the head differs from the embedding.
    weights[NORM][1:] *= HEAD_SCALE * sharpness
    weights[NORM][0] = 1
    tensors = {IDS: Tensor("I32", (len(tokens),), array("i", tokens).tobytes())}
    for name, weight in weights.items():
        bits = weight.to(torch.bfloat16).contiguous().view(torch.int16)
        tensors[name] = Tensor("BF16", tuple(weight.shape), bits.numpy().tobytes())
    raw = io.BytesIO()
    write(raw, tensors, {"config": json.dumps(config(net.shape))})
    file.write_bytes(lzma.compress(raw.getvalue(), filters=FILTERS))


def config(shape: Shape) -> dict[str, Any]:
    """Return the content of `config.json`, without the size of the real vocabulary."""
    return {
        "architectures": ["GptOssForCausalLM"],
        "model_type": "gpt_oss",
        "torch_dtype": "bfloat16",
        "num_hidden_layers": shape.layers,
        "hidden_size": shape.hidden,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.kv_heads,
        "head_dim": shape.head_dim,
        "num_local_experts": shape.experts,
        "num_experts_per_tok": shape.active_experts,
        "intermediate_size": shape.expert_hidden,
        "hidden_act": "silu",
        "swiglu_limit": LIMIT,
        "rms_norm_eps": shape.epsilon,
        "attention_bias": True,
        "attention_dropout": 0.0,
        "sliding_window": shape.window,
        "layer_types": [
            "full_attention" if window is None else "sliding_attention"
            for window in shape.windows()
        ],
        "rope_parameters": {
            "rope_type": "yarn",
            "rope_theta": shape.theta,
            "factor": shape.yarn_factor,
            "beta_fast": 32.0,
            "beta_slow": 1.0,
            "truncate": False,
            "original_max_position_embeddings": shape.yarn_window,
        },
        "max_position_embeddings": int(shape.yarn_factor) * shape.yarn_window,
        "tie_word_embeddings": False,
        "eos_token_id": special.RETURN,
        "pad_token_id": special.ENDOFTEXT,
    }
