"""A vLLM server that ossia starts, watches over and stops."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from importlib.util import find_spec
from pathlib import Path
from subprocess import DEVNULL, STDOUT
from types import MappingProxyType

import httpx
import structlog
from anyio import (
    CancelScope,
    current_time,
    fail_after,
    move_on_after,
    open_process,
    run_process,
    sleep,
)
from anyio.abc import Process
from platformdirs import user_cache_path

from ....errors import EngineError, EngineUnavailableError, ServerStartError
from ....harmony import write_ranks
from .crash_log import find_crash_cause
from .hardware import has_gpu, is_tiny

log = structlog.get_logger()

POLL_S = 0.2
STOP_S = 15.0
"""How long a server may take to end by itself; then it is killed."""
LOG_LINES = 30
RETENTION = "--prefix-cache-retention-interval"
"""vLLM 0.32 forgets what sampled tokens did in sliding-window layers, unless told not
to: the next step of a run would compute all of a turn again."""
_PROBE = """
import importlib.util, pathlib, sys
origin = importlib.util.find_spec("vllm").origin
print(sys.argv[1] in pathlib.Path(origin).with_name("engine").joinpath("arg_utils.py").read_text())
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A running server of ours."""

    url: str
    model: str
    """The name it serves the model under."""
    log: Path
    """What it writes, while it runs."""
    process: Process | None = field(default=None, repr=False)

    async def watch(self) -> None:
        """Wait for as long as the server lives. Raises EngineUnavailableError once it has ended."""
        if self.process is not None:
            raise EngineUnavailableError(
                _account(self, _ending(await self.process.wait())), url=self.url
            )


@asynccontextmanager
async def open_server(
    checkpoint: str | Path,
    *,
    port: int | None = None,
    python: str | Path | None = None,
    start_s: float = 600.0,
    options: Sequence[str] = (),
    environment: Mapping[str, str] = MappingProxyType({}),
) -> AsyncGenerator[Server]:
    """Serve a model with vLLM on loopback. The server is gone when the block ends, however it ends.

    checkpoint: a folder with a gpt-oss model, or a name that vLLM can load.
    port: where to listen; None takes a free one.
    python: the interpreter that has vLLM; None looks where `engine_python` says.
    start_s: seconds from the start until the server must be healthy.
    options: further options for vLLM's server, such as `--max-model-len=8192`.
    environment: variables for it, beside those of this process.

    Raises ServerStartError with the fault and the end of the server's log, and EngineError where
    no vLLM is installed or the port is taken.
    """
    port = free_port() if port is None else claim_port(port)
    name = Path(checkpoint).name
    interpreter = str(python or engine_python())
    command = [*_die_with_us(), interpreter, *_arguments(checkpoint, name, port)]
    if await takes(interpreter, RETENTION):
        command += [RETENTION, "None"]
    with tempfile.TemporaryDirectory(prefix="ossia-engine-") as folder:
        log_file = Path(folder, "vllm.log")
        given = {**_environment(checkpoint), **environment}
        process = await _start([*command, *options], log_file, given)
        url = f"http://127.0.0.1:{port}"
        server = Server(url=url, model=name, log=log_file, process=process)
        log.info("server_started", url=url, model=str(checkpoint), pid=process.pid)
        try:
            await _healthy(server, process, start_s)
            yield server
        finally:
            await _stop(process)


async def takes(python: str, option: str) -> bool:
    """Whether the vLLM of that interpreter knows an option; looked up without importing it."""
    with move_on_after(STOP_S):
        done = await run_process([python, "-c", _PROBE, option], stdin=DEVNULL, check=False)
        return done.returncode == 0 and done.stdout.strip() == b"True"
    return False


async def _start(command: Sequence[str], log_file: Path, given: Mapping[str, str]) -> Process:
    with log_file.open("wb") as output:
        return await open_process(
            command,
            stdin=DEVNULL,
            stdout=output,
            stderr=STDOUT,
            env=given,
            start_new_session=True,
        )


def engine_python() -> Path:
    """The interpreter that has vLLM.

    In this order: `$OSSIA_ENGINE_PYTHON`, this interpreter, the engine environment that
    `make demo` keeps in the user's cache. Raises EngineError if there is none.
    """
    named = os.environ.get("OSSIA_ENGINE_PYTHON")
    if named:
        if not Path(named).exists():
            raise EngineError(f"OSSIA_ENGINE_PYTHON names {named!r}, which does not exist")
        return Path(named)
    if find_spec("vllm") is not None:
        return Path(sys.executable)
    # Not by the link: another checkout may set it to another engine while ours is being loaded.
    cached = (user_cache_path("ossia") / "engine" / "current").resolve() / "bin" / "python"
    if cached.exists():
        return cached
    raise EngineError(
        "vLLM is not installed: `pip install 'ossia[vllm]'` on a machine with a GPU, `make demo` "
        "in a checkout for one on the CPU, or name its interpreter in OSSIA_ENGINE_PYTHON"
    )


def free_port() -> int:
    """A port on loopback that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def claim_port(port: int) -> int:
    """`port`, if nobody listens there. Raises EngineError otherwise."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise EngineError(
                f"port {port} cannot be taken ({error.strerror}): stop what listens there, name "
                "another port, or name none for a free one",
                url=f"http://127.0.0.1:{port}",
            ) from error
    return port


def _arguments(checkpoint: str | Path, name: str, port: int) -> list[str]:
    # The api_server module, not the `vllm` command: the CPU build's command looks for a
    # distribution named vllm and dies.
    arguments = [
        "-m", "vllm.entrypoints.openai.api_server",
        "--model", str(checkpoint),
        "--served-model-name", name,
        "--host", "127.0.0.1",
        "--port", str(port),
        "--enable-prefix-caching",
        "--enable-prompt-tokens-details",
    ]  # fmt: skip
    # On a CPU: no graphs to capture, and one process, which starts in two thirds of the time.
    on_cpu = ["--enforce-eager", "--distributed-executor-backend", "uni"]
    return arguments if has_gpu() else [*arguments, *on_cpu]


def _environment(checkpoint: str | Path) -> Mapping[str, str]:
    environment = dict(os.environ)
    # vLLM's own harmony code would download the vocabulary; an offline server must find it.
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
            # Several threads would wait for one another longer than they work.
            environment.setdefault("OMP_NUM_THREADS", "1")
            environment.setdefault("VLLM_CPU_OMP_THREADS_BIND", "nobind")
    return environment


def _die_with_us() -> list[str]:
    """A prefix that ends the server even if this process is killed outright."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "TERM", "--"] if setpriv else []


