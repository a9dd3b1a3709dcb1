"""An httpx transport that connects only to addresses that the network policy has checked."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Iterable
from functools import cache
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, cast

from .network_policy import NetworkPolicy

# httpx and httpcore are slow to import, so functions import them. Both call the methods of these
# two base classes and never check for the classes themselves.
if TYPE_CHECKING:
    import httpcore
    import httpx
    from httpcore import AsyncNetworkBackend
    from httpx import AsyncBaseTransport
else:
    AsyncNetworkBackend = AsyncBaseTransport = object

SocketOption = (
    tuple[int, int, int] | tuple[int, int, bytes | bytearray] | tuple[int, int, None, int]
)


class PolicyNetworkBackend(AsyncNetworkBackend):
    """A network backend for httpcore that opens only TCP connections the policy allows."""

    def __init__(self, policy: NetworkPolicy) -> None:
        import httpcore

        self._policy = policy
        self._backend = cast("httpcore.AsyncNetworkBackend", httpcore.AnyIOBackend())

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's signature
        local_address: str | None = None,
        socket_options: Iterable[SocketOption] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the first allowed address that accepts.

        Raises ToolError if the policy refuses the host, and httpcore's errors otherwise.
        """
        import httpcore

        addresses = await self._policy.resolve(host, port)
        failure: httpcore.ConnectError | httpcore.ConnectTimeout | None = None
        for address in addresses:
            try:
                return await self._backend.connect_tcp(
                    address, port, timeout, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure or httpcore.ConnectError(f"{host} has no address")

    async def sleep(self, seconds: float) -> None:
        """Wait between two attempts."""
        await self._backend.sleep(seconds)


class PolicyTransport(AsyncBaseTransport):
    """A transport for httpx that uses no proxies, because a proxy would resolve names itself.

    Raises ToolError if the policy refuses a host, and httpx's errors otherwise.
    """

    def __init__(self, policy: NetworkPolicy) -> None:
        import httpcore

        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=_system_certificates(),
            http2=True,
            max_connections=10,
            keepalive_expiry=5.0,
            network_backend=PolicyNetworkBackend(policy),
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

    async def aclose(self) -> None:
        """Close all connections."""
        await self._pool.aclose()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request. The client follows redirects, which the policy checks again."""
        import httpcore
        import httpx

        sent = httpcore.Request(
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
        errors = _httpx_errors()
        try:
            response = await self._pool.handle_async_request(sent)
        except tuple(errors) as error:
            raise errors[type(error)](str(error), request=request) from error
        return httpx.Response(
            status_code=response.status,
            headers=response.headers,
            stream=_body_class()(response, request),
            extensions=cast("Any", response).extensions,
        )


@cache
def _system_certificates() -> ssl.SSLContext:
    """Return the system's trusted certificates. Loading them takes as long as fetching a page."""
    return ssl.create_default_context()


@cache
def _body_class() -> Any:
    """Return the class of a response's body. httpx requires a subclass of its AsyncByteStream."""
    import httpx

    errors = _httpx_errors()

    class Body(httpx.AsyncByteStream):
        """A response's body that raises httpx's errors in place of httpcore's."""

        def __init__(self, response: httpcore.Response, request: httpx.Request) -> None:
            self._response = response
            self._request = request

        async def __aiter__(self) -> AsyncIterator[bytes]:
            try:
                async for part in self._response.aiter_stream():
                    yield part
            except tuple(errors) as error:
                raise errors[type(error)](str(error), request=self._request) from error

        async def aclose(self) -> None:
            await self._response.aclose()

    return Body


@cache
def _httpx_errors() -> dict[type[Exception], type[httpx.RequestError]]:
    """Return httpx's error class for each of httpcore's."""
    import httpcore
    import httpx

    return {
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
