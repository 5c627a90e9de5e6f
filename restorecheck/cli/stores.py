"""How commands open the store: to read it, or to change it; in a bucket that is fetched, changed and put back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from restorecheck import state
from restorecheck.cli.output import err
from restorecheck.config import Config
from restorecheck.store import Store

T = TypeVar("T")


@contextmanager
def opened(config: Config) -> Iterator[Store]:
    """Open the store to read it. Raises RestorecheckError."""
    with state.reading(config.state, _heard) as store:
        yield store


def changed(config: Config, act: Callable[[Store], T]) -> T:
    """Let `act` change the store, perhaps more than once, and return what it returns. Raises RestorecheckError."""
    return state.changed(config.state, act, _heard)


def _heard(remark: str) -> None:
    err.print(remark, markup=False, soft_wrap=True, style="yellow")
