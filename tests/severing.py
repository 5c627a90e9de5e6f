"""A relay in front of a server that cuts the line when a given text passes by: a lost connection, on demand."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
from collections.abc import Iterator


def _relay(client: socket.socket, port: int, marker: bytes) -> None:
    with (
        contextlib.suppress(OSError),  # whoever is first to hang up, the other one's line is cut as well
        client,
        socket.create_connection(("127.0.0.1", port)) as upstream,
        selectors.DefaultSelector() as both,
    ):
        both.register(client, selectors.EVENT_READ, upstream)
        both.register(upstream, selectors.EVENT_READ, client)
        while True:
            for key, _ in both.select():
                source: socket.socket = key.fileobj  # type: ignore[assignment]
                data = source.recv(65536)
                if not data or (source is client and marker in data):
                    return
                key.data.sendall(data)


@contextlib.contextmanager
def severing(port: int, marker: bytes) -> Iterator[int]:
    """Yield the port of a relay to `port` that drops a connection as soon as its client says `marker`."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            with contextlib.suppress(OSError):  # the listener was closed
                while True:
                    client, _ = listener.accept()
                    threading.Thread(target=_relay, args=(client, port, marker), daemon=True).start()

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
