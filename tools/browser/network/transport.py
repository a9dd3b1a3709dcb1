"""httpx through the gate: every connection is made to an address that was checked."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Iterable
from functools import cache
from types import TracebackType
from typing import Any, Self, cast

import httpcore
import httpx

from .network_policy import NetworkPolicy

SocketOption = (
    tuple[int, int, int] | tuple[int, int, bytes | bytearray] | tuple[int, int, None, int]
)


class GatedNetwork(httpcore.AsyncNetworkBackend):
    """TCP, and only through the gate. Its methods raise httpcore's errors, and ToolError."""

    def __init__(self, gate: NetworkPolicy) -> None:
        self._gate = gate
        self._network: httpcore.AsyncNetworkBackend = cast(
            "httpcore.AsyncNetworkBackend", httpcore.AnyIOBackend()
        )

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's signature
        local_address: str | None = None,
        socket_options: Iterable[SocketOption] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the first address that answers, of those the gate lets through."""
        addresses = await self._gate.addresses(host, port)
        failure: httpcore.ConnectError | httpcore.ConnectTimeout | None = None
        for address in addresses:
            try:
                return await self._network.connect_tcp(
                    address, port, timeout, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure or httpcore.ConnectError(f"{host} has no address")

    async def sleep(self, seconds: float) -> None:
        """Wait between two tries."""
        await self._network.sleep(seconds)


class GatedTransport(httpx.AsyncBaseTransport):
    """What an httpx client uses in place of its own transport. It knows no proxies: they resolve.

    Raises ToolError from the gate, and httpx's own errors for the rest.
    """

    def __init__(self, gate: NetworkPolicy) -> None:
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=_trusted(),
            http2=True,
            max_connections=10,
            keepalive_expiry=5.0,
            network_backend=GatedNetwork(gate),
        )

    async def __aenter__(self) -> Self:
        await self._pool.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        await self._pool.__aexit__(kind, error, traceback)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request; redirects are the client's to follow, through the gate again."""
        try:
            response = await self._pool.handle_async_request(
                httpcore.Request(
                    method=request.method,
                    url=httpcore.URL(
                        scheme=request.url.raw_scheme,
                        host=request.url.raw_host,
                        port=request.url.port,
                        target=request.url.raw_path,
                    ),
                    headers=request.headers.raw,
                    content=request.stream,
                    extensions=request.extensions,
                )
            )
        except tuple(_ERRORS) as error:
            raise _ERRORS[type(error)](str(error), request=request) from error
        return httpx.Response(
            status_code=response.status,
            headers=response.headers,
            stream=_Body(response, request),
            extensions=cast("Any", response).extensions,
        )


@cache
def _trusted() -> ssl.SSLContext:
    """Whom the system trusts; to read it takes as long as to fetch a page."""
    return ssl.create_default_context()


class _Body(httpx.AsyncByteStream):
    """A response's body, with httpx's errors for httpcore's."""

    def __init__(self, response: httpcore.Response, request: httpx.Request) -> None:
        self._response = response
        self._request = request

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for part in self._response.aiter_stream():
                yield part
        except tuple(_ERRORS) as error:
            raise _ERRORS[type(error)](str(error), request=self._request) from error

    async def aclose(self) -> None:
        await self._response.aclose()


_ERRORS: dict[type[Exception], type[httpx.RequestError]] = {
    httpcore.ConnectError: httpx.ConnectError,
    httpcore.ConnectTimeout: httpx.ConnectTimeout,
    httpcore.LocalProtocolError: httpx.LocalProtocolError,
    httpcore.PoolTimeout: httpx.PoolTimeout,
    httpcore.ReadError: httpx.ReadError,
    httpcore.ReadTimeout: httpx.ReadTimeout,
    httpcore.RemoteProtocolError: httpx.RemoteProtocolError,
    httpcore.UnsupportedProtocol: httpx.UnsupportedProtocol,
    httpcore.WriteError: httpx.WriteError,
    httpcore.WriteTimeout: httpx.WriteTimeout,
}
