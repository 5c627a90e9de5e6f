"""What restorecheck remembers: finished runs. The only room that talks to a SQL database of our own."""

from restorecheck.store.runs import RunStore

__all__ = ["RunStore"]
