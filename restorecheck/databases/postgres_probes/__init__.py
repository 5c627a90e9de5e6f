"""The probes of PostgreSQL: one module each, and here which there are and how one becomes an answer.

A module is imported when its probe is asked for. Nothing here talks to a server.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from types import MappingProxyType
from typing import cast

from restorecheck.databases.postgres_probes.sight import GaveUpError, Look, Sight
from restorecheck.errors import QueryError
from restorecheck.model import Answer, Assertion, Examined
from restorecheck.model.probes import PROBES


def _of(module: str) -> Look:
    def look(sight: Sight) -> Examined:
        own = import_module(f"{__name__}.{module}")
        return cast("Callable[[Sight], Examined]", own.look)(sight)

    return look


LOOKS: Mapping[str, Look] = MappingProxyType(
    {name: _of(name) for name, kind in PROBES.items() if "postgresql" in kind.engines}
)
"""Every probe that PostgreSQL can be asked for, by its name: each lives in the module of that name."""


def answer(assertion: Assertion, sight: Sight) -> Answer:
    """Look as `assertion.probe` says, and return its answer, without a time. Never raises for what a server answers."""
    look = LOOKS.get(sight.probe.name)
    if look is None:
        return Answer(assertion.name, error=f"PostgreSQL has no probe {sight.probe.name!r}", kind="question")
    try:
        return Answer(assertion.name, examined=look(sight))
    except (GaveUpError, QueryError) as e:
        return Answer(assertion.name, error=e.message, kind=e.kind)
