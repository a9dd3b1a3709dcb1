"""A vLLM server that ossia starts, watches and stops."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from subprocess import DEVNULL, STDOUT
from types import MappingProxyType

import anyio
import httpx
from anyio.abc import Process

from ....errors import EngineUnavailableError, ServerStartError
from ....sandbox import get_logger
from .crash_log import find_crash_cause
from .launch import (
    engine_python,
    find_free_port,
    require_free_port,
    server_command,
    server_environment,
)

log = get_logger("ossia.agent.engines")

POLL_S = 0.2
STOP_S = 15.0
"""How long a server may take to exit after SIGTERM. Then it is killed."""
LOG_LINES = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A running vLLM server that ossia started."""

    url: str
    model: str
    """The name under which it serves the model."""
    log: Path
    """The file with its log, which exists while the server runs."""
    process: Process | None = field(default=None, repr=False)

    async def watch(self) -> None:
        """Wait until the server exits, then raise EngineUnavailableError."""
        if self.process is not None:
            status = await self.process.wait()
            raise EngineUnavailableError(
                _describe_failure(self, _exit_reason(status)), url=self.url
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
    """Serve a model with vLLM on loopback. The server stops when the block ends, however it ends.

    checkpoint: a folder with a gpt-oss model, or a model name that vLLM can load.
    port: the port to listen on; None chooses a free one.
    python: the Python interpreter that has vLLM; None means `engine_python()`.
    start_s: how many seconds the server may take to become healthy.
    options: additional options for vLLM's server, such as `--max-model-len=8192`.
    environment: additional environment variables for the server.

    Raises ServerStartError, with the cause and the end of the server's log, if the server does not
    become healthy; EngineError if vLLM is not installed or the port is in use.
    """
    port = find_free_port() if port is None else require_free_port(port)
    url, name = f"http://127.0.0.1:{port}", Path(checkpoint).name
    python = python or engine_python()
    command = await server_command(checkpoint, served_name=name, port=port, python=python)
    with tempfile.TemporaryDirectory(prefix="ossia-engine-") as folder:
        log_file = Path(folder, "vllm.log")
        variables = {**server_environment(checkpoint), **environment}
        process = await _start_process([*command, *options], log_file, variables)
        server = Server(url=url, model=name, log=log_file, process=process)
        log.info("server_started", url=url, model=str(checkpoint), pid=process.pid)
        try:
            await _wait_until_healthy(server, process, start_s)
            yield server
        finally:
            await _stop_process(process)


async def _start_process(
    command: Sequence[str], log_file: Path, environment: Mapping[str, str]
) -> Process:
    with log_file.open("wb") as output:
        return await anyio.open_process(
            command,
            stdin=DEVNULL,
            stdout=output,
            stderr=STDOUT,
            env=environment,
            start_new_session=True,
        )


async def _wait_until_healthy(server: Server, process: Process, start_s: float) -> None:
    started = anyio.current_time()
    async with httpx.AsyncClient(trust_env=False, timeout=5.0) as client:
        while anyio.current_time() - started < start_s:
            if process.returncode is not None:
                raise _start_error(server, _exit_reason(process.returncode))
            if await _is_healthy(client, server.url):
                seconds = round(anyio.current_time() - started, 1)
                log.info("server_became_healthy", url=server.url, seconds=seconds)
                return
            await anyio.sleep(POLL_S)
    raise _start_error(server, f"did not become healthy within {start_s:.0f} s")


async def _is_healthy(client: httpx.AsyncClient, url: str) -> bool:
    try:
        response = await client.get(f"{url}/health")
    except httpx.TransportError:
        return False
    return response.status_code == HTTPStatus.OK


def _exit_reason(status: int) -> str:
    if status >= 0:
        return f"exited with status {status}"
    name = signal.Signals(-status).name
    return f"was killed by {name}" + (", perhaps out of memory" if name == "SIGKILL" else "")


def _start_error(server: Server, reason: str) -> ServerStartError:
    return ServerStartError(
        _describe_failure(server, reason),
        url=server.url,
        fault=find_crash_cause(_read_log(server)),
        log=_log_tail(server),
    )


def _describe_failure(server: Server, reason: str) -> str:
    """Return an error message: what happened, the cause, and the end of the log."""
    cause = find_crash_cause(_read_log(server))
    suffix = f": {cause}" if cause else ""
    return (
        f"the vLLM server for {server.model} {reason}{suffix}\n"
        f"The end of its log:\n{_log_tail(server)}"
    )


def _read_log(server: Server) -> str:
    return server.log.read_text(errors="replace")


def _log_tail(server: Server) -> str:
    return "\n".join(_read_log(server).splitlines()[-LOG_LINES:])


async def _stop_process(process: Process) -> None:
    """Stop the server and its child processes: first with SIGTERM, then with SIGKILL."""
    with anyio.CancelScope(shield=True):
        _signal_group(process, signal.SIGTERM)
        with anyio.move_on_after(STOP_S):
            await process.wait()
        _signal_group(process, signal.SIGKILL)
        with anyio.fail_after(STOP_S):
            await process.wait()
        await process.aclose()


def _signal_group(process: Process, number: signal.Signals) -> None:
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        return
