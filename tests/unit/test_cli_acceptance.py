"""`restorecheck accept`: what may be accepted, by whom, and what an operator who is tired gets told."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from restorecheck.cli import app
from restorecheck.config import load
from restorecheck.model import Failure, Finding, Measured, Outcome, Report, Verdict
from restorecheck.state import open_store
from restorecheck.store import Store

AT = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)
RUN = "orders-db-20261120t0300z"
CONFIG = """
endpoint_url = "http://127.0.0.1:1"
[source_accounts.production]
id = "111111111111"
role = "arn:aws:iam::111111111111:role/restorecheck"
regions = ["eu-central-1"]
[scratch_accounts.lab]
id = "222222222222"
role = "arn:aws:iam::222222222222:role/restorecheck"
[scratch_accounts.lab.regions.eu-central-1]
subnet_group = "rc"
security_groups = ["sg-0123456789abcdef0"]
key = "arn:aws:kms:eu-central-1:222222222222:key/11111111-2222-3333-4444-555555555555"
instance_class = "db.t4g.micro"
"""
CHECK = """
[check]
name = "orders-db"
rpo = "25h"
rto = "2h"
[source]
type = "rds"
account = "production"
region = "eu-central-1"
instance = "orders"
database = "orders"
[scratch]
account = "lab"
[[assert]]
name = "growth"
sql = "select count(*) from orders"
expect = { at_least = 0.98, of = "previous" }
[[assert]]
name = "schema"
probe = "schema"
expect = { same_as = "accepted" }
[[assert]]
name = "present"
sql = "select count(*) from orders"
expect = { at_least = 1 }
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "checks").mkdir()
    (tmp_path / "config.toml").write_text(CONFIG)
    (tmp_path / "checks" / "orders-db.toml").write_text(CHECK)
    return tmp_path


@pytest.fixture
def store(home: Path) -> Store:
    opened = open_store(load(home / "config.toml").state)
    yield opened
    opened.close()


def ran(kind: str = "assertion-failed") -> Report:
    findings = (
        Finding("growth", Outcome.FAIL, "at least 0.98", "0.1", "fewer", kind, value="10"),
        Finding("schema", Outcome.LEARNING, "as accepted", "2 objects", "", "learning"),
    )
    measured = (
        Measured("growth", "10"),
        Measured("schema", lines=("table public.orders", "table public.users")),
    )
    failure = Failure("assertion-failed", "judge", "growth: fewer", "look")
    return Report(RUN, "orders-db", Verdict.BROKEN, AT, AT, failure, findings=findings, measured=measured)


def accept(home: Path, *arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["accept", *arguments, "-c", str(home / "config.toml")])
    return result.exit_code, result.stdout, result.stderr


def test_an_acceptance_is_kept_with_who_and_why_and_shows_what_changes(home: Path, store: Store) -> None:
    store.proofs.save(ran())
    code, said, _ = accept(home, "orders-db", "growth", "schema", "--reason", "the archive was moved", "--by", "ann")
    assert code == 0
    assert f"orders-db: growth is accepted as {RUN} measured it" in said
    assert "~ unknown → 10" in said
    assert "+ table public.users" in said
    kept = store.baselines.acceptances("orders-db")
    assert {(a.assertion, a.actor, a.reason, a.run_id) for a in kept} == {
        ("growth", "ann", "the archive was moved", RUN),
        ("schema", "ann", "the archive was moved", RUN),
    }
    later = replace(ran(), run_id="orders-db-20261121t0300z", started=datetime(2026, 11, 21, 3, tzinfo=UTC))
    later = replace(later, measured=(Measured("growth", "12"), Measured("schema", lines=("table public.users",))))
    store.proofs.save(later)
    code, said, _ = accept(home, "orders-db", "schema", "growth", "--reason", "orders left", "--json")
    assert code == 0
    changes = {a["assertion"]: a["changes"] for a in json.loads(said)["accepted"]}
    assert changes == {"schema": ["- table public.orders"], "growth": ["~ 10 → 12"]}
    assert "@" in store.baselines.acceptances("orders-db")[0].actor  # without --by: the user and the host


def test_without_an_assertion_what_was_accepted_is_listed(home: Path, store: Store) -> None:
    assert "nothing of orders-db was accepted yet" in accept(home, "orders-db")[1]
    store.proofs.save(ran())
    accept(home, "orders-db", "growth", "--reason", "moved", "--by", "ann")
    code, said, _ = accept(home, "orders-db")
    assert (code, "growth" in said, "ann" in said, "moved" in said) == (0, True, True, True)
    assert [a["by"] for a in json.loads(accept(home, "orders-db", "--json")[1])["accepted"]] == ["ann"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("orders-db", "growth"), "say why"),
        (("orders-db", "growth", "--reason", "  "), "say why"),
        (("orders", "growth", "--reason", "x"), "no check named orders"),
        (("orders-db", "grows", "--reason", "x"), "has no assertion grows"),
        (("orders-db", "present", "--reason", "x"), "not compared with earlier runs"),
        (("orders-db", "growth", "--reason", "x", "--run", "orders-db-20200101t0000z"), "no finished run"),
        (("orders-db", "growth", "--reason", "x", "--run", "users-db-20261120t0300z"), "is a run of users-db"),
    ],
)
def test_what_cannot_be_accepted_is_told_in_one_line_and_nothing_is_kept(
    home: Path, store: Store, arguments: tuple[str, ...], message: str
) -> None:
    store.proofs.save(ran())
    store.proofs.save(replace(ran(), run_id="users-db-20261120t0300z", check="users-db"))
    code, said, wrong = accept(home, *arguments)
    assert (code, said) == (2, "")
    assert message in wrong
    assert "hint:" in wrong or "users-db" in message
    assert store.baselines.acceptances("orders-db") == []


def test_nothing_that_was_never_measured_can_be_accepted(home: Path, store: Store) -> None:
    code, _, wrong = accept(home, "orders-db", "growth", "--reason", "x")
    assert (code, "no run has measured growth yet" in wrong) == (2, True)
    store.proofs.save(replace(ran(), measured=()))
    code, _, wrong = accept(home, "orders-db", "growth", "--reason", "x", "--run", RUN)
    assert (code, "measured nothing of growth" in wrong) == (2, True)


@pytest.mark.parametrize("kind", ["data-damaged", "connection-lost", "reference-differs"])
def test_damage_cannot_be_accepted_by_anybody(home: Path, store: Store, kind: str) -> None:
    store.proofs.save(ran(kind))
    code, _, wrong = accept(home, "orders-db", "schema", "growth", "--reason", "x")
    assert (code, "nobody can accept" in wrong) == (2, True)
    assert store.baselines.acceptances("orders-db") == []  # not the other one either
