"""Dumps of databases: what they are, whether they are whole, and how they are brought into a server."""

from restorecheck.dumps.loader import Loader, Wanted

__all__ = ["Loader", "Wanted"]
