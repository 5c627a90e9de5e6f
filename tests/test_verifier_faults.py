"""Fourteen ways in which a program that proves backups is itself wrong, one test each: why it cannot happen here.

Each was met in the field by somebody. The tests drive the product's own parts; what a part does in detail is tested
where it lives.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import botocore.session
import pytest
from fence_cases import RESTORE, RUN_PERMIT, SCRATCH, SOURCE, arn, instance
from journal import SkipClock
from rds_accounts import FakeAccounts, FakeDatabase
from store_places import AT, Place, check, compared, measuring, report, sqlite_place
from workflow.scripted import BUILT, NOW, POINT, RUN, Cloud, ScriptedPorts, failing, verify
from workflow.scripted import check as scripted_check

from restorecheck import config
from restorecheck.assertions import judge, judge_all, verdict
from restorecheck.assertions.digest import digest
from restorecheck.databases import postgres_errors
from restorecheck.databases.asking import EVERY, Asking, LostError, Question
from restorecheck.databases.interface import DatabaseSeen, Login
from restorecheck.doctor.diagnosis import examined
from restorecheck.dumps.complaints import classified, judged
from restorecheck.engines.inline import InlineDurable
from restorecheck.errors import AwsError, ConfigError, QueryError
from restorecheck.failures import KINDS
from restorecheck.fence import Role, why_not
from restorecheck.fence.decision import why_not_place
from restorecheck.fence.parameters import why_not_create
from restorecheck.fence.table import TABLE, Effect
from restorecheck.model import (
    Against,
    Answer,
    Answers,
    Assertion,
    Cell,
    Expectation,
    Miss,
    Outcome,
    Plan,
    Report,
    Verdict,
)
from restorecheck.passwords import Passwords
from restorecheck.service.health import STALE, Health
from restorecheck.sources import census
from restorecheck.sources.rds import RdsSnapshots, World
from restorecheck.store import Store
from restorecheck.store.baselines import Acceptance

CONFIGURATION = Path(__file__).parent / "unit" / "bad_config" / "base"
LATER = AT + timedelta(days=1)
LOGIN = Login("127.0.0.1", 5432, "reader", "", "orders")
CARD = "4111-1111-1111-1111"


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small configuration without problems, in the current directory."""
    shutil.copytree(CONFIGURATION, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = sqlite_place(tmp_path)
    yield made
    made.close()


@pytest.fixture
def store(place: Place) -> Store:
    return place.open()


def ran(cloud: Cloud, clock: SkipClock | None = None) -> Report:
    return verify(InlineDurable(RUN, clock or SkipClock(NOW)), ScriptedPorts(cloud))


def asserted(name: str, expect: Expectation | None = None, sql: str = "select 1") -> Assertion:
    return Assertion(name, sql, expect or Expectation(at_least=Cell("number", "1")))


def number(name: str, value: str) -> Answer:
    return Answer(name, rows=1, columns=1, cells=(Cell("number", value),))


def test_v1_nothing_that_is_not_asked_counts_as_tested(base: Path) -> None:
    """A check that asks nothing is no configuration, and no pass; a database that nobody asks is named in the proof."""
    file = base / "checks" / "orders-db.toml"
    file.write_text(file.read_text().split("[[assert]]")[0])
    with pytest.raises(ConfigError, match="nothing would be asked"):
        config.load(Path("config.toml"))
    decided, failure = verdict((), restores=False)
    assert (decided, failure and failure.kind) == (Verdict.UNPROVEN, "question")
    seen = (DatabaseSeen("orders", 12), DatabaseSeen("billing", 3))
    assert "not asked: billing (3 tables)" in census.judged(seen, ["orders"], "orders").observed
    assert "restored and never asked: billing (3 tables)" in census.unread(seen, ["orders"])
    assert census.judged(seen[:1], ["orders", "billing"], "orders").kind == "missing-object"


def test_v2_one_that_is_skipped_takes_no_other_with_it() -> None:
    """Every declared assertion has one answer and one finding, in order, whatever became of those before it."""
    asked = [replace(asserted(f"a{n}"), database=name) for n, name in enumerate(("orders", "gone", "orders"))]

    def attempt(question: Question) -> Answer:
        if question.login.database == "gone":
            raise QueryError("no such database", kind="missing-object")
        return number(question.assertion.name, "5")

    asking = Asking(lambda: 0.0, lambda _: None, 0.0)
    answers = asking.all(LOGIN, asked, "salt", timedelta(minutes=1), attempt)
    assert [(a.name, a.kind) for a in answers] == [("a0", ""), ("a1", "missing-object"), ("a2", "")]
    declared = check(*asked, asserted("a3"))
    findings = judge_all(declared, Answers(answers[:1] + answers[2:], asked_at=NOW), POINT, "salt")
    assert [(f.name, f.outcome) for f in findings] == [
        ("a0", Outcome.PASS), ("a1", Outcome.ERROR), ("a2", Outcome.PASS), ("a3", Outcome.ERROR),
    ]  # fmt: skip
    assert verdict(findings, restores=False)[0] is not Verdict.PASSED


UNPROVEN = sorted(name for name, kind in KINDS.items() if kind.verdict is Verdict.UNPROVEN)


@pytest.mark.parametrize("where", ["find", f"begin {BUILT[2]}", f"look {BUILT[3]}", "examine"])
def test_v3_what_fails_around_the_backup_is_never_blamed_on_it(where: str) -> None:
    """Quota, permission, network, disk, a bug of ours: unproven, with its own kind, and never broken."""
    assert {"quota", "permission", "scratch-full", "database-unreachable", "internal", "environment"} <= set(UNPROVEN)
    for kind in UNPROVEN:
        done = ran(Cloud(faults={where: [failing(kind)]}))
        assert (done.verdict, done.failure and done.failure.kind) == (Verdict.UNPROVEN, kind)
    for error in (MemoryError(), OSError(28, "No space left on device"), ZeroDivisionError()):
        assert ran(Cloud(faults={where: [error]})).verdict is Verdict.UNPROVEN


def test_v4_what_is_missing_here_is_no_fault_of_the_backup() -> None:
    """An extension, a role's grants, a schema that is there already: told apart from errors in what the dump holds."""
    said = {
        'schema "public" already exists': "",
        'extension "postgis" is not available': "environment",
        'could not access file "$libdir/timescaledb": No such file or directory': "environment",
        "ICU is not supported in this build": "environment",
        "could not extend file: No space left on device": "scratch-full",
        'duplicate key value violates unique constraint "users_pkey"': "dump-errors",
    }
    assert {text: classified([judged(text)]).kind for text in said} == said
    # what follows from something that is missing is not counted against the dump either
    both = [judged('extension "postgis" is not available'), judged('relation "public.places" does not exist')]
    assert classified(both).kind == "environment"
    assert [KINDS[kind].verdict for kind in ("environment", "scratch-full", "dump-errors")] == [
        Verdict.UNPROVEN, Verdict.UNPROVEN, Verdict.BROKEN,
    ]  # fmt: skip


def test_v5_two_checks_of_one_source_are_two_lights_and_each_names_what_it_stands_for(store: Store) -> None:
    """One check that passes says nothing for another; each proof names its recovery point and what was asked."""
    other = replace(POINT, id="rds:orders-2026-11-14", created=NOW - timedelta(days=7))
    store.proofs.save(replace(report("orders-deep", verdict=Verdict.BROKEN), point=other))
    store.proofs.save(replace(report("orders-quick", 1), point=POINT))
    assert {name: verdict for name, (_, verdict) in store.proofs.newest().items()} == {
        "orders-deep": Verdict.BROKEN,
        "orders-quick": Verdict.PASSED,
    }
    deep, quick = store.proofs.last("orders-deep"), store.proofs.last("orders-quick")
    assert deep and quick and deep.point and quick.point  # noqa: PT018
    assert (deep.point.id, quick.point.id) == (other.id, POINT.id)
    assert all(finding.name and finding.expected and finding.observed for finding in (*deep.findings, *quick.findings))


def test_v6_a_test_that_stopped_running_is_told(store: Store) -> None:
    """A run that did not begin is noted and told; a scheduler that stands still is not ready; no run passes."""
    missed = Miss("orders-db", AT, "down", None)
    store.ledger.schedule("orders-db", LATER, [], [missed])
    assert store.ledger.missed() == [missed]
    assert [e.topic for e in store.outbox.pending()] == ["run-missed"]
    assert store.proofs.newest() == {}  # silence is no light at all, green least of all

    clock = SkipClock(NOW)
    current = SimpleNamespace(
        config=SimpleNamespace(checks=(), state=SimpleNamespace(shown="here")),
        loaded_at=NOW, wrong="", outages=lambda: (),
    )  # fmt: skip
    health = Health(clock, current)  # type: ignore[arg-type]  # what Health looks at of it

    def ready() -> dict[str, bool]:
        return {aspect.name: aspect.ok for aspect in health.aspects() if aspect.blocks}

    assert not ready()["scheduler"]
    health.looked()
    health.well()
    assert ready()["scheduler"]
    clock.skip(STALE + 1)
    assert not ready()["scheduler"]


def test_v7_what_is_left_over_is_never_a_quiet_success() -> None:
    """A passed run whose scratch is still there says so beside its verdict; one that could not look is not passed."""
    done = ran(Cloud(faults={"begin drop restore": [failing("permission")]}))
    assert done.verdict is Verdict.PASSED
    assert [piece.arn.rpartition(":")[2] for piece in done.leaked] == ["restore"]
    assert ran(Cloud(faults={"prove": [failing("throttled")]})).verdict is Verdict.UNPROVEN
    assert ran(Cloud()).leaked == ()
    # whatever a run leaves carries a lease, and the sweep may take it once that is over
    assert why_not(instance(), replace(RUN_PERMIT, run_id="", check="", began=RUN_PERMIT.expires)) is None


def test_v8_nothing_can_be_written_into_a_source() -> None:
    """In a source account there are calls for a copy of ours, its share and its end. Of objects: reading only."""
    writes = {
        (service, operation)
        for service, operations in TABLE[Role.SOURCE].items()
        for operation, effect in operations.items()
        if effect is not Effect.READ
    }
    assert {service for service, _ in writes} == {"rds"}
    assert all(re.fullmatch(r"(Copy|Modify|Delete)DB(Cluster)?Snapshot(Attribute)?", name) for _, name in writes)
    names = botocore.session.get_session().get_service_model("s3").operation_names
    changing = {n for n in names if n.startswith(("Put", "Delete", "Create", "Copy", "Complete", "Upload", "Restore"))}
    assert len(changing) > 30
    assert not changing & set(TABLE[Role.SOURCE]["s3"])
    production = instance(name="orders", account=SOURCE, arn=arn("db", SOURCE, "orders"))
    assert why_not(production, RUN_PERMIT) is not None
    assert why_not(instance(account=SOURCE, arn=arn("db", SOURCE)), RUN_PERMIT) is not None
    # what is restored archives nothing anywhere: it takes no backups of its own
    assert RESTORE["BackupRetentionPeriod"] == 0


def test_v9_no_row_of_the_restored_data_gets_out() -> None:
    """Nothing has to be sanitised: only numbers and digests leave, errors lose their values, and nothing is public."""
    error = postgres_errors.sentence("22P02", "InvalidTextRepresentation", f'invalid input syntax: "{CARD}"', None)
    assert CARD not in error
    expect = Expectation(members=(Cell("text", "CZ"),))
    hidden = Answer("a", rows=1, columns=1, cells=(Cell("digest", digest("text", CARD, "salt")),))
    finding = judge(asserted("a", expect), hidden, backup_time=NOW, asked_at=NOW, salt="salt")
    assert finding.outcome is Outcome.FAIL
    assert CARD not in repr(finding)
    leaking = Answer("a", rows=1, columns=1, cells=(Cell("text", CARD),))
    assert CARD not in repr(judge(asserted("a", expect), leaking, backup_time=NOW, asked_at=NOW, salt="salt"))
    for public in ({"PubliclyAccessible": True}, {"PubliclyAccessible": None}):
        restore = {**RESTORE, **public}
        why = why_not_create("RestoreDBInstanceFromDBSnapshot", restore, Role.SCRATCH, RUN_PERMIT)
        assert why == "PubliclyAccessible must be False, not left out"


def test_v10_verification_takes_no_room_of_production_s(base: Path) -> None:
    """A source account is never a place to restore: the configuration refuses it, and the fence once more."""
    file = base / "config.toml"
    file.write_text(file.read_text().replace("222222222222", "111111111111"))
    with pytest.raises(ConfigError, match="restore into an account that holds no source"):
        config.load(Path("config.toml"))
    for account in (SOURCE, "333333333333"):
        assert why_not_place(Role.SCRATCH, account, RUN_PERMIT.region, RUN_PERMIT) is not None
    both = replace(RUN_PERMIT, source_accounts=frozenset({SOURCE, SCRATCH}))
    assert why_not_place(Role.SCRATCH, SCRATCH, RUN_PERMIT.region, both) is not None
    assert {KINDS[kind].verdict for kind in ("quota", "limit", "scratch-full")} == {Verdict.UNPROVEN}


def test_v11_a_baseline_is_neither_poisoned_nor_stuck(store: Store) -> None:
    """Only what held moves it, what failed does not; somebody who accepts does; and 0 is an error, not a bound."""
    shrunk = compared("orders", Against("previous"))

    def judged_now(value: str) -> tuple[Outcome, str]:
        known = store.baselines.known(check(shrunk), LATER)
        found = judge(
            shrunk, number("orders", value), backup_time=AT, asked_at=LATER, salt="s", known=known[0] if known else None
        )
        return found.outcome, found.kind

    assert judged_now("1000") == (Outcome.LEARNING, "learning")  # not green
    store.proofs.save(measuring("1000", 0))
    for hours in (1, 2, 3):  # the loss stays, and goes on being one
        assert judged_now("10") == (Outcome.FAIL, "assertion-failed")
        store.proofs.save(measuring("10", hours, Verdict.BROKEN))
    store.proofs.save(measuring("9", 4, Verdict.UNPROVEN))
    assert judged_now("10") == (Outcome.FAIL, "assertion-failed")
    run = report("orders-db", 3).run_id
    kept = store.baselines.measured(run)["orders"]
    store.baselines.accept([Acceptance("orders-db", "orders", AT + timedelta(hours=5), "ann", "moved", run, kept)])
    assert judged_now("10")[0] is Outcome.PASS
    assert judged_now("1")[0] is Outcome.FAIL
    store.proofs.save(measuring("0", 6))
    assert judged_now("5") == (Outcome.ERROR, "no-baseline")
    assert [e.topic for e in store.outbox.pending()].count("baseline-accepted") == 1


def test_v12_a_blip_does_not_stick(store: Store) -> None:
    """A session that broke off once is asked again; a run that could not tell is kept, and the next one counts."""
    tries: list[str] = []

    def once_lost(question: Question) -> Answer:
        tries.append(question.assertion.name)
        if len(tries) == 1:
            raise LostError("connection-lost")
        return number("a", "5")

    asking = Asking(lambda: 0.0, lambda _: None, EVERY)
    [answer] = asking.all(LOGIN, [asserted("a")], "salt", timedelta(minutes=1), once_lost)
    assert (answer.kind, len(tries)) == ("", 2)

    def lost(_: Question) -> Answer:
        raise LostError("connection-lost")

    [answer] = asking.all(LOGIN, [asserted("a")], "salt", timedelta(minutes=1), lost)
    assert answer.kind == "connection-lost"

    store.proofs.save(ran(Cloud(faults={"begin restore": [failing("throttled", retryable=True)]})))
    assert store.proofs.newest()["orders-db"][1] is Verdict.UNPROVEN
    second = replace(ran(Cloud()), run_id="orders-db-20261121t0400z", started=NOW + timedelta(hours=1))
    store.proofs.save(second)
    assert store.proofs.newest()["orders-db"][1] is Verdict.PASSED
    kept = store.proofs.runs(["orders-db"])
    assert [one.verdict for one in kept] == [Verdict.PASSED, Verdict.UNPROVEN]  # both attempts are there


def test_v13_a_permission_that_is_missing_is_named_at_once_and_is_no_timeout() -> None:
    """The doctor says which, before anything is paid for; a run says `permission`, without waiting for its deadline."""

    def denied() -> str:
        raise AwsError("AccessDenied", "not authorized to perform: kms:DescribeKey", kind="permission", retryable=False)

    found = examined("lab (222222222222) eu-central-1", "key", denied)
    assert found.outcome == "could not look"  # not a pass
    assert "kms:DescribeKey" in found.detail
    assert found.fix == "give the role this read; docs/fence.md lists all that it needs"
    for where in ("find", "begin restore", "look restore", "examine"):
        clock = SkipClock(NOW)
        done = ran(Cloud(faults={where: [failing("permission")]}), clock)
        assert (done.verdict, done.failure and done.failure.kind) == (Verdict.UNPROVEN, "permission")
        assert clock.passed < 3600
    assert KINDS["permission"].hint != KINDS["deadline"].hint


@dataclass
class Late(FakeDatabase):
    """A server that AWS calls available, and that lets nobody in yet."""

    refusals: int = 3

    def __post_init__(self) -> None:
        super().__init__()

    def knock(self, reader: Login) -> str:
        self.refusals -= 1
        if self.refusals >= 0:
            raise QueryError("the database system is starting up", kind="database-unreachable", retryable=True)
        return "18.6"


def test_v14_ready_is_a_query_that_was_answered() -> None:
    """`available` is what AWS says; the run goes on once the reader's own query came back."""
    name = f"restorecheck-{RUN}"
    own = f"arn:aws:rds:eu-central-1:222222222222:db:{name}"
    described = {
        "DBInstanceIdentifier": name,
        "DBInstanceArn": own,
        "DBInstanceStatus": "available",
        "PubliclyAccessible": False,
        "Endpoint": {"Address": "db.example", "Port": 5432},
        "TagList": [{"Key": "restorecheck:run", "Value": RUN}, {"Key": "restorecheck:resource", "Value": own}],
    }
    accounts = FakeAccounts({"DescribeDBInstances": {"DBInstances": [described]}})
    world = World(accounts, {"postgresql": Late()}, Passwords(b"k" * 32), lambda: NOW)  # type: ignore[arg-type]
    source = RdsSnapshots(Plan(RUN, scripted_check(), NOW), world)
    stage = next(one for one in source.stages(POINT) if one.name == "open")
    looks = [stage.look() for _ in range(4)]
    assert [one.done for one in looks] == [False, False, False, True]
    assert all("no answer yet" in one.status for one in looks[:3])


def test_all_fourteen_are_here() -> None:
    """The list is the point of this file."""
    names = {match[1] for name in globals() if (match := re.match(r"test_v(\d+)_", name))}
    assert names == {str(n) for n in range(1, 15)}
