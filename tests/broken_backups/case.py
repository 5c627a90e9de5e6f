"""A backup that is broken in one known way, or a healthy one, and what a run must say about it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest
from demo_world import until
from product import Product

from restorecheck.config import load
from restorecheck.engines.clock import WallClock
from restorecheck.engines.inline import InlineDurable
from restorecheck.model import Report, Verdict
from restorecheck.ports import LivePorts
from restorecheck.schedule import run_id
from restorecheck.state import make_state
from restorecheck.verify import verify

HEALTHY = "healthy"


@dataclass(frozen=True)
class Case:
    """One scenario. `stage` builds the backup for real, declares a check, runs it and returns the proof.

    With `shapes` it is many healthy ones in one backup: what was found of a shape is in the findings whose names begin
    with the shape's, and all of them must pass.
    """

    kind: str  # K16, as in `field_kinds.KINDS`; or HEALTHY
    name: str
    stage: Callable[[Product], Report]
    verdict: Verdict = Verdict.PASSED
    failure: str = ""  # the failure kind
    finding: str = ""  # the name of the finding that must tell; empty: whichever
    shapes: tuple[str, ...] = ()

    def wrong(self, report: Report) -> str:
        """Return what is not as it must be, or nothing."""
        kind = report.failure.kind if report.failure else ""
        said = f"{report.verdict}{f' ({kind})' if kind else ''}"
        if report.verdict is not self.verdict or kind != self.failure:
            meant = f"{self.verdict}{f' ({self.failure})' if self.failure else ''}"
            why = report.failure.message if report.failure else "; ".join(f.message for f in report.findings)
            return f"{said} where {meant} was meant: {why}"
        if self.finding and self.finding not in {f.name for f in report.findings if f.outcome != "pass"}:
            return f"{said}, but {self.finding} has nothing to say"
        if report.leaked:
            return f"left {report.leaked}"
        return ""

    def outcomes(self, report: Report) -> list[tuple[str, str]]:
        """Return the names of what was staged, and what is wrong with each, if anything: one, or one for each shape."""
        if not self.shapes:
            return [(self.name, self.wrong(report))]
        spoken = {f.name for f in report.findings if self._shape_of(f.name)}
        others = "; ".join(
            f"{f.name}: {f.message}" for f in report.findings if f.name not in spoken and _bad(f.outcome)
        )
        if not spoken or others or report.leaked:
            return [(shape, self.wrong(report) or others) for shape in self.shapes]
        return [(shape, self._wrong_with(shape, report)) for shape in self.shapes]

    def _wrong_with(self, shape: str, report: Report) -> str:
        found = [f for f in report.findings if self._shape_of(f.name) == shape]
        begun = report.verdict is not Verdict.PASSED  # another shape stopped it at the first of its two runs
        bad = [f for f in found if _bad(f.outcome) and not (begun and f.outcome == "learning")]
        worst = [f for f in bad if f.outcome != "learning"] or bad
        told = "; ".join(f"{f.name}: {f.outcome} {f.kind}: {f.message}" for f in worst)
        return told if found else "nothing was found of it"

    def _shape_of(self, finding: str) -> str:
        """Return the shape that a finding is of; the longest name counts, so that one may begin with another."""
        return max((s for s in self.shapes if finding.startswith(f"{s}-")), key=len, default="")


def _bad(outcome: str) -> bool:
    return outcome != "pass"


CASES: list[Case] = []
"""Every scenario; the modules beside this one add to it."""


def case(
    kind: str, name: str, verdict: Verdict = Verdict.PASSED, failure: str = "", finding: str = ""
) -> Callable[[Callable[[Product], Report]], Callable[[Product], Report]]:
    """Add a scenario."""

    def added(stage: Callable[[Product], Report]) -> Callable[[Product], Report]:
        CASES.append(Case(kind, name, stage, verdict, failure, finding))
        return stage

    return added


def healthy(name: str, shapes: Sequence[str]) -> Callable[[Callable[[Product], Report]], Callable[[Product], Report]]:
    """Add a scenario that is many healthy shapes in one backup."""

    def added(stage: Callable[[Product], Report]) -> Callable[[Product], Report]:
        CASES.append(Case(HEALTHY, name, stage, shapes=tuple(shapes)))
        return stage

    return added


def remembered(product: Product, check: str = "shop-db") -> Report:
    """Run a check in this process as `Product.verify` does, and keep what it measured, for the next run.

    Fails if anything that is not the run's was changed, or if anything of it is left.
    """
    clock = WallClock()
    config = load(product.home / "config.toml")
    make_state(config.state)
    before = product.estate()
    with product.store() as store, pytest.MonkeyPatch.context() as patch:
        for name, value in product.environment.items():
            patch.setenv(name, value)
        until(lambda: run_id(check, clock.now()) not in {r.run_id for r in store.proofs.runs()})
        ports = LivePorts(config, clock, store.proofs.save, knows=store.baselines.known)
        report = asyncio.run(verify(InlineDurable(run_id(check, clock.now()), clock, None, lambda: False), ports))
    product.compare(before, left=False, told=str(report))
    return report
