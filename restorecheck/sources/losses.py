"""Answers that were lost with a server, for a reason that is not the backup's: they are taken as not given. Pure.

Who knows the reason calls this: AWS's events of a copy, or that a server was filled here out of a dump. Whatever else
was found stays as it was found, and nothing becomes green by it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace

from restorecheck.model import Answer, Examined, Unseen

LOST = frozenset({"connection-lost"})
"""What a connection that was lost for good is called."""


def lost(answers: Iterable[Answer], kinds: AbstractSet[str] = LOST) -> bool:
    """Say whether any of these has an error, or a flaw, of these failure kinds."""
    return any(a.kind in kinds or (a.examined and any(f.kind in kinds for f in a.examined.flaws)) for a in answers)


def not_given(
    answers: Iterable[Answer], said: Callable[[str], str], kind: str, kinds: AbstractSet[str] = LOST
) -> tuple[Answer, ...]:
    """Return the answers, but those with an error or a flaw of `kinds` as errors of `kind`.

    `said` makes of the words of that error, or flaw, those that are told instead.
    """
    return tuple(_not_given(answer, said, kind, kinds) for answer in answers)


def _not_given(answer: Answer, said: Callable[[str], str], kind: str, kinds: AbstractSet[str]) -> Answer:
    examined = answer.examined
    if answer.kind in kinds:
        return replace(answer, error=said(answer.error), kind=kind, sqlstate="")
    if examined is None or not lost([answer], kinds):
        return answer
    stays = tuple(flaw for flaw in examined.flaws if flaw.kind not in kinds)
    gone = [Unseen(flaw.object, said(flaw.message)) for flaw in examined.flaws if flaw.kind in kinds]
    flawed = examined.flawed - len(gone)
    if not stays and flawed <= 0:
        return replace(answer, error=gone[0].reason, kind=kind, examined=None)
    return replace(answer, examined=_unseen(examined, gone, replace(examined, flaws=stays, flawed=flawed)))


def _unseen(before: Examined, gone: Sequence[Unseen], after: Examined) -> Examined:
    """Count as not seen what was counted as flawed; the other flaws stay, so the finding fails all the same."""
    return replace(
        after,
        unseen=(*gone, *before.unseen),
        unseen_count=before.unseen_count + len(gone),
        owed=before.owed + len(gone),
    )
