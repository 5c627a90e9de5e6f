"""The state of a service that has no process of its own: records in a bucket, and a working copy that is fetched.

What a run came to is a record, written once and never changed: that is the truth. The working copy is an ordinary
store that is downloaded, changed and uploaded as a whole, and only in place of the copy that was read: of two who do so
at once one has to begin again. Nothing here deletes anything.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from restorecheck.errors import RestorecheckError, StoreError
from restorecheck.model import Check, Known, Report
from restorecheck.store.bucket import records
from restorecheck.store.bucket.indexes import index
from restorecheck.store.bucket.keeper import ConflictError, Keeper, Kept
from restorecheck.store.bucket.rebuilding import have, rebuild, usable
from restorecheck.store.bucket.records import NoRecordError
from restorecheck.store.bucket.strays import REBUILT, hush, strays
from restorecheck.store.bucket.working_copy import DamagedError, clear, new_path, packed, remove, unpack
from restorecheck.store.store import Store

_TRIES = 5
_COMMIT = "bucket-commit"  # the note that makes two copies with the same content different objects
_KEY_BYTES = 32


class BucketState:
    """The state below one prefix. For one thread at a time, but `put`, `cancel` and `cancelled` are for any.

    Every method raises StoreError while the bucket cannot be reached, and RestorecheckError `config` for a bucket that
    cannot hold a state.
    """

    def __init__(self, keeper: Keeper, directory: Path, clock: Callable[[], float] = time.time) -> None:
        """`directory` is for this process alone, and may be lost with it; `clock` gives seconds since 1970."""
        self._keeper, self._directory, self._clock = keeper, directory, clock
        self._store: Store | None = None
        self._path = directory
        self._etag: str | None = None
        self._unkept = False  # an upload was begun, and did not get to its end
        self._versioned = False
        self.remarks: tuple[str, ...] = ()  # what somebody should know about the copy that was opened last

    @property
    def shown(self) -> str:
        """Where it is, for a sentence."""
        return self._keeper.shown

    # --- the working copy

    def open(self) -> Store:
        """Return the newest working copy, or a new one; what was opened before is closed, and its changes are gone.

        A copy that is lost or damaged is made anew from the records, which takes its time; `remarks` says so.
        """
        self._proper()
        self.close()
        self.remarks = ()
        kept = self._keeper.get(records.COPY)
        path = new_path(self._directory)
        try:
            store = self._opened(kept, path)
        except BaseException:
            remove(path)
            raise
        self._store, self._path, self._etag = store, path, kept.etag if kept else None
        return store

    def commit(self) -> None:
        """Upload what `open` returned, if it was changed.

        Raises ConflictError if somebody else did so since it was opened: then nothing of it was kept, and whoever wants
        it must open the new copy and begin again.
        """
        if self._store is None:
            raise StoreError("nothing is open that could be committed", retryable=False)
        if not (self._unkept or self._store.is_written()):
            return
        self._unkept = True
        self._store.notes.set(_COMMIT, secrets.token_hex(16))
        self._store.settle_log()  # before it is packed: what another thread writes from here on is kept the next time
        body = packed(self._store, new_path(self._directory))
        self._etag = self._replaced(body)
        self._unkept = False

    def close(self) -> None:
        """Close the working copy and forget what of it was not committed."""
        if self._store is not None:
            self._store.close()
            remove(self._path)
        self._store, self._unkept = None, False

    def fold(self, store: Store) -> list[Report]:
        """Put the records that a working copy lacks into it and into the indexes, and return them.

        Looked for are those of the runs that it believes to be running; of each check once a day all that is new. A
        record that cannot be read ends its run as unproven, so that nobody waits for it for ever.
        """
        now = self._now()
        awaited, begun = [entry.run_id for entry in store.ledger.running()], store.ledger.begun()
        wanted = [*awaited, *strays(self._keeper, store, now)]
        found: dict[str, tuple[Report, Kept]] = {}
        for run_id in dict.fromkeys(wanted):
            key = records.record_key(run_id)
            kept = self._keeper.get(key) if key else None
            if kept is not None:
                report, why = usable(run_id, kept, None, now, begun.get(run_id))
                if why:
                    self.remarks += (f"the record of {run_id} cannot be used: {why}",)
                store.proofs.save(report)
                found[run_id] = (report, kept)
        hush(store, (report for run_id, (report, _) in found.items() if run_id not in awaited), now)
        for check in sorted({report.check for report, _ in found.values()}):
            some = [records.line(r, kept.body, kept.version) for r, kept in found.values() if r.check == check]
            index(self._keeper, check, some)
        return [report for report, _ in found.values()]

    # --- records

    def put(self, report: Report) -> None:
        """Keep what a run came to, for ever. The same report again changes nothing; another one is an error."""
        if self.settle(report) != report:
            raise StoreError(
                f"another report of {report.run_id} is kept in {self.shown} already, and no record is ever changed",
                f"`restorecheck show {report.run_id}` shows the one that counts",
                retryable=False,
            )

    def settle(self, report: Report) -> Report:
        """Keep a report unless there is one of its run, and return the one that is kept."""
        self._proper()
        key = records.record_key(report.run_id)
        if key is None or not key.startswith(f"{records.RECORDS}{report.check}/"):
            raise StoreError(f"{report.run_id!r} is not the id of a run of {report.check}", retryable=False)
        body = records.written(report)
        for _ in range(_TRIES):
            try:
                self._keeper.put(key, body, if_absent=True)
            except ConflictError:
                kept = self._keeper.get(key)
                if kept is None:  # who stood in the way did not get to the end
                    continue
                return report if kept.body == body else self._read(report.run_id, kept)
            return report
        raise StoreError(f"{self.shown}/{key} could not be written: others are writing it")

    def report(self, run_id: str) -> Report | None:
        """Return the report of a run from its record; None: there is none."""
        key = records.record_key(run_id)
        kept = self._keeper.get(key) if key else None
        return None if kept is None else self._read(run_id, kept)

    def known(self, check: Check, now: datetime) -> tuple[Known, ...]:
        """Return what every assertion of a check that asks for it is to be compared with, as the copy says it now."""
        if not any(one.expect.of or one.expect.same_as for one in check.assertions):
            return ()
        with self._read_only() as store:
            return store.baselines.known(check, now)

    # --- what is said to runs

    def cancel(self, run_id: str) -> None:
        """Tell a run to tear down and end."""
        body = json.dumps({"run": run_id, "at": self._now().isoformat(timespec="seconds")}).encode()
        try:
            self._keeper.put(records.cancel_key(run_id), body, if_absent=True)
        except ConflictError:
            if not self.cancelled(run_id):
                raise

    def cancelled(self, run_id: str) -> bool:
        """Say whether a run was told to end."""
        return self._keeper.get(records.cancel_key(run_id)) is not None

    def key(self) -> bytes:
        """Return the service key, made on first use."""
        self._proper()
        for _ in range(_TRIES):
            kept = self._keeper.get(records.KEY)
            if kept is not None:
                return self._key_in(kept)
            try:
                self._keeper.put(records.KEY, f"{secrets.token_hex(_KEY_BYTES)}\n".encode(), if_absent=True)
            except ConflictError:
                continue
        raise StoreError(f"{self.shown}/{records.KEY} could not be made")

    # --- parts

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)

    def _proper(self) -> None:
        """Refuse a bucket that forgets what is replaced: a working copy gone wrong could not be had back."""
        if not self._versioned and not self._keeper.versioning():
            raise RestorecheckError(
                f"the bucket of {self.shown} does not keep versions of its objects",
                "turn versioning on, and let a lifecycle rule expire old versions: docs/state-in-s3.md shows it",
                kind="config",
            )
        self._versioned = True

    def _opened(self, kept: Kept | None, path: Path) -> Store:
        why = "was lost"
        if kept is not None:
            try:
                unpack(kept.body, path)
            except DamagedError as e:
                why = f"is damaged ({e})"
                clear(path)
            else:
                return self._store_at(path)
        anew = kept is not None or have(self._keeper)
        store = self._store_at(path)
        if anew:
            self._rebuilt(store, why)
        else:
            self.remarks += (f"there is nothing in {self.shown} yet: a new store begins",)
        return store

    def _store_at(self, path: Path) -> Store:
        return Store.open(f"sqlite:///{path.absolute()}", clock=self._clock, passing=True)

    def _rebuilt(self, store: Store, why: str) -> None:
        now = self._now()
        try:
            count, unusable = rebuild(self._keeper, store, now)
            about = {"at": now.isoformat(), "why": why, "runs": count, "unusable": unusable}
            store.notes.set(REBUILT, about)
        except BaseException:
            store.close()
            raise
        said = (
            f"the working copy in {self.shown} {why}, and was made anew from the records of {count} runs; pauses, "
            "acceptances, what waited to be told and which runs are under way are gone"
        )
        self.remarks += (
            said,
            *(f"the record of {run_id} cannot be used: it counts as unproven" for run_id in unusable),
        )

    def _replaced(self, body: bytes) -> str:
        for _ in range(_TRIES):
            try:
                return self._keeper.put(records.COPY, body, if_match=self._etag, if_absent=self._etag is None)
            except ConflictError:
                kept = self._keeper.get(records.COPY)
                if kept is not None and kept.body == body:  # it was we: the answer to the first try was lost
                    return kept.etag
                if (kept.etag if kept else None) != self._etag:
                    break
        raise ConflictError(
            f"somebody else changed the state in {self.shown} meanwhile", "begin again: nothing of this was kept"
        )

    def _read(self, run_id: str, kept: Kept) -> Report:
        try:
            return records.read(kept.body, run_id)
        except NoRecordError as e:
            raise StoreError(
                f"the record of {run_id} in {self.shown} cannot be used: {e}",
                "look at the older versions of the object",
                retryable=False,
            ) from e

    @contextmanager
    def _read_only(self) -> Iterator[Store]:
        """Open the newest copy beside whatever else is open. Raises StoreError for one that is lost or damaged."""
        kept = self._keeper.get(records.COPY)
        path = new_path(self._directory)
        try:
            if kept is not None:
                unpack(kept.body, path)
            elif have(self._keeper):
                raise StoreError(f"the working copy in {self.shown} was lost", "the next tick makes it anew")
            store = self._store_at(path)
            try:
                yield store
            finally:
                store.close()
        except DamagedError as e:
            raise StoreError(f"the working copy in {self.shown} is damaged: {e}", "the next tick makes it anew") from e
        finally:
            remove(path)

    def _key_in(self, kept: Kept) -> bytes:
        try:
            key = bytes.fromhex(kept.body.decode("ascii").strip())
        except ValueError:
            key = b""
        if len(key) != _KEY_BYTES:
            raise RestorecheckError(
                f"{self.shown}/{records.KEY} is not a service key",
                "put the right version of the object back; with another key, runs under way cannot be opened any more",
                kind="config",
            )
        return key
