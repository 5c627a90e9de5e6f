"""What each alert must do, minute by minute: series as a Prometheus would scrape them, and when it fires.

`fires=(10, 20)` is silent at minute 9, fires from minute 10 to minute 19, and is silent again at minute 20. Instants
are seconds since minute 0, so a run that ended in minute 10 ended at 600.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

FOREVER = float("inf")
GONE = None
"""The series is not exported any more."""

CHECK = {"check": "orders-db"}
ONE = {"instance": "10.0.0.1:9780", "pod": "restorecheck-a", "container": "a", "endpoint": "http-a"}
TWO = {"instance": "10.0.0.2:9780", "pod": "restorecheck-b", "container": "b", "endpoint": "http-b"}

Spans = tuple[tuple[float | None, int], ...]
"""Values, and for how many samples each; the last one lasts to the end."""


@dataclass(frozen=True)
class Series:
    name: str  # without the prefix, as in the catalogue; `up` is Prometheus's own
    spans: Spans
    labels: dict[str, str]
    replica: dict[str, str] = field(default_factory=lambda: ONE)


@dataclass(frozen=True)
class Case:
    alert: str
    title: str
    series: tuple[Series, ...]
    minutes: int
    fires: tuple[int, int] | None = None  # the second may be `minutes`: to the end
    labels: dict[str, str] = field(default_factory=dict)  # of the alert, besides job and severity
    said: str = ""  # the description at the first minute
    needs: tuple[str, ...] = ()  # metrics without which it must end an hour later, and not before
    by_replica: bool = False  # it is about one process
    step: int = 1  # minutes between two evaluations
    also: tuple[tuple[int, int, dict[str, str]], ...] = ()  # when it fires with other labels


def told(name: str, *spans: tuple[float | None, int] | float, **labels: str) -> Series:
    """Return a series of a check or the service: `told("x", (0, 10), 600)` is 0 for ten minutes, and 600 from then."""
    said = tuple(span if isinstance(span, tuple) else (span, 0) for span in spans)
    return Series(name, said, labels)


def of_check(name: str, *spans: tuple[float | None, int] | float, **labels: str) -> Series:
    return told(name, *spans, **CHECK, **labels)


def verdicts(passed: tuple, broken: tuple, unproven: tuple = (0,)) -> tuple[Series, ...]:
    name = "run_last_verdict_timestamp_seconds"
    spans = {"passed": passed, "broken": broken, "unproven": unproven}
    return tuple(of_check(name, *said, verdict=verdict) for verdict, said in spans.items())


def from_two(case: Case) -> Case:
    """Return the case with a second replica that tells the same."""
    again = tuple(replace(one, replica=TWO) for one in case.series)
    return replace(case, title=f"{case.title}, told by two replicas", series=case.series + again)


def restarted(case: Case, minute: int) -> Case:
    """Return the case with a process that is replaced by another at this minute."""
    before, after = [], []
    for one in case.series:
        before.append(replace(one, spans=(*cut(one.spans, 0, minute), (GONE, 0))))
        after.append(replace(one, spans=((GONE, minute), *cut(one.spans, minute, case.minutes + 1)), replica=TWO))
    return replace(case, title=f"{case.title}, by a process that was replaced", series=(*before, *after))


def silenced(case: Case, name: str | None, minute: int) -> Case:
    """Return the case in which a metric, or all, is told for the last time the minute before."""
    assert case.fires
    series = tuple(
        replace(one, spans=cut(one.spans, 0, minute) + (((GONE, 0),) if name in {None, one.name} else ()))
        for one in case.series  # the others stay as they are then
    )
    gone = f"{case.title}, and then {name or 'nothing'} is told {'no more' if name else 'any more'}"
    end = minute - 1 + 61  # the newest sample is of the minute before, and counts for an hour
    return replace(case, title=gone, series=series, minutes=end + 5, fires=(case.fires[0], end), said="", also=())


def cut(spans: Spans, begin: int, end: int) -> Spans:
    """Return the spans of these minutes."""
    found, at = [], 0
    for n, (value, length) in enumerate(spans):
        stop = end if n == len(spans) - 1 else at + length
        first, last = max(at, begin), min(stop, end)
        if last > first:
            found.append((value, last - first))
        at = stop
    return tuple(found)
