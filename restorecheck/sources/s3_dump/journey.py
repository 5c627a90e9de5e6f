"""From a dump in a bucket to a database that answers, and the questions to it.

Every leg is a look at the work that a thread does on this machine. Nothing here judges or deletes.
"""

from __future__ import annotations

from collections.abc import Sequence

from restorecheck.databases.interface import Login
from restorecheck.durable import Look
from restorecheck.errors import QueryError, RestorecheckError, SourceError
from restorecheck.model import Answer, Answers, Level, Observation, RecoveryPoint
from restorecheck.references import reading as references
from restorecheck.sources import beside, census, losses
from restorecheck.sources.interface import Stage
from restorecheck.sources.s3_dump import observing
from restorecheck.sources.s3_dump.choosing import why_damaged
from restorecheck.sources.s3_dump.reach import Reach
from restorecheck.sources.s3_dump.work import Work


def work_of(reach: Reach) -> Work:
    """Return the work of this run in this process."""
    return reach.world.works.setdefault(reach.plan.run_id, Work(reach))


def stages(reach: Reach, point: RecoveryPoint) -> Sequence[Stage]:
    """Return the legs from this point to an answering database."""

    def whole() -> None:
        if why := why_damaged(reach.source, point.parts):
            before = next((r for r in point.remarks if r.startswith("the dump before")), "")
            age = (reach.at - point.created).total_seconds()
            hint = f"it was written {age:.0f} s before: if it was still being uploaded, let `at` be an age, such as 1h"
            said = f"{point.id}: {why}" + (f"; {before}" if before else "")
            raise SourceError(said, hint if age < 3600 else "", kind="dump-damaged")

    def download() -> Look:
        return work_of(reach).download(point)

    def restore() -> Look:
        return work_of(reach).restore(point)

    return (
        Stage("download", whole, download, reach.limits.copy),
        Stage("restore", _nothing, restore, reach.limits.restore),
    )


def _nothing() -> None:
    """Begin nothing: the first look does."""


def examine(reach: Reach, point: RecoveryPoint) -> Answers:
    """Ask every question, as the read-only role; restore first if this process has not."""
    work, database = work_of(reach), reach.database
    ready = work.ready(point)
    try:
        version = database.knock(ready.reader)
    except QueryError:
        work.forget()  # the next attempt restores again
        raise
    fence, now = reach.world.fence, reach.world.now
    known = references.known(fence, reach.check, point, now())
    aside = beside.of(fence, reach.check, point, now, reach.world.tell, evidence=reach.world.evidence)
    asked_at = now()
    answers = database.ask(ready.reader, reach.check.assertions, reach.salt, reach.limits.examine, aside)
    answers = _of_the_dump(answers)
    counted, unread, holding = _census(reach, ready.reader)
    seen = (
        observing.size(point),
        ready.fetched.observation,
        ready.identity,
        observing.age(point, ready.described, reach.check.rpo),
        *ready.loaded.observations,
        census.of_part(counted, ready.loaded.observations),
    )
    whole = not any(o.kind for o in ready.loaded.observations)
    proof = observing.proven(
        point,
        ready.described,
        ready.fetched.proof,
        ready.loaded.proven,
        len(reach.check.assertions),
        whole=whole,
    )
    level = Level.READ if whole else Level.RESTORED  # what restores a dump reads it to its end
    return Answers(answers, asked_at, version, seen, proof, known, level, unread, holding)


OURS = frozenset({"connection-lost", "data-damaged"})
"""Damage, where a server reads what a backup brought along. Here it reads what it has just written itself."""

OF_THE_DUMP = "22021"
"""The SQLSTATE of bytes that are no text: they came out of the dump."""


def _of_the_dump(answers: tuple[Answer, ...]) -> tuple[Answer, ...]:
    """Return the answers; where the server itself failed, which is this machine's trouble, as not given."""
    return tuple(answer for given in answers for answer in _not_given(given))


def _not_given(given: Answer) -> tuple[Answer, ...]:
    if given.sqlstate == OF_THE_DUMP:
        return (given,)
    # what a probe found in rows, bytes that are no text or no JSON, came out of the dump
    kinds = losses.LOST if given.examined else OURS
    return losses.not_given((given,), _failed_here, "database-unreachable", kinds)


def _failed_here(what: str) -> str:
    return f"{what}; the server was filled a moment ago, so look at its memory and disk, not at the dump"


def _census(reach: Reach, reader: Login) -> tuple[Observation, tuple[str, ...], tuple[str, ...] | None]:
    """Look which databases were restored, what of them nobody asks, and which hold tables.

    What else a declared server holds is nobody's business here.
    """
    # the dump is of one database, which the check names: it stands for the backup also if nothing is asked
    asked = [a.database or reader.database for a in reach.check.assertions] or [reader.database]
    try:
        seen = reach.database.databases(reader)
    except RestorecheckError as e:
        return census.failed(e), (), None
    wanted = {*asked, reader.database}
    if reach.source.server is not None:
        seen = tuple(one for one in seen if one.name in wanted)
    seen = tuple(one for one in seen if one.name in wanted or one.tables != 0)  # the server's own are empty
    return census.judged(seen, asked, reader.database), census.unread(seen, asked), census.holding(seen)
