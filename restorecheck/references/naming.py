"""Where a manifest lies: the key that a recording gets, and which keys can be manifests. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from restorecheck.errors import RestorecheckError
from restorecheck.model import Reference
from restorecheck.sources.versions.patterns import pattern

_STAR = re.compile(r"\*\*|\*")


def prefix(reference: Reference) -> str:
    """Return the text that the keys of all its manifests begin with."""
    return reference.object.partition("*")[0]


def belongs(reference: Reference, key: str) -> bool:
    """Say whether a key is that of a manifest of this reference."""
    return not key.endswith("/") and pattern(reference.object).fullmatch(key) is not None


def key(reference: Reference, check: str, at: datetime) -> str:
    """Return the key of what a check recorded at a time: never the same for two checks or two times.

    The last `*` of the pattern becomes the time, the one before it the check; if there is only one, it becomes both.
    Raises RestorecheckError `config` for a pattern without any: nothing that was recorded is ever written over.
    """
    stars = len(_STAR.findall(reference.object))
    if not stars:
        raise RestorecheckError(
            f"`object` of [reference.{reference.name}] is {reference.object!r}, the name of one object alone",
            "write a pattern such as references/*.json: each recording gets a name of its own",
            kind="config",
        )
    time = f"{at.astimezone(UTC):%Y%m%dt%H%M%Sz}"
    names = iter([check] * (stars - 1) + [time] if stars > 1 else [f"{check}-{time}"])
    return _STAR.sub(lambda _: next(names), reference.object)


def url(reference: Reference, name: str) -> str:
    """Return how an object of its bucket is named to people."""
    return f"s3://{reference.bucket}/{name}"
