"""`restorecheck history` and `restorecheck show`: the proofs that are kept."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from restorecheck import evidence
from restorecheck.cli import exits, proofs, stores
from restorecheck.cli.moments import since as since_of
from restorecheck.cli.output import emit, err, errors, out
from restorecheck.config import Config, load
from restorecheck.durable import encode
from restorecheck.engines.clock import WallClock
from restorecheck.model import Miss, Report
from restorecheck.state import bucket_state


def history(checks: Sequence[str], config: Path, limit: int, since: str | None, *, as_json: bool) -> None:
    """List runs, newest first, and the times at which none began."""
    with errors("history", as_json=as_json):
        loaded = load(config)
        begin = since_of(since, WallClock().now()) if since else None
        with stores.opened(loaded) as store:
            reports = store.proofs.runs(checks, since=begin, limit=limit)
            # Of a list that was cut, only what was missed in the time that it covers belongs to it.
            cut = reports[-1].started if len(reports) == limit and begin is None else begin
            missed = store.ledger.missed(checks, cut)
        if not reports and not missed:  # a misspelt name must not look like a check that never ran
            for name in checks:
                loaded.check(name)
    if as_json:
        content = {"reports": [encode(r, Report) for r in reports], "missed": [encode(m, Miss) for m in missed]}
        emit("history", exits.PASSED, **content)
        return
    if reports:
        out.print(proofs.table(reports, when=True))
    else:
        err.print("no run has finished yet" if begin is None else f"no run has finished since {_shown(begin)}")
    for miss in missed:
        made_up = f"; made up for by {miss.caught_up_by}" if miss.caught_up_by else ""
        out.print(f"missed  {miss.check}  {_shown(miss.scheduled_for)}  {_WHY[miss.reason]}{made_up}", markup=False)


_WHY = {"down": "nobody served", "overlapped": "the run before had not begun yet"}


def _shown(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"


def _recorded(config: Config, run_id: str) -> Report | None:
    """Return the record of a run, if the state is in a bucket: it is there before the store has it, and after."""
    if config.state.bucket is None:
        return None
    with TemporaryDirectory(prefix="restorecheck-state-") as directory:
        return bucket_state(config.state, Path(directory)).report(run_id)


def show(run_id: str, config: Path, *, as_json: bool) -> None:
    """Show one proof."""
    with errors("show", as_json=as_json):
        loaded = load(config)
        report = _recorded(loaded, run_id)
        if report is None:
            with stores.opened(loaded) as store:
                report = store.proofs.run(run_id)
    if as_json:
        emit("show", exits.PASSED, reports=[encode(report, Report)])
    else:
        proofs.show(out, report)
        if kept := evidence.of_run(loaded.evidence, run_id):
            out.print(f"evidence        {kept}", markup=False, soft_wrap=True)
