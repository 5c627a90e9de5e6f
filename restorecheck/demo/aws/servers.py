"""What a database server of the demo can do, whichever program it is."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Protocol, Self

Family = Literal["postgresql", "mysql"]


class Server(Protocol):
    """A database server on one data directory."""

    port: int
    data: Path

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""

    def start(self, port: int | None = None) -> Self:
        """Start, on this port if it is free, and wait until it answers. Raises PostgresError."""

    def found(self, user: str, password: str, database: str | None) -> None:
        """Make what a new database of RDS has: the master user, and the first database if one is asked for."""

    def new_password(self, user: str, password: str) -> None:
        """Change the master user's password; a server that was stopped meanwhile keeps the old one."""

    def base_backup(self, target: Path) -> None:
        """Copy the data directory as it is now, as a snapshot."""

    def crash(self) -> None:
        """Die as a server does of a fault in it, and come up again."""

    def stop(self) -> None:
        """Stop at once; the data stays."""
