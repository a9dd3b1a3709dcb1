"""A web server for tests: real connections, and exactly the bytes that a test wants to be sent."""

from __future__ import annotations

import socket
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import anyio
from anyio.abc import ByteStream, SocketListener
from anyio.streams.tls import TLSListener

Response = bytes | str | Callable[[ByteStream], Awaitable[None]]
HTML = "text/html; charset=utf-8"
CONNECTED = ""
"""Stands among the paths for a connection that has not asked for any."""


def head(kind: str = HTML, status: str = "200 OK", **headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Type: {kind}", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


@dataclass
class Site:
    """What a server has, and who came for it."""

    answers: Mapping[str, Response]
    """By path: HTML, all the bytes of an answer, or a function that sends them."""
    port: int = 0
    root: str = ""
    came: list[str] = field(default_factory=list[str])
    """The paths that were asked for, and `CONNECTED` for each connection that asked nothing."""
    heads: list[bytes] = field(default_factory=list[bytes])
    """The requests, without their bodies."""

    _awaited: list[tuple[int, anyio.Event]] = field(default_factory=list[tuple[int, anyio.Event]])

    async def seen(self, count: int) -> None:
        """Wait until so many paths were asked for, each counted once."""
        self._awaited.append((count, anyio.Event()))
        self._tell()
        await self._awaited[-1][1].wait()

    def _tell(self) -> None:
        for count, event in self._awaited:
            if len(set(self.came) - {CONNECTED}) >= count:
                event.set()

    async def serve(self, client: ByteStream) -> None:
        async with client:
            with suppress(anyio.BrokenResourceError, anyio.EndOfStream, ssl.SSLError):
                self.came.append(CONNECTED)
                request = await client.receive()
                self.heads.append(request)
                path = request.split(b" ")[1].decode()
                if CONNECTED in self.came:
                    self.came.remove(CONNECTED)
                self.came.append(path)
                self._tell()
                answer = self.answers.get(path, head(status="404 Not Found"))
                if callable(answer):
                    await answer(client)
                else:
                    await client.send(
                        head() + answer.encode() if isinstance(answer, str) else answer
                    )


@asynccontextmanager
async def open_site(
    answers: Mapping[str, Response],
    *,
    tls: ssl.SSLContext | None = None,
    everywhere: bool = False,
) -> AsyncGenerator[Site]:
    """Serve for as long as the block lasts, on loopback or at every address of this machine."""
    site = Site(answers)
    failure: Exception | None = None
    if everywhere:
        listening = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)
    else:
        listening = socket.create_server(("127.0.0.1", 0))
    site.port = listening.getsockname()[1]
    listener = await SocketListener.from_socket(listening)
    site.root = f"{'https' if tls else 'http'}://127.0.0.1:{site.port}"
    served = TLSListener(listener, tls, standard_compatible=False) if tls else listener
    async with served, anyio.create_task_group() as group:
        group.start_soon(served.serve, site.serve)
        try:
            yield site
        except Exception as error:  # noqa: BLE001 - raised below, where no group wraps it
            failure = error
        group.cancel_scope.cancel()
    if failure is not None:
        raise failure
