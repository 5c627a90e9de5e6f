"""Where a configuration keeps its state: the directory, the store, and the one service key of all who share them.

Opens and makes; decides nothing.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from restorecheck.config import State
from restorecheck.errors import RestorecheckError
from restorecheck.passwords import service_key
from restorecheck.store import Store


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


def open_store(state: State) -> Store:
    """Open, or make, the store. Raises RestorecheckError `config`, or StoreError while it cannot be reached."""
    make_state(state)
    return Store.open(state.store_url)


def key_of(state: State) -> bytes:
    """Return the service key. Replicas share one, so that of a shared state is never made up here."""
    if state.shared and not state.key.exists():
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
