"""`ossia doctor`: what works on this machine, what is missing, and how to get it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import dataclass
from functools import partial

import anyio
import typer
from rich.console import Console
from rich.text import Text

from ...errors import EngineError, OssiaError, SandboxError
from ...harmony import decode
from ...harmony.rendering import generation_prefix
from ...sandbox import BubblewrapSandbox, DockerSandbox, Sandbox
from ...tools import Chromium
from ..engines import Sampling, TurnRequest
from ..engines.vllm import VLLMEngine, engine_python, has_gpu
from . import options
from .sanitize import sanitize

CHECK_S = 60.0
"""Seconds that one check may take."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check."""

    name: str
    is_ok: bool
    text: str
    """What was found; or what is missing and how to get it."""


Check = Callable[[], Awaitable[str]]
"""Returns what was found, or raises OssiaError that says what to do."""


def doctor(
    *,
    engine: options.Engine = options.DEFAULT_URL,
    model: options.Model = None,
    api_key: options.ApiKey = None,
) -> None:
    """Check the server, its model, sandboxes and browser.

    The exit status is 1 if agents cannot run.
    """
    checked = VLLMEngine(engine, model=model, api_key=api_key, absence_s=1.0)
    findings = anyio.run(_check_all, checked)
    console = Console(highlight=False)
    for finding in findings:
        mark, style = ("✓", "green") if finding.is_ok else ("✗", "red")
        text = sanitize(finding.text).replace("\n", "\n  ")
        line = Text.assemble((f"{mark} ", style), (f"{finding.name}: ", "bold"), text)
        console.print(line, soft_wrap=True)
    can_run = {finding.name for finding in findings if finding.is_ok} >= {"server", "token ids"}
    raise typer.Exit(0 if can_run else 1)


async def _check_all(engine: VLLMEngine) -> Sequence[Finding]:
    """Run all checks. Each of the engine's needs the one before it."""
    findings = [await _check("vLLM on this machine", check_vllm)]
    async with engine:
        for name, check in (
            ("server", check_server),
            ("token ids", check_token_ids),
            ("grammars", check_grammars),
        ):
            findings.append(await _check(name, partial(check, engine)))
            if not findings[-1].is_ok:
                break
    findings.append(await _check("sandbox, Docker", lambda: _check_sandbox(DockerSandbox())))
    findings.append(
        await _check("sandbox, bubblewrap", lambda: _check_sandbox(BubblewrapSandbox()))
    )
    findings.append(await _check("browser", _check_browser))
    return findings


async def _check(name: str, check: Check) -> Finding:
    try:
        with anyio.fail_after(CHECK_S):
            return Finding(name, True, await check())
    except OssiaError as error:
        return Finding(name, False, str(error))
    except TimeoutError:
        return Finding(name, False, f"no reply within {CHECK_S:.0f} s")


async def check_vllm() -> str:
    """Check that vLLM is installed on this machine."""
    gpu = "with a GPU" if has_gpu() else "without a GPU; `ossia engine` serves the tiny model"
    return f"{engine_python()}, {gpu}"


async def check_server(engine: VLLMEngine) -> str:
    """Check that the server answers and serves the model."""
    model, window = await engine.served()
    return f"{model} at {engine.base_url}, a window of {window:,} tokens"


async def check_token_ids(engine: VLLMEngine) -> str:
    """Check that token ids go in and come out."""
    request = TurnRequest(
        prompt=generation_prefix("assistant"), sampling=Sampling(max_tokens=1, temperature=0.0)
    )
    async with aclosing(engine.generate(request)) as pieces:
        sampled = [token async for piece in pieces for token in piece.tokens]
    return f"sampled {decode(sampled)!r} after <|start|>assistant"


async def check_grammars(engine: VLLMEngine) -> str:
    """Check that turns match their grammar."""
    if await engine.obeys_grammars():
        return "obeyed: a malformed turn cannot be sampled"
    raise EngineError(
        "ignored: turns are parsed leniently, and answers are validated. vLLM obeys grammars from "
        "0.11 on with its xgrammar backend; update the server",
        url=engine.base_url,
    )


async def _check_sandbox(sandbox: AbstractAsyncContextManager[Sandbox]) -> str:
    """Open a sandbox and compute something in it."""
    async with sandbox as opened:
        execution = await opened.execute("6 * 7", timeout_s=CHECK_S)
    if execution.result != "42":
        raise SandboxError(f"6 * 7 returned {execution.result!r}: {execution.error}")
    return "works"


async def _check_browser() -> str:
    return Chromium().find_executable()
