"""Whether the service can work, put together from what its parts say of themselves. Pure: asks nobody.

Every aspect is shown, and each decides alone whether it blocks: AWS that does not answer makes no replica unready,
because another replica would not be answered either. That nothing is known is not ready.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

READY, NOT_READY = 200, 503


@dataclass(frozen=True, slots=True)
class Aspect:
    """One part of the service and how it is: `store`, not ok, `cannot be written since 03:00:12: disk full`."""

    name: str
    ok: bool
    text: str
    blocks: bool = True  # not ok means that the service cannot work


class Probes(Protocol):
    """Who knows how the parts are. Must answer within seconds; may be called from any thread."""

    def aspects(self) -> Sequence[Aspect]:
        """Return how every part is now."""


def ready(aspects: Sequence[Aspect]) -> tuple[int, str]:
    """Return the HTTP status and a text with one line for each aspect: `name: how it is`."""
    lines = [f"{_line(a.name)}: {_line(a.text)}\n" for a in aspects]
    return _status(aspects), "".join(lines) or "nothing is known yet\n"


def ready_json(aspects: Sequence[Aspect]) -> tuple[int, str]:
    """Return the HTTP status and the same as one JSON object: `{"ready": …, "aspects": […]}`."""
    status = _status(aspects)
    plain = [{"name": a.name, "ok": a.ok, "blocks": a.blocks, "text": _line(a.text)} for a in aspects]
    return status, json.dumps({"ready": status == READY, "aspects": plain}) + "\n"


def _status(aspects: Sequence[Aspect]) -> int:
    return READY if aspects and all(a.ok or not a.blocks for a in aspects) else NOT_READY


def _line(text: str) -> str:
    """Return a text on one line: an aspect cannot pass for two."""
    return "".join(c if c.isprintable() else " " for c in text).strip()
