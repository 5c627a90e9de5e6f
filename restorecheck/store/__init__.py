"""What restorecheck remembers, in SQLite or PostgreSQL. The only room that talks to a SQL database of our own."""

from restorecheck.store.baselines import Acceptance
from restorecheck.store.deliveries import Delivery, Due, Fate, GivenUp, Pending
from restorecheck.store.notices import Routed
from restorecheck.store.outbox import Draft, Event
from restorecheck.store.store import Store

__all__ = ["Acceptance", "Delivery", "Draft", "Due", "Event", "Fate", "GivenUp", "Pending", "Routed", "Store"]
