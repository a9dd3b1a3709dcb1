"""Network access for a sandbox: an HTTP proxy on the host, with a list of allowed hosts.

The sandbox has its own network without routes. It reaches the proxy through a socket file that
is mounted into it, so the code inside cannot change the rules. The proxy also resolves names,
and refuses a name that points to a private network.
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

from ..cleanup import create_owned_folder
from ..host import Channel, ChannelClosedError
from .addresses import is_public
from .serve_while import listen_for_sandbox, while_serving

EGRESS_SOCKET = "/run/ossia/egress.sock"
"""The path of the proxy's socket file inside the sandbox."""
_MAX_HEAD = 32 * 1024
_HEAD_S = 15.0
_CONNECT_S = 15.0
_CHUNK = 64 * 1024
_DISCONNECTED = (OSError, ChannelClosedError, anyio.BrokenResourceError, anyio.EndOfStream)
_MAX_CONNECTIONS = 64
_RETRY_S = 0.05

_T = TypeVar("_T")


class _RefusedError(Exception):
    """A request that the proxy refuses; the code inside reads the message."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


@dataclass(frozen=True, slots=True)
class AllowedHost:
    """One entry of an allow-list."""

    pattern: str
    """A host, an address, or `*.` and a domain, in lower case."""
    port: int | None

    @classmethod
    def parse(cls, entry: str) -> AllowedHost:
        """Parse `host`, `*.domain`, `host:port` or `[address]:port`.

        Raises ValueError for anything else.
        """
        text = entry.strip().lower()
        host, colon, port = text.rpartition(":")
        if not colon or text.endswith("]") or (":" in host and not host.startswith("[")):
            host, port = text, ""
        host = host.strip("[]")
        valid = host and not set(host) & set("/@ \t\r\n") and "*" not in host.removeprefix("*.")
        if not valid or (port and not port.isdigit()):
            raise ValueError(
                f"{entry!r} is not a host; write `pypi.org`, `*.debian.org` or `host:8080`"
            )
        return cls(host, int(port) if port else None)

    def matches(self, host: str, port: int) -> bool:
        """Return whether this entry allows a connection."""
        if port != self.port and not (self.port is None and port in {80, 443}):
            return False
        if self.pattern.startswith("*."):
            return host.endswith(self.pattern[1:])
        return host == self.pattern


class Egress:
    """A proxy behind a socket file, which serves requests while a cell runs."""

    def __init__(
        self, folder: Path, listener: socket.socket, allowed: Sequence[AllowedHost]
    ) -> None:
        self.folder = folder
        """Contains only the socket file; it is mounted into the sandbox."""
        self._listener = listener
        self._allowed = allowed
        self._slots = anyio.Semaphore(_MAX_CONNECTIONS)

    @classmethod
    async def open(cls, allow_hosts: Sequence[str]) -> Egress:
        """Create the socket file; connections to it wait until they are served."""
        allowed = [AllowedHost.parse(entry) for entry in allow_hosts]
        return cls(*await to_thread.run_sync(_listen), allowed)

    async def close(self) -> None:
        """Remove the socket file."""
        self._listener.close()
        await to_thread.run_sync(lambda: shutil.rmtree(self.folder, ignore_errors=True))

    async def serve_during(self, work: Callable[[], Awaitable[_T]]) -> _T:
        """Run the work, and serve requests until it ends, which closes open connections."""
        return await while_serving(self._serve, work)

    async def _serve(self, group: TaskGroup) -> None:
        while True:
            await self._slots.acquire()
            await anyio.wait_readable(self._listener)
            try:
                client, _ = self._listener.accept()
            except OSError:
                # The client disconnected while it waited, or no descriptor is free right now.
                self._slots.release()
                await anyio.sleep(_RETRY_S)
            else:
                group.start_soon(self._handle, Channel(client))

    async def _handle(self, client: Channel) -> None:
        try:
            with suppress(*_DISCONNECTED):
                try:
                    head, rest = await _read_head(client)
                    host, port, first = self._check(head)
                    upstream = await _connect(host, port)
                except _RefusedError as error:
                    await _refuse(client, error)
                    return
                async with upstream:
                    if first is None:
                        await client.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
                    await upstream.send((first or b"") + rest)
                    await _relay(client, upstream)
        finally:
            client.close()
            self._slots.release()

    def _check(self, head: bytes) -> tuple[str, int, bytes | None]:
        """Return host, port and the head to forward (None for a tunnel) of an allowed request."""
        line, _, fields = head.partition(b"\r\n")
        parts = line.decode("latin-1").split(" ")
        if len(parts) != 3:
            raise _RefusedError(400, "not an HTTP request")
        method, target, version = parts
        if method == "CONNECT":
            host, port, path = *_host_and_port(target, 443), None
        elif target.lower().startswith("http://"):
            authority, slash, rest = target[7:].partition("/")
            host, port, path = *_host_and_port(authority, 80), slash + rest or "/"
        else:
            raise _RefusedError(400, "this is a proxy: send an absolute URL")
        if not any(entry.matches(host, port) for entry in self._allowed):
            raise _RefusedError(403, f"{host}:{port} is not an allowed host")
        if path is None:
            return host, port, None
        headers = [f for f in fields.split(b"\r\n") if f and not _is_hop_by_hop(f)]
        first = f"{method} {path} {version}".encode("latin-1")
        return host, port, b"\r\n".join([first, *headers, b"Connection: close", b"", b""])


def _host_and_port(authority: str, default: int) -> tuple[str, int]:
    host, colon, port = authority.rpartition(":")
    if not colon or authority.endswith("]"):
        host, port = authority, str(default)
    host = host.strip("[]").lower().removesuffix(".")
    if not port.isdigit() or not host or not host.isascii() or set(host) & set("/@?# "):
        raise _RefusedError(400, "not a valid host")
    return host, int(port)


def _is_hop_by_hop(line: bytes) -> bool:
    name = line.partition(b":")[0].strip().lower()
    return name in {b"connection", b"keep-alive"} or name.startswith(b"proxy-")


async def _read_head(client: Channel) -> tuple[bytes, bytes]:
    data = b""
    with anyio.fail_after(_HEAD_S):
        while b"\r\n\r\n" not in data:
            if len(data) > _MAX_HEAD:
                raise _RefusedError(431, "the request head is too long")
            data += await client.receive()
    head, _, rest = data.partition(b"\r\n\r\n")
    return head, rest


async def _connect(host: str, port: int) -> ByteStream:
    """Connect to an allowed host, at the address that was checked."""
    try:
        with anyio.fail_after(_CONNECT_S):
            found = await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            addresses = [str(entry[4][0]) for entry in found]
            if not _is_address(host):
                # A name's owner may point it anywhere; an address in the list is deliberate.
                addresses = [a for a in addresses if is_public(a)]
            if not addresses:
                raise _RefusedError(403, f"{host} resolves to a private address")
            return await anyio.connect_tcp(addresses[0], port)
    except (OSError, UnicodeError) as error:
        raise _RefusedError(502, f"cannot connect to {host}:{port}") from error


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


async def _relay(client: Channel, upstream: ByteStream) -> None:
    async def up() -> None:
        with suppress(*_DISCONNECTED):
            while True:
                await upstream.send(await client.receive())
        with suppress(*_DISCONNECTED):
            await upstream.send_eof()

    async with anyio.create_task_group() as group:
        group.start_soon(up)
        with suppress(*_DISCONNECTED):
            while True:
                await client.send(await upstream.receive(_CHUNK))
        group.cancel_scope.cancel()


def _listen() -> tuple[Path, socket.socket]:
    # Only those who know the folder's random name can connect.
    folder = create_owned_folder("egress")
    listener = socket.socket(socket.AF_UNIX)
    listen_for_sandbox(
        listener, folder / PurePosixPath(EGRESS_SOCKET).name, backlog=_MAX_CONNECTIONS
    )
    return folder, listener
