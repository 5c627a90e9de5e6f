"""Loggers, and the check and the run that their lines carry without being told each time."""

from __future__ import annotations

import contextvars
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ParamSpec, TypeVar

import structlog
from structlog.contextvars import bind_contextvars, bound_contextvars, merge_contextvars
from structlog.typing import FilteringBoundLogger

from restorecheck.logs.output import Sink, told
from restorecheck.schedule import check_of

P = ParamSpec("P")
R = TypeVar("R")


def get(name: str) -> FilteringBoundLogger:
    """Return the logger of one part of restorecheck. May be called at import: `configure` counts whenever it comes."""
    every_level: Any = structlog.make_filtering_bound_logger(logging.DEBUG)  # the output decides what is wanted
    logger: FilteringBoundLogger = every_level(Sink(), [merge_contextvars, told], {"logger": name})
    return logger


@contextmanager
def bound(*, check: str | None = None, run: str | None = None) -> Iterator[None]:
    """Put check and run on every line that is logged inside, in this thread and in tasks begun inside.

    The check of a run follows from its id. A pool's thread knows nothing of it: hand it `carried(fn)`.
    """
    with bound_contextvars(**names(check, run)):
        yield


def bind(*, check: str | None = None, run: str | None = None) -> None:
    """Put check and run on every line of this thread or task from here on; for one that does nothing else."""
    bind_contextvars(**names(check, run))


def carried(fn: Callable[P, R]) -> Callable[P, R]:
    """Return `fn` for another thread to call, once: its lines carry what is bound here and now."""
    context = contextvars.copy_context()

    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        return context.run(fn, *args, **kwargs)

    return call


def names(check: str | None, run: str | None) -> dict[str, str]:
    """Return what is known of check and run; the check follows from a run id."""
    check = check or (check_of(run) if run else None)
    return {name: value for name, value in (("check", check), ("run", run)) if value is not None}
