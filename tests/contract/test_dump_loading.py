"""Dumps of every form that the wheel's PostgreSQL makes, loaded into a scratch server, healthy and not so."""

from __future__ import annotations

import base64
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import zstandard
from dump_forms import ARCHIVES, LONG, ROLES, SCRIPTS, Forms, digest_of, files_of, forms, loader
from postgres_server import PASSWORD, SUPERUSER, debian, embedded, server

from restorecheck.databases.interface import Login
from restorecheck.databases.scratch_postgres import ScratchPostgres
from restorecheck.dumps import Loader, Wanted, programs
from restorecheck.errors import SourceError
from restorecheck.model import Observation
from restorecheck.sources.s3_dump.loads import Loaded, Loads


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forms]:
    yield from forms(embedded(), tmp_path_factory.mktemp("dumps"))


def never() -> bool:
    return False


def load(one: Loader, dump: Path) -> tuple[Loaded, tuple[str, str] | None]:
    try:
        one.inspect(files_of(dump), LONG, never)
        loaded = one.load("only-for-tests", LONG, never)
        return loaded, digest_of(loaded.login)
    finally:
        one.close()


def refused(one: Loader, dump: Path, within: timedelta = LONG) -> SourceError:
    try:
        with pytest.raises(SourceError) as caught:  # noqa: PT012 - whichever of the two
            one.inspect(files_of(dump), within, never)
            one.load("only-for-tests", within, never)
        return caught.value
    finally:
        one.close()


def observed(loaded: Loaded) -> Observation:
    return loaded.observations[0]


def head(dump: Path) -> bytes:
    return files_of(dump)[0].read_bytes()[: 1 << 16]


