"""The questions to a copy that answers, and what was seen of it unasked. The same for instances and clusters."""

from __future__ import annotations

from datetime import datetime, timedelta

from restorecheck.databases.interface import Login
from restorecheck.errors import QueryError, RestorecheckError
from restorecheck.model import Answer, Answers, RecoveryPoint
from restorecheck.references import reading as references
from restorecheck.sources import beside, census, losses
from restorecheck.sources.needs import needs_of
from restorecheck.sources.rds import events
from restorecheck.sources.rds.reach import Reach


def knocked(reach: Reach, point: RecoveryPoint, master: Login, reader: Login) -> tuple[bool, str]:
    """Make the reader and knock as it: whether a query answers, and what came of it. `available` alone proves nothing.

    Raises QueryError if it makes no sense to try again.
    """
    database = reach.asker(point)
    try:
        database.prepare(master, reader, needs_of(reach.check, reader.database))
        version = database.knock(reader)
    except QueryError as e:
        if e.retryable:
            return False, f"no answer yet: {e.message}"
        raise
    return True, f"answers, {point.engine} {version}"


def answers(reach: Reach, point: RecoveryPoint, reader: Login) -> Answers:
    """Look which databases there are, then ask every assertion's question, as the copy's read-only role."""
    database = reach.asker(point)
    version = database.knock(reader)
    asked = tuple(dict.fromkeys(a.database or reader.database for a in reach.check.assertions))
    try:
        seen = database.databases(reader)
        observation, unread = census.judged(seen, asked, reader.database), census.unread(seen, asked)
        holding = census.holding(seen)
    except QueryError as e:
        observation, unread, holding = census.failed(e), (), None
    fence, now = reach.world.fence, reach.world.now
    known = references.known(fence, reach.check, point, now())
    aside = beside.of(fence, reach.check, point, now, reach.world.tell, evidence=reach.world.evidence)
    asked_at = now()
    salt = reach.world.passwords.salt(reach.plan.run_id)
    given = database.ask(reader, reach.check.assertions, salt, reach.limits.examine, aside)
    given = _unless_interfered(reach, given, asked_at)
    answered = f"answered {sum(not answer.error for answer in given)} of {len(given)} questions"
    restored = f"the snapshot was restored, and its server {answered if given else 'answers; it was asked nothing'}"
    return Answers(
        answers=given,
        asked_at=asked_at,
        server_version=version,
        observations=(observation,),
        proven=(restored,),
        unread=unread,
        known=known,
        holding=holding,
    )


# --- a lost connection ------------------------------------------------------------------------------------------------

LOOKS = 3
"""How often the events are looked at: AWS tells them a little later than they happen."""

PAUSE = timedelta(seconds=20)
"""The longest time between two such looks."""


def _unless_interfered(reach: Reach, given: tuple[Answer, ...], began: datetime) -> tuple[Answer, ...]:
    """Return the answers; where connections were lost to what AWS did to the instance, as not given.

    Costs a call only if a connection was lost for good. Where the events cannot be read, it stays damage.
    """
    if not losses.lost(given):
        return given
    pause = min(PAUSE, reach.limits.poll).total_seconds()
    for look in range(LOOKS):
        if look:
            reach.world.wait(pause)
        try:
            happened = events.read(reach.hand("scratch"), reach.eventful(), began, reach.world.now())
        except RestorecheckError:
            continue
        if by := events.cause(happened, reach.name):
            return events.exonerated(given, by)
    return given
