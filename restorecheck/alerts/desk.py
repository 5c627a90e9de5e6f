"""What comes together while one decides: episodes as they are now, what is said to whom, what is counted. Pure.

It decides nothing, and forgets nothing that was put on it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from restorecheck.alerts import episodes
from restorecheck.alerts.checks import Matter
from restorecheck.alerts.episodes import Addressed, Change, named
from restorecheck.model import About, Episode, Notice
from restorecheck.store import Delivery


@dataclass(slots=True)
class Desk:
    """What has come together so far."""

    open: dict[str, Episode]
    now: datetime
    said: list[Addressed] = field(default_factory=list)  # to people
    beats: list[Addressed] = field(default_factory=list)  # to heartbeats
    counts: list[tuple[str, float, tuple[str, ...]]] = field(default_factory=list)

    def copy(self) -> Desk:
        """Return another that can be thrown away."""
        return Desk(dict(self.open), self.now, list(self.said), list(self.beats), list(self.counts))

    def take(self, other: Desk) -> None:
        """Become what another has become."""
        self.open, self.said, self.beats, self.counts = other.open, other.said, other.beats, other.counts

    def keep(self, key: str, change: Change) -> None:
        """Note what became of an episode, and what is said about it."""
        if change.episode is None:
            self.open.pop(key, None)
        else:
            self.open[key] = change.episode
        self.said += change.said

    def put(self, changed: Iterable[Episode]) -> None:
        """Note episodes as they are now."""
        self.open |= {episode.key: episode for episode in changed}

    def say(self, notice: Notice, receivers: Iterable[str]) -> None:
        """Say something once to people."""
        self.said.append(Addressed(named(notice), tuple(receivers)))

    def beat(self, notice: Notice, receivers: Iterable[str]) -> None:
        """Ping heartbeats."""
        self.beats.append(Addressed(named(notice), tuple(receivers)))

    def troubles(self, matter: Matter, *, quiet: bool = False) -> list[Episode]:
        """Return the open episodes of a check; `quiet`: also those that nobody was told of yet."""
        found = (self.open.get(matter.key(about)) for about in (About.RUN, About.MISSED))
        return [one for one in found if one is not None and (quiet or not episodes.is_quiet(one))]


def addressed(names: frozenset[str], said: Iterable[Addressed]) -> Iterator[Delivery]:
    """Yield what goes out to receivers of one kind. Who left the configuration is not written to."""
    return (Delivery(name, one.notice) for one in said for name in one.receivers if name in names)
