"""`restorecheck run`: checks now, with live progress and, at the end, the picture."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import NoReturn

from restorecheck.assertions.words import count
from restorecheck.cli import exits, proofs, stores
from restorecheck.cli.output import emit, err, errors, out
from restorecheck.cli.progress import Progress
from restorecheck.config import Config, load
from restorecheck.durable import encode
from restorecheck.engines.clock import WallClock
from restorecheck.errors import RestorecheckError
from restorecheck.model import Entry, Report
from restorecheck.replica import living
from restorecheck.runner import Runner, detached
from restorecheck.state import locks
from restorecheck.store import Store

INTERRUPTED = 130
"""Exit code after a second Ctrl-C: 128 + SIGINT, as shells have it."""


def run(names: Sequence[str], config: Path, *, everything: bool, detach: bool, as_json: bool) -> None:
    """Run these checks, or every one, and exit with the documented code."""
    with errors("run", as_json=as_json), Progress(err) as progress:
        if bool(names) == everything:
            raise RestorecheckError("which checks?", "name them, or say --all", kind="config")
        loaded = load(config)
        wanted = [check.name for check in loaded.checks] if everything else names
        if detach and loaded.state.bucket is not None:
            entries = stores.changed(loaded, lambda store: _left_to_functions(loaded, store, wanted))
            _print_detached([entry.run_id for entry in entries], as_json=as_json)
            return
        runner = Runner(loaded, progress, lost)
        if detach:
            entries = runner.detach(wanted)
        else:
            cancel_on_signals(runner)
            reports = runner.run(wanted)
        runner.close()
    _print_untold(runner)
    if detach:
        _print_detached([entry.run_id for entry in entries], as_json=as_json)
    else:
        finish("run", reports, as_json=as_json)


def _left_to_functions(loaded: Config, store: Store, names: Sequence[str]) -> list[Entry]:
    alive = living(store.replicas.all(), locks(loaded.state), loaded.service.takeover)
    return detached(loaded, store, alive, names, WallClock().now())


def _print_untold(runner: Runner) -> None:
    """Say who does not know yet what came of the runs. The exit code stays that of the verdicts."""
    if runner.mute:
        err.print(f"nobody could be told: {runner.mute}; it is told by the next run, or by the service", markup=False)
    for name, waiting in runner.untold.items():
        some = f"{count(waiting, 'notice')} wait{'s' if waiting == 1 else ''}"
        err.print(f"{name} could not be told yet: {some} for it; `restorecheck notify` shows more", markup=False)


def _print_detached(runs: Sequence[str], *, as_json: bool) -> None:
    if as_json:
        emit("run", exits.PASSED, runs=list(runs))
        return
    for run_id in runs:
        print(run_id)
    err.print("the service runs them; `restorecheck status` shows how far they are, `restorecheck show RUN` the proof")


def lost(why: str) -> NoReturn:
    """End at once: another process may take the runs of this one."""
    print(f"restorecheck: {why}; whoever serves takes the runs over", file=sys.stderr)
    os._exit(exits.UNPROVEN)


def finish(command: str, reports: Sequence[Report], *, as_json: bool) -> None:
    """Print reports and exit with their code."""
    code = exits.code_of(reports)
    if as_json:
        emit(command, code, reports=[encode(r, Report) for r in reports])
    else:
        out.print(proofs.table(reports))
        proofs.proven(out, reports)
        proofs.advice(out, reports)
    raise SystemExit(code)


def cancel_on_signals(runner: Runner) -> None:
    """Make the first Ctrl-C (or SIGTERM) tear down and end as `unproven`, and the second one stop at once."""

    def heard(number: int, frame: FrameType | None) -> None:
        del number, frame
        if runner.cancelled():
            err.print("stopped; the same command takes the run up again, and tears it down")
            os._exit(INTERRUPTED)
        runner.cancel()
        err.print("cancelling: tearing down what was made; once more stops at once")

    signal.signal(signal.SIGINT, heard)
    signal.signal(signal.SIGTERM, heard)
