"""The tiny model as a checkpoint folder, which is created on first use and then cached.

This takes about four seconds in plain Python. The rows of a bfloat16 matrix are copied as bytes, so
neither torch nor numpy is needed.
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
"""The shipped model; `pack` writes this file."""

VERSION = 1
"""The version of the checkpoints. Increment it when this module writes something else."""

EMBEDDING, HEAD, IDS = "model.embed_tokens.weight", "lm_head.weight", "token_ids"

NEVER = b"\xea\xc6"
"""-29,952 in bfloat16. In the reserved column of a row of the head, it rules the token out."""

GENERATION_CONFIG = {
    "do_sample": True,
    "bos_token_id": special.STARTOFTEXT,
    "eos_token_id": [special.RETURN, special.ENDOFTEXT, special.CALL],
    "pad_token_id": special.ENDOFTEXT,
}
"""The generation configuration of the published gpt-oss."""


def checkpoint() -> Path:
    """Return the folder that vLLM and transformers load. The first call creates it."""
    source = WEIGHTS.read_bytes() + bytes([VERSION])
    return cached_checkpoint(source, "tiny-gpt-oss", partial(expand, WEIGHTS))


def cached_checkpoint(source: bytes, name: str, create: Callable[[Path], None]) -> Path:
    """Return a checkpoint's folder in the user's cache; create it if it does not exist.

    source: what the checkpoint is created from. Its hash is part of the path.
    name: the folder's name, which a server uses as the model's name.
    create: creates the folder at the given path. An interrupted call leaves no folder behind, and
        two processes may do this at the same time.
    """
    # Imported here because training imports this module where only torch is installed.
    from platformdirs import user_cache_path

    folder = user_cache_path("ossia") / "models" / sha256(source).hexdigest()[:12] / name
    if folder.exists():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder.parent, prefix="creating-") as temporary:
        created = Path(temporary) / "checkpoint"
        create(created)
        try:
            created.rename(folder)
        except OSError:
            if not folder.exists():
                raise
    return folder


def expand(weights: Path, folder: Path) -> None:
    """Create a folder with weights, configuration and tokenizer as transformers writes them."""
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

    The packed embedding has a row for each of `token_ids`, and a last row for every other token.
    The head is the embedding with zeros in its reserved first column. For every other token it has
    `NEVER` there, which keeps the token from being sampled.
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
