"""How far a proof goes, never more than what was done; and in plain words, what it does not show. Pure.

A level is reached by what passed. Damage, a part that could not be looked at, and a database that nobody is known to
have looked into keep it where it was.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from restorecheck.assertions import words
from restorecheck.failures import kind
from restorecheck.model import (
    OBJECTIVES,
    Answer,
    Answers,
    Assertion,
    Check,
    Examined,
    Finding,
    Known,
    Level,
    Outcome,
    RecoveryPoint,
    SnapshotKind,
    Verdict,
)
from restorecheck.model.probes import PROBES

ORDER = tuple(Level)
"""From the least to the most."""

_FROM_DATA = frozenset(
    {"readable", "row_counts", "counts_agree", "foreign_keys", "check_table", "amcheck", "sequences"}
)
"""Probes that read what users stored; the others read the catalogue, or a map of pages."""

_FROM = re.compile(r"\b(from|table)\b", re.IGNORECASE)
"""What a query that reads anything cannot do without."""

_COMING_BACK = frozenset({"dump-restored", "dump-complete", "objects-compared"})
"""What a source observes of restoring itself."""

_SAID = {
    Level.NOTHING: "nothing: not all of the backup came back",
    Level.RESTORED: "restored: the backup came back; nothing that was asked about its data passed",
    Level.ANSWERED: "answered: questions were answered from what came back, which was not read in full",
    Level.READ: "read in full: all of it was read to its end; that the values are right, the questions alone can show",
    Level.EQUAL: "equal to its reference: all of it was read, and is what was recorded when it was written",
}

LOGICAL = "amcheck and counts say nothing about a logical backup: every index and every page was built anew"

ROLELESS = "a dump brings no roles: that one may log in is as the check declares, what it may read is the dump's word"


def level(check: Check, answers: Answers, findings: Iterable[Finding], known: Sequence[Known] = ()) -> Level:
    """Return how far the proof of a run goes that came as far as answers."""
    judged = [f for f in findings if f.name not in OBJECTIVES]
    if any(f.by == "source" and f.name in _COMING_BACK and _wrong(f) for f in judged):
        return Level.NOTHING
    passed = {f.name for f in judged if f.by == "check" and f.outcome is Outcome.PASS}
    reached = Level.ANSWERED if any(a.name in passed and _reads(a) for a in check.assertions) else Level.RESTORED
    if any(_breaks(f) for f in judged) or _unread(check, judged):
        return reached
    given = {a.name: a for a in answers.answers}
    looks = [(a, looked) for a in check.assertions if a.name in passed and (looked := _whole(a, given.get(a.name)))]
    everywhere = set(answers.holding or ())
    read = bool(everywhere) and everywhere <= {_database(a, check) for a, _ in looks}
    equal = {_database(a, check) for a, looked in looks if _equal(a, looked, known)}
    if read or ORDER.index(answers.level) >= ORDER.index(Level.READ):
        reached = Level.READ
    if reached is Level.READ and (answers.level is Level.EQUAL or (everywhere and everywhere <= equal)):
        reached = Level.EQUAL
    return reached


def proven(check: Check, answers: Answers, point: RecoveryPoint, reached: Level) -> tuple[str, ...]:
    """Return the level and what it rests on, then what was left out or cannot be shown; one sentence each."""
    given = {a.name: a.examined for a in answers.answers}
    said = [_SAID[reached], *answers.proven]
    if ORDER.index(reached) < ORDER.index(Level.READ):
        said += answers.unread
    for assertion in check.assertions:
        if (looked := given.get(assertion.name)) is not None:
            said += [f"{assertion.name}: {text}" for text in (*looked.remarks, *_not_looked_at(looked))]
    probes = [PROBES[a.probe.name] for a in check.assertions if a.probe is not None and a.probe.name in PROBES]
    if point.kind is SnapshotKind.DUMP and any(probe.physical for probe in probes):
        said.append(LOGICAL)
    if point.kind is SnapshotKind.DUMP and PROBES["roles"] in probes:
        said.append(ROLELESS)
    return tuple(dict.fromkeys(said))


def _not_looked_at(looked: Examined) -> list[str]:
    said = [f"left out {words.count(looked.left_out, looked.unit)}"] if looked.left_out else []
    unseen = max(looked.unseen_count, len(looked.unseen))
    if unseen:
        texts = [f"{u.object} ({u.reason})" for u in looked.unseen]
        said.append(f"did not look at {unseen:,}: {words.listed(texts, unseen)}")
    return said


def _wrong(finding: Finding) -> bool:
    return finding.outcome in (Outcome.FAIL, Outcome.ERROR)


def _breaks(finding: Finding) -> bool:
    return _wrong(finding) and (finding.outcome is Outcome.FAIL or kind(finding.kind).verdict is Verdict.BROKEN)


def _unread(check: Check, judged: Sequence[Finding]) -> bool:
    """Say whether a look at all values did not come to a good end: then nothing else makes up for it."""
    readable = {a.name for a in check.assertions if a.probe is not None and a.probe.name == "readable"}
    fine = (Outcome.PASS, Outcome.LEARNING)
    return any(f.by == "check" and f.name in readable and f.outcome not in fine for f in judged)


def _reads(assertion: Assertion) -> bool:
    if assertion.probe is not None:
        return assertion.probe.name in _FROM_DATA
    return bool(_FROM.search(assertion.sql))


def _whole(assertion: Assertion, answer: Answer | None) -> Examined | None:
    """Return what was looked at if every value of every table of its database was read."""
    if assertion.probe is None or assertion.probe.name != "readable" or answer is None or answer.examined is None:
        return None
    looked = answer.examined
    faults = (looked.flawed, looked.flaws, looked.left_out, looked.owed, any(u.owed for u in looked.unseen))
    return None if any(faults) or looked.count <= 0 else looked


def _database(assertion: Assertion, check: Check) -> str | None:
    return assertion.database or getattr(check.source, "database", None)


def _equal(assertion: Assertion, looked: Examined, known: Sequence[Known]) -> bool:
    """Say whether all that was read was fingerprinted when the backup was made too. That it is equal was judged."""
    against = assertion.expect.same_as
    if against is None or against.kind != "reference":
        return False
    then = next((k.measured for k in known if (k.assertion, k.against) == (assertion.name, against)), None)
    every = looked.count == len(looked.measures) and all(m.fingerprint for m in looked.measures)
    if then is None or not every:
        return False
    return {(m.object, m.fingerprint) for m in then.measures} == {(m.object, m.fingerprint) for m in looked.measures}
