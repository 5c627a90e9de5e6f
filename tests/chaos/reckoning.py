"""What became of all the nights: counted from reports, AWS's own tally and what witnesses saw. Pure.

Nothing is assumed: a run is right only if its report says what was known before, and each kind of trouble comes as a
list of sentences, so that a number that is not zero can be looked into.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from restorecheck.model import Report
from restorecheck.schedule import PREFIX


@dataclass(frozen=True)
class Expected:
    """One run that was due, and what it must have come to."""

    run_id: str
    verdict: str
    kind: str = ""


@dataclass
class Reckoning:
    """All that went wrong, in words; empty lists are the aim."""

    runs_due: int = 0
    verdicts_right: int = 0
    wrong: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    @property
    def well(self) -> bool:
        """Whether every verdict is right and nothing else happened."""
        troubles = (self.wrong, self.lost, self.doubled, self.left, self.refused)
        return self.runs_due > 0 and self.verdicts_right == self.runs_due and not any(troubles)


def verdicts(reckoning: Reckoning, expected: Iterable[Expected], reports: Sequence[Report]) -> None:
    """Compare reports with what was known before."""
    by_run = {report.run_id: report for report in reports}
    due = {one.run_id: one for one in expected}
    reckoning.runs_due += len(due)
    reckoning.doubled += [f"{run}: {n} verdicts" for run, n in Counter(r.run_id for r in reports).items() if n > 1]
    for run, one in due.items():
        report = by_run.get(run)
        if report is None:
            reckoning.lost.append(f"{run}: no verdict")
            continue
        kind = report.failure.kind if report.failure else ""
        if (report.verdict.value, kind) == (one.verdict, one.kind):
            reckoning.verdicts_right += 1
        else:
            why = report.failure.message if report.failure else ""
            reckoning.wrong.append(f"{run}: {report.verdict} {kind}, not {one.verdict} {one.kind}: {why}")
    reckoning.wrong += [f"{run}: nobody asked for it" for run in by_run.keys() - due.keys()]
    for report in reports:
        again = [name for name, n in Counter(phase.name for phase in report.phases).items() if n > 1]
        reckoning.doubled += [f"{report.run_id}: {name} is recorded twice" for name in again]
        reckoning.left += [f"{report.run_id}: leaked {left.arn}: {left.reason}" for left in report.leaked]
        if report.refused or (report.failure and report.failure.kind == "refused"):
            reckoning.refused.append(f"{report.run_id}: {report.failure} {report.notes}")


def creations(made: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return what of ours AWS made more than once under one name."""
    return [
        f"{one['account']} {one['operation']} {one['name']}: made {len(one['times'])} times"
        for one in made
        if one["name"].startswith(PREFIX) and len(one["times"]) > 1
    ]


def steps(lines: Iterable[str]) -> list[str]:
    """Return the steps that ran again after they had been recorded, or twice at once.

    A line is `event|life|run|step`; a step that `broke` off was not recorded, and may run again. `killed` is written by
    who killed, once the process is no more; `born` by a process that begins, also anew under its old id, so it ends the
    life that had that id.
    """
    found: list[str] = []
    running: dict[tuple[str, str], set[str]] = {}
    finished: set[tuple[str, str]] = set()
    for line in lines:
        event, life, run, step = line.rstrip("\n").split("|")
        if event == "refused":
            continue
        if event in {"killed", "born"}:
            pid = life.partition("-")[0]
            for lives in running.values():
                lives.difference_update({one for one in lives if one.partition("-")[0] == pid})
            continue
        lives = running.setdefault((run, step), set())
        if event in {"finished", "broke"}:
            lives.discard(life)
            if event == "finished":
                finished.add((run, step))
            continue
        if (run, step) in finished:
            found.append(f"{run}: {step} was finished and ran again")
        if lives:
            found.append(f"{run}: {step} ran twice at once, in {life} and {', '.join(sorted(lives))}")
        lives.add(life)
    return found


def remains(before: Mapping[str, Mapping[str, Any]], after: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return what of ours is there after a night, and what became of what is not ours."""
    found = [f"ours: {name}" for name in sorted(after["ours"])]
    theirs, now = before["theirs"], after["theirs"]
    found += [f"theirs is gone: {name}" for name in sorted(theirs.keys() - now.keys())]
    found += [f"theirs is new: {name}" for name in sorted(now.keys() - theirs.keys())]
    changed = [name for name in sorted(theirs.keys() & now.keys()) if theirs[name] != now[name]]
    return found + [f"theirs has changed: {name}: {theirs[name]} → {now[name]}" for name in changed]


def refusals(lines: Iterable[str]) -> list[str]:
    """Return what the fence refused, as the witness of each process heard it."""
    return [line.split("|")[2] for line in lines if line.startswith("refused|")]
