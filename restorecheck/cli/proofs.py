"""Proofs on a screen: the table of runs, and one run in full."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from restorecheck.assertions import PHASE
from restorecheck.cli import human
from restorecheck.failures import kind
from restorecheck.model import Finding, Outcome, Report, Verdict

_COLOURS = {Verdict.PASSED: "green", Verdict.BROKEN: "bold red", Verdict.UNPROVEN: "yellow"}
_MARKS = {Outcome.PASS: "green", Outcome.FAIL: "bold red", Outcome.WARN: "yellow", Outcome.ERROR: "red"}


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
    """Return in plain words why a run is not green; empty if it is."""
    parts = []
    if report.failure and report.failure.phase == PHASE:
        parts.append(report.failure.message)
    elif report.failure:
        parts.append(f"{kind(report.failure.kind).meaning} ({report.failure.phase})")
    warned = [f.message for f in report.findings if f.outcome is Outcome.WARN]
    parts += [f"warning: {message}" for message in warned]
    if report.leaked:
        parts.append(f"LEAKED: {', '.join(left.arn.split(':', 5)[5] for left in report.leaked)}")
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
        console.print(f"                {point.engine} {point.engine_version}, {point.size_gib} GiB", markup=False)
    for left in report.leaked:
        console.print(f"LEFT BEHIND     {left.arn} {left.reason}", style="bold red", markup=False)
    for note in report.notes:
        console.print(f"note            {note}", style="yellow", markup=False)
    console.print()
    console.print(_findings(report.findings))
    console.print(_phases(report))


def _findings(findings: Sequence[Finding]) -> Table:
    result = Table("assertion", "outcome", "expected", "observed", "", box=box.SIMPLE_HEAD, show_edge=False)
    for finding in findings:
        outcome = Text(str(finding.outcome), style=_MARKS.get(finding.outcome, ""))
        result.add_row(finding.name, outcome, finding.expected, finding.observed, finding.message)
    return result


def _phases(report: Report) -> Table:
    result = Table("phase", "began", "took", box=box.SIMPLE_HEAD, show_edge=False)
    for phase in report.phases:
        result.add_row(phase.name, f"{phase.started:%H:%M:%S}", f"{phase.seconds:.1f} s")
    return result
