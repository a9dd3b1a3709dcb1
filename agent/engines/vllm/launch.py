"""How to launch a vLLM server: its interpreter, command line, environment and port."""

from __future__ import annotations

import os
import shutil
import socket
import sys
from importlib.util import find_spec
from pathlib import Path
from subprocess import DEVNULL

import anyio
from platformdirs import user_cache_path

from ....errors import EngineError
from ....harmony import write_ranks
from .hardware import has_gpu, is_tiny

RETENTION_OPTION = "--prefix-cache-retention-interval"
"""With `None`, the prefix cache keeps the sliding-window layers of sampled tokens. By default,
vLLM 0.32 drops them, and the next step of a run computes the whole turn again."""
OPTION_LOOKUP_S = 15.0
_FIND_OPTION = """
import importlib.util, pathlib, sys
origin = importlib.util.find_spec("vllm").origin
print(sys.argv[1] in pathlib.Path(origin).with_name("engine").joinpath("arg_utils.py").read_text())
"""


def engine_python() -> Path:
    """Return the Python interpreter that has vLLM.

    The candidates are, in this order: `$OSSIA_ENGINE_PYTHON`, the running interpreter, and the
    engine environment that `make demo` creates in the user's cache folder.

    Raises EngineError if none of them exists.
    """
    configured = os.environ.get("OSSIA_ENGINE_PYTHON")
    if configured:
        if not Path(configured).exists():
            raise EngineError(f"OSSIA_ENGINE_PYTHON is {configured!r}, which does not exist")
        return Path(configured)
    if find_spec("vllm") is not None:
        return Path(sys.executable)
    # Resolve the link now: another checkout may change it while our server loads.
    cached = (user_cache_path("ossia") / "engine" / "current").resolve() / "bin" / "python"
    if cached.exists():
        return cached
    raise EngineError(
        "vLLM is not installed. On a machine with a GPU, run `pip install 'ossia[vllm]'`. On a "
        "CPU, run `make demo` in a checkout. Or set OSSIA_ENGINE_PYTHON to a Python interpreter "
        "that has vLLM"
    )


async def has_option(python: str | Path, option: str) -> bool:
    """Return whether that interpreter's vLLM has a server option, without importing vLLM."""
    with anyio.move_on_after(OPTION_LOOKUP_S):
        command = [str(python), "-c", _FIND_OPTION, option]
        done = await anyio.run_process(command, stdin=DEVNULL, check=False)
        return done.returncode == 0 and done.stdout.strip() == b"True"
    return False


async def server_command(
    checkpoint: str | Path, *, served_name: str, port: int, python: str | Path
) -> list[str]:
    """Return the command line that serves a model on loopback."""
    command = [
        *_parent_death_signal(),
        str(python),
        # The `vllm` command of the CPU build fails: it looks for a distribution named vllm.
        "-m", "vllm.entrypoints.openai.api_server",
        "--model", str(checkpoint),
        "--served-model-name", served_name,
        "--host", "127.0.0.1",
        "--port", str(port),
        "--enable-prefix-caching",
        "--enable-prompt-tokens-details",
    ]  # fmt: skip
    if not has_gpu():
        # A CPU has no graphs to capture. A single process starts in two thirds of the time.
        command += ["--enforce-eager", "--distributed-executor-backend", "uni"]
    if await has_option(python, RETENTION_OPTION):
        command += [RETENTION_OPTION, "None"]
    return command


def server_environment(checkpoint: str | Path) -> dict[str, str]:
    """Return this process's environment with the variables that a server needs."""
    environment = dict(os.environ)
    # Otherwise vLLM's own harmony code downloads the vocabulary, which fails offline.
    ranks = user_cache_path("ossia") / "vocabulary"
    write_ranks(ranks)
    environment["TIKTOKEN_ENCODINGS_BASE"] = str(ranks)
    environment.setdefault("VLLM_NO_USAGE_STATS", "1")
    if Path(checkpoint).is_dir():
        environment.setdefault("HF_HUB_OFFLINE", "1")
    if not has_gpu():
        environment.setdefault("VLLM_ENABLE_V1_MULTIPROCESSING", "0")
        environment.setdefault("VLLM_CPU_KVCACHE_SPACE", "1")
        if is_tiny(checkpoint):
            # With several threads, waiting for each other takes longer than the work.
            environment.setdefault("OMP_NUM_THREADS", "1")
            environment.setdefault("VLLM_CPU_OMP_THREADS_BIND", "nobind")
    return environment


def find_free_port() -> int:
    """Return a loopback port that is free at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def require_free_port(port: int) -> int:
    """Return `port` if it is free on loopback. Raises EngineError otherwise."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise EngineError(
                f"port {port} is not available ({error.strerror}): stop the program that listens "
                "on it, choose another port, or use any free one (port=None, or --port 0)",
                url=f"http://127.0.0.1:{port}",
            ) from error
    return port


def _parent_death_signal() -> list[str]:
    """Return a command prefix that ends the server when this process dies, even by SIGKILL."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "TERM", "--"] if setpriv else []
