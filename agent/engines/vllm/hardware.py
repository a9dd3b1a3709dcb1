"""The GPU of this machine, and the models that suit it."""

from __future__ import annotations

from pathlib import Path

from platformdirs import user_cache_path

from ....errors import EngineError

DEFAULT_GPU_MODEL = "openai/gpt-oss-20b"
"""The smallest gpt-oss model. It needs 16 GB of GPU memory."""
TINY_MODEL_BYTES = 256 * 1024 * 1024
"""Our tiny model has 77 MB, nearly all of it embeddings."""


def has_gpu() -> bool:
    """Return whether this machine has a GPU that vLLM can use: NVIDIA's or AMD's."""
    return Path("/dev/nvidiactl").exists() or Path("/dev/kfd").exists()


def is_tiny(checkpoint: str | Path) -> bool:
    """Return whether a folder's weights are so small that a second thread does not help."""
    weights = Path(checkpoint).glob("*.safetensors")
    return 0 < sum(file.stat().st_size for file in weights) < TINY_MODEL_BYTES


def default_model() -> str:
    """Return the model to serve by default: gpt-oss-20b on a GPU, otherwise the tiny model.

    Raises EngineError if there is no GPU and the tiny model has not been created.
    """
    if has_gpu():
        return DEFAULT_GPU_MODEL
    tiny_models = (user_cache_path("ossia") / "models").glob("*/tiny-gpt-oss")
    newest = max(tiny_models, key=lambda folder: folder.stat().st_mtime, default=None)
    if newest is None:
        raise EngineError(
            "this machine has no GPU, and the tiny model does not exist yet: create it with "
            "`make demo` or `python -m examples.tiny_gpt_oss` in a checkout, or name a model"
        )
    return str(newest)


def require_checkpoint(model: str | Path) -> str | Path:
    """Return `model`; a path is expanded. Raises EngineError if a path leads to no checkpoint."""
    path = Path(model).expanduser()
    if path.is_absolute() or str(model).startswith((".", "~")):
        if not (path / "config.json").is_file():
            raise EngineError(
                f"{path} is not a model: it has no config.json. Name a folder with a gpt-oss "
                f"checkpoint, or a model such as {DEFAULT_GPU_MODEL}"
            )
        return path
    return model
