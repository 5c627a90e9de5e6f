"""A store of an earlier release is taken over whole; one of a later release is left alone."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.schema import CreateSchema
from store_places import AT, Place, check, compared, entry, notice, report

from restorecheck.durable import encode
from restorecheck.errors import RestorecheckError
from restorecheck.model import Against, Measured, Outcome, Report, RunState, Verdict
from restorecheck.store import Delivery, Event, Routed
from restorecheck.store.database import Database, Lock
from restorecheck.store.schema import HEAD, REVISIONS, SCRIPTS
from restorecheck.store.tables import METADATA

pytest_plugins = ("store_fixtures",)

FIRST_RELEASE = (Path(__file__).parents[1] / "store_first_release.sql").read_text()
TABLES = [t.name for t in METADATA.sorted_tables]


def make_first_release(place: Place) -> None:
    lines = "\n".join(line for line in FIRST_RELEASE.splitlines() if not line.startswith("--"))
    statements = [s for s in lines.split(";\n") if s.strip()]
    place.sql(*([] if place.sqlite else ["CREATE SCHEMA restorecheck"]), *(s.replace("%", "%%") for s in statements))


def make_release(place: Place, revision: str) -> str:
    """Make a store as a release between the first and this one made it, with one run in it; return the run's id."""
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    database = Database(place.url, time.time)
    with database.transaction(Lock.MIGRATION) as connection:
        if not place.sqlite:
            connection.execute(CreateSchema("restorecheck"))
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        columns = ("run_id", "check_name", "verdict", "started", "ended", "report")
        old = sa.table("runs", *(sa.column(name) for name in columns[:-1]), sa.column("report", sa.JSON))
        one = report()
        values = (one.run_id, one.check, one.verdict.value, one.started.timestamp(), one.ended.timestamp())
        row = dict(zip(columns, (*values, encode(one, Report)), strict=True))
        connection.execute(sa.insert(old).values(row))
    database.close()
    return one.run_id


def contents(place: Place) -> dict[str, list[tuple[object, ...]]]:
    return {name: sorted(place.sql(f"SELECT * FROM {name}"), key=str) for name in ("alembic_version", *TABLES)}


def test_a_store_of_the_first_release_is_taken_over_whole(place: Place) -> None:
    make_first_release(place)
    store = place.open()
    broken, passed = store.proofs.runs()[1:]
    assert [r.verdict for r in store.proofs.runs()] == [Verdict.UNPROVEN, Verdict.BROKEN, Verdict.PASSED]
    assert passed.point
    assert passed.point.engine_version == "16.4"
    assert [(f.outcome, f.value) for f in broken.findings] == [(Outcome.FAIL, None), (Outcome.PASS, None)]
    assert broken.failure
    assert broken.failure.message == "orders: 0 rows"

    rows = place.sql("SELECT run_id, position, name, outcome, observed, seconds FROM findings ORDER BY 1, 2")
    assert rows == [
        ("orders-db-20261120t0300z", 0, "orders", "pass", "2", 0.25),
        ("orders-db-20261120t0300z", 1, "rpo", "pass", "3h", 0.0),
        ("orders-db-20261121t0300z", 0, "orders", "fail", "0", 0.25),
        ("orders-db-20261121t0300z", 1, "rpo", "pass", "3h", 0.0),
    ]
    phases = place.sql("SELECT run_id, name, started, ended FROM phases ORDER BY run_id, position")
    assert len(phases) == 6
    assert phases[1] == ("orders-db-20261120t0300z", "find", 1795143600.25, 1795143601.75)
    assert place.sql("SELECT DISTINCT state FROM runs") == [("ended",)]
    assert store.outbox.pending() == []  # nobody is told of old runs again
    old = store.ledger.entry(passed.run_id)
    assert old
    assert (old.state, old.scheduled_for) == (RunState.ENDED, passed.started)

    store.proofs.save(report("users-db"))
    store.ledger.add(entry("users-db", 60))
    before = contents(place)
    assert before["alembic_version"] == [(HEAD,)]
    place.open()
    assert contents(place) == before


def test_the_first_release_can_still_write_into_it(place: Place) -> None:
    """Whoever rolls back, or has an old command somewhere, loses nothing."""
    make_first_release(place)
    place.sql("DELETE FROM runs WHERE verdict = 'passed'")
    store = place.open()
    row = next(line for line in FIRST_RELEASE.splitlines() if "'passed'" in line)
    columns = "(run_id, check_name, verdict, failure_kind, started, ended, report)"
    place.sql(row.rstrip(";").replace("VALUES", f"{columns} VALUES"))
    assert store.proofs.run("orders-db-20261120t0300z").verdict is Verdict.PASSED
    assert len(store.proofs.runs()) == 3


