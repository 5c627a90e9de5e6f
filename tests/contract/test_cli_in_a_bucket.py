"""The command line on a state in a bucket, from an operator's machine: what reads, what writes, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from bucket_server import REGION
from notified import wide
from store_places import measuring, report
from typer.testing import CliRunner

from restorecheck.cli import app, telling
from restorecheck.config import load
from restorecheck.errors import RestorecheckError
from restorecheck.model import Entry, Trigger, Verdict
from restorecheck.replica import FUNCTIONS
from restorecheck.state import bucket_state, changed, key_of, open_store, reading
from restorecheck.store import Store
from restorecheck.store.bucket import BucketState, ConflictError

CONFIG = """
state = "s3://state/prod?region=eu-central-1"
endpoint_url = "{endpoint}"
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
[receivers.ops]
type = "webhook"
url = "http://127.0.0.1:1"
"""
CHECK = """
[check]
name = "orders-db"
rpo = "25h"
rto = "2h"
schedule = "0 3 * * *"
receivers = ["ops"]
[source]
type = "rds"
account = "production"
region = "eu-central-1"
instance = "orders"
database = "orders"
[scratch]
account = "lab"
[[assert]]
name = "orders"
sql = "select count(*) from orders"
expect = { at_least = 0.98, of = "previous" }
"""
RUN = "orders-db-20261121t0300z"

long = pytest.mark.long
"""Every command enters AWS anew, which takes half a second."""


class Operator:
    """Somebody with a configuration and a shell."""

    def __init__(self, home: Path) -> None:
        self.home, self.file = home, home / "config.toml"

    def says(self, *arguments: str) -> tuple[int, str, str]:
        with wide():
            result = CliRunner().invoke(app, [*arguments, "-c", str(self.file)])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.exit_code, result.stdout, result.stderr

    def json(self, *arguments: str) -> dict[str, Any]:
        code, said, wrong = self.says(*arguments, "--json")
        assert code == 0, (said, wrong)
        return dict(json.loads(said))

    @contextmanager
    def function(self) -> Iterator[tuple[BucketState, Store]]:
        """Do what a tick does, and commit it."""
        state = bucket_state(load(self.file).state, self.home / "function")
        try:
            store = state.open()
            yield state, store
            state.commit()
        finally:
            state.close()

    def ticks(self) -> None:
        with self.function() as (_, store):
            store.replicas.join(FUNCTIONS, "serve", "aws-lambda", 0, "1")

    def runs(self, ended: bool = True) -> None:
        """Let a run be under way, and perhaps be recorded and folded."""
        one = measuring("10")
        with self.function() as (_, store):
            store.replicas.join(FUNCTIONS, "serve", "aws-lambda", 0, "1")
            entry = Entry(RUN, "orders-db", "222222222222", one.started, one.started, Trigger.SCHEDULE)
            store.ledger.schedule("orders-db", one.started, [entry], [])
            store.ledger.admit(FUNCTIONS, lambda waiting, running: [RUN], one.started)
        if ended:
            with self.function() as (state, store):
                state.put(one)
                state.fold(store)


@pytest.fixture
def operator(s3: Any, bucket_endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Operator:
    (tmp_path / "checks").mkdir()
    (tmp_path / "config.toml").write_text(CONFIG.format(endpoint=bucket_endpoint))
    (tmp_path / "checks" / "orders-db.toml").write_text(CHECK)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return Operator(tmp_path)


@long
def test_a_new_state_says_that_it_is_new_and_nothing_is_written_by_who_reads(operator: Operator, s3: Any):
    code, _, said = operator.says("status")
    assert code == 0
    assert "there is nothing in s3://state/prod yet: a new store begins" in said
    assert "nobody serves: nothing runs on schedule until the functions tick again" in " ".join(said.split())
    for command in ("history", "next", "metrics", "notify"):
        assert operator.says(command)[0] == 0
    assert "Contents" not in s3.list_objects_v2(Bucket="state")


@long
def test_what_ran_is_shown(operator: Operator):
    operator.runs()
    assert [r["run_id"] for r in operator.json("history")["reports"]] == [RUN]
    assert operator.json("show", RUN)["reports"][0]["verdict"] == "passed"
    [check] = operator.json("status")["status"]["checks"]
    assert check["last_verdict"] == "passed"
    assert "restorecheck_" in operator.says("metrics")[1]
    code, said, _ = operator.says("show", "orders-db-20261120t0300z")
    assert (code, said) == (2, "")


@long
def test_a_run_is_shown_as_soon_as_it_is_recorded(operator: Operator):
    operator.runs(ended=False)
    assert operator.says("show", RUN)[0] == 2
    with operator.function() as (state, _):
        state.put(report(verdict=Verdict.BROKEN))
    assert operator.json("show", RUN)["reports"][0]["verdict"] == "broken"


@long
def test_pauses_acceptances_and_cancels_are_kept(operator: Operator):
    operator.runs()
    assert operator.json("pause", "orders-db")["paused"] == {"orders-db": None}
    assert [p["check"] for p in operator.json("status")["status"]["paused"]] == ["orders-db"]
    assert operator.json("resume", "orders-db")["resumed"] == ["orders-db"]
    code, said, _ = operator.says("accept", "orders-db", "orders", "--reason", "moved", "--by", "ann")
    assert (code, "orders is accepted as" in said) == (0, True)
    [accepted] = operator.json("accept", "orders-db")["accepted"]
    assert (accepted["by"], accepted["run"]) == ("ann", RUN)


@long
def test_a_run_that_is_cancelled_hears_it_at_once(operator: Operator):
    operator.runs(ended=False)
    assert operator.json("cancel", RUN)["run"] == RUN
    with operator.function() as (state, store):
        assert state.cancelled(RUN)
        [entry] = store.ledger.running()
        assert entry.cancelled
    code, _, said = operator.says("cancel", "orders-db-20261120t0300z")
    assert (code, "there is no run" in said) == (2, True)


@long
def test_a_run_is_left_to_the_functions(operator: Operator):
    code, _, said = operator.says("run", "orders-db", "--detach")
    assert (code, "nobody serves" in said, "docs/lambda.md" in said) == (2, True, True)
    operator.ticks()
    [run] = operator.json("run", "orders-db", "--detach")["runs"]
    assert [e["run_id"] for e in operator.json("status")["status"]["waiting"]] == [run]


@pytest.mark.parametrize("command", [("run", "orders-db"), ("serve",)])
def test_what_needs_a_process_is_refused_by_name(operator: Operator, command: tuple[str, ...]):
    result = CliRunner().invoke(app, [*command, "-c", str(operator.file)])
    said = " ".join(result.stderr.split())
    assert result.exit_code == 2
    assert "no process can work on the state in s3://state/prod" in said
    assert "restorecheck run --detach" in said
    assert 'state = "postgresql://…"' in said


@long
def test_a_trial_is_left_to_the_next_tick(operator: Operator, monkeypatch: pytest.MonkeyPatch):
    code, _, said = operator.says("notify", "--test")
    assert (code, "no tick was heard of" in said) == (2, True)
    operator.ticks()
    monkeypatch.setattr(telling, "PATIENCE_WITH_TICKS", 0.0)
    code, said, _ = operator.says("notify", "--test")
    assert (code, "no answer yet" in said) == (3, True)
    assert operator.json("notify")["receivers"][0]["waiting"] == 1


@long
def test_what_somebody_else_changed_meanwhile_is_not_lost(operator: Operator):
    operator.runs()
    state, tries = load(operator.file).state, []

    def act(store: Store) -> int:
        if len(tries) < 2:
            with operator.function() as (_, theirs):
                theirs.notes.set(f"tick-{len(tries)}", "kept")
        tries.append(1)
        store.notes.set("mine", len(tries))
        return len(tries)

    assert changed(state, act, print) == 3
    with reading(state, print) as store:
        assert [store.notes.get(key) for key in ("tick-0", "tick-1", "mine")] == ["kept", "kept", 3]


@long
def test_who_is_never_quick_enough_is_told_so(operator: Operator):
    operator.runs()
    tries = []

    def act(store: Store) -> None:
        tries.append(1)
        store.notes.set("mine", 1)
        with operator.function() as (_, theirs):
            theirs.notes.set("tick", len(tries))

    with pytest.raises(ConflictError, match="somebody else changed the state in s3://state/prod"):
        changed(load(operator.file).state, act, print)
    assert len(tries) == 5


@long
def test_a_command_leaves_nothing_on_this_machine(operator: Operator):
    operator.runs()
    operator.says("status")
    operator.says("pause", "orders-db")
    assert [p.name for p in operator.home.glob("restorecheck-state-*")] == []


@long
def test_the_key_is_in_the_bucket_unless_a_file_holds_it(operator: Operator, s3: Any):
    state = load(operator.file).state
    key = key_of(state)
    assert s3.get_object(Bucket="state", Key="prod/service.key")["Body"].read().decode().strip() == key.hex()
    assert key_of(state) == key
    state.key.write_text("5e" * 32)
    assert key_of(state) == bytes.fromhex("5e" * 32)


@long
def test_a_copy_that_was_made_anew_is_loud(operator: Operator, s3: Any):
    operator.runs()
    s3.put_object(Bucket="state", Key="prod/store.sqlite.gz", Body=b"oops")
    code, said, wrong = operator.says("status")
    assert code == 0
    assert "the working copy in s3://state/prod is damaged" in " ".join(wrong.split())
    assert operator.says("resume", "orders-db")[0] == 0  # a command that may change something puts the new one back
    assert "is damaged" not in operator.says("status")[2]
    operator.ticks()
    code, said, wrong = operator.says("status")
    assert wrong == ""
    assert "the working copy is damaged (it cannot be unpacked), and was made anew at" in " ".join(said.split())
    assert operator.json("status")["status"]["rebuilt"]["runs"] == 1


@long
def test_a_bucket_without_versions_and_a_region_that_nobody_named(
    operator: Operator, s3: Any, monkeypatch: pytest.MonkeyPatch
):
    s3.put_bucket_versioning(Bucket="state", VersioningConfiguration={"Status": "Suspended"})
    code, _, said = operator.says("status")
    assert (code, "does not keep versions of its objects" in said) == (2, True)
    operator.file.write_text(operator.file.read_text().replace("?region=eu-central-1", ""))
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    code, _, said = operator.says("status")
    assert (code, "it is not known which region the bucket of s3://state/prod is in" in said) == (2, True)
    s3.put_bucket_versioning(Bucket="state", VersioningConfiguration={"Status": "Enabled"})
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    assert operator.says("status")[0] == 0


def test_only_a_state_in_a_bucket_is_opened_as_one(operator: Operator):
    state = load(operator.file).state
    with pytest.raises(RestorecheckError, match="no process can work on the state"):
        open_store(state)
    operator.file.write_text(operator.file.read_text().replace("s3://state/prod?region=eu-central-1", "var"))
    with pytest.raises(RestorecheckError, match="is not in a bucket"):
        bucket_state(load(operator.file).state, operator.home)


@long
def test_a_pause_until_a_time_is_in_the_bucket(operator: Operator):
    operator.runs()
    until = (datetime.now(UTC) + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M")
    assert operator.says("pause", "orders-db", "--until", until)[0] == 0
    assert f"until {until.replace('T', ' ')} UTC" in operator.says("next")[1]
