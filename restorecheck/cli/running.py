"""`restorecheck run`: checks now, with live progress and, at the end, the picture."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from restorecheck.cli import exits, proofs
from restorecheck.cli.output import emit, err, errors, out
from restorecheck.cli.progress import Progress
from restorecheck.config import load
from restorecheck.durable import encode
from restorecheck.engines.clock import WallClock
from restorecheck.errors import RestorecheckError
from restorecheck.model import Report
from restorecheck.runner import Runner

INTERRUPTED = 130
"""Exit code after a second Ctrl-C: 128 + SIGINT, as shells have it."""


def run(names: Sequence[str], config: Path, *, everything: bool, as_json: bool) -> None:
    """Run these checks, or every one, and exit with the documented code."""
    with errors("run", as_json=as_json), Progress(err) as progress:
        if bool(names) == everything:
            raise RestorecheckError("which checks?", "name them, or say --all", kind="config")
        loaded = load(config)
        runner = Runner(loaded, progress)
        cancel_on_signals(runner.clock)
        reports = runner.run([check.name for check in loaded.checks] if everything else names)
        runner.close()
    finish("run", reports, as_json=as_json)


def finish(command: str, reports: Sequence[Report], *, as_json: bool) -> None:
    """Print reports and exit with their code."""
    code = exits.code_of(reports)
    if as_json:
        emit(command, code, reports=[encode(r, Report) for r in reports])
    else:
        out.print(proofs.table(reports))
        proofs.advice(out, reports)
    raise SystemExit(code)


def cancel_on_signals(clock: WallClock) -> None:
    """Make the first Ctrl-C (or SIGTERM) tear down and end as `unproven`, and the second one stop at once."""

    def heard(number: int, frame: FrameType | None) -> None:
        del number, frame
        if clock.cancelled():
            err.print("stopped; the same command takes the run up again, and tears it down")
            os._exit(INTERRUPTED)
        clock.cancel()
        err.print("cancelling: tearing down what was made; once more stops at once")

    signal.signal(signal.SIGINT, heard)
    signal.signal(signal.SIGTERM, heard)
