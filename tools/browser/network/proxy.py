"""A proxy on loopback that applies the network policy to a browser's own connections."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache, partial
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

import anyio
import h11
from anyio.abc import SocketAttribute, SocketStream

from ....errors import ToolError
from ....sandbox.network import while_serving
from .network_policy import NetworkPolicy
from .transport import PolicyNetworkBackend

if TYPE_CHECKING:
    import httpcore

MAX_BYTES = 32 * 1024 * 1024
"""Limit of what one page may load with all its resources. Beyond it, nothing more arrives."""
_CONNECT_S = 15.0
_MAX_REQUEST_BYTES = 1024 * 1024
_CHUNK_BYTES = 64 * 1024
_HOP_BY_HOP = frozenset(
    b"connection keep-alive proxy-authenticate proxy-authorization proxy-connection te trailer"
    b" transfer-encoding upgrade".split()
)
_DISCONNECTED = (OSError, anyio.BrokenResourceError, anyio.ClosedResourceError, anyio.EndOfStream)

T = TypeVar("T")


@dataclass(eq=False)
class FilteringProxy:
    """An HTTP proxy for one page. It connects only where the policy allows."""

    policy: NetworkPolicy
    bytes_left: int = field(default_factory=lambda: MAX_BYTES)
    """Bytes that the page may still receive."""
    refusals: list[str] = field(default_factory=list[str])
    """The reasons for refused requests, in order."""

    async def serve_during(self, work: Callable[[str], Awaitable[T]]) -> T:
        """Run `work` with the proxy's address. Open connections end when it returns."""
        async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener:
            port = listener.extra(SocketAttribute.local_port)  # noqa: S610 - anyio's
            return await while_serving(
                partial(listener.serve, self.serve_connection),
                partial(work, f"http://127.0.0.1:{port}"),
            )

    async def serve_connection(self, client: SocketStream) -> None:
        """Serve one connection from the browser."""
        async with client:
            with suppress(*_DISCONNECTED, h11.ProtocolError):
                await _ClientConnection(self, client).serve()

    async def count_bytes(self, chunk: bytes) -> bytes:
        """Return the chunk after counting it. Beyond the page's limit, wait until the page closes.

        To end the connection instead would lose text: Chromium discards what it has not parsed of
        a response that breaks off.
        """
        self.bytes_left -= len(chunk)
        if self.bytes_left < 0:
            await anyio.sleep_forever()
        return chunk


class _ClientConnection:
    """A connection from the browser, which sends requests or opens a tunnel."""

    def __init__(self, proxy: FilteringProxy, stream: SocketStream) -> None:
        self._proxy = proxy
        self._stream = stream
        self._http = h11.Connection(h11.SERVER)
        self._network = PolicyNetworkBackend(proxy.policy)

    async def serve(self) -> None:
        import httpcore

        async with httpcore.AsyncConnectionPool(network_backend=self._network) as pool:
            while isinstance(request := await self._next_event(), h11.Request):
                if request.method == b"CONNECT":
                    await self._tunnel(request)
                    return
                await self._forward(request, pool)
                if self._http.our_state is not h11.DONE:
                    return
                self._http.start_next_cycle()

    async def _next_event(self) -> object:
        """Return the next HTTP event that the browser sends."""
        while (event := self._http.next_event()) is h11.NEED_DATA:
            try:
                self._http.receive_data(await self._stream.receive(_CHUNK_BYTES))
            except anyio.EndOfStream:
                self._http.receive_data(b"")
        return event

    async def _tunnel(self, request: h11.Request) -> None:
        await self._next_event()  # the end of the request
        target = urlsplit(b"//" + request.target)
        failures: tuple[type[Exception], ...] = (ToolError, ValueError, *_connection_errors())
        try:
            host, port = (target.hostname or b"").decode("ascii"), target.port or 443
            upstream = await self._network.connect_tcp(host, port, _CONNECT_S)
        except failures as error:
            await self._refuse(error)
            return
        try:
            await self._send(h11.Response(status_code=200, headers=[]))
            await upstream.write(self._http.trailing_data[0])
            async with anyio.create_task_group() as group:
                group.start_soon(self._send_upstream, upstream)
                with suppress(*_connection_errors()):
                    while chunk := await upstream.read(_CHUNK_BYTES):
                        await self._stream.send(await self._proxy.count_bytes(chunk))
                group.cancel_scope.cancel()
        finally:
            with anyio.CancelScope(shield=True):
                await upstream.aclose()

    async def _send_upstream(self, upstream: httpcore.AsyncNetworkStream) -> None:
        with suppress(*_connection_errors()):
            while True:
                await upstream.write(await self._stream.receive(_CHUNK_BYTES))

    async def _forward(self, request: h11.Request, pool: httpcore.AsyncConnectionPool) -> None:
        body = bytearray()
        while isinstance(event := await self._next_event(), h11.Data):
            body += event.data
            if len(body) > _MAX_REQUEST_BYTES:
                raise anyio.EndOfStream
        failures: tuple[type[Exception], ...] = (ToolError, *_connection_errors())
        try:
            async with pool.stream(
                request.method, request.target,
                headers=_end_to_end(request.headers), content=bytes(body),
                extensions={"timeout": {"connect": _CONNECT_S}},
            ) as response:  # fmt: skip
                headers = _end_to_end(response.headers)
                await self._send(h11.Response(status_code=response.status, headers=headers))
                async for chunk in response.aiter_stream():
                    await self._send(h11.Data(data=await self._proxy.count_bytes(chunk)))
                await self._send(h11.EndOfMessage())
        except failures as error:
            if self._http.our_state is not h11.SEND_RESPONSE:
                raise anyio.EndOfStream from error
            await self._refuse(error)

    async def _refuse(self, error: Exception) -> None:
        """Send the browser an error status, and record why if the policy refused."""
        refused = isinstance(error, ToolError)
        if refused:
            self._proxy.refusals.append(str(error))
        headers = [("Content-Length", "0"), ("Connection", "close")]
        await self._send(h11.Response(status_code=403 if refused else 502, headers=headers))
        await self._send(h11.EndOfMessage())

    async def _send(self, event: h11.Event) -> None:
        await self._stream.send(self._http.send(event) or b"")


@cache
def _connection_errors() -> tuple[type[Exception], ...]:
    """Return the errors that mean that an upstream server could not be used."""
    import httpcore

    return (
        httpcore.NetworkError,
        httpcore.ProtocolError,
        httpcore.TimeoutException,
        httpcore.UnsupportedProtocol,
        *_DISCONNECTED,
    )


def _end_to_end(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Return the headers that a proxy passes on."""
    return [(name, value) for name, value in headers if name.lower() not in _HOP_BY_HOP]
