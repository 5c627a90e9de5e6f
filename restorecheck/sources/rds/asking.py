"""The questions to a copy that answers, and what was seen of it unasked. The same for instances and clusters."""

from __future__ import annotations

from restorecheck.databases.interface import Login
from restorecheck.errors import QueryError
from restorecheck.model import Answers, RecoveryPoint
from restorecheck.sources import census
from restorecheck.sources.rds.reach import Reach


def knocked(reach: Reach, point: RecoveryPoint, master: Login, reader: Login) -> tuple[bool, str]:
    """Make the reader and knock as it: whether a query answers, and what came of it. `available` alone proves nothing.

    Raises QueryError if it makes no sense to try again.
    """
    database = reach.world.database
    try:
        database.prepare(master, reader)
        version = database.knock(reader)
    except QueryError as e:
        if e.retryable:
            return False, f"no answer yet: {e.message}"
        raise
    return True, f"answers, {point.engine} {version}"


def answers(reach: Reach, reader: Login) -> Answers:
    """Look which databases there are, then ask every assertion's question, as the copy's read-only role."""
    database = reach.world.database
    version = database.knock(reader)
    asked = tuple(dict.fromkeys(a.database or reader.database for a in reach.check.assertions))
    try:
        seen = database.databases(reader)
        observation, unread = census.judged(seen, asked, reader.database), census.unread(seen, asked)
    except QueryError as e:
        observation, unread = census.failed(e), ()
    asked_at = reach.world.now()
    salt = reach.world.passwords.salt(reach.plan.run_id)
    given = database.ask(reader, reach.check.assertions, salt, reach.limits.examine)
    answered = f"answered {sum(not answer.error for answer in given)} of {len(given)} questions"
    restored = f"the snapshot was restored, and its server {answered if given else 'answers; it was asked nothing'}"
    return Answers(
        answers=given,
        asked_at=asked_at,
        server_version=version,
        observations=(observation,),
        proven=(restored, *unread),
    )
