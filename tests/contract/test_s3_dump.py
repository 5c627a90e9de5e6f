"""Real dumps on their whole way: out of a bucket, through real PostgreSQL, to answers, and back to nothing."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from dump_bucket import NOW, RUN, SOURCE, Bucket, FakeGate, plan
from postgres_server import PASSWORD, SUPERUSER, Server, embedded, server

from restorecheck.assertions import judge_all, verdict
from restorecheck.databases.declared_postgres import DeclaredPostgres
from restorecheck.databases.interface import Login
from restorecheck.databases.postgres import Postgres
from restorecheck.dumps.loaders import DumpLoaders
from restorecheck.errors import RestorecheckError
from restorecheck.model import Answers, Assertion, Cell, Expectation, Plan, RecoveryPoint, S3DumpSource, Verdict
from restorecheck.passwords import Passwords
from restorecheck.sources.interface import Stage
from restorecheck.sources.s3_dump import S3Dump, World

ROWS = Assertion("rows", "SELECT count(*) FROM t", Expectation(at_least=Cell("number", "5000")))


@pytest.fixture(scope="module")
def running() -> Iterator[Server]:
    with server(embedded()) as one:
        with one.superuser() as connection:
            connection.execute("CREATE DATABASE orders")
            connection.execute("CREATE ROLE app")
        with one.superuser("orders") as connection:
            connection.execute("CREATE TABLE t AS SELECT n, md5(n::text) AS word FROM generate_series(1, 5000) n")
            connection.execute("ALTER TABLE t ADD PRIMARY KEY (n)")
            connection.execute("ALTER TABLE t OWNER TO app")
        yield one


@pytest.fixture(scope="module")
def dumped(running: Server, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory with dumps of the database: `custom`, `plain` and `directory/`."""
    place = tmp_path_factory.mktemp("dumps")
    environment = {"PGHOST": "127.0.0.1", "PGPORT": str(running.port), "PGUSER": SUPERUSER, "PGPASSWORD": PASSWORD}
    for name, form in (("custom", "c"), ("plain", "p"), ("directory", "d")):
        command = [running.binaries / "pg_dump", f"-F{form}", "-f", place / name, "orders"]
        subprocess.run(command, env=environment, check=True)
    return place


class Night:
    """One run in one process after another."""

    def __init__(self, directory: Path, bucket: Bucket, source: S3DumpSource, **world: Any) -> None:
        self.directory, self.bucket, self.world = directory, bucket, world
        self.plan: Plan = plan(replace(source, roles=("app",)), assertions=(ROWS,))
        self.bucket.block = 1 << 16
        self.dump = self.process()

    def process(self) -> S3Dump:
        self.made = World(
            fence=FakeGate(self.bucket),
            databases={"postgresql": Postgres()},
            loaders=DumpLoaders((embedded(),)),
            passwords=Passwords(b"k" * 32),
            now=lambda: NOW,
            monotonic=lambda: 0.0,
            workplace=lambda run: self.directory / f"restorecheck-{run}",
            free=lambda path: shutil.disk_usage(path).free,
            **self.world,
        )
        return S3Dump(self.plan, self.made)

    def there(self) -> RecoveryPoint:
        point = self.dump.find()
        for stage in self.dump.stages(point):
            go(stage)
        return point

    def back(self, point: RecoveryPoint) -> None:
        for stage in self.dump.teardown(point):
            go(stage)
        assert not self.dump.leftovers()

    def judged(self, point: RecoveryPoint, answers: Answers) -> tuple[Verdict, str]:
        found, failure = verdict(judge_all(self.plan.check, answers, point, "salt"), restores=False)
        return found, failure.kind if failure else ""

    def whole(self) -> tuple[Verdict, str]:
        """Run it to the end and return the verdict and the failure kind."""
        point = self.dump.find()
        try:
            self.there()
            return self.judged(point, self.dump.examine(point))
        except RestorecheckError as e:
            return Verdict.BROKEN if e.kind in {"dump-damaged", "object-damaged"} else Verdict.UNPROVEN, e.kind
        finally:
            self.back(point)


def go(stage: Stage) -> None:
    stage.begin()
    for _ in range(60):
        if stage.look().done:
            return
    raise AssertionError(stage.name)


def night(tmp_path: Path, files: dict[str, bytes], world: dict[str, Any] | None = None, **source: Any) -> Night:
    bucket = Bucket()
    for key, body in files.items():
        bucket.put(key, body)
    return Night(tmp_path / "work", bucket, replace(SOURCE, **source), **(world or {}))


def test_a_dump_is_restored_asked_and_gone_and_a_dead_process_s_work_is_done_again(dumped: Path, tmp_path: Path):
    run = night(tmp_path, {"dumps/a.dump": (dumped / "custom").read_bytes()})
    point = run.there()
    answers = run.dump.examine(point)
    assert run.judged(point, answers) == (Verdict.PASSED, "")
    names = [o.name for o in answers.observations]
    assert {"dump-size", "dump-checksum", "dump-database", "dump-restored", "dump-complete", "databases"} <= set(names)
    assert answers.server_version.startswith("18.")
    old = run.made.works[RUN]
    old._place.close()
    run.dump = run.process()
    again = run.dump.examine(point)
    assert run.judged(point, again) == (Verdict.PASSED, "")
    old._loader.close()  # type: ignore[union-attr]
    run.back(point)


