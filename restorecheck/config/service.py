"""What config.toml says of the service: where its state is, and how its processes work together.

Looks whether a file stands where a directory is meant, and no further. It never shows a password of an address.
"""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from restorecheck.config import addresses
from restorecheck.config.complaints import too_short
from restorecheck.config.document import Document
from restorecheck.config.resolved import Service, State, StateBucket
from restorecheck.config.shape import ConfigFile
from restorecheck.config.values import spoken

KEY = "service.key"
"""Name of the service key in a state directory."""

BEATS = 4
"""Heartbeats that may be lost before a replica is dead: one that is late alone must not have its runs taken."""

LONGEST_TAKEOVER = timedelta(seconds=110)
"""So that a run is taken over within two minutes: another replica looks only every few seconds."""

_DAY, _MINUTE, _SECOND = timedelta(days=1), timedelta(minutes=1), timedelta(seconds=1)


def state(document: Document[ConfigFile], path: Path) -> State:
    """Return where the state is, and complain about a place that cannot hold it."""
    said = document.tree.state or "state"
    key = path.parent / document.tree.service_key if document.tree.service_key else None
    if key and os.path.isdir(key):
        document.wrong(("service_key",), "is a directory; write the name of a file, which only restorecheck may read")
    if (place := addresses.bucket(said)) is not None:
        bucket = StateBucket(*place, document.tree.endpoint_url)
        return State(None, None, (key or path.parent / KEY).absolute(), bucket)
    if "://" in said:
        if not key and not document.unclear("service_key"):
            document.wrong(
                ("service_key",),
                "is missing: every replica on one database must hold the same key, or it could not open what another "
                'restored; write for example service_key = "/etc/restorecheck/service.key"',
            )
        return State(None, said, (key or path.parent / KEY).absolute())
    directory = (path.parent / said).resolve()
    if os.path.exists(directory) and not os.path.isdir(directory):  # where Path raises for what we may not look at
        document.wrong(("state",), "is a file; write the name of a directory, which is made when it is needed")
    return State(directory, None, key.absolute() if key else directory / KEY)


def service(document: Document[ConfigFile]) -> Service:
    """Return how the service works, and complain about times that do not fit together."""
    if document.tree.service is None:
        return Service()
    found = replace(Service(), **document.tree.service.model_dump(exclude_none=True))
    for key, least, why in (
        ("heartbeat", _SECOND, "and the store would hear little else"),
        ("late", _MINUTE, "and a restart would turn runs that are on time into missed ones"),
        ("sweep", _MINUTE, "and AWS throttles who asks so often"),
        ("keep", _DAY, "and a proof would be gone before it is read"),
        ("evidence_keep", _DAY, "and evidence would be gone before it is read"),
    ):
        too_short(document, ("service", key), getattr(found, key), least, why)
    _takeover(document, found)
    return found


def _takeover(document: Document[ConfigFile], found: Service) -> None:
    if document.unclear("service", "takeover") or document.unclear("service", "heartbeat"):
        return
    least = BEATS * found.heartbeat
    if found.takeover > LONGEST_TAKEOVER:
        document.wrong(
            ("service", "takeover"),
            f"is {spoken(found.takeover)}, and a run must be taken over within two minutes; "
            f'write "{spoken(LONGEST_TAKEOVER)}" or less',
        )
    elif found.takeover < least:
        right = f'write takeover = "{spoken(least)}" or more' if least <= LONGEST_TAKEOVER else "shorten the heartbeat"
        document.wrong(
            ("service", "takeover"),
            f"is {spoken(found.takeover)}, less than {BEATS} heartbeats of {spoken(found.heartbeat)}: a replica that "
            f"is only slow would be taken for dead, and its runs would run twice; {right}",
        )
