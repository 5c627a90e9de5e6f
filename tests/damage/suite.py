"""Every kind of damage, with and without page checksums, looked at by every probe: `make damage`.

The probes run through the same executor and judge as in a run. Damage is caught if the verdict of what they found is
`broken`, without a reference or with one; a healthy shop must pass, and so must what is harmless. Ends with
RESULT {json}; the exit code is 1 if a figure is below the least that is asked.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parent)]

import kinds
from cluster import Cluster, cluster
from postgres_server import PASSWORD, SUPERUSER, free_port

from restorecheck.assertions import judge_all, verdict
from restorecheck.assertions.baselines import measured
from restorecheck.databases.interface import Login
from restorecheck.databases.postgres import Postgres
from restorecheck.errors import QueryError
from restorecheck.failures import kind
from restorecheck.model import (
    Against,
    Answers,
    Assertion,
    Cell,
    Check,
    Expectation,
    Finding,
    Known,
    Limits,
    Outcome,
    Placement,
    Probe,
    RdsSource,
    RecoveryPoint,
    SnapshotKind,
    Verdict,
)

LEAST = {"checksums_off": 34, "checksums_on": 37}
"""Kinds that must be caught without a reference. What is left are changes of values that nothing else knows."""

PROBES = ("readable", "counts_agree", "visibility", "amcheck", "foreign_keys", "indexes", "constraints")
REFERENCE = Against("reference", reference="at-backup")
AT = datetime(2026, 11, 21, 3, tzinfo=UTC)
_NONE = Expectation(equals=Cell("number", "0"))

WITHOUT = tuple(Assertion(p, "", _NONE, timeout=timedelta(minutes=2), probe=Probe(p)) for p in PROBES)
WITH = (replace(WITHOUT[0], expect=Expectation(same_as=REFERENCE)), *WITHOUT[1:])
CHECK = Check(
    "shop-db",
    RdsSource("111111111111", "eu-central-1", "shop-prod", "shop"),
    Placement("222222222222", "eu-central-1"),
    Limits(),
    WITHOUT,
    timedelta(hours=25),
    timedelta(hours=2),
)
POINT = RecoveryPoint("p", "arn", SnapshotKind.MANUAL, AT, AT, "postgres", "17", "postgres", encrypted=False)


@dataclass(frozen=True)
class Seen:
    """What came of one look at one server."""

    without: Verdict
    with_reference: Verdict
    found: tuple[Finding, ...]  # without a reference: those that are not green
    seconds: float


def look(shop: Cluster, known: tuple[Known, ...] = ()) -> tuple[Seen, Answers]:
    """Start a server, ask all probes, and judge what they say."""
    server = replace(shop.server, port=free_port())
    master = Login("127.0.0.1", server.port, SUPERUSER, PASSWORD, "shop")
    reader = replace(master, user="restorecheck_reader_x", password="read-only")
    database = Postgres(patience=timedelta(seconds=30))
    began = time.monotonic()
    try:
        server.start()
        database.prepare(master, reader, {"shop": ("amcheck", "pg_visibility")})
        given = database.ask(reader, WITHOUT, "salt", timedelta(minutes=3))
    except QueryError as e:
        judged = kind(e.kind).verdict
        finding = Finding("connect", Outcome.FAIL, "", "", e.message, e.kind)
        return Seen(judged, judged, (finding,), time.monotonic() - began), Answers((), AT)
    finally:
        server.stop()
    answers = Answers(given, AT, known=known)
    plain = judge_all(CHECK, answers, POINT, "salt", known)
    compared = judge_all(replace(CHECK, assertions=WITH), answers, POINT, "salt", known)
    bad = tuple(f for f in plain if f.outcome is not Outcome.PASS)
    seen = Seen(verdict(plain, restores=False)[0], verdict(compared, restores=False)[0], bad, time.monotonic() - began)
    return seen, answers


def reference_of(answers: Answers) -> tuple[Known, ...]:
    """Return what a manifest would hold of these answers."""
    findings = judge_all(CHECK, answers, POINT, "salt", ())
    one = next(m for m in measured(findings, answers, CHECK) if m.assertion == "readable")
    return (Known("readable", REFERENCE, AT, 1, one),)


def matrix(shop: Cluster, wanted: Iterable[kinds.Kind]) -> Iterator[tuple[kinds.Kind | None, Seen]]:
    """Yield what was seen of the healthy shop (kind None), then of each damaged copy."""
    with shop.copy() as healthy:
        seen, answers = look(healthy)
        known = reference_of(answers)
        seen = replace(seen, with_reference=verdict(
            judge_all(replace(CHECK, assertions=WITH), answers, POINT, "salt", known), restores=False)[0])  # fmt: skip
        yield None, seen
    for one in wanted:
        with shop.copy() as damaged:
            one.apply(damaged)
            yield one, look(damaged, known)[0]


@dataclass(frozen=True)
class Tally:
    """What one mode came to."""

    harmful: int
    without: int  # caught without a reference
    with_reference: int
    missed: tuple[str, ...]  # without a reference
    wrong: tuple[str, ...]  # false alarms, and what even a reference did not catch


def survey(mode: str, wanted: Sequence[kinds.Kind], tell: Callable[[str], object]) -> Tally:
    """Look at the healthy shop and at every kind of damage, with or without page checksums."""
    on = mode == "checksums_on"
    harmful, without, compared, missed, wrong = 0, 0, 0, [], []
    with cluster(checksums=on) as shop:
        for one, seen in matrix(shop, wanted):
            name = one.name if one else "healthy"
            said = ", ".join(f"{f.name}: {f.message}"[:120] for f in seen.found) or "nothing"
            tell(f"{mode:13} {name:58} {seen.without:8} {seen.with_reference:8} {seen.seconds:5.1f} s  {said}")
            if one is None:
                if {seen.without, seen.with_reference} != {Verdict.PASSED}:
                    wrong.append(f"{mode}: a healthy shop is {seen.without}, {seen.with_reference}: {said}")
            elif one.harmless or (on and one.harmless_with_checksums):
                if seen.without is Verdict.BROKEN and not on:  # a page whose checksum is wrong cannot be read at all
                    wrong.append(f"{mode}: {name} is harmless, and said to be broken: {said}")
            else:
                harmful += 1
                without += seen.without is Verdict.BROKEN
                compared += seen.with_reference is Verdict.BROKEN
                if seen.without is not Verdict.BROKEN:
                    missed.append(name)
                if seen.with_reference is not Verdict.BROKEN:
                    wrong.append(f"{mode}: {name} is not caught with a reference either")
    return Tally(harmful, without, compared, tuple(missed), tuple(wrong))


def main(words: Sequence[str]) -> int:
    """Run all kinds, or those whose names hold one of the words given."""
    wanted = [k for k in kinds.KINDS if not words or any(word in k.name for word in words)]
    tallies = {mode: survey(mode, wanted, lambda line: print(line, flush=True)) for mode in LEAST}
    for mode, tally in tallies.items():
        for name in tally.missed:
            print(f"{mode}: only a reference shows: {name}")
        for line in tally.wrong:
            print(f"WRONG: {line}")
    result = {
        "kinds": len(wanted),
        "harmful": {mode: tally.harmful for mode, tally in tallies.items()},
        "caught_without_reference": {mode: tally.without for mode, tally in tallies.items()},
        "caught_with_reference": {mode: tally.with_reference for mode, tally in tallies.items()},
        "wrong": sum(len(tally.wrong) for tally in tallies.values()),
    }
    print(f"RESULT {json.dumps(result)}")
    enough = words or all(tallies[mode].without >= least for mode, least in LEAST.items())
    return 0 if enough and not result["wrong"] else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