def test_a_directory_is_restored(dumped: Path, tmp_path: Path):
    files = {f"dumps/1/{p.name}": p.read_bytes() for p in (dumped / "directory").iterdir()}
    assert night(tmp_path, files, object="dumps/*/toc.dat", form="directory").whole() == (Verdict.PASSED, "")
    files.pop(next(key for key in files if "toc" not in key))
    damaged = night(tmp_path / "2", files, object="dumps/*/toc.dat", form="directory")
    assert damaged.whole() == (Verdict.BROKEN, "dump-damaged")


def test_parts_are_restored_as_the_one_file_that_they_were(dumped: Path, tmp_path: Path):
    body = (dumped / "plain").read_bytes()
    third = len(body) // 3
    pieces = (body[:third], body[third : 2 * third], body[2 * third :])
    files = {f"dumps/a.sql.a{letter}": piece for letter, piece in zip("abc", pieces, strict=True)}
    source = {"object": "dumps/*", "form": "parts"}
    assert night(tmp_path, files, **source).whole() == (Verdict.PASSED, "")
    del files["dumps/a.sql.ac"]  # the last: no number shows it
    assert night(tmp_path / "2", files, **source).whole() == (Verdict.BROKEN, "dump-damaged")


def test_a_dump_that_is_cut_off_or_of_another_database_is_broken(dumped: Path, tmp_path: Path):
    body = (dumped / "custom").read_bytes()
    cut = night(tmp_path, {"dumps/a.dump": body[: len(body) * 6 // 10]})
    point = cut.there()
    answers = cut.dump.examine(point)
    assert "dump-damaged" in {o.kind for o in answers.observations}
    assert cut.judged(point, answers)[0] is Verdict.BROKEN
    cut.back(point)
    other = night(tmp_path / "2", {"dumps/a.dump": body}, database="shop")
    assert other.whole() == (Verdict.BROKEN, "wrong-database")


def test_a_dump_goes_into_a_declared_server_and_leaves_nothing_there(
    running: Server, dumped: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    world = {"servers": DeclaredPostgres}
    url = f"postgresql://{SUPERUSER}@127.0.0.1:{running.port}/postgres"
    before = names(running)
    run = night(tmp_path, {"dumps/a.dump": (dumped / "custom").read_bytes()}, world, server=url)
    point = run.there()
    assert names(running) - before
    assert run.judged(point, run.dump.examine(point)) == (Verdict.PASSED, "")
    assert len(run.dump.leftovers()) == 2
    run.back(point)
    assert names(running) == before


def names(running: Server) -> set[str]:
    with running.superuser() as connection:
        rows = connection.execute("SELECT datname FROM pg_database UNION SELECT rolname FROM pg_roles").fetchall()
    return {name for (name,) in rows}


def test_a_teardown_in_the_middle_of_a_restore_leaves_nothing(dumped: Path, tmp_path: Path):
    run = night(tmp_path, {"dumps/a.dump": (dumped / "custom").read_bytes()})
    run.plan = replace(run.plan, check=replace(run.plan.check, limits=replace(run.plan.check.limits, restore=MINUTE)))
    run.dump = run.process()
    point = run.dump.find()
    download, restore = run.dump.stages(point)
    go(download)
    restore.begin()
    run.made = replace(run.made, patience=0.01)
    restore.look()
    run.back(point)
    assert not list((tmp_path / "work").iterdir())


MINUTE = timedelta(minutes=1)


def _killing(master: Login, done: threading.Event) -> threading.Thread:
    """Kill whoever sleeps in a query, as the kernel does where memory is short."""
    where = {"host": master.host, "port": master.port, "user": master.user, "password": master.password}

    def kill() -> None:
        while not done.wait(0.05):
            with (
                suppress(psycopg.Error, ProcessLookupError),
                psycopg.connect(**where, dbname=master.database) as connection,
            ):
                sleepers = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
                for (pid,) in connection.execute(sleepers).fetchall():
                    os.kill(pid, signal.SIGKILL)

    thread = threading.Thread(target=kill, daemon=True)
    thread.start()
    return thread


@pytest.mark.long
def test_a_server_that_is_killed_here_while_it_is_asked_is_no_damage_of_the_dump(dumped: Path, tmp_path: Path):
    run = night(tmp_path, {"dumps/a.dump": (dumped / "custom").read_bytes()})
    slow = replace(ROWS, name="slow", sql="SELECT count(*) FROM t, pg_sleep(20)")
    run.plan = replace(run.plan, check=replace(run.plan.check, assertions=(ROWS, slow)))
    run.dump = run.process()
    point, done = run.there(), threading.Event()
    ready = run.made.works[RUN]._ready
    assert ready
    thread = _killing(ready.loaded.login, done)
    try:
        answers = run.dump.examine(point)
    finally:
        done.set()
        thread.join()
        run.back(point)
    assert run.judged(point, answers) == (Verdict.UNPROVEN, "database-unreachable")
    assert "broke off while it answered, twice" in answers.answers[1].error
