"""What this machine offers an engine."""

from __future__ import annotations

from pathlib import Path

from platformdirs import user_cache_path

from ....errors import EngineError

FOR_A_GPU = "openai/gpt-oss-20b"
"""The smallest gpt-oss; it needs 16 GB of a GPU."""
TINY_BYTES = 256 * 1024 * 1024
"""Our tiny model has 77 MB, nearly all of it embeddings."""


def has_gpu() -> bool:
    """Whether the kernel knows a GPU that vLLM can use: NVIDIA's or AMD's."""
    return Path("/dev/nvidiactl").exists() or Path("/dev/kfd").exists()


def is_tiny(checkpoint: str | Path) -> bool:
    """Whether a folder's weights are so small that a second thread makes no step faster."""
    weights = Path(checkpoint).glob("*.safetensors")
    return 0 < sum(file.stat().st_size for file in weights) < TINY_BYTES


def default_model() -> str:
    """What to serve when nobody names a model: gpt-oss-20b on a GPU, else the tiny model.

    Raises EngineError where there is no GPU, and nobody has made the tiny model.
    """
    if has_gpu():
        return FOR_A_GPU
    made = (user_cache_path("ossia") / "models").glob("*/tiny-gpt-oss")
    newest = max(made, key=lambda folder: folder.stat().st_mtime, default=None)
    if newest is None:
        raise EngineError(
            "no GPU here, and no tiny model to try things with: `make demo` or `python -m "
            "examples.tiny_gpt_oss` in a checkout makes one; or name a model"
        )
    return str(newest)


def checked(model: str | Path) -> str | Path:
    """`model`, unless it is a folder's path and there is no such folder: EngineError then."""
    path = Path(model).expanduser()
    if path.is_absolute() or str(model).startswith((".", "~")):
        if not (path / "config.json").is_file():
            raise EngineError(
                f"{path} is no model: there is no config.json in it; name a folder with a gpt-oss "
                f"checkpoint, or a model such as {FOR_A_GPU}"
            )
        return path
    return model
