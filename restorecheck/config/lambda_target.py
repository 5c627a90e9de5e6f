"""What is right, and yet cannot work on AWS Lambda: found before a run is begun that could not be brought to its end.

A function has no disk that lasts, an invocation has 15 minutes, and a run has so many operations, of which the teardown
must be left enough. Pure: it judges what was declared, and asks AWS nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from restorecheck.config.accounts import LEGS
from restorecheck.config.resolved import Config
from restorecheck.config.table import Path
from restorecheck.config.values import spoken
from restorecheck.model import AuroraSource, Check, Limits, RdsSource, S3DumpSource
from restorecheck.model.invocations import INVOCATION, LARGEST, LONGEST_EXAMINE, OPERATIONS, RESERVE, SPARE

ELSEWHERE = "run this check in the container"

STEPS = 5
"""plan, find, examine, prove, record."""

BASELINE = 500
"""Bytes by which a plan may grow for every assertion, with what earlier runs measured."""

_FIFTH = 5


@dataclass(frozen=True, slots=True)
class Operations:
    """How many operations of Lambda a run may need at worst."""

    there: int
    back: int

    @property
    def all(self) -> int:
        """Both ways, the steps between them, and what is begun again."""
        return self.there + self.back + STEPS + SPARE

    @property
    def fits(self) -> bool:
        """Whether AWS allows so many, and the teardown is left what the engine keeps for it."""
        return self.there + STEPS + SPARE + max(self.back, RESERVE) <= OPERATIONS


def of(check: Check) -> Iterator[tuple[Path, str]]:
    """Yield what of a check cannot work there, each with its place in the file."""
    limits = check.limits
    if isinstance(check.source, S3DumpSource):
        message = (
            "a dump is restored into a database server beside us, which would have to live through several invocations "
            f"of a Lambda function, and cannot; {ELSEWHERE}"
        )
        yield ("source", "type"), message
        return
    if limits.examine > LONGEST_EXAMINE:
        yield ("scratch", "limits", "examine"), _too_long(limits.examine)
    needed = operations(check)
    if not needed.fits:
        yield ("scratch", "limits", "poll"), _too_many(check, needed)
    if (size := _size(check)) > LARGEST:
        message = (
            f"the check, with what is known of earlier runs, may have {size:,} bytes, and one record of Lambda holds "
            f"{LARGEST:,}; split it into several checks, or {ELSEWHERE}"
        )
        yield ("assert",), message


def of_all(config: Config) -> Iterator[tuple[Path, str]]:
    """Yield what of config.toml cannot work there, each with its place in the file."""
    if config.state.directory is not None:
        message = (
            "is a directory, and a Lambda function has no disk that lasts; write for example "
            'state = "s3://restorecheck-state/prod", or the address of a PostgreSQL database'
        )
        yield ("state",), message
    if config.evidence is not None:
        message = (
            "is a directory, and what a Lambda function writes into one is gone with it; leave it out, or run the "
            "checks in the container"
        )
        yield ("evidence",), message
    if config.exports.textfile is not None:
        message = (
            "is a file, and no node_exporter reads what a Lambda function writes; leave it out: metrics go to "
            "CloudWatch, under the namespace that emf says"
        )
        yield ("metrics", "textfile"), message


def checked(config: Config) -> tuple[str, ...]:
    """Return what was checked, for whoever wants to know what a clean result says."""
    most = max(config.checks, key=lambda check: operations(check).all, default=None)
    needed = f"{most.name} with {operations(most).all:,}" if most else "0, of no check"
    return (
        "no source needs a server that outlives an invocation",
        f"every examination ends within {spoken(LONGEST_EXAMINE)}, of the {spoken(INVOCATION)} of one invocation",
        f"no run may need more than the {OPERATIONS:,} operations of a durable execution; the most is {needed}",
        f"every plan fits into a record of {LARGEST:,} bytes",
        f"the state outlives the function: {config.state.shown}",
        "neither evidence nor metrics are written to a disk",
    )


def operations(check: Check) -> Operations:
    """Return how many operations a run of a check may need: begins, waits, and one for each look."""
    return _operations(check, check.limits.poll)


def _operations(check: Check, poll: timedelta) -> Operations:
    every = max(math.ceil(poll.total_seconds()), 1)  # Lambda waits whole seconds
    legs, limits = _legs(check), check.limits
    lasting = min(sum(legs, timedelta()), limits.run)
    # Of each leg: its begin, its wait, the first look and one that is taken at its very end.
    there = math.ceil(lasting.total_seconds() / every) + 4 * len(legs)
    back = LEGS[check.source.type] * (math.ceil(limits.teardown.total_seconds() / every) + 4)
    return Operations(there, back)


def _legs(check: Check) -> list[timedelta]:
    """Return the most that each leg there may take, of a recovery point that needs all of them."""
    limits: Limits = check.limits
    if isinstance(check.source, RdsSource):
        return [limits.copy] * 3 + [limits.restore, limits.open]
    if isinstance(check.source, AuroraSource):
        return [limits.copy] * 3 + [limits.restore] * 2 + [limits.open]
    return [limits.restore] * 2


def _too_long(examine: timedelta) -> str:
    return (
        f"is {spoken(examine)}, and all questions are one step, which on Lambda ends after {spoken(INVOCATION)}; write "
        f'examine = "{spoken(LONGEST_EXAMINE)}" or less in [scratch.limits], or for all checks in the limits of the '
        f"scratch account; if the questions need longer, {ELSEWHERE}"
    )


def _too_many(check: Check, needed: Operations) -> str:
    poll = math.ceil(check.limits.poll.total_seconds())
    while not _operations(check, timedelta(seconds=poll)).fits:
        poll += 1
    right = spoken(timedelta(seconds=math.ceil(poll / _FIFTH) * _FIFTH))
    return (
        f"is {spoken(check.limits.poll)}, and a run that takes as long as its limits allow would need "
        f"{needed.all:,} operations of Lambda, {needed.back:,} of them for the teardown, where AWS allows "
        f'{OPERATIONS:,}; write poll = "{right}" or more in [scratch.limits], or shorten run and teardown'
    )


def _size(check: Check) -> int:
    from pydantic import TypeAdapter  # noqa: PLC0415 - only for this target

    adapter: TypeAdapter[Any] = TypeAdapter(Check)
    return len(adapter.dump_json(check)) + BASELINE * len(check.assertions)
