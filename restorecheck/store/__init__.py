"""What restorecheck remembers, in SQLite or PostgreSQL. The only room that talks to a SQL database of our own."""

from restorecheck.store.baselines import Acceptance
from restorecheck.store.outbox import Draft, Event
from restorecheck.store.store import Store

__all__ = ["Acceptance", "Draft", "Event", "Store"]
