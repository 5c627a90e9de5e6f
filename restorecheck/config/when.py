"""When a check runs: its schedule, time zone, jitter and pause, held against its rpo and its retention. Pure.

A complaint is made at the key that the operator has to change: the check's own, or the default that clashes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from typing import Any

from restorecheck.config import cron
from restorecheck.config.check_shape import CheckFile, CheckHead
from restorecheck.config.document import Document
from restorecheck.config.shape import ConfigFile, Defaults
from restorecheck.config.table import Path
from restorecheck.config.values import shown, spoken

LONGEST_JITTER = timedelta(hours=12)
"""More is another time of day, and belongs into the schedule."""

STALE = Fraction(7, 10)
"""Of its retention: RestoreCheckProofStale fires when the newest proof is of a recovery point that is so old."""


@dataclass(frozen=True, slots=True)
class Times:
    """What a check says of when it runs, beside its schedule."""

    catch_up: bool = True
    jitter: timedelta = timedelta(0)
    paused_until: datetime | None = None
    retention: timedelta | None = None


def defaults(config: Document[ConfigFile]) -> None:
    """Complain about defaults of time that no check could use."""
    said = config.tree.defaults or Defaults()
    if said.timezone:
        _judged(config, ("defaults", "timezone"), cron.zone, said.timezone)
    if said.schedule:
        _judged(config, ("defaults", "schedule"), cron.trigger, said.schedule)
    if said.jitter:
        _judged(config, ("defaults", "jitter"), _jitter, said.jitter)


def times(
    document: Document[CheckFile], config: Document[ConfigFile], rpo: timedelta | None, rto: timedelta | None
) -> Times:
    """Return when a check runs, and complain about what is wrong with it."""
    head, default = document.tree.check or CheckHead(), config.tree.defaults or Defaults()
    timezone = head.timezone or default.timezone or "UTC"
    if head.timezone:
        _judged(document, ("check", "timezone"), cron.zone, timezone)
    if head.schedule:
        _judged(document, ("check", "schedule"), cron.trigger, head.schedule)
    if head.jitter:
        _judged(document, ("check", "jitter"), _jitter, head.jitter)
    jitter = next((said for said in (head.jitter, default.jitter) if said is not None), timedelta())
    gaps = _gaps(document, config)
    if gaps:
        _fitting(document, config, gaps, rpo, jitter)
    retention = head.retention or default.retention
    if retention and not document.unclear("check", "retention"):
        _kept(document, config, gaps, retention, rpo=rpo, rto=rto)
    return Times(
        catch_up=next((said for said in (head.catch_up, default.catch_up) if said is not None), True),
        jitter=jitter,
        paused_until=None if head.paused_until is None else _instant(document, head.paused_until, timezone),
        retention=retention,
    )


@dataclass(frozen=True, slots=True)
class _Gaps:
    """The times that a schedule may leave between two runs."""

    said: str
    longest: timedelta
    shortest: timedelta


def _gaps(document: Document[CheckFile], config: Document[ConfigFile]) -> _Gaps | None:
    """Return what the schedule leaves between two runs, or None if there is none that could be understood."""
    head, default = document.tree.check or CheckHead(), config.tree.defaults or Defaults()
    schedule, timezone = head.schedule or default.schedule, head.timezone or default.timezone or "UTC"
    if not schedule or document.unclear("check", "schedule") or document.unclear("check", "timezone"):
        return None
    try:
        longest, shortest = cron.longest_gap(schedule, timezone), cron.shortest_gap(schedule, timezone)
    except ValueError:  # said already, here or by `defaults`
        return None
    return _Gaps(f"{shown(schedule)} ({timezone})", longest, shortest)


def _fitting(
    document: Document[CheckFile],
    config: Document[ConfigFile],
    gaps: _Gaps,
    rpo: timedelta | None,
    jitter: timedelta,
) -> None:
    """Complain about an rpo or a jitter for which the schedule leaves no room."""
    said, longest, shortest = gaps.said, gaps.longest, gaps.shortest
    if rpo and rpo < longest:
        where, at = _to_blame(document, config, "rpo")
        where.wrong(
            at,
            f'rpo = "{spoken(rpo)}" is shorter than the {spoken(longest)} that {said} may leave '
            "between two runs, so that it would be missed with nothing wrong; "
            f'write rpo = "{spoken(longest)}" or more, or run more often',
        )
    if shortest <= jitter <= LONGEST_JITTER and not document.unclear("check", "jitter"):
        where, at = _to_blame(document, config, "jitter")
        where.wrong(
            at,
            f'jitter = "{spoken(jitter)}" is not shorter than the {spoken(shortest)} that {said} may leave '
            "between two runs, so that one could begin after the next; write a shorter jitter, or run less often",
        )


def _kept(
    document: Document[CheckFile],
    config: Document[ConfigFile],
    gaps: _Gaps | None,
    retention: timedelta,
    *,
    rpo: timedelta | None,
    rto: timedelta | None,
) -> None:
    """Complain about a retention that ends before a recovery point is too old, or before the next proof is there."""
    if rpo and retention <= rpo:
        where, at = _to_blame(document, config, "retention", ("rpo",))
        where.wrong(
            at,
            f'retention = "{spoken(retention)}" is not longer than rpo = "{spoken(rpo)}", so that a recovery '
            "point as old as rpo allows would be gone already; write a longer retention, or a shorter rpo",
        )
        return
    if not (gaps and rpo and rto):
        return
    whole = rpo + gaps.longest + rto  # how old the newest proved recovery point may get with nothing wrong
    if whole >= retention * STALE.numerator / STALE.denominator:
        least = timedelta(hours=whole * STALE.denominator / STALE.numerator // timedelta(hours=1) + 1)
        where, at = _to_blame(document, config, "retention")
        where.wrong(
            at,
            f'retention = "{spoken(retention)}": {gaps.said} may leave {spoken(gaps.longest)} between two runs, and '
            f'with rpo = "{spoken(rpo)}" and rto = "{spoken(rto)}" RestoreCheckProofStale, at {STALE.numerator} tenths '
            f'of retention, would fire with nothing wrong; write retention = "{spoken(least)}" or more, or run oftener',
        )


def _to_blame(
    document: Document[CheckFile],
    config: Document[ConfigFile],
    key: str,
    others: Sequence[str] = ("schedule", "timezone"),
) -> tuple[Document[CheckFile] | Document[ConfigFile], Path]:
    """Return where to complain about a key that clashes with others: what the check itself says comes first."""
    head = document.tree.check or CheckHead()
    own = next((said for said in (key, *others) if getattr(head, said)), None)
    return (document, ("check", own)) if own else (config, ("defaults", key))


def _jitter(length: timedelta) -> None:
    if length > LONGEST_JITTER:
        raise ValueError(
            f"is {spoken(length)}, and more than {spoken(LONGEST_JITTER)} is another time of day; "
            "shorten it, or write another schedule"
        )


def _instant(document: Document[CheckFile], said: date | datetime, timezone: str) -> datetime | None:
    """Return an instant in UTC; what has no offset is meant in the check's time zone, and a day is its beginning."""
    local = said if isinstance(said, datetime) else datetime(said.year, said.month, said.day)  # noqa: DTZ001 - below
    try:
        return (local if local.tzinfo else local.replace(tzinfo=cron.zone(timezone))).astimezone(UTC)
    except OverflowError:
        document.wrong(
            ("check", "paused_until"), f"{said} cannot be expressed in UTC; write a time between the years 1 and 9999"
        )
    except ValueError:  # the zone: said already
        pass
    return None


def _judged(document: Document[Any], at: Path, read: Callable[[Any], object], said: object) -> None:
    try:
        read(said)
    except ValueError as e:
        document.wrong(at, str(e))
