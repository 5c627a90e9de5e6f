"""`restorecheck demo`: the main job end to end on an AWS that runs here, and that AWS by itself."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from restorecheck.cli import exits, proofs
from restorecheck.cli.output import emit, err, errors, out
from restorecheck.cli.progress import Progress
from restorecheck.cli.running import cancel_on_signals, lost
from restorecheck.config import load
from restorecheck.durable import encode
from restorecheck.errors import RestorecheckError
from restorecheck.model import Report, Verdict
from restorecheck.runner import Runner

EXPECTED = {
    "courses-db": Verdict.PASSED,
    "orders-db": Verdict.BROKEN,
    "billing-db": Verdict.UNPROVEN,
    "uploads": Verdict.PASSED,
    "forum-dump": Verdict.PASSED,
    "wiki-dump": Verdict.BROKEN,
}
"""The demo's own verdict: it exits with 0 only if each check came out as it was staged, and nothing is left."""


def tell(*, as_json: bool) -> None:
    """Build the scenario, run its six checks, print the picture and the RESULT line."""
    began = time.monotonic()
    with errors("demo", as_json=as_json):
        _need_demo()
        from restorecheck.demo.aws.process import DemoAws
        from restorecheck.demo.scenario import TIMINGS, Scenario

        with (
            tempfile.TemporaryDirectory(prefix="restorecheck-demo-") as directory,
            DemoAws.start(timings=TIMINGS) as aws,
        ):
            err.print(f"an AWS runs at {aws.url}; databases with real PostgreSQL and buckets are being made in it")
            scenario = Scenario(aws, Path(directory))
            scenario.build()
            os.environ.update(scenario.environment())
            before = scenario.resources()
            config = load(Path(directory) / "config.toml")
            with Progress(err) as progress:
                runner = Runner(config, progress, lost)
                cancel_on_signals(runner)
                reports = runner.run([check.name for check in config.checks])
                runner.close()
            left = len(scenario.resources() ^ before)
    _finish(reports, left, time.monotonic() - began, as_json=as_json)


def _need_demo() -> None:
    if importlib.util.find_spec("moto") is None:
        raise RestorecheckError(
            "the demo is not installed", "pip install '.[demo]' in a clone, or `make demo`", kind="config"
        )


def _finish(reports: list[Report], left: int, seconds: float, *, as_json: bool) -> None:
    reports.sort(key=lambda report: list(EXPECTED).index(report.check))
    counts = Counter(report.verdict for report in reports)
    result = {
        "verdicts": {str(verdict): counts[verdict] for verdict in Verdict},
        "left": left,
        "seconds": round(seconds, 1),
    }
    as_staged = {report.check: report.verdict for report in reports} == EXPECTED and left == 0
    code = exits.PASSED if as_staged else exits.code_of(reports) or exits.REFUSED_OR_LEAKED
    if as_json:
        emit("demo", code, reports=[encode(r, Report) for r in reports], result=result)
    else:
        out.print(proofs.table(reports))
        proofs.proven(out, reports)
        proofs.advice(out, reports)
        print(f"RESULT {json.dumps(result)}")
    raise SystemExit(code)


def serve(port: int) -> None:
    """Serve the demo AWS until it is stopped."""
    with errors("demo aws", as_json=False):
        _need_demo()
    os.execv(sys.executable, [sys.executable, "-m", "restorecheck.demo.aws", "--port", str(port)])  # noqa: S606 - ourselves
