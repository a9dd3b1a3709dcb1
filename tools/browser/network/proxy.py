"""The gate as a proxy on loopback, for a browser that makes its own connections."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar
from urllib.parse import urlsplit

import anyio
import h11
import httpcore
from anyio.abc import SocketAttribute, SocketStream

from ....errors import ToolError
from ....sandbox.network import while_serving
from .network_policy import NetworkPolicy
from .transport import GatedNetwork

MAX_BYTES = 32 * 1024 * 1024
"""What one page may load, with all that belongs to it; then its connections end."""
_CONNECT_S = 15.0
_REQUEST_BYTES = 1024 * 1024
_PART = 64 * 1024
_HOP_BY_HOP = frozenset(
    b"connection keep-alive proxy-authenticate proxy-authorization proxy-connection te trailer"
    b" transfer-encoding upgrade".split()
)
_GONE = (OSError, anyio.BrokenResourceError, anyio.ClosedResourceError, anyio.EndOfStream)
_FAILED = (
    httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException,
    httpcore.UnsupportedProtocol, *_GONE,
)  # fmt: skip

T = TypeVar("T")


@dataclass(eq=False)
class GateProxy:
    """A proxy for one page: whatever the page asks for goes through the gate."""

    gate: NetworkPolicy
    left: int = field(default_factory=lambda: MAX_BYTES)
    """Bytes that may still come in."""
    refusals: list[str] = field(default_factory=list[str])
    """Why requests were refused, in order."""

    async def serve_during(self, work: Callable[[str], Awaitable[T]]) -> T:
        """Do the work, which is given the proxy's address; open connections end with it."""
        async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener:
            port = listener.extra(SocketAttribute.local_port)  # noqa: S610 - anyio's
            return await while_serving(
                partial(listener.serve, self.answer), partial(work, f"http://127.0.0.1:{port}")
            )

    async def answer(self, client: SocketStream) -> None:
        """Serve one connection of the browser's."""
        async with client:
            with suppress(*_GONE, h11.ProtocolError):
                await _Client(self, client).serve()

    def count(self, part: bytes) -> bytes:
        """Let bytes in. Raises EndOfStream when the page has had enough of them."""
        self.left -= len(part)
        if self.left < 0:
            raise anyio.EndOfStream
        return part


class _Client:
    """One connection of the browser's: requests one after another, or a tunnel."""

    def __init__(self, proxy: GateProxy, stream: SocketStream) -> None:
        self._proxy = proxy
        self._stream = stream
        self._http = h11.Connection(h11.SERVER)
        self._network = GatedNetwork(proxy.gate)

    async def serve(self) -> None:
        async with httpcore.AsyncConnectionPool(network_backend=self._network) as pool:
            while isinstance(request := await self._next(), h11.Request):
                if request.method == b"CONNECT":
                    await self._tunnel(request)
                    return
                await self._forward(request, pool)
                if self._http.our_state is not h11.DONE:
                    return
                self._http.start_next_cycle()

    async def _next(self) -> object:
        """The next event of what the browser sends."""
        while (event := self._http.next_event()) is h11.NEED_DATA:
            try:
                self._http.receive_data(await self._stream.receive(_PART))
            except anyio.EndOfStream:
                self._http.receive_data(b"")
        return event

    async def _tunnel(self, request: h11.Request) -> None:
        await self._next()  # the end of the request
        place = urlsplit(b"//" + request.target)
        try:
            host, port = (place.hostname or b"").decode("ascii"), place.port or 443
            upstream = await self._network.connect_tcp(host, port, _CONNECT_S)
        except (ToolError, ValueError, *_FAILED) as error:
            await self._refuse(error)
            return
        try:
            await self._send(h11.Response(status_code=200, headers=[]))
            await upstream.write(self._http.trailing_data[0])
            async with anyio.create_task_group() as group:
                group.start_soon(self._pass_up, upstream)
                with suppress(*_FAILED):
                    while part := await upstream.read(_PART):
                        await self._stream.send(self._proxy.count(part))
                group.cancel_scope.cancel()
        finally:
            with anyio.CancelScope(shield=True):
                await upstream.aclose()

    async def _pass_up(self, upstream: httpcore.AsyncNetworkStream) -> None:
        with suppress(*_FAILED):
            while True:
                await upstream.write(await self._stream.receive(_PART))

    async def _forward(self, request: h11.Request, pool: httpcore.AsyncConnectionPool) -> None:
        body = bytearray()
        while isinstance(event := await self._next(), h11.Data):
            body += event.data
            if len(body) > _REQUEST_BYTES:
                raise anyio.EndOfStream
        headers = [(k, v) for k, v in request.headers if k.lower() not in _HOP_BY_HOP]
        try:
            async with pool.stream(
                request.method, request.target, headers=headers, content=bytes(body),
                extensions={"timeout": {"connect": _CONNECT_S}},
            ) as response:  # fmt: skip
                kept = [(k, v) for k, v in response.headers if k.lower() not in _HOP_BY_HOP]
                await self._send(h11.Response(status_code=response.status, headers=kept))
                async for part in response.aiter_stream():
                    await self._send(h11.Data(data=self._proxy.count(part)))
                await self._send(h11.EndOfMessage())
        except (ToolError, *_FAILED) as error:
            if self._http.our_state is not h11.SEND_RESPONSE:
                raise anyio.EndOfStream from error
            await self._refuse(error)

    async def _refuse(self, error: Exception) -> None:
        """Tell the browser that there is nothing to be had, and remember why."""
        refused = isinstance(error, ToolError)
        if refused:
            self._proxy.refusals.append(str(error))
        headers = [("Content-Length", "0"), ("Connection", "close")]
        await self._send(h11.Response(status_code=403 if refused else 502, headers=headers))
        await self._send(h11.EndOfMessage())

    async def _send(self, event: h11.Event) -> None:
        await self._stream.send(self._http.send(event) or b"")
