"""The chaos in small: six checks, few kills. `make chaos` is the same for a hundred kills and forty checks."""

from __future__ import annotations

from pathlib import Path

import pytest
from chaos.nights import TIMINGS, Chaos, Settings, database
from demo_world import furnish

from restorecheck.demo.aws.process import DemoAws


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "settings",
    [Settings(kills=12, nights=2, checks=6, seed=7), Settings(kills=8, nights=2, checks=6, seed=7, replicas=2)],
    ids=["one process on SQLite", "two replicas on PostgreSQL"],
)
def test_nothing_is_lost_or_doubled_whenever_the_service_is_killed(settings: Settings, tmp_path: Path) -> None:
    said: list[str] = []
    with DemoAws.start(timings=TIMINGS) as aws, database(settings.replicas) as address:
        outcome = Chaos(settings, furnish(aws), tmp_path, said.append, address).run()
    assert outcome.well, f"{outcome.result}\n{outcome.told()}"
    assert outcome.result["kills"] >= settings.kills
    assert outcome.result["runs_due"] == outcome.result["verdicts_right"] == settings.checks * outcome.result["nights"]
