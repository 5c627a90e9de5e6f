"""Asking a source, or a replica of it, what the restored copy of its backup will be asked, and writing that down.

The same executor asks as in a run: each question in a read-only transaction, no role made, nothing changed. An answer
that is not whole is no reference: then nothing is recorded at all.
"""

from __future__ import annotations

import difflib
import hashlib
from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from restorecheck.assertions.baselines import question
from restorecheck.databases.interface import Beside, Database, Login
from restorecheck.errors import AwsError, QueryError, RestorecheckError
from restorecheck.failures import kind as meaning
from restorecheck.model import Answer, Assertion, Cell, Check, Expectation, Measured, Reference, Verdict
from restorecheck.references import questions
from restorecheck.references.manifest import FORMAT, Manifest

_CLOCK = {"postgresql": "select pg_catalog.now()", "mysql": "select utc_timestamp(6)"}
_TOLD = 3  # answers that a message names
_THERE = "PreconditionFailed"  # how S3 answers If-None-Match; 409 is another answer, and says nothing of an object

_HINTS = {
    "login-failed": "the user of --from must be able to log in, with the password that was given",
    "database-unreachable": "this machine must reach the server of --from; name a replica or the source itself",
    "tls": "its certificate must be signed by what `ca_bundle` in config.toml holds, or else by Amazon's RDS bundle",
    "missing-object": "name the database after the last / of --from",
}


class Hand(Protocol):
    """What is needed of the recorder's guarded role."""

    def call(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
        """Make one call."""


def to_ask(check: Check, reference: str) -> tuple[Reference, tuple[Assertion, ...]]:
    """Return a reference of a check, and the assertions that are compared with it.

    Raises RestorecheckError `config` if there is no such reference, or nothing is compared with it.
    """
    found = next((one for one in check.references if one.name == reference), None)
    if found is None:
        names = [one.name for one in check.references]
        near = difflib.get_close_matches(reference, names, n=1)
        hint = f"its references are {', '.join(names)}" if names else f"declare [reference.{reference}] in its file"
        hint = f"did you mean {near[0]}?" if near else hint
        raise RestorecheckError(f"the check {check.name} has no reference {reference}", hint, kind="config")
    assertions = questions.asked(check, reference)
    if not assertions:
        raise RestorecheckError(
            f"no assertion of {check.name} is compared with the reference {reference}",
            f'write same_as = "{reference}", or bounds with of = "{reference}"',
            kind="config",
        )
    return found, assertions


@dataclass(frozen=True, slots=True)
class Place:
    """The source, or a replica of it: who asks it, and how to log in."""

    engine: str  # postgresql, mysql
    database: Database
    login: Login


def begin(place: Place) -> tuple[str, datetime]:
    """Return the server's version and what its clock says. Raises RestorecheckError, never one that means `broken`."""
    try:
        version = place.database.knock(place.login)
    except QueryError as e:
        kind = e.kind if meaning(e.kind).verdict is not Verdict.BROKEN else "no-reference"
        raise RestorecheckError(e.message, e.hint or _HINTS.get(e.kind, ""), kind=kind) from e
    clock = Assertion("clock", _CLOCK[place.engine], Expectation(equals=Cell("time")), timeout=timedelta(seconds=30))
    [answer] = place.database.ask(place.login, [clock], "", timedelta(seconds=60))
    if answer.error or len(answer.cells) != 1 or answer.cells[0].kind != "time":
        raise _not_recorded([f"the server's clock: {answer.error or 'it did not tell the time'}"])
    at = datetime.fromisoformat(answer.cells[0].text)
    return version, at if at.tzinfo else at.replace(tzinfo=UTC)  # MySQL's has no zone, and was asked for in UTC


def record(
    place: Place,
    check: Check,
    wanted: tuple[Reference, Sequence[Assertion]],
    begun: tuple[str, datetime],
    tell: Callable[[str], object],
) -> Manifest:
    """Ask, and return what is to be kept: `wanted` is of `to_ask`, `begun` of `begin`.

    Raises RestorecheckError `no-reference` unless every answer is whole.
    """
    (reference, assertions), (version, at) = wanted, begun
    answers = place.database.ask(place.login, assertions, "", check.limits.examine, Beside(tell=tell))
    paired = list(zip(assertions, answers, strict=True))
    if wrong := [f"{a.name}: {why}" for a, answer in paired if (why := _why_not(a, answer))]:
        raise _not_recorded(wrong)
    recorded = tuple(_recorded(assertion, answer) for assertion, answer in paired)
    return Manifest(FORMAT, check.name, reference.name, at, place.engine, version, recorded)


def _not_recorded(wrong: Sequence[str]) -> RestorecheckError:
    more = f"; and {len(wrong) - _TOLD} more" if len(wrong) > _TOLD else ""
    return RestorecheckError(
        f"nothing was recorded: {'; '.join(wrong[:_TOLD])}{more}",
        "a reference is only as good as its answers: mend what is named, and record again",
        kind="no-reference",
    )


def _why_not(assertion: Assertion, answer: Answer) -> str:
    """Return why an answer is no reference; empty: it is one."""
    if answer.error:
        return answer.error
    seen = answer.examined
    if seen is not None:
        if seen.flawed or seen.flaws:
            return f"the source itself is not as it should be: {_first([f.message for f in seen.flaws], seen.flawed)}"
        if seen.owed:
            reasons = [f"{u.object}: {u.reason}" for u in seen.unseen if u.owed]
            return f"not everything could be looked at: {_first(reasons, seen.owed)}"
        return "" if seen.count else f"there is no {seen.unit} to look at"
    if assertion.probe is not None:
        return "it was not examined"
    if assertion.expect.same_as is not None:
        return "" if answer.fingerprint else "it has no fingerprint"
    one = answer.rows == 1 and answer.columns == 1 and not answer.more and len(answer.cells) == 1
    return "" if one and answer.cells[0].kind == "number" else "it does not answer one number"


def _first(told: Sequence[str], count: int) -> str:
    more = f" (and {count - 1} more)" if count > 1 else ""
    return f"{told[0]}{more}" if told else f"{count} of them"


def _recorded(assertion: Assertion, answer: Answer) -> Measured:
    made = Measured(assertion.name, fingerprint=answer.fingerprint, question=question(assertion))
    if answer.examined is not None:
        return replace(made, measures=answer.examined.measures, lines=answer.examined.lines)
    return made if assertion.expect.same_as is not None else replace(made, value=answer.cells[0].text)


def put(hand: Hand, reference: Reference, key: str, body: bytes) -> None:
    """Write a manifest to its bucket, where nothing may be yet. Raises RestorecheckError."""
    try:
        hand.call(
            "s3",
            "PutObject",
            Bucket=reference.bucket,
            Key=key,
            ExpectedBucketOwner=reference.account,
            IfNoneMatch="*",
            ChecksumSHA256=b64encode(hashlib.sha256(body).digest()).decode(),
            ContentType="application/json",
            Body=body,
        )
    except AwsError as e:
        where = f"s3://{reference.bucket}/{key}"
        if e.code == _THERE:
            raise RestorecheckError(
                f"there is an object at {where} already, and nothing is written over",
                "another recording began in the same second; or this one was written, and S3's answer got lost",
                kind="no-reference",
            ) from e
        hint = f"the recorder needs s3:PutObject on {where}, and nothing else" if e.kind == "permission" else ""
        kind = e.kind if meaning(e.kind).verdict is not Verdict.BROKEN else "no-reference"
        raise RestorecheckError(f"the manifest was not written: {e.message}", hint, kind=kind) from e
