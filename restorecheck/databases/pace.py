"""How far a probe is, as one short line, at most once a second. Pure but for the clock and the listener it is given."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from restorecheck.model.probes import PROBES

EVERY = 1.0
"""Seconds between two lines."""

_WORTH = 2**20  # bytes: below, a rate says nothing
_MIB, _GIB = 2**20, 2**30


class Pace:
    """Counts the objects and bytes that are done, and tells. Not for several threads at once: its caller locks."""

    def __init__(
        self,
        probe: str,
        pieces: Sequence[tuple[str, int]],
        monotonic: Callable[[], float],
        tell: Callable[[str], object],
    ) -> None:
        """`pieces` are the object and the bytes of each task: an object is done when all of its pieces are."""
        self._probe, self._monotonic, self._tell = probe, monotonic, tell
        self._open = Counter(name for name, _ in pieces)
        self._objects = len(self._open)
        self._total = sum(weight for _, weight in pieces)
        self._bytes = 0
        self._began = self._told = monotonic()

    def done(self, name: str, weight: int) -> None:
        """Count one piece, and tell if the last line is old enough."""
        self._open[name] -= 1
        if not self._open[name]:
            del self._open[name]
        self._bytes += weight
        now = self._monotonic()
        if now - self._told >= EVERY:
            self._told = now
            self._tell(self.line(now))

    def line(self, now: float) -> str:
        """Return `readable: 3 of 41 tables, 1.2 of 5.0 GiB, 210 MiB/s`; without bytes if there are hardly any."""
        text = f"{self._probe}: {self._objects - len(self._open)} of {_counted(self._objects, self._unit())}"
        if self._total < _WORTH:
            return text
        size, name = (_GIB, "GiB") if self._total >= _GIB else (_MIB, "MiB")
        rate = self._bytes / _MIB / max(now - self._began, 0.001)
        return f"{text}, {self._bytes / size:.1f} of {self._total / size:.1f} {name}, {rate:.0f} MiB/s"

    def _unit(self) -> str:
        return PROBES[self._probe].unit if self._probe in PROBES else "piece"


def _counted(count: int, unit: str) -> str:
    if count == 1:
        return f"1 {unit}"
    return f"{count:,} {unit}{'es' if unit.endswith('x') else 's'}"
