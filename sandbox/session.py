"""The caller's side of the kernel: what all sandboxes have in common."""

from __future__ import annotations

import codecs
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self, cast

import anyio

from ..errors import SandboxDiedError, SandboxError, SandboxPathError
from .boot import boot_blob
from .channel import Channel, ChannelClosedError
from .execution import DATA, Execution, ExecutionError, OnOutput, SandboxFile, Stream
from .kernel.frames import MAX_BODY, FrameError, Header, Unpacker, pack
from .paths import inside

START_S = 60.0
"""Seconds that a supervisor has to answer after its start."""
STOP_S = 15.0
"""Seconds that taking a sandbox down may take."""
GRACE_S = 3.0
"""Seconds that an interrupted cell has to stop."""
SLACK_S = 10.0
"""Seconds beyond timeout and grace after which the sandbox itself is given up."""
_TRANSFER_S = 120.0


@dataclass(kw_only=True, eq=False)
class KernelSandbox(ABC):
    """A Sandbox around a supervisor that is reached over a channel."""

    memory_mib: int = 2048
    """Of all processes together where the machine can count that, else of each."""
    cpus: float = 2.0
    pids: int = 128
    """Processes and threads at once."""
    data_mib: int = 512
    """Size of /mnt/data; part of the memory, for it lies there."""
    tmp_mib: int = 256
    open_files: int = 1024
    output_kib: int = 64
    """Of each of stdout, stderr and the result. The middle is cut; both ends stay."""
    _channel: Channel | None = field(default=None, init=False, repr=False)
    _unpacker: Unpacker = field(default_factory=Unpacker, init=False, repr=False)
    _lock: anyio.Lock = field(default_factory=anyio.Lock, init=False, repr=False)
    _opened: bool = field(default=False, init=False, repr=False)
    _cells: int = field(default=0, init=False, repr=False)
    _requests: int = field(default=0, init=False, repr=False)

    @abstractmethod
    async def _start(self) -> Channel:
        """Start the place and its supervisor."""

    @abstractmethod
    async def _stop(self) -> None:
        """Take down whatever `_start` made; there may be nothing."""

    @abstractmethod
    async def _why_dead(self) -> str:
        """Say what is known about the end of a place whose channel closed."""

    def _kernel_options(self) -> dict[str, Any]:
        return {"data": DATA, "rlimits": {}}

    async def __aenter__(self) -> Self:
        """Start it."""
        if self._opened:
            raise SandboxError("this sandbox is open already; a sandbox is opened once")
        self._opened = True
        try:
            await self._boot()
        except BaseException:
            await self._tear_down()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Take it down, with all that was in it."""
        await self._tear_down()
        self._opened = False

    async def execute(
        self, code: str, *, timeout_s: float = 120.0, on_output: OnOutput | None = None
    ) -> Execution:
        """Run one cell; see `Sandbox.execute`."""
        async with self._locked():
            started = time.monotonic()
            self._cells += 1
            output = _Output(on_output)
            request: Header = {
                "do": "execute",
                "number": self._cells,
                "timeout_s": timeout_s,
                "grace_s": GRACE_S,
                "output_bytes": self.output_kib * 1024,
            }
            reply = await self._run(request, code.encode("utf-8", "replace"), output)
            seconds = time.monotonic() - started
            return _execution(reply, output, seconds)

    async def put(self, path: str, data: bytes) -> None:
        """Write a file; see `Sandbox.put`."""
        name = inside(path)
        async with self._locked():
            for start in range(0, max(len(data), 1), MAX_BODY):
                request: Header = {
                    "do": "put",
                    "path": name,
                    "first": start == 0,
                    "last": start + MAX_BODY >= len(data),
                }
                reply = await self._ask_file(request, data[start : start + MAX_BODY])
                if "failed" in reply:
                    raise SandboxPathError(f"cannot write {DATA}/{name}: {reply['failed']}")

    async def get(self, path: str, *, max_bytes: int = 64 * 1024 * 1024) -> bytes:
        """Read a file; see `Sandbox.get`."""
        name = inside(path)
        parts = bytearray()
        async with self._locked():
            request: Header = {"do": "get", "path": name, "max_bytes": max_bytes}
            reply = await self._ask_file(request, collect=parts)
        if "too_large" in reply:
            raise SandboxPathError(
                f"{DATA}/{name} holds {reply['too_large']} bytes, and max_bytes is {max_bytes}"
            )
        if "failed" in reply:
            raise SandboxPathError(f"cannot read {DATA}/{name}: {reply['failed']}")
        return bytes(parts)

    async def list(self) -> list[SandboxFile]:
        """List the files; see `Sandbox.list`."""
        async with self._locked():
            reply = await self._ask_file({"do": "list"})
        return sorted(
            (SandboxFile(f"{DATA}/{path}", size) for path, size in reply["files"]),
            key=lambda file: file.path,
        )

    @asynccontextmanager
    async def _locked(self) -> AsyncGenerator[None]:
        if not self._opened:
            raise SandboxError("the sandbox is not open: use it inside `async with`")
        async with self._lock:
            if self._channel is None:
                await self._reboot()
            yield

    async def _boot(self) -> None:
        self._unpacker = Unpacker()
        with anyio.fail_after(START_S):
            self._channel = await self._start()
            await self._channel.send(boot_blob(self._kernel_options()))
            try:
                await self._next_frame()
            except (ChannelClosedError, FrameError) as error:
                why = await self._why_dead()
                raise SandboxDiedError(f"the sandbox ended while it started: {why}") from error

    async def _reboot(self) -> None:
        try:
            await self._boot()
        except BaseException:
            await self._tear_down()
            raise

    async def _tear_down(self) -> None:
        with anyio.move_on_after(STOP_S, shield=True):
            if self._channel is not None:
                self._channel.close()
                self._channel = None
            await self._stop()

    async def _run(self, request: Header, code: bytes, output: _Output) -> Header:
        limit_s = request["timeout_s"] + request["grace_s"] + SLACK_S
        try:
            with anyio.fail_after(limit_s):
                return await self._ask(request, code, output)
        except anyio.get_cancelled_exc_class():
            await self._interrupt(output)
            raise
        except TimeoutError:
            return await self._replace("it did not answer within its time", timed_out=True)
        except (ChannelClosedError, FrameError):
            with anyio.CancelScope(shield=True), anyio.move_on_after(STOP_S):
                why = await self._why_dead()
                return await self._replace(why, timed_out=False)
            raise SandboxDiedError("the sandbox went away, and did not say why") from None

    async def _replace(self, why: str, *, timed_out: bool) -> Header:
        """Give the place up, start another, and tell of it as a cell's reply."""
        await self._tear_down()
        try:
            await self._reboot()
        except (SandboxError, TimeoutError) as error:
            raise SandboxDiedError(
                f"the sandbox went away ({why}), and no other could be started: {error}"
            ) from error
        message = f"the sandbox was replaced: {why}; variables and files are lost"
        error_said = {"name": "SandboxDied", "message": message, "traceback": ""}
        return {
            "result": None,
            "error": error_said,
            "files": [],
            "timed_out": timed_out,
            "state_lost": True,
        }

    async def _interrupt(self, output: _Output) -> None:
        """Stop the cell of a cancelled call; give the place up if it does not stop."""
        with anyio.move_on_after(2 * GRACE_S, shield=True) as scope:
            try:
                if self._channel is not None:
                    await self._channel.send(pack({"do": "interrupt"}))
                    await self._reply(output, None)
            except (ChannelClosedError, FrameError):
                await self._tear_down()
        if scope.cancelled_caught:
            await self._tear_down()

    async def _ask_file(
        self, request: Header, body: bytes = b"", *, collect: bytearray | None = None
    ) -> Header:
        try:
            with anyio.fail_after(_TRANSFER_S):
                return await self._ask(request, body, None, collect)
        except (ChannelClosedError, FrameError, TimeoutError) as error:
            with anyio.CancelScope(shield=True), anyio.move_on_after(STOP_S):
                why = await self._why_dead()
                await self._tear_down()
                raise SandboxDiedError(
                    f"the sandbox went away: {why}; its files are lost"
                ) from error
            raise SandboxDiedError("the sandbox went away; its files are lost") from error

    async def _ask(
        self,
        request: Header,
        body: bytes,
        output: _Output | None,
        collect: bytearray | None = None,
    ) -> Header:
        assert self._channel is not None
        self._requests += 1
        first, rest = body[:MAX_BODY], body[MAX_BODY:]
        await self._channel.send(pack({**request, "id": self._requests}, first))
        del rest
        return await self._reply(output, collect)

    async def _reply(self, output: _Output | None, collect: bytearray | None) -> Header:
        while True:
            header, body = await self._next_frame()
            if header.get("id") != self._requests:
                # It answers a call that was cancelled.
                continue
            if header["is"] == "done":
                return header
            if header["is"] == "output" and output is not None:
                output.feed(cast("Stream", header["stream"]), body)
            elif header["is"] == "part" and collect is not None:
                collect += body

    async def _next_frame(self) -> tuple[Header, bytes]:
        assert self._channel is not None
        while not (frame := self._unpacker.next()):
            self._unpacker.feed(await self._channel.receive())
        return frame


class _Output:
    """Collects a cell's output as text, and passes it on."""

    def __init__(self, on_output: OnOutput | None) -> None:
        decoder = codecs.getincrementaldecoder("utf-8")
        self._decoders = {"stdout": decoder("replace"), "stderr": decoder("replace")}
        self._texts: dict[str, list[str]] = {"stdout": [], "stderr": []}
        self._on_output = on_output

    def feed(self, stream: Stream, data: bytes, *, final: bool = False) -> None:
        text = self._decoders[stream].decode(data, final)
        if text:
            self._texts[stream].append(text)
            if self._on_output is not None:
                self._on_output(stream, text)

    def text(self, stream: Stream) -> str:
        self.feed(stream, b"", final=True)
        return "".join(self._texts[stream])


def _execution(reply: Header, output: _Output, seconds: float) -> Execution:
    error = reply["error"]
    return Execution(
        stdout=output.text("stdout"),
        stderr=output.text("stderr"),
        result=reply["result"],
        error=ExecutionError(**error) if error else None,
        files=tuple(f"{DATA}/{path}" for path in reply["files"]),
        timed_out=reply["timed_out"],
        duration_s=seconds,
        state_lost=reply["state_lost"],
    )
