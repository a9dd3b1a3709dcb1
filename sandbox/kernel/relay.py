"""The inside of the way out: a port on loopback whose connections are passed to a socket file."""

from __future__ import annotations

import contextlib
import socket
import threading

_CONNECTIONS = 32


def start_relay(port: int, path: str) -> None:
    """Listen on loopback; HTTP clients know ports, and the proxy is behind a socket file."""
    listener = socket.create_server(("127.0.0.1", port), backlog=_CONNECTIONS)
    threading.Thread(target=_accept, args=(listener, path), daemon=True).start()


def _accept(listener: socket.socket, path: str) -> None:
    places = threading.BoundedSemaphore(_CONNECTIONS)
    while True:
        places.acquire()
        client, _ = listener.accept()
        threading.Thread(target=_relay, args=(client, path, places), daemon=True).start()


def _relay(client: socket.socket, path: str, places: threading.BoundedSemaphore) -> None:
    try:
        with client, socket.socket(socket.AF_UNIX) as proxy, contextlib.suppress(OSError):
            proxy.connect(path)
            back = threading.Thread(target=_copy, args=(proxy, client), daemon=True)
            back.start()
            _copy(client, proxy)
            back.join()
    finally:
        places.release()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)