def test_the_server_that_was_begun_early_is_the_one_that_is_used(
    made: Forms, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made_here: list[ScratchPostgres] = []
    start = ScratchPostgres.start

    def noting(self: ScratchPostgres, within: float = 300.0) -> ScratchPostgres:
        made_here.append(self)
        return start(self, within)

    monkeypatch.setattr(ScratchPostgres, "start", noting)
    dump = made["custom-gzip"]
    one = loader(tmp_path, made.binaries)
    one.foresee(head(dump), "only-for-tests")
    one.foresee(head(dump), "only-for-tests")  # twice is once
    _, digest = load(one, dump)
    assert digest == made.digest
    assert len(made_here) == 1


def test_what_was_foreseen_wrongly_or_came_to_nothing_is_thrown_away(
    made: Forms, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dump = made["custom-gzip"]
    one = loader(tmp_path, made.binaries)
    one.foresee(b"no dump that anybody knows", "only-for-tests")
    assert one._early is None
    start, failing = ScratchPostgres.start, [True]

    def sometimes(self: ScratchPostgres, within: float = 300.0) -> ScratchPostgres:
        if failing.pop():
            raise SourceError("no port is free", kind="environment")
        failing.append(False)
        return start(self, within)

    monkeypatch.setattr(ScratchPostgres, "start", sometimes)
    failing[:] = [False, True]
    one.foresee(head(dump), "only-for-tests")
    assert one._early is not None
    one._early.join()
    failing[:] = [False]
    _, digest = load(one, dump)
    assert digest == made.digest
    assert not list((tmp_path).rglob("restorecheck-scratch-*"))


def test_a_loader_that_is_closed_while_it_looks_ahead_leaves_nothing(made: Forms, tmp_path: Path) -> None:
    one = loader(tmp_path, made.binaries)
    one.foresee(head(made["custom-gzip"]), "only-for-tests")
    early = one._early
    assert early is not None
    one.close()
    early.join()
    assert not early.made
    one.close()
    assert not list(tmp_path.rglob("restorecheck-scratch-*"))


QUICK = {"custom-gzip", "directory-gzip", "plain-zst"}


@pytest.mark.parametrize(
    "name", [n if n in QUICK else pytest.param(n, marks=pytest.mark.long) for n in (*ARCHIVES, *SCRIPTS)]
)
def test_a_healthy_dump_is_restored_with_all_its_rows(made: Forms, tmp_path: Path, name: str) -> None:
    one = loader(tmp_path, embedded(), "directory" if name.startswith("directory") else "file")
    loaded, digest = load(one, made[name])
    assert (observed(loaded).kind, observed(loaded).message) == ("", "")
    assert [o.name for o in loaded.observations] == ["dump-restored", "dump-complete"]
    assert digest == made.digest
    assert loaded.server_version.startswith("18.")
    assert loaded.proven[0].startswith("restored with PostgreSQL 18.")
    assert list(tmp_path.iterdir()) in ([], [tmp_path / "server"])


def test_what_a_dump_says_of_itself_is_told(made: Forms, tmp_path: Path) -> None:
    one: Loads = loader(tmp_path, embedded())
    described = one.inspect((made["custom-gzip"],), LONG, never)
    assert described.form.startswith("custom format of pg_dump 18.")
    assert described.form.endswith(", gzip")
    assert (described.database, described.server_version[:3]) == ("shop", "18.")
    assert len(described.unprovable) == 1
    one.close()


@pytest.mark.parametrize(
    "name", ["plain-gz", *(pytest.param(n, marks=pytest.mark.long) for n in ("custom-gzip", "tar"))]
)
def test_a_role_that_is_missing_is_no_fault_of_the_backup(made: Forms, tmp_path: Path, name: str) -> None:
    loaded, digest = load(loader(tmp_path, embedded(), roles=()), made[name])
    assert observed(loaded).kind == "environment"
    assert observed(loaded).message.startswith("roles that the dump speaks of are missing: app")
    assert digest == made.digest


@pytest.mark.parametrize("name", ["custom-gzip", pytest.param("plain", marks=pytest.mark.long)])
def test_an_archive_in_another_compression_is_unpacked_first(made: Forms, tmp_path: Path, name: str) -> None:
    packed = tmp_path / "dump"
    packed.write_bytes(zstandard.ZstdCompressor(write_checksum=True).compress(made[name].read_bytes()))
    loaded, digest = load(loader(tmp_path / "work", embedded()), packed)
    assert (observed(loaded).kind, digest) == ("", made.digest)
    assert "the zstd around" in loaded.proven[-1]
    packed.write_bytes(packed.read_bytes()[:-4])
    assert refused(loader(tmp_path / "work", embedded()), packed).kind == "dump-damaged"


@pytest.mark.parametrize("name", ["plain-gz", pytest.param("custom-gzip", marks=pytest.mark.long)])
def test_an_encrypted_dump_goes_through_the_declared_command(made: Forms, tmp_path: Path, name: str) -> None:
    secret = tmp_path / "dump"
    secret.write_bytes(base64.encodebytes(made[name].read_bytes()))
    command = (sys.executable, "-c", "import base64, sys; base64.decode(sys.stdin.buffer, sys.stdout.buffer)")
    loaded, digest = load(loader(tmp_path / "work", embedded(), decrypt=command), secret)
    assert (observed(loaded).kind, digest) == ("", made.digest)
    assert refused(loader(tmp_path / "work", embedded()), secret).kind == "dump-damaged"
    failing = (sys.executable, "-c", "raise SystemExit('no key')")
    assert refused(loader(tmp_path / "work", embedded(), decrypt=failing), secret).kind == "environment"


def test_a_dump_that_makes_its_own_database_is_restored_into_ours(made: Forms, tmp_path: Path) -> None:
    made.dump("--create", "--clean", "--if-exists", "-f", str(tmp_path / "dump"))
    loaded, digest = load(loader(tmp_path / "work", embedded()), tmp_path / "dump")
    assert (observed(loaded).message, digest) == ("", made.digest)


@pytest.mark.long
def test_dropping_first_what_is_not_there_is_harmless(made: Forms, tmp_path: Path) -> None:
    made.dump("--clean", "-f", str(tmp_path / "dump"))
    loaded, digest = load(loader(tmp_path / "work", embedded()), tmp_path / "dump")
    assert (observed(loaded).message, digest) == ("", made.digest)


@pytest.mark.long
def test_inserts_are_as_good_as_rows(made: Forms, tmp_path: Path) -> None:
    made.dump("--inserts", "-Fd", "-Z", "none", "-f", str(tmp_path / "dump"))
    loaded, digest = load(loader(tmp_path / "work", embedded(), "directory"), tmp_path / "dump")
    assert (observed(loaded).message, digest) == ("", made.digest)


def test_a_script_cannot_run_a_program_here(made: Forms, tmp_path: Path) -> None:
    sign = tmp_path / "sign"
    text = made["plain"].read_text().replace("SET row_security = off;", f"SET row_security = off;\n\\! touch {sign}\n")
    (tmp_path / "dump").write_text(text)
    loaded, _ = load(loader(tmp_path / "work", embedded()), tmp_path / "dump")
    assert observed(loaded).kind == "dump-errors"
    assert not sign.exists()


@pytest.mark.long
def test_an_extension_that_is_not_here_is_no_fault_of_the_backup(made: Forms, tmp_path: Path) -> None:
    text = made["plain"].read_text().replace("citext", "no_such_thing")
    (tmp_path / "dump").write_text(text)
    loaded, _ = load(loader(tmp_path / "work", embedded()), tmp_path / "dump")
    assert observed(loaded).kind == "environment"
    assert "no_such_thing" in observed(loaded).message


def test_rows_that_break_a_rule_are_the_backups_fault_and_are_not_told(made: Forms, tmp_path: Path) -> None:
    text = made["plain"].read_text().replace("u7@example.org", "u8@example.org")
    (tmp_path / "dump").write_text(text)
    loaded, _ = load(loader(tmp_path / "work", embedded()), tmp_path / "dump")
    assert observed(loaded).kind == "dump-errors"
    assert "u8@example.org" not in repr(loaded)


@pytest.mark.long
def test_a_script_does_not_say_how_its_texts_are_sorted(tmp_path: Path) -> None:
    """An archive names the collation; a script is restored with another, and its rows may fit no partition there."""
    with server(debian()) as running:
        with running.superuser() as connection:
            connection.execute("CREATE DATABASE sorted TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'en'")
        with running.superuser("sorted") as connection:
            for statement in (
                "CREATE TABLE t (name text PRIMARY KEY) PARTITION BY RANGE (name)",
                "CREATE TABLE t_1 PARTITION OF t FOR VALUES FROM ('a') TO ('z')",
                "INSERT INTO t VALUES ('anna'), ('Berta')",
                "CREATE TABLE u (name text REFERENCES t)",
                "INSERT INTO u VALUES ('Berta')",
            ):
                connection.execute(statement)
        variables = {"PGHOST": "127.0.0.1", "PGPORT": str(running.port), "PGUSER": SUPERUSER, "PGPASSWORD": PASSWORD}
        for form in "cp":
            command = [running.binaries / "pg_dump", f"-F{form}", "-f", tmp_path / form, "sorted"]
            subprocess.run(command, env=variables, check=True)
    archive, script = (observed(load(loader(tmp_path, debian()), tmp_path / form)[0]) for form in "cp")
    assert archive.kind == ""
    assert (script.kind, script.partial) == ("environment", True)
    assert script.message.endswith("texts may sort otherwise here than where it was dumped")


def test_a_statement_without_an_end_is_noticed(made: Forms, tmp_path: Path) -> None:
    text = made["plain"].read_text().replace("ADD CONSTRAINT users_pkey", "ADD CONSTRAINT 'users_pkey")
    (tmp_path / "dump").write_text(text)
    loaded, _ = load(loader(tmp_path / "work", embedded()), tmp_path / "dump")
    assert observed(loaded).kind in {"dump-damaged", "dump-errors"}


@pytest.mark.parametrize("name", ["custom-gzip", "tar", "plain"])
def test_a_dump_of_a_newer_major_needs_other_programs(
    made: Forms, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(programs, "WHEEL", "no_such_wheel")
    error = refused(loader(tmp_path, debian()), made[name])
    assert error.kind == "environment"
    assert error.message.startswith("the dump is of PostgreSQL 18")
    assert "15." in error.message


@pytest.mark.long
def test_an_older_major_restores_its_own_dumps(tmp_path: Path) -> None:
    for made in forms(debian(), tmp_path):
        made.dump("-Fc", "-f", str(tmp_path / "dump"))
        with_old = Wanted("shop", roles=ROLES, programs=(debian(),), jobs=2)
        loaded, digest = load(Loader(with_old, tmp_path / "work", path=""), tmp_path / "dump")
        assert (observed(loaded).message, digest) == ("", made.digest)
        assert loaded.server_version.startswith("15.")


def test_a_declared_server_gets_the_dump(made: Forms, tmp_path: Path) -> None:
    with server(embedded()) as running:
        with running.superuser() as connection:
            connection.execute("CREATE ROLE app")
            connection.execute("CREATE DATABASE run_1")
        login = Login("127.0.0.1", running.port, "postgres", PASSWORD, "run_1")
        wanted = Wanted("shop", programs=(embedded(),))
        one = Loader(wanted, tmp_path, server=lambda: login, path="")
        loaded, digest = load(one, made["custom-gzip"])
        assert (observed(loaded).message, loaded.login, digest) == ("", login, made.digest)
        assert loaded.server_version.startswith("18.")


@pytest.mark.parametrize("content", [b"", b"id,name\n1,x\n", b"-- MySQL dump 10.13\n"])
def test_what_is_no_dump_of_postgresql_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "dump").write_bytes(content)
    kinds = {"dump-damaged", "wrong-database"}
    assert refused(loader(tmp_path / "work", embedded()), tmp_path / "dump").kind in kinds


def test_a_directory_without_its_table_of_contents_is_damaged(tmp_path: Path) -> None:
    (tmp_path / "3530.dat").write_bytes(b"")
    assert refused(loader(tmp_path / "work", embedded(), "directory"), tmp_path / "3530.dat").kind == "dump-damaged"


def test_no_time_is_no_verdict(made: Forms, tmp_path: Path) -> None:
    error = refused(loader(tmp_path, embedded()), made["custom-gzip"], timedelta(0))
    assert error.kind == "deadline"


def test_a_closed_loader_loads_nothing(made: Forms, tmp_path: Path) -> None:
    one = loader(tmp_path, embedded())
    one.inspect((made["custom-gzip"],), LONG, never)
    one.close()
    with pytest.raises(SourceError) as caught:
        one.load("only-for-tests", LONG, never)
    assert caught.value.kind == "cancelled"


def test_nothing_can_be_loaded_that_was_not_inspected(tmp_path: Path) -> None:
    with pytest.raises(SourceError):
        loader(tmp_path, embedded()).load("only-for-tests", LONG, never)


@pytest.mark.long
def test_a_server_that_dies_under_the_load_is_no_fault_of_the_backup(
    made: Forms, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = ScratchPostgres.create

    def make_and_die(self: ScratchPostgres, *arguments: Any) -> tuple[str, ...]:
        remarks = make(self, *arguments)
        os.kill(int((self.directory / "data" / "postmaster.pid").read_text().split("\n")[0]), signal.SIGQUIT)
        while self._guarded.ended(1.0) is None:
            pass
        return remarks

    monkeypatch.setattr(ScratchPostgres, "create", make_and_die)
    for name in ("custom-gzip", "plain"):
        one = loader(tmp_path, embedded())
        one.inspect((made[name],), LONG, never)
        loaded = one.load("only-for-tests", LONG, never)
        one.close()
        assert observed(loaded).kind == "database-unreachable", observed(loaded)
