"""What a probe measured now beside what was measured at another time, thing by thing. Pure, and of names only.

A thing that was there and is not is never passed over: it is gone, or it should have been looked at and was not. What
was measured under other patterns was another question, so nothing here is excused by `tables` and `exclude`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from restorecheck.assertions import words
from restorecheck.model import Examined, Measure


@dataclass(slots=True)
class Pairs:
    """The same things at two times, and those that are at one of them only."""

    both: list[tuple[Measure, Measure]] = field(default_factory=list)  # then, now
    gone: list[tuple[Measure, str]] = field(default_factory=list)  # what it was, and why it was not looked at now
    unknown: list[str] = field(default_factory=list)  # it should have been looked at now
    new: list[str] = field(default_factory=list)

    def told(self) -> str:
        """Return what is no difference but must be said, to be put behind something; empty if there is nothing."""
        return f"; only here: {words.named(self.new)}" if self.new else ""


def paired(then: Sequence[Measure], looked: Examined) -> Pairs:
    """Put together what a probe measured now and what was measured then."""
    pairs = Pairs()
    now = {m.object: m for m in looked.measures}
    unseen = {u.object: u for u in looked.unseen}
    # Of what should have been looked at, or broke off on the way, only the first are named: it may be among the others.
    unnamed = looked.owed > sum(u.owed for u in looked.unseen) or looked.flawed > len(looked.flaws)
    flawed = {f.object for f in looked.flaws}
    for before in then:
        name = before.object
        if name in now:
            pairs.both.append((before, now[name]))
        elif name in unseen and not unseen[name].owed:
            pairs.gone.append((before, unseen[name].reason))
        elif name in unseen or name in flawed or unnamed:
            pairs.unknown.append(name)
        else:
            pairs.gone.append((before, ""))
    before_names = {m.object for m in then}
    pairs.new = [m.object for m in looked.measures if m.object not in before_names]
    return pairs
