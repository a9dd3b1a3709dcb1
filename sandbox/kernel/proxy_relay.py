"""The sandbox's end of the egress proxy: a loopback port that leads to its socket file."""

from __future__ import annotations

import contextlib
import socket
import threading

_CONNECTIONS = 32


def start_relay(port: int, path: str) -> None:
    """Relay connections from a loopback port, which HTTP clients need, to a socket file."""
    listener = socket.create_server(("127.0.0.1", port), backlog=_CONNECTIONS)
    threading.Thread(target=_accept, args=(listener, path), daemon=True).start()


def _accept(listener: socket.socket, path: str) -> None:
    slots = threading.BoundedSemaphore(_CONNECTIONS)
    while True:
        slots.acquire()
        client, _ = listener.accept()
        threading.Thread(target=_relay, args=(client, path, slots), daemon=True).start()


def _relay(client: socket.socket, path: str, slots: threading.BoundedSemaphore) -> None:
    try:
        with client, socket.socket(socket.AF_UNIX) as proxy, contextlib.suppress(OSError):
            proxy.connect(path)
            reverse = threading.Thread(target=_copy, args=(proxy, client), daemon=True)
            reverse.start()
            _copy(client, proxy)
            reverse.join()
    finally:
        slots.release()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)
