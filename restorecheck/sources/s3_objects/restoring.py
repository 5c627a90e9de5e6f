"""The lease, and the copying of every picked object into the scratch bucket, a slice with each look.

Nothing is remembered that a listing does not give again: a new process lists both sides and copies what is missing.
What was copied is never copied again, deleted or believed here; `examining` compares it.
"""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field

from restorecheck.durable import Look
from restorecheck.errors import AwsError, RestorecheckError, SourceError
from restorecheck.model import ObjectVersion, RecoveryPoint
from restorecheck.sources.interface import Stage
from restorecheck.sources.s3_objects import destinations
from restorecheck.sources.s3_objects.matching import batches, paired
from restorecheck.sources.s3_objects.reach import Reach
from restorecheck.sources.versions.interface import Head, Seen
from restorecheck.sources.versions.refusals import ABSENT, Refusals, amount, objects
from restorecheck.sources.versions.selection import Fingerprint, picks

PIECES = 10_000
"""Objects that one look copies at most."""

PASSES = 3
"""How often a whole pass is made while what went wrong may go better."""

HOPELESS = 100
"""A pass is given up when so many objects were refused for good, and none was copied."""

BATCH = 200


class Restoring:
    """The way there of one run. Safe to close from another thread than the one that looks."""

    def __init__(self, reach: Reach) -> None:
        self._reach, self._lock = reach, threading.Lock()
        self._pass: _Pass | None = None
        self._tried = 0
        self._closed = False

    def stages(self, point: RecoveryPoint) -> Sequence[Stage]:
        """Return the legs from this point to its objects in the scratch bucket."""
        limit = self._reach.limits.restore
        return [
            Stage("lease", self._lease, self._look_leased, limit),
            Stage("restore", lambda: None, lambda: self._look_restored(point), limit),
        ]

    def close(self) -> None:
        """Let go of what is in flight, and begin nothing any more."""
        with self._lock:
            self._closed = True
            self._drop()

    # --- the lease ---------------------------------------------------------------------------------------------------

    def _lease(self) -> None:
        """Write the lease, adopt it if it is this run's, refuse a prefix in which somebody else has been."""
        reach, place = self._reach, self._reach.placement
        ours = reach.leased()
        if ours:
            return
        if ours is False or next(reach.present(reach.prefix), None) is not None:
            raise SourceError(f"s3://{place.bucket}/{reach.prefix} holds what is not this run's", kind="taken")
        try:
            reach.hand("scratch").call(
                "s3",
                "PutObject",
                Bucket=place.bucket,
                Key=reach.lease,
                Body=b"",
                Metadata=reach.tags(),
                ExpectedBucketOwner=place.account,
            )
        except AwsError as e:
            if e.kind != "key-unusable":
                raise
            # nothing of the backup is in it: the key that is dead is that of the scratch bucket
            raise SourceError(f"{e.message}: the key of the bucket {place.bucket}", kind="key-access") from e

    def _look_leased(self) -> Look:
        ours = self._reach.leased()
        if ours is False:
            raise SourceError(f"the lease {self._reach.lease} is not this run's", kind="taken")
        return Look(bool(ours), "leased" if ours else "no lease yet")

    # --- copying -----------------------------------------------------------------------------------------------------

    def _look_restored(self, point: RecoveryPoint) -> Look:
        with self._lock:
            if self._closed:
                raise SourceError("the restore was given up", kind="cancelled")
            try:
                return self._slice(point)
            except RestorecheckError:
                self._drop()  # a pass that broke off is begun anew, from the listings
                raise

    def _drop(self) -> None:
        if self._pass is not None:
            self._pass.results.close()
            self._pass = None

    def _slice(self, point: RecoveryPoint) -> Look:
        world = self._reach.world
        if self._pass is None:
            self._pass = _Pass(self._reach, point)
        work, until = self._pass, world.monotonic() + world.slice
        for _ in range(PIECES):
            if not work.step():
                return self._ended(work)
            if work.hopeless:
                raise work.refused()
            if world.monotonic() >= until:
                break
        return Look(done=False, status=work.status, again=True)

    def _ended(self, work: _Pass) -> Look:
        self._drop()
        work.unchanged()
        if not work.refusals:
            return Look(done=True, status=work.status)
        self._tried += 1
        if not work.refusals.passing or self._tried >= PASSES:
            raise work.refused()
        return Look(done=False, status=f"{work.status}; once more for {objects(work.refusals.count)}")


