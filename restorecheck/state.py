"""Where a configuration keeps its state: the directory, the store, and the one service key of all who share them.

Opens and makes; decides nothing. A state in a bucket is fetched and put back as a whole: `reading` and `changed` do so.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from restorecheck.config import State
from restorecheck.errors import RestorecheckError, SourceError, StoreError
from restorecheck.passwords import service_key
from restorecheck.store import Store
from restorecheck.store.bucket import BucketState, ConflictError

T = TypeVar("T")

TRIES = 5
"""How often a change is begun again because somebody else changed the state in the bucket meanwhile."""

Heard = Callable[[str], None]
"""Is told what somebody should know about a state that was opened."""


def locks(state: State) -> Path | None:
    """Return where the processes that share a state directory hold their locks; None: they share a database."""
    return state.directory / "locks" if state.directory else None


def make_state(state: State) -> None:
    """Make the state directory, readable by its owner only, if there is one. Raises RestorecheckError `config`."""
    if state.directory is not None:
        _make(state.directory)


def _make(directory: Path) -> None:
    try:
        (directory / "locks").mkdir(parents=True, exist_ok=True)
        directory.chmod(0o700)
    except OSError as e:
        raise RestorecheckError(
            f"the state directory {directory} cannot be made: {e.strerror}", "set `state` in config.toml", kind="config"
        ) from e


def stays(state: State) -> None:
    """Refuse a state that no process that stays can work on. Raises RestorecheckError `config`."""
    _ = state.store_url


def open_store(state: State) -> Store:
    """Open, or make, the store, for a process that stays.

    Raises RestorecheckError `config`, also for a bucket, or StoreError while it cannot be reached.
    """
    make_state(state)
    return Store.open(state.store_url)


def bucket_state(state: State, directory: Path) -> BucketState:
    """Return the state in a bucket. `directory` is where its working copy is put meanwhile.

    Raises RestorecheckError `config` if its region is not known, StoreError.
    """
    # what talks to AWS takes a third of a second to import, and a state that is not in a bucket needs none of it
    from restorecheck.fence import Fence  # noqa: PLC0415
    from restorecheck.store.bucket.s3 import S3Keeper  # noqa: PLC0415

    place = state.bucket
    if place is None:
        raise RestorecheckError(f"the state in {state.shown} is not in a bucket", kind="config")
    region = place.region or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    if not region:
        raise RestorecheckError(
            f"it is not known which region the bucket of {state.shown} is in",
            f'write state = "{state.shown}?region=…", or set AWS_REGION',
            kind="config",
        )
    try:
        hand = Fence({}, {}, endpoint_url=place.endpoint_url).keeper(place.name, place.prefix, region)
    except SourceError as e:
        hint = "restorecheck's own identity must be one of the account that the bucket is in"
        raise StoreError(
            f"the state in {state.shown} cannot be reached: {e.message}",
            hint if e.kind in {"credentials", "permission"} else e.hint,
        ) from e
    return BucketState(S3Keeper(hand, place.name, place.prefix), directory)


@contextmanager
def reading(state: State, heard: Heard) -> Iterator[Store]:
    """Open the store for somebody who only reads. Raises as `open_store`."""
    if state.bucket is None:
        store = open_store(state)
        try:
            yield store
        finally:
            store.close()
        return
    with _fetched(state) as bucket:
        store = bucket.open()
        for remark in bucket.remarks:
            heard(remark)
        yield store


def changed(state: State, act: Callable[[Store], T], heard: Heard) -> T:
    """Let `act` change the store, and return what it returns; nothing counts if it raises.

    With a bucket it is called again whenever somebody else was quicker. Raises as `open_store`.
    """
    if state.bucket is None:
        with reading(state, heard) as store:
            return act(store)
    with _fetched(state) as bucket:
        for left in reversed(range(TRIES)):
            store = bucket.open()
            for remark in bucket.remarks:
                heard(remark)
            done = act(store)
            try:
                bucket.commit()
            except ConflictError:
                if not left:
                    raise
                continue
            return done
    raise AssertionError


def key_of(state: State) -> bytes:
    """Return the service key. Replicas share one, so that of a shared state is never made up here.

    A bucket holds it, unless a file does.
    """
    if state.bucket is not None and not os.path.exists(state.key):
        with _fetched(state) as bucket:
            return bucket.key()
    if state.shared and not os.path.exists(state.key):
        raise RestorecheckError(
            f"there is no service key at {state.key}, and every replica must hold the same one",
            f"make it once, and give it to each: openssl rand -hex 32 > {state.key.name}",
            kind="config",
        )
    return service_key(state.key)


def same_key(store: Store, state: State) -> None:
    """Refuse to work on with another service key than the runs under way were begun with.

    The passwords of their databases follow from it. What is kept in the store is a digest that tells nothing of it.
    """
    mine = hashlib.sha256(b"restorecheck service key\0" + key_of(state)).hexdigest()
    if store.notes.settle("service-key", mine) != mine:
        raise RestorecheckError(
            f"{state.key} is not the service key that this store was begun with",
            "every replica needs the same file; a new key needs a new store",
            kind="config",
        )


@contextmanager
def _fetched(state: State) -> Iterator[BucketState]:
    with tempfile.TemporaryDirectory(prefix="restorecheck-state-") as directory:
        bucket = bucket_state(state, Path(directory))
        try:
            yield bucket
        finally:
            bucket.close()