def test_a_damaged_row_stops_the_migration_and_changes_nothing(place: Place) -> None:
    make_first_release(place)
    place.sql("UPDATE runs SET report = '[{\"secret\": 1}]' WHERE verdict = 'broken'")
    for _ in range(2):
        with pytest.raises(RestorecheckError, match="cannot be migrated: a proof in it is damaged") as e:
            place.open()
        assert e.value.kind == "config"
        assert "secret" not in e.value.message
        assert len(place.sql("SELECT * FROM runs")) == 3
        assert len(place.sql("SELECT * FROM runs")[0]) == 7


def test_the_tables_are_what_the_migrations_make(place: Place) -> None:
    store = place.open()
    with store._database.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, METADATA) == []
        # what a comparison does not see: the condition of the index that lets one run of a check run
        (index,) = [i for i in connection.dialect.get_indexes(connection, "runs") if i["name"] == "runs_one_running"]
        assert index["unique"]
        assert "running" in " ".join(map(str, index["dialect_options"].values()))


def test_the_baselines_of_the_second_release_are_carried_over(place: Place) -> None:
    run_id, at = make_release(place, "0002"), report().started.timestamp()
    place.sql(f"INSERT INTO baselines VALUES ('{run_id}', 0, 'orders-db', 'orders', {at}, '1943200.50')")
    store = place.open()
    assert store.proofs.runs() == [report()]
    assert store.baselines.measured(run_id) == {"orders": Measured("orders", "1943200.50")}
    [known] = store.baselines.known(check(compared("orders", Against("previous"))), AT + timedelta(days=1))
    assert known.measured == Measured("orders", "1943200.50")


def test_a_store_of_the_third_release_tells_of_what_it_had_not_told_and_counts_from_here(place: Place) -> None:
    run_id = make_release(place, "0003")
    columns = "(topic, key, payload, created, attempts, next_try, delivered)"
    place.sql(
        f"INSERT INTO outbox {columns} VALUES ('run-ended', 'run-ended:old', '{{}}', 1, 0, 1, 2)",
        f"INSERT INTO outbox {columns} VALUES ('run-ended', 'run-ended:{run_id}', '{{\"n\":1}}', 1, 0, 1, NULL)",
    )
    store = place.open()
    assert store.proofs.runs() == [report()]
    assert (store.notices.episodes(), store.notices.pending(), store.counters.all()) == ([], {}, {})
    seen: list[str] = []

    def decide(events: list[Event], _: object, __: object) -> Routed:
        seen.extend(e.key for e in events)
        return Routed(handled=tuple(e.id for e in events), deliveries=(Delivery("ops", notice()),))

    store.notices.route(decide)
    assert seen == [f"run-ended:{run_id}"]
    assert [due.notice for due in place.open().notices.claim("ops", "me", 60)] == [notice()]


def test_a_missing_column_would_be_noticed(place: Place) -> None:
    store = place.open()
    place.sql("ALTER TABLE outbox DROP COLUMN why")
    with store._database.read() as connection:
        assert [d[0] for d in compare_metadata(MigrationContext.configure(connection), METADATA)] == ["add_column"]


def test_the_revisions_are_those_of_the_scripts() -> None:
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    scripts = ScriptDirectory.from_config(config)
    assert tuple(s.revision for s in scripts.walk_revisions())[::-1] == REVISIONS
    assert scripts.get_current_head() == HEAD


def test_a_store_of_a_newer_release_is_refused_by_name_and_left_alone(place: Place) -> None:
    place.open().proofs.save(report())
    place.sql("UPDATE alembic_version SET version_num = '0999'")
    before = contents(place)
    with pytest.raises(RestorecheckError, match="newer restorecheck: its schema is 0999") as e:
        place.open()
    assert e.value.kind == "config"
    assert "newer restorecheck" in e.value.hint
    assert contents(place) == before


@pytest.mark.parametrize("old", [False, True], ids=["new", "first release"])
def test_all_who_open_at_once_succeed(place: Place, old: bool) -> None:
    if old:
        make_first_release(place)
    together, failed = threading.Barrier(4), []

    def one() -> None:
        together.wait(30)
        try:
            place.open().proofs.runs()
        except RestorecheckError as e:
            failed.append(e)

    threads = [threading.Thread(target=one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert len(place.open().proofs.runs()) == (3 if old else 0)


OPEN = """
import sys
from restorecheck.store import Store
sys.stdin.readline()
store = Store.open(sys.argv[1])
store.ping()
print(len(store.proofs.runs()), any(m.startswith("alembic") for m in sys.modules))
store.close()
"""


def start(place: Place) -> subprocess.Popen[str]:
    command = [sys.executable, "-W", "error", "-c", OPEN, place.url]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_processes_that_open_at_once_succeed_and_who_finds_it_made_needs_no_alembic(place: Place) -> None:
    make_first_release(place)
    processes = [start(place), start(place)]
    for process in processes:
        assert process.stdin
        process.stdin.write("\n")
        process.stdin.flush()
    for process in processes:
        said, errors = process.communicate(timeout=60)
        assert (said.split()[:1], errors) == (["3"], "")
    said, errors = start(place).communicate("\n", timeout=60)
    assert (said.split(), errors) == (["3", "False"], "")
