"""The tiny model as a checkpoint folder: expanded on first use, found at once ever after.

Plain Python does it all in about four seconds: the rows of a bfloat16 matrix are copied as bytes,
so neither torch nor numpy is needed.
"""

from __future__ import annotations

import json
import lzma
from collections.abc import Callable
from functools import partial
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ossia.harmony import special, write_ranks

from .safetensors import Tensor, read, write
from .tokenizer import TOKENIZER_CONFIG, read_ranks, tokenizer_json

WEIGHTS = Path(__file__).parent / "tiny.safetensors.xz"
"""The model as it is shipped; `pack` writes it."""

VERSION = 1
"""Of what this file writes: one more, and every old checkpoint is left behind."""

EMBEDDING, HEAD, IDS = "model.embed_tokens.weight", "lm_head.weight", "token_ids"

NEVER = b"\xea\xc6"
"""-29,952 in bfloat16: in the reserved column of a token's head row, it is never sampled."""

GENERATION_CONFIG = {
    "do_sample": True,
    "bos_token_id": special.STARTOFTEXT,
    "eos_token_id": [special.RETURN, special.ENDOFTEXT, special.CALL],
    "pad_token_id": special.ENDOFTEXT,
}
"""As gpt-oss is published with."""


def checkpoint() -> Path:
    """The folder that vLLM and transformers load; made at the first call."""
    made_of = WEIGHTS.read_bytes() + bytes([VERSION])
    return made_once(made_of, "tiny-gpt-oss", partial(expand, WEIGHTS))


def made_once(made_of: bytes, name: str, make: Callable[[Path], None]) -> Path:
    """A checkpoint's folder in the user's cache, below one that is named by what it is made of.

    name: of the folder; a server calls the model by it.
    make: called with a folder to make, if there is none of this name. Whoever dies half-way leaves
        none behind, and of two who make it at once, one wins.
    """
    # Here, for training imports this package too, in an environment that has torch and little else.
    from platformdirs import user_cache_path

    folder = user_cache_path("ossia") / "models" / sha256(made_of).hexdigest()[:12] / name
    if folder.exists():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder.parent, prefix="making-") as temporary:
        made = Path(temporary) / "checkpoint"
        make(made)
        try:
            made.rename(folder)
        except OSError:
            if not folder.exists():
                raise
    return folder


def expand(weights: Path, folder: Path) -> None:
    """Make `folder`, with weights, configuration and tokenizer as transformers writes them."""
    tensors, metadata = read(lzma.decompress(weights.read_bytes()))
    config = json.loads(metadata["config"]) | {"vocab_size": special.SIZE}
    folder.mkdir(parents=True)
    with (folder / "model.safetensors").open("wb") as file:
        write(file, scatter(tensors), {"format": "pt"})
    save(folder / "config.json", config)
    save(folder / "generation_config.json", GENERATION_CONFIG)
    save(folder / "tokenizer_config.json", TOKENIZER_CONFIG)
    with TemporaryDirectory() as temporary:
        ranks = read_ranks(write_ranks(Path(temporary)))
    save(folder / "tokenizer.json", tokenizer_json(ranks, special.NAMES))


def scatter(packed: dict[str, Tensor]) -> dict[str, Tensor]:
    """Give every token of the real vocabulary its rows of the embedding and of the head.

    The packed embedding has a row for each of `token_ids`, and a last one that stands for every
    other token. The head is the embedding with its reserved first column cleared, and holds there,
    for every other token, what keeps that token from being sampled.
    """
    tensors = {name: tensor for name, tensor in packed.items() if name != IDS}
    ids = memoryview(packed[IDS].data).cast("i")
    rows = packed[EMBEDDING]
    width = rows.row_bytes
    unknown = rows.data[len(ids) * width :]
    embedding = bytearray(unknown * special.SIZE)
    head = bytearray((NEVER + bytes(width - 2)) * special.SIZE)
    for i, token in enumerate(ids):
        row = rows.data[i * width : (i + 1) * width]
        embedding[token * width : (token + 1) * width] = row
        head[token * width : (token + 1) * width] = bytes(2) + row[2:]
    shape = (special.SIZE, rows.shape[1])
    tensors[EMBEDDING] = Tensor(rows.dtype, shape, embedding)
    tensors[HEAD] = Tensor(rows.dtype, shape, head)
    return tensors


def save(path: Path, value: dict[str, Any]) -> None:
    """Write JSON."""
    path.write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")
