"""Proofs on a screen: the table of runs, and one run in full."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from restorecheck.assertions import PHASE
from restorecheck.assertions.words import count
from restorecheck.cli import human
from restorecheck.failures import kind
from restorecheck.model import Finding, Outcome, RecoveryPoint, Report, SnapshotKind, Verdict

_COLOURS = {Verdict.PASSED: "green", Verdict.BROKEN: "bold red", Verdict.UNPROVEN: "yellow"}
_MARKS = {
    Outcome.PASS: "green",
    Outcome.FAIL: "bold red",
    Outcome.WARN: "yellow",
    Outcome.ERROR: "red",
    Outcome.LEARNING: "yellow",
}


def table(reports: Sequence[Report], *, when: bool = False) -> Table:
    """Return one row per run: verdict, recovery point against rpo, restore time against rto, what failed."""
    result = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    columns = ("run" if when else "check", "verdict", "recovery point", "restored in", "what failed")
    for name in columns:
        result.add_column(name, overflow="fold", no_wrap=name in {"check", "run", "verdict"})
    for report in reports:
        result.add_row(
            report.run_id if when else report.check,
            Text(str(report.verdict), style=_COLOURS[report.verdict]),
            _against(report.point_age_seconds, report.rpo_seconds, "old, rpo", "none found"),
            _against(report.restore_seconds, report.rto_seconds, "rto", "not restored"),
            why(report),
        )
    return result


def _against(seconds: float | None, objective: float, words: str, without: str) -> Text:
    if seconds is None:
        return Text(without)
    missed = seconds > objective > 0
    text = f"{human.duration(seconds)} {words} {human.duration(objective)}" if objective else human.duration(seconds)
    return Text(text.replace(" rto", ", rto"), style="red" if missed else "")


def why(report: Report) -> str:
    """Return in plain words why a run is not green, and what is not green in one that is; empty if all is."""
    parts = []
    if report.failure and report.failure.phase == PHASE:
        parts.append(report.failure.message)
    elif report.failure:
        parts.append(f"{kind(report.failure.kind).meaning} ({report.failure.phase})")
    warned = [f.message for f in report.findings if f.outcome is Outcome.WARN]
    parts += [f"warning: {message}" for message in warned]
    learns = [f.name for f in report.findings if f.outcome is Outcome.LEARNING]
    if learns and report.verdict is Verdict.PASSED:
        parts.append(f"nothing yet to compare with: {', '.join(learns)}")
    if report.leaked:
        parts.append(f"LEAKED: {', '.join(left.arn.split(':', 5)[-1] for left in report.leaked)}")
    return "; ".join(parts)


def advice(console: Console, reports: Sequence[Report]) -> None:
    """Print, for each run that is not green, what happened in full and what to do."""
    for report in reports:
        if not report.failure:
            continue
        console.print(f"\n{report.check}: {report.failure.message}", markup=False, soft_wrap=True)
        console.print(f"  what to do: {report.failure.hint}", markup=False, soft_wrap=True)


def show(console: Console, report: Report) -> None:
    """Print one proof in full."""
    console.print(Text.assemble((str(report.verdict), _COLOURS[report.verdict]), f"  {report.run_id}"))
    if report.failure:
        where = f"{report.failure.kind}, in {report.failure.phase}"
        console.print(f"  {report.failure.message} ({where})", markup=False)
        console.print(f"  hint: {report.failure.hint}", markup=False)
    if report.point:
        point = report.point
        console.print(f"\nrecovery point  {point.id} ({point.kind}), {human.moment(point.created)}", markup=False)
        console.print(f"                {_holds(point)}", markup=False)
        for remark in (r for r in point.remarks if r not in report.proven):
            console.print(f"                {remark}", markup=False)
    reached = report.proven or ((report.level,) if report.failure else ())
    for line, text in enumerate(reached):
        console.print(f"{'' if line else 'proven':<15} {text}", markup=False)
    for left in report.leaked:
        console.print(f"LEFT BEHIND     {left.arn} {left.reason}", style="bold red", markup=False)
    for note in report.notes:
        console.print(f"note            {note}", style="yellow", markup=False)
    console.print()
    console.print(_findings("assertion", [f for f in report.findings if f.by == "check"]))
    if seen := [f for f in report.findings if f.by == "source"]:
        console.print(_findings("seen unasked", seen))
    console.print(_phases(report))


def _holds(point: RecoveryPoint) -> str:
    """Return what a recovery point consists of."""
    if point.kind is SnapshotKind.VERSIONS:
        return of_objects(point)
    if point.kind is SnapshotKind.DUMP:
        return of_dump(point)
    return f"{point.engine} {point.engine_version}, {point.size_gib} GiB"


def of_objects(point: RecoveryPoint) -> str:
    """Return how many of how many objects are restored: `12 of 1,200 objects (3.1 GiB of 310 GiB)`."""
    if (point.picked, point.picked_bytes) == (point.objects, point.bytes):
        return f"{count(point.objects, 'object')} ({human.size(point.bytes)})"
    sizes = f"{human.size(point.picked_bytes)} of {human.size(point.bytes)}"
    return f"{point.picked:,} of {count(point.objects, 'object')} ({sizes})"


def of_dump(point: RecoveryPoint) -> str:
    """Return of what and how much a dump is: `postgres, 1 object, 3.1 GiB`."""
    what = f"{point.engine} {point.engine_version}".strip()
    return f"{what}, {count(point.objects, 'object')}, {human.size(point.bytes)}"


def proven(console: Console, reports: Sequence[Report]) -> None:
    """Print, for each green run that says so, how far its proof goes and what it does not show."""
    for report in reports:
        if report.verdict is not Verdict.PASSED or not report.proven:
            continue
        console.print(f"\n{report.check}: proven:", markup=False)
        for text in report.proven:
            console.print(f"  {text}", markup=False, soft_wrap=True)


def _findings(title: str, findings: Sequence[Finding]) -> Table:
    result = Table(title, "outcome", "expected", "observed", "", box=box.SIMPLE_HEAD, show_edge=False)
    for finding in findings:
        outcome = Text(str(finding.outcome), style=_MARKS.get(finding.outcome, ""))
        result.add_row(finding.name, outcome, finding.expected, finding.observed, finding.message)
    return result


def _phases(report: Report) -> Table:
    result = Table("phase", "began", "took", box=box.SIMPLE_HEAD, show_edge=False)
    for phase in report.phases:
        result.add_row(phase.name, f"{phase.started:%H:%M:%S}", f"{phase.seconds:.1f} s")
    return result