@dataclass
class _Pass:
    """One pass over everything that was current: copies what is not there yet."""

    reach: Reach
    point: RecoveryPoint
    done: int = 0
    bytes: int = 0
    copied: int = 0
    refusals: Refusals = field(init=False)
    fingerprint: Fingerprint = field(init=False)

    def __post_init__(self) -> None:
        self.refusals, self.fingerprint = Refusals(self.reach.source.account), Fingerprint()
        self.long = 0
        self.results = self._results()

    @property
    def status(self) -> str:
        """How far it has come."""
        return f"{self.done:,} of {objects(self.point.picked)}, {amount(self.bytes)}"

    @property
    def hopeless(self) -> bool:
        """Whether going on would only meet more of the same."""
        return not self.copied and self.refusals.count >= HOPELESS and not self.refusals.passing

    def step(self) -> bool:
        """Take the result of one copy, and say whether there was one."""
        seen = next(self.results, None)
        if seen is None:
            return False
        if seen.error is not None:
            self.refusals.add(destinations.origin(self.reach.run_id, seen.place.key), seen.error)
        else:
            self.copied += 1
            self.done += 1
            self.bytes += seen.size
        return True

    def _results(self) -> Generator[Seen, None, None]:
        yield from self._moved(self._direct())
        if self.long:  # a second listing, only where there are any: where these are, no listing pairs them
            for batch in batches(self._hashed(), BATCH):
                yield from self._moved(iter(batch))

    def _moved(self, jobs: Iterator[ObjectVersion]) -> Iterator[Seen]:
        reach, copies = self.reach, (self.reach.copy(version) for version in jobs)
        scratch, at_once = reach.objects("scratch"), reach.source.at_once
        if reach.source.transfer == "copy":
            return scratch.copy(copies, at_once)
        return scratch.relay(reach.objects("source"), copies, at_once)

    def _direct(self) -> Iterator[ObjectVersion]:
        """Yield what is not there yet, and take the fingerprint of everything on the way."""
        reach = self.reach
        under = destinations.direct_prefix(reach.run_id)
        for pair in paired(self._standing(), reach.present(under), len(under)):
            if pair.wanted is None:
                continue  # what is there and should not be: the comparison will say so
            if not destinations.is_direct(reach.run_id, pair.key):
                self.long += 1
            elif pair.found is not None:
                self.done += 1
                self.bytes += pair.wanted.size
            else:
                yield pair.wanted

    def _standing(self) -> Iterator[ObjectVersion]:
        wanted = picks(self.point.sample, self.reach.run_id)
        for version in self.reach.standing():
            self.fingerprint.take(version)
            if wanted(version.key):
                yield version

    def _hashed(self) -> Iterator[ObjectVersion]:
        reach = self.reach
        long = (v for v in reach.picked(self.point) if not destinations.is_direct(reach.run_id, v.key))
        for batch in batches(long, BATCH):
            at = {reach.restored(version.key): version for version in batch}
            for seen in reach.objects("scratch").head((Head(place) for place in at), reach.source.at_once):
                if seen.error is None:
                    self.done += 1
                    self.bytes += at[seen.place].size
                elif isinstance(seen.error, AwsError) and seen.error.code in ABSENT:
                    yield at[seen.place]
                else:
                    self.refusals.add(at[seen.place].key, seen.error)

    def unchanged(self) -> None:
        """Raise SourceError `snapshot-state` if this pass did not see what was found at first."""
        if self.fingerprint.hex != self.point.fingerprint:
            raise changed(self.reach)

    def refused(self) -> SourceError:
        """Return the error of objects that could not be copied."""
        refusals, kind = self.refusals, self.refusals.kind
        hint = refusals.hint  # by S3's own words, if it said which permission is missing
        if kind == "permission" and self.reach.source.transfer == "copy":
            ways = (
                "allow the scratch role s3:GetObjectVersion in the policy of the source bucket (and kms:Decrypt in that"
                ' of its key), or set transfer = "stream"'
            )
            hint = f"{hint}; {ways}" if hint else ways
        return SourceError(refusals.told("copied"), hint, kind=kind)


def changed(reach: Reach) -> SourceError:
    """Return the error of a past that is not the same any more."""
    return SourceError(
        f"what was current in s3://{reach.source.bucket}/{reach.source.prefix} at that time changed during the run:"
        " versions were deleted, or an upload that began before it came to its end",
        'test an older state, such as at = "1h"; keep noncurrent versions longer than a run lasts',
        kind="snapshot-state",
    )
