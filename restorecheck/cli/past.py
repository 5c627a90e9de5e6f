"""`restorecheck history` and `restorecheck show`: the proofs that are kept."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from restorecheck.cli import exits, proofs
from restorecheck.cli.output import emit, err, errors, out
from restorecheck.config import Config, load
from restorecheck.durable import encode
from restorecheck.model import Report
from restorecheck.runner import make_state
from restorecheck.store import RunStore


def _store(config: Config) -> RunStore:
    make_state(config.state)
    return RunStore.in_directory(config.state)


def history(checks: Sequence[str], config: Path, limit: int, *, as_json: bool) -> None:
    """List runs, newest first."""
    with errors("history", as_json=as_json):
        loaded = load(config)
        reports = _store(loaded).runs(checks, limit=limit)
        if not reports:  # a misspelt name must not look like a check that never ran
            for name in checks:
                loaded.check(name)
    if as_json:
        emit("history", exits.PASSED, reports=[encode(r, Report) for r in reports])
    elif reports:
        out.print(proofs.table(reports, when=True))
    else:
        err.print("no run has finished yet")


def show(run_id: str, config: Path, *, as_json: bool) -> None:
    """Show one proof."""
    with errors("show", as_json=as_json):
        report = _store(load(config)).run(run_id)
    if as_json:
        emit("show", exits.PASSED, reports=[encode(report, Report)])
    else:
        proofs.show(out, report)