async def _healthy(server: Server, process: Process, start_s: float) -> None:
    began = current_time()
    async with httpx.AsyncClient(trust_env=False, timeout=5.0) as client:
        while current_time() - began < start_s:
            if process.returncode is not None:
                raise _start_error(server, _ending(process.returncode))
            try:
                response = await client.get(f"{server.url}/health")
            except httpx.TransportError:
                await sleep(POLL_S)
                continue
            if response.status_code == HTTPStatus.OK:
                log.info("server_healthy", url=server.url, seconds=round(current_time() - began, 1))
                return
            await sleep(POLL_S)
    raise _start_error(server, f"was not healthy after {start_s:.0f} s")


def _ending(status: int) -> str:
    if status >= 0:
        return f"ended with status {status}"
    name = signal.Signals(-status).name
    return f"was ended by {name}" + (", perhaps for want of memory" if name == "SIGKILL" else "")


def _start_error(server: Server, what: str) -> ServerStartError:
    return ServerStartError(
        _account(server, what),
        url=server.url,
        fault=find_crash_cause(_written(server)),
        log=_tail(server),
    )


def _account(server: Server, what: str) -> str:
    """What became of a server, in words: its end, the fault, the last lines of its log."""
    fault = find_crash_cause(_written(server))
    why = f": {fault}" if fault else ""
    return f"the vLLM server for {server.model} {what}{why}\nIts last lines:\n{_tail(server)}"


def _written(server: Server) -> str:
    return server.log.read_text(errors="replace")


def _tail(server: Server) -> str:
    return "\n".join(_written(server).splitlines()[-LOG_LINES:])


async def _stop(process: Process) -> None:
    """End the server and whatever it started: first kindly, then for certain."""
    with CancelScope(shield=True):
        _signal(process, signal.SIGTERM)
        with move_on_after(STOP_S):
            await process.wait()
        _signal(process, signal.SIGKILL)
        with fail_after(STOP_S):
            await process.wait()
        await process.aclose()


def _signal(process: Process, number: signal.Signals) -> None:
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        return
