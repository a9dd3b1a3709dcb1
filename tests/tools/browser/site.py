"""A web server for tests: it accepts real connections and sends exactly the given bytes."""

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
"""Recorded in place of a path for a connection that has sent no request."""


def head(media_type: str = HTML, status: str = "200 OK", **headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Type: {media_type}", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


@dataclass
class Site:
    """A server's responses, and the requests that it has received."""

    responses: Mapping[str, Response]
    """By path: HTML, all bytes of a response, or a function that sends them."""
    port: int = 0
    root: str = ""
    visited: list[str] = field(default_factory=list[str])
    """The requested paths, and `CONNECTED` for each connection without a request."""
    request_heads: list[bytes] = field(default_factory=list[bytes])
    """The requests, without their bodies."""

    _waiters: list[tuple[int, anyio.Event]] = field(default_factory=list[tuple[int, anyio.Event]])

    async def wait_for_paths(self, count: int) -> None:
        """Wait until this many different paths have been requested."""
        self._waiters.append((count, anyio.Event()))
        self._notify()
        await self._waiters[-1][1].wait()

    def _notify(self) -> None:
        for count, event in self._waiters:
            if len(set(self.visited) - {CONNECTED}) >= count:
                event.set()

    async def serve(self, client: ByteStream) -> None:
        async with client:
            with suppress(anyio.BrokenResourceError, anyio.EndOfStream, ssl.SSLError):
                self.visited.append(CONNECTED)
                request = await client.receive()
                self.request_heads.append(request)
                path = request.split(b" ")[1].decode()
                if CONNECTED in self.visited:
                    self.visited.remove(CONNECTED)
                self.visited.append(path)
                self._notify()
                response = self.responses.get(path, head(status="404 Not Found"))
                if callable(response):
                    await response(client)
                elif isinstance(response, str):
                    await client.send(head() + response.encode())
                else:
                    await client.send(response)


@asynccontextmanager
async def open_site(
    responses: Mapping[str, Response],
    *,
    tls: ssl.SSLContext | None = None,
    all_interfaces: bool = False,
) -> AsyncGenerator[Site]:
    """Serve during the block, on loopback or on all interfaces of this machine."""
    site = Site(responses)
    failure: Exception | None = None
    if all_interfaces:
        server = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)
    else:
        server = socket.create_server(("127.0.0.1", 0))
    site.port = server.getsockname()[1]
    listener = await SocketListener.from_socket(server)
    site.root = f"{'https' if tls else 'http'}://127.0.0.1:{site.port}"
    served = TLSListener(listener, tls, standard_compatible=False) if tls else listener
    async with served, anyio.create_task_group() as group:
        group.start_soon(served.serve, site.serve)
        try:
            yield site
        except Exception as error:  # noqa: BLE001 - raised below, outside of the task group
            failure = error
        group.cancel_scope.cancel()
    if failure is not None:
        raise failure
