"""`check-config --target lambda`: what cannot work on AWS Lambda is refused with its place, and the rest passes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from journal import SkipClock
from local_lambda import lived
from typer.testing import CliRunner
from workflow.scripted import NOW, POINT, Cloud, ScriptedPorts, ScriptedSource, check

from restorecheck import config
from restorecheck import verify as workflow
from restorecheck.cli import app
from restorecheck.config import lambda_target
from restorecheck.config.accounts import LEGS
from restorecheck.durable import Look
from restorecheck.errors import ConfigError
from restorecheck.model import (
    Answers,
    AuroraSource,
    Check,
    Limits,
    Placement,
    Plan,
    RdsSource,
    RecoveryPoint,
    S3ObjectsSource,
)
from restorecheck.model.invocations import SPARE
from restorecheck.sources.aurora import AuroraSnapshots
from restorecheck.sources.interface import Source, Stage
from restorecheck.sources.rds import RdsSnapshots
from restorecheck.sources.rds import World as RdsWorld
from restorecheck.sources.s3_objects import S3Objects
from restorecheck.sources.s3_objects import World as ObjectsWorld

HOUR = timedelta(hours=1)
BASE = Path(__file__).parent / "bad_config" / "base"
STATE = 'state = "s3://restorecheck-state/prod"\n'
EXAMINE = '[scratch.limits]\nexamine = "13m"\n'
DUMP = '[source]\ntype = "s3-dump"\naccount = "production"\nregion = "eu-central-1"\nbucket = "shop-dumps"\n'
DUMP += 'object = "nightly/*.dump"\ndatabase = "orders"\n'


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(BASE, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(base: Path, top: str = STATE, limits: str = EXAMINE, source: str = "", more: str = "") -> None:
    path, check = base / "config.toml", base / "checks/orders-db.toml"
    path.write_text(top + (BASE / "config.toml").read_text() + more)
    text = (BASE / "checks/orders-db.toml").read_text()
    head, _, rest = text.partition("[source]")
    own, _, asserted = rest.partition("[[assert]]")
    check.write_text(f"{head}{limits}{source or '[source]' + own}[[assert]]{asserted}")


def problems(target: str = "lambda") -> list[str]:
    try:
        config.review(Path("config.toml"), target)  # type: ignore[arg-type]
    except ConfigError as e:
        return [str(problem) for problem in e.problems]
    return []


def said(*arguments: str) -> tuple[int, str]:
    ran = CliRunner().invoke(app, ["check-config", *arguments])
    return ran.exit_code, ran.output


def test_a_configuration_that_fits_passes_and_it_is_said_what_was_checked(base: Path) -> None:
    write(base)
    code, text = said("--target", "lambda")
    assert code == 0, text
    lines = [line for line in text.splitlines() if line.startswith("for AWS Lambda: ")]
    assert len(lines) == 6
    assert any("3,000 operations" in line and "orders-db with 2,5" in line for line in lines)
    assert any("s3://restorecheck-state/prod" in line for line in lines)
    code, text = said("--target", "lambda", "--json")
    told = json.loads(text)
    assert (code, told["target"], len(told["checked"])) == (0, "lambda", 6)


def test_a_container_is_the_default_and_refuses_nothing_of_it(base: Path) -> None:
    write(base, 'evidence = "evidence"\n', "")
    assert problems("container") == []
    code, text = said()
    assert code == 0, text
    assert "Lambda" not in text
    assert said("--target", "container") == (code, text)


def test_another_target_is_named(base: Path) -> None:
    code, text = said("--target", "fargate")
    assert code == 2
    assert "there is no target 'fargate'" in text
    assert "`container` or `lambda`" in text


@pytest.mark.parametrize(
    ("written", "where", "why", "right"),
    [
        ({"top": ""}, "config.toml:1: state:", "no disk that lasts", 'state = "s3://'),
        ({"top": 'state = "here"\n'}, "config.toml:1: state:", "is a directory", "PostgreSQL"),
        ({"top": STATE + 'evidence = "keys"\n'}, "config.toml:2: evidence:", "gone with it", "leave it out"),
        (
            {"more": '[metrics]\ntextfile = "restorecheck.prom"\n'},
            "config.toml:20: metrics.textfile:",
            "no node_exporter",
            "leave it out",
        ),
        ({"source": DUMP}, "checks/orders-db.toml:9: source.type:", "database server", "in the container"),
        ({"limits": ""}, "checks/orders-db.toml:1: scratch.limits.examine:", "is 1h", 'examine = "13m" or less'),
        (
            {"limits": '[scratch.limits]\nexamine = "14m"\n'},
            "checks/orders-db.toml:7: scratch.limits.examine:",
            "is 14m",
            "one step",
        ),
        (
            {"limits": EXAMINE + 'poll = "10s"\n'},
            "checks/orders-db.toml:8: scratch.limits.poll:",
            "would need 7,",
            'poll = "30s" or more',
        ),
    ],
)
def test_what_cannot_work_there_is_refused_with_its_place(
    base: Path, written: dict[str, str], where: str, why: str, right: str
) -> None:
    write(base, **written)
    assert problems("container") == []
    [problem] = problems()
    assert problem.startswith(where)
    assert why in problem
    assert right in problem
    code, text = said("--target", "lambda")
    assert code == 2
    assert "docs/lambda-limits.md" in text


def test_everything_that_is_wrong_is_said_at_once(base: Path) -> None:
    write(base, 'evidence = "keys"\n', '[scratch.limits]\npoll = "1s"\n')
    assert len(problems()) == 4


def test_the_limits_of_the_account_count_where_the_check_says_nothing(base: Path) -> None:
    write(base, limits="", more='[scratch_accounts.lab.limits]\nexamine = "10m"\n')
    assert problems() == []


def test_a_check_that_no_record_holds_is_refused(base: Path) -> None:
    write(base)
    path = base / "checks/orders-db.toml"
    question = "select count(*) from orders where note <> '" + "x" * 3000 + "'"
    more = [f'[[assert]]\nname = "a{n}"\nsql = "{question}"\nexpect = {{ at_least = 1 }}\n' for n in range(90)]
    path.write_text(path.read_text() + "\n".join(more))
    [problem] = problems()
    assert "assert: the check" in problem
    assert "262,144" in problem


# --- what is counted is what the workflow does ----------------------------------------------------------------------


@pytest.mark.parametrize("poll", [1, 7, 10, 29])
def test_the_poll_that_is_proposed_fits_and_a_fifth_of_a_minute_less_does_not(base: Path, poll: int) -> None:
    write(base, limits=EXAMINE + f'poll = "{poll}s"\nrun = "20h"\nlease = "30h"\n')
    [problem] = problems()
    right = problem.partition('poll = "')[2].partition('"')[0]
    write(base, limits=EXAMINE + f'poll = "{right}"\nrun = "20h"\nlease = "30h"\n')
    assert problems() == []
    [check] = config.load(Path("config.toml")).checks
    assert lambda_target.operations(check).fits
    seconds = check.limits.poll.total_seconds()
    assert not lambda_target._operations(check, timedelta(seconds=seconds - 5)).fits


def source_of(kind: str) -> tuple[Source, Check]:
    """Return a source of a kind, and its check, of limits that can be told apart."""
    place = Placement("222222222222", "eu-central-1", "rc", ("sg-1",), "key", "db.t4g.micro", bucket="scratch")
    where = "111111111111", "eu-central-1"
    declared = {
        "rds": RdsSource(*where, "orders", "orders"),
        "aurora": AuroraSource(*where, "orders", database="orders", copies=True),
        "s3-objects": S3ObjectsSource(*where, "backups"),
    }[kind]
    made = check(source=declared, placement=place, limits=Limits(copy=HOUR * 5, restore=HOUR * 4, open=HOUR))
    plan = Plan("orders-db-20261121t0300z", made, NOW)
    nobody: Any = None
    if kind == "s3-objects":
        return S3Objects(plan, ObjectsWorld(*[nobody] * 6)), made
    kinds: Any = {"rds": RdsSnapshots, "aurora": AuroraSnapshots}
    return kinds[kind](plan, RdsWorld(*[nobody] * 4)), made


@pytest.mark.parametrize("kind", ["rds", "aurora", "s3-objects"])
def test_the_legs_that_are_counted_are_those_of_the_sources(kind: str) -> None:
    """Of a recovery point that needs all of them: an automated one, encrypted."""
    source, made = source_of(kind)
    there = [stage.at_most for stage in source.stages(POINT)]
    assert sorted(there) == sorted(lambda_target._legs(made))
    assert len(source.teardown(POINT)) == LEGS[kind]


class Longest(ScriptedSource):
    """Every leg is done at the last look that its limit allows, both ways."""

    def __init__(self, clock: SkipClock, made: Check) -> None:
        super().__init__(Cloud())
        self.clock, self.made = clock, made
        self.begun: dict[str, float] = {}

    def _leg(self, name: str, at_most: timedelta) -> Stage:
        def look() -> Look:
            lasted = self.clock.monotonic() - self.begun.setdefault(name, self.clock.monotonic())
            return Look(lasted > at_most.total_seconds() - 31, "creating")

        return Stage(name, lambda: None, look, at_most)

    def stages(self, point: RecoveryPoint) -> Sequence[Stage]:
        return [self._leg(f"there {n}", limit) for n, limit in enumerate(lambda_target._legs(self.made))]

    def examine(self, point: RecoveryPoint) -> Answers:
        return Answers((), asked_at=NOW)

    def teardown(self, point: RecoveryPoint) -> Sequence[Stage]:
        return [self._leg(f"back {n}", self.made.limits.teardown) for n in range(LEGS["rds"])]


@pytest.mark.parametrize("run", [timedelta(minutes=30), pytest.param(timedelta(minutes=10), marks=pytest.mark.long)])
def test_a_run_that_takes_as_long_as_it_may_needs_no_more_than_was_counted(run: timedelta) -> None:
    five = timedelta(minutes=5)
    made = check(limits=Limits(copy=five, restore=five, open=five, teardown=five, run=run))
    clock, ports = SkipClock(NOW), ScriptedPorts(Cloud(), made)
    source = Longest(clock, made)
    ports.source = lambda _: source  # type: ignore[method-assign]
    ended = lived("orders-db-20261121t0300z", lambda durable: workflow.verify(durable, ports), clock, at_most=90)
    assert ended.report is not None, ended.error
    waits = sum(name.endswith(": wait") for name in ended.operations)
    needed = ended.attempts + waits  # a wait is one, and one for each of its looks
    counted = lambda_target.operations(made)
    assert 0.8 * counted.all < needed + SPARE <= counted.all


def test_what_was_checked_can_be_said_of_no_check_at_all(base: Path) -> None:
    write(base)
    none = replace(config.load(Path("config.toml")), checks=())
    assert any("the most is 0, of no check" in line for line in lambda_target.checked(none))
