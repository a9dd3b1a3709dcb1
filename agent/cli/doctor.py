"""`ossia doctor`: what is there, what is missing, and the way to what is missing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import dataclass

import anyio
import typer
from rich.console import Console
from rich.text import Text

from ...errors import EngineError, OssiaError, SandboxError
from ...harmony import decode
from ...harmony.rendering import generation_prefix
from ...sandbox import BubblewrapSandbox, DockerSandbox, Sandbox
from ...tools import Chromium
from ..engines import Sampling
from ..engines.vllm import VLLMEngine, engine_python, has_gpu
from . import options
from .sanitize import sanitize

CHECK_S = 60.0
"""How long one examination may take."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one examination has found."""

    name: str
    healthy: bool
    text: str
    """A fact; where something is missing, the way to it too."""


Examine = Callable[[], Awaitable[str]]
"""Returns a fact, or raises OssiaError with the way out."""


def doctor(
    *,
    engine: options.Engine = options.DEFAULT_URL,
    model: options.Model = None,
    api_key: options.ApiKey = None,
) -> None:
    """Look over the server, its model, the sandboxes, the browser; 1 if no run could work."""
    asked = VLLMEngine(engine, model=model, api_key=api_key, absence_s=1.0)
    findings = anyio.run(_examine_all, asked)
    console = Console(highlight=False)
    for finding in findings:
        mark, style = ("✓", "green") if finding.healthy else ("✗", "red")
        told = sanitize(finding.text).replace("\n", "\n  ")
        line = Text.assemble((f"{mark} ", style), (f"{finding.name}: ", "bold"), told)
        console.print(line, soft_wrap=True)
    needed = {finding.name for finding in findings if finding.healthy} >= {"server", "token ids"}
    raise typer.Exit(0 if needed else 1)


async def _examine_all(engine: VLLMEngine) -> Sequence[Finding]:
    """All examinations, the engine's first: its grammar needs its tokens, they need the server."""
    findings = [await _find("vLLM on this machine", _installed)]
    async with engine:
        for name, examine in (
            ("server", engine_serves(engine)),
            ("token ids", engine_speaks_tokens(engine)),
            ("grammars", engine_obeys(engine)),
        ):
            findings.append(await _find(name, examine))
            if not findings[-1].healthy:
                break
    findings.append(await _find("sandbox, Docker", lambda: _computes(DockerSandbox())))
    findings.append(await _find("sandbox, bubblewrap", lambda: _computes(BubblewrapSandbox())))
    findings.append(await _find("browser", _browser))
    return findings


async def _find(name: str, examine: Examine) -> Finding:
    try:
        with anyio.fail_after(CHECK_S):
            return Finding(name, True, await examine())
    except OssiaError as error:
        return Finding(name, False, str(error))
    except TimeoutError:
        return Finding(name, False, f"no answer within {CHECK_S:.0f} s")


async def _installed() -> str:
    gpu = "with a GPU" if has_gpu() else "without a GPU; `ossia engine` serves the tiny model"
    return f"{engine_python()}, {gpu}"


def engine_serves(engine: VLLMEngine) -> Examine:
    """Somebody answers, and serves the model."""

    async def examine() -> str:
        model, window = await engine.served()
        return f"{model} at {engine.base_url}, a window of {window:,} tokens"

    return examine


def engine_speaks_tokens(engine: VLLMEngine) -> Examine:
    """Token ids go in, and token ids come out."""

    async def examine() -> str:
        one = Sampling(max_tokens=1, temperature=0.0)
        async with aclosing(engine.generate(generation_prefix("assistant"), one)) as pieces:
            sampled = [token async for piece in pieces for token in piece.tokens]
        return f"sampled {decode(sampled)!r} after <|start|>assistant"

    return examine


def engine_obeys(engine: VLLMEngine) -> Examine:
    """Turns are held to their grammar."""

    async def examine() -> str:
        if await engine.obeys_grammars():
            return "obeyed: no malformed turn can be sampled"
        raise EngineError(
            "ignored: turns are parsed leniently, and answers validated. vLLM obeys them from "
            "0.11 on with its xgrammar backend; update the server",
            url=engine.base_url,
        )

    return examine


async def _computes(sandbox: AbstractAsyncContextManager[Sandbox]) -> str:
    """A sandbox is opened, and something is computed in it."""
    async with sandbox as opened:
        execution = await opened.execute("6 * 7", timeout_s=CHECK_S)
    if execution.result != "42":
        raise SandboxError(f"6 * 7 was {execution.result!r}: {execution.error}")
    return "computes"


async def _browser() -> str:
    return Chromium().find()
