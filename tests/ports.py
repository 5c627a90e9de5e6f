"""Ports of this machine for programs that must be told theirs before they start."""

from __future__ import annotations

import socket


def free_port() -> int:
    """Return a port on which nobody listens, and which the kernel gives to nobody who asks for any, for a minute.

    A port that was only asked for and given back may be another's by the time a program has started: there are few,
    and several tests run at once. One on which a connection has just ended is kept back by the kernel (TIME_WAIT),
    except for who asks for this very one with SO_REUSEADDR, as servers do.
    """
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        address = listener.getsockname()
        with socket.create_connection(address) as client:
            accepted, _ = listener.accept()
            accepted.close()  # who is first to close is who waits
            client.recv(1)
    return int(address[1])
