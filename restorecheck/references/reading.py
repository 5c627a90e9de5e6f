"""What was recorded when a backup was made, found in its bucket and read: baselines for the findings of a run.

Reads one listing and the manifests near the recovery point, as the source role. Never raises: whatever goes wrong is
said in what is returned, and keeps a run from being green. A manifest of another check or question is never used.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from restorecheck.assertions.baselines import same_question
from restorecheck.errors import RestorecheckError, SourceError
from restorecheck.fence import Role
from restorecheck.model import Assertion, Check, Known, ObjectVersion, RecoveryPoint, Reference
from restorecheck.references import manifest, naming, questions
from restorecheck.references.manifest import Manifest, NoManifestError
from restorecheck.sources.versions.history import Tally, current
from restorecheck.sources.versions.interface import Objects, Place, Read
from restorecheck.sources.versions.listing import entries

NEAREST = 100
"""How many manifests are read at most, the nearest first: several checks may share a prefix."""

SLACK = timedelta(days=1)
"""How long recording may have taken: S3 tells when a manifest was written, and it says itself when it was begun."""

_KEPT = frozenset({"permission", "credentials", "key-access", "throttled", "aws-unavailable", "refused"})
"""Failure kinds that say more than `no-reference`. None of them blames the backup."""

_NONE = "no-reference"


class Gate(Protocol):
    """What is needed of the fence."""

    def objects(self, role: Role, account: str, region: str) -> Objects:
        """Enter an account for objects in bulk, without a permit: they are only read."""


@dataclass(frozen=True, slots=True)
class Found:
    """The manifest that belongs to a recovery point, or why there is none."""

    manifest: Manifest | None = None
    where: str = ""  # its URL
    error: str = ""
    kind: str = ""


def known(fence: Gate, check: Check, point: RecoveryPoint, now: datetime) -> tuple[Known, ...]:
    """Return one Known for each assertion of a check that is compared with a reference; none costs nothing.

    `now` is the time whose state of the bucket counts.
    """
    found: dict[str, Found] = {}
    answers = []
    for assertion in check.assertions:
        said = questions.against(assertion)
        if said is None:
            continue
        if said.reference not in found:
            found[said.reference] = _looked_up(fence, check, said.reference, point, now)
        answers.append(_of(assertion, found[said.reference]))
    return tuple(answers)


def _of(assertion: Assertion, found: Found) -> Known:
    """Return what a manifest says of one assertion."""
    said = questions.against(assertion)
    assert said is not None  # noqa: S101 - the caller has looked
    if found.manifest is None:
        return Known(assertion.name, said, error=found.error, kind=found.kind)
    at = found.manifest.recorded_at
    recorded = next((one for one in found.manifest.answers if one.assertion == assertion.name), None)
    if recorded is None:
        return Known(assertion.name, said, at, error=f"{found.where} does not answer {assertion.name}", kind=_NONE)
    if not same_question(assertion, recorded):
        why = f"{found.where} answers {assertion.name} as it was asked before it was changed"
        return Known(assertion.name, said, at, error=why, kind=_NONE)
    return Known(assertion.name, said, at, measured=recorded)


def _looked_up(fence: Gate, check: Check, name: str, point: RecoveryPoint, now: datetime) -> Found:
    reference = next((one for one in check.references if one.name == name), None)
    if reference is None:
        return Found(error=f"the check declares no reference {name}", kind=_NONE)
    try:
        objects = fence.objects(Role.SOURCE, reference.account, reference.region)
        return _nearest(objects, reference, check.name, point.data_time or point.created, now)
    except RestorecheckError as e:
        why = f"[reference.{name}] cannot be read: {e.message}"
        return Found(error=why, kind=e.kind if e.kind in _KEPT else _NONE)


# --- choosing ---------------------------------------------------------------------------------------------------------


def _nearest(objects: Objects, reference: Reference, check: str, at: datetime, now: datetime) -> Found:
    """Return the manifest of this check that was recorded nearest to a time. Raises RestorecheckError."""
    near = sorted(_candidates(objects, reference, at, now), key=lambda v: (abs(v.modified - at), v.key))
    unread: list[tuple[timedelta, str]] = []  # how far from the time, and why
    best: tuple[timedelta, str, Manifest] | None = None  # no other is kept: a manifest may be large
    for version in near[:NEAREST]:
        try:
            one = _read(objects, reference, version)
        except NoManifestError as e:
            unread.append((abs(version.modified - at), f"{naming.url(reference, version.key)} cannot be used: {e}"))
            continue
        away = abs(one.recorded_at - at)
        usable = (one.check, one.reference) == (check, reference.name) and away <= reference.within
        if usable and (best is None or (away, version.key) < best[:2]):
            best = away, version.key, one
    if best is None:
        return Found(error=_nothing(reference, check, at, near, [why for _, why in unread]), kind=_NONE)
    away, key, chosen = best
    nearer = [why for distance, why in unread if distance <= away]
    if nearer:  # it may have been the right one, and a farther one would be compared with rows of another time
        return Found(error=nearer[0], kind=_NONE)
    return Found(chosen, naming.url(reference, key))


def _candidates(objects: Objects, reference: Reference, at: datetime, now: datetime) -> Iterator[ObjectVersion]:
    """Yield the objects that can be manifests of that time, as the bucket is now."""
    listed = entries(objects.pages(reference.bucket, reference.account, naming.prefix(reference)))
    first, last = at - reference.within - SLACK, at + reference.within + SLACK
    for version in current(listed, now, Tally(now)):
        if naming.belongs(reference, version.key) and first <= version.modified <= last:
            yield version


def _nothing(reference: Reference, check: str, at: datetime, near: list[ObjectVersion], unread: list[str]) -> str:
    where = naming.url(reference, reference.object)
    hours = reference.within.total_seconds() / 3600
    said = f"nothing that {check} recorded within {hours:g} h of {at.astimezone(UTC):%Y-%m-%d %H:%M} UTC is at {where}"
    if len(near) > NEAREST:
        said += f"; of {len(near):,} objects of that time, the {NEAREST} nearest were read"
    return f"{said}; {unread[0]}" if unread else said


def _read(objects: Objects, reference: Reference, version: ObjectVersion) -> Manifest:
    """Read one object. Raises NoManifestError for what is in it, RestorecheckError for what S3 says."""
    if version.size > manifest.MOST:
        raise NoManifestError(f"it has {version.size:,} bytes, and {manifest.MOST:,} are allowed")
    body = bytearray()

    def take(piece: bytes) -> None:
        body.extend(piece)
        if len(body) > manifest.MOST:
            raise SourceError("it is larger than was listed", kind="snapshot-state")

    place = Place(reference.bucket, version.key, reference.account, version.version)
    for seen in objects.read([Read(place, take)], at_once=1):
        if seen.error is not None:
            raise seen.error
    return manifest.read(bytes(body))
