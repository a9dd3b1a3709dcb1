"""The one way out of a sandbox: an HTTP proxy outside it, with a list of hosts.

The sandbox keeps a network of its own without any route. A socket file reaches in; what comes
through it is an HTTP proxy request, answered here, where the code inside can change nothing.
Names are resolved here too, and one that points into a private network is refused.
"""

from __future__ import annotations

import shutil
import socket
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path, PurePosixPath
from typing import TypeVar

import anyio
from anyio import to_thread
from anyio.abc import ByteStream, TaskGroup

from ..cleanup import own_folder
from ..host import Channel, ChannelClosedError
from .addresses import is_public
from .serve_while import bind_inside, while_serving

INSIDE = "/run/ossia/egress.sock"
"""Where the code's side of the socket lies."""
_HEAD_MAX = 32 * 1024
_HEAD_S = 15.0
_CONNECT_S = 15.0
_PART = 64 * 1024
_GONE = (OSError, ChannelClosedError, anyio.BrokenResourceError, anyio.EndOfStream)
_CONNECTIONS = 64
_PAUSE_S = 0.05

_T = TypeVar("_T")


class _RefusedError(Exception):
    """A request that is not let through; its text is told inside."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


@dataclass(frozen=True, slots=True)
class AllowedHost:
    """One entry of an allow-list."""

    pattern: str
    """A host, an address, or `*.` and a domain; in lower case."""
    port: int | None

    @classmethod
    def parse(cls, entry: str) -> AllowedHost:
        """Read `host`, `*.domain`, `host:port` or `[address]:port`.

        Raises ValueError for anything else.
        """
        text = entry.strip().lower()
        host, colon, port = text.rpartition(":")
        if not colon or text.endswith("]") or (":" in host and not host.startswith("[")):
            host, port = text, ""
        host = host.strip("[]")
        known = host and not set(host) & set("/@ \t\r\n") and "*" not in host.removeprefix("*.")
        if not known or (port and not port.isdigit()):
            raise ValueError(
                f"{entry!r} is no host; write `pypi.org`, `*.debian.org` or `host:8080`"
            )
        return cls(host, int(port) if port else None)

    def matches(self, host: str, port: int) -> bool:
        """True where this entry lets a connection pass."""
        if port != self.port and not (self.port is None and port in {80, 443}):
            return False
        if self.pattern.startswith("*."):
            return host.endswith(self.pattern[1:])
        return host == self.pattern


class Egress:
    """A socket file, and the proxy behind it, which answers while a cell runs."""

    def __init__(
        self, folder: Path, listener: socket.socket, allowed: Sequence[AllowedHost]
    ) -> None:
        self.folder = folder
        """Holds the socket and nothing else; it is what the sandbox sees."""
        self._listener = listener
        self._allowed = allowed
        self._places = anyio.Semaphore(_CONNECTIONS)

    @classmethod
    async def open(cls, allow_hosts: Sequence[str]) -> Egress:
        """Make the socket; connections to it wait until they are served."""
        allowed = [AllowedHost.parse(entry) for entry in allow_hosts]
        return cls(*await to_thread.run_sync(_listen), allowed)

    async def close(self) -> None:
        """Remove the socket."""
        self._listener.close()
        await to_thread.run_sync(lambda: shutil.rmtree(self.folder, ignore_errors=True))

    async def serve_during(self, work: Callable[[], Awaitable[_T]]) -> _T:
        """Do the work, and answer requests as long as it takes; open connections end with it."""
        return await while_serving(self._serve, work)

    async def _serve(self, group: TaskGroup) -> None:
        while True:
            await self._places.acquire()
            await anyio.wait_readable(self._listener)
            try:
                client, _ = self._listener.accept()
            except OSError:
                # It hung up while it waited, or descriptors are short for the moment.
                self._places.release()
                await anyio.sleep(_PAUSE_S)
            else:
                group.start_soon(self._answer, Channel(client))

    async def _answer(self, client: Channel) -> None:
        try:
            with suppress(*_GONE):
                try:
                    head, rest = await _read_head(client)
                    host, port, first = self._judge(head)
                    upstream = await _connect(host, port)
                except _RefusedError as error:
                    await _refuse(client, error)
                    return
                async with upstream:
                    if first is None:
                        await client.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
                    await upstream.send((first or b"") + rest)
                    await _pass_on(client, upstream)
        finally:
            client.close()
            self._places.release()

    def _judge(self, head: bytes) -> tuple[str, int, bytes | None]:
        """Return where a request may go, and its head as that host expects it (tunnel: None)."""
        line, _, fields = head.partition(b"\r\n")
        words = line.decode("latin-1").split(" ")
        if len(words) != 3:
            raise _RefusedError(400, "this is no HTTP request")
        method, target, version = words
        if method == "CONNECT":
            host, port, path = *_host_and_port(target, 443), None
        elif target.lower().startswith("http://"):
            place, slash, below = target[7:].partition("/")
            host, port, path = *_host_and_port(place, 80), slash + below or "/"
        else:
            raise _RefusedError(400, "this is a proxy: give it a whole URL")
        if not any(entry.matches(host, port) for entry in self._allowed):
            raise _RefusedError(403, f"{host}:{port} is not among the allowed hosts")
        if path is None:
            return host, port, None
        kept = [f for f in fields.split(b"\r\n") if f and not _is_hop(f)]
        first = f"{method} {path} {version}".encode("latin-1")
        return host, port, b"\r\n".join([first, *kept, b"Connection: close", b"", b""])


def _host_and_port(place: str, default: int) -> tuple[str, int]:
    host, colon, port = place.rpartition(":")
    if not colon or place.endswith("]"):
        host, port = place, str(default)
    host = host.strip("[]").lower().removesuffix(".")
    if not port.isdigit() or not host or not host.isascii() or set(host) & set("/@?# "):
        raise _RefusedError(400, "this is no host")
    return host, int(port)


def _is_hop(line: bytes) -> bool:
    name = line.partition(b":")[0].strip().lower()
    return name in {b"connection", b"keep-alive"} or name.startswith(b"proxy-")


async def _read_head(client: Channel) -> tuple[bytes, bytes]:
    data = b""
    with anyio.fail_after(_HEAD_S):
        while b"\r\n\r\n" not in data:
            if len(data) > _HEAD_MAX:
                raise _RefusedError(431, "the request's head is too long")
            data += await client.receive()
    head, _, rest = data.partition(b"\r\n\r\n")
    return head, rest


async def _connect(host: str, port: int) -> ByteStream:
    """Connect to an allowed host, at an address that was looked at."""
    try:
        with anyio.fail_after(_CONNECT_S):
            found = await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            addresses = [str(entry[4][0]) for entry in found]
            if not _is_address(host):
                # Whoever owns a name may point it anywhere; an address in the list was meant.
                addresses = [a for a in addresses if is_public(a)]
            if not addresses:
                raise _RefusedError(403, f"{host} is a name for a private address")
            return await anyio.connect_tcp(addresses[0], port)
    except (OSError, UnicodeError) as error:
        raise _RefusedError(502, f"{host}:{port} cannot be reached") from error


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


async def _refuse(client: Channel, error: _RefusedError) -> None:
    text = f"{error}\n"
    head = f"HTTP/1.1 {error.status} {error}\r\nContent-Type: text/plain\r\n"
    head += f"Content-Length: {len(text)}\r\nConnection: close\r\n\r\n"
    await client.send((head + text).encode("ascii", "replace"))


async def _pass_on(client: Channel, upstream: ByteStream) -> None:
    async def up() -> None:
        with suppress(*_GONE):
            while True:
                await upstream.send(await client.receive())
        with suppress(*_GONE):
            await upstream.send_eof()

    async with anyio.create_task_group() as group:
        group.start_soon(up)
        with suppress(*_GONE):
            while True:
                await client.send(await upstream.receive(_PART))
        group.cancel_scope.cancel()


def _listen() -> tuple[Path, socket.socket]:
    # The folder's name is its key.
    folder = own_folder("egress")
    listener = socket.socket(socket.AF_UNIX)
    bind_inside(listener, folder / PurePosixPath(INSIDE).name, most=_CONNECTIONS)
    return folder, listener
