"""What the client of MySQL says, which servers are here, and what keeps one from starting."""

from __future__ import annotations

import os
import shlex
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from restorecheck.databases import scratch_mysql
from restorecheck.databases.interface import Login
from restorecheck.databases.scratch_mysql import MysqlPrograms, ScratchMysql
from restorecheck.dumps import mysql_loader
from restorecheck.dumps.complaints import MOST, Sort, classified
from restorecheck.dumps.header import Header
from restorecheck.dumps.loader import Loader, Wanted
from restorecheck.dumps.loaders import DumpLoaders
from restorecheck.dumps.mysql_errors import complaint
from restorecheck.dumps.mysql_loader import MysqlLoader
from restorecheck.dumps.mysql_programs import chosen, flavour_of, programs_here, same
from restorecheck.errors import SourceError
from restorecheck.model import S3DumpSource

SOURCE = S3DumpSource("1", "r", "b", "o", "orders")


@pytest.mark.parametrize(
    ("line", "sort"),
    [
        ("ERROR 1062 (23000) at line 7: Duplicate entry 'secret' for key 'PRIMARY'", Sort.DATA),
        ("ERROR 1452 (23000) at line 7: Cannot add or update a child row secret", Sort.REFERENCE),
        ("ERROR 1146 (42S02) at line 7: Table 'a.secret' doesn't exist", Sort.FOLLOWS),
        ("ERROR 1114 (HY000) at line 7: The table 'secret' is full", Sort.FULL),
        ("ERROR 2013 (HY000) at line 7: Lost connection secret", Sort.TROUBLE),
        ("ERROR 1064 (42000) at line 7: You have an error near 'secret'", Sort.DAMAGE),
        ("ERROR 9999 (HY000) at line 7: secret", Sort.UNKNOWN),
        ("ERROR at line 7: secret", Sort.UNKNOWN),
        ("mysql: secret", Sort.UNKNOWN),
    ],
)
def test_an_error_is_sorted_by_its_number_and_no_value_is_kept(line: str, sort: Sort):
    found = complaint(line, same=True)
    assert found
    assert found.sort is sort
    assert "secret" not in found.sentence


def test_what_is_missing_here_is_named():
    found = complaint("ERROR 1273 (HY000) at line 9: Unknown collation: 'utf8mb4_0900_ai_ci'", same=False)
    assert found
    assert (found.sort, found.sqlstate) == (Sort.LACK, "HY000")
    assert found.sentence == "Unknown collation: 'utf8mb4_0900_ai_ci' at line 9"


def test_a_statement_that_another_server_would_understand_is_not_damage():
    for code in (1064, 1901):  # the second is of MariaDB alone: an expression that it takes for no default
        found = complaint(f"ERROR {code} (42000) at line 7: near 'secret'", same=False)
        follows = complaint("ERROR 1146 (42S02) at line 8: Table 'a.secret' doesn't exist", same=False)
        assert found
        assert follows
        assert found.sort is Sort.LACK
        assert classified([found, follows], other_locale=True).kind == "environment"
        assert "secret" not in found.sentence


def test_a_rule_that_another_flavour_reads_otherwise_is_excused_there():
    line = "ERROR 4025 (23000) at line 7: CONSTRAINT `t.j` failed for `a`.`secret`"
    assert [found.sort for same in (True, False) if (found := complaint(line, same=same))] == [Sort.DATA, Sort.ORDER]


def test_lines_between_errors_are_none():
    assert complaint("--------------", same=True) is None
    assert complaint("", same=True) is None


# --- programs ------------------------------------------------------------------------------------------------------


def program(path: Path, says: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{says}'\n")
    path.chmod(0o755)
    for above in path.parents:
        if str(above).startswith("/tmp/") and os.access(above, os.W_OK):
            above.chmod(above.stat().st_mode | 0o055)
    return path


def test_programs_are_asked_who_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("restorecheck.dumps.mysql_programs._USUAL", ())
    maria, mysql, bare = tmp_path / "maria", tmp_path / "mysql" / "sbin", tmp_path / "bare"
    program(maria / "mariadbd", "mariadbd  Ver 10.11.6-MariaDB-0+deb12u1 for debian-linux-gnu on x86_64")
    program(maria / "mariadb", "client")
    program(maria / "mariadb-install-db", "installer")
    program(mysql / "mysqld", "mysqld  Ver 8.0.36 for Linux on x86_64 (MySQL Community Server - GPL)")
    program(mysql.parent / "bin" / "mysql", "client")
    program(bare / "mysqld", "mysqld  Ver 8.4.0 for Linux")
    program(tmp_path / "odd" / "mysqld", "nothing that is a version")
    (tmp_path / "broken").mkdir()
    program(tmp_path / "broken" / "mysqld", "").write_text("#!/nonexistent\n")
    found = programs_here((maria, tmp_path / "odd", tmp_path / "broken"), f"{mysql}:{mysql}")
    assert [(p.flavour, p.version, p.client, bool(p.installer)) for p in found] == [
        ("MariaDB", "10.11.6", maria / "mariadb", True),
        ("MySQL", "8.0.36", mysql.parent / "bin" / "mysql", False),
    ]
    assert programs_here((bare,), "") == ()
    (maria / "mariadb-install-db").unlink()
    assert programs_here((maria,), "") == ()


def here(flavour: str, version: str) -> MysqlPrograms:
    return MysqlPrograms(Path("/x/server"), Path("/x/client"), None, flavour, version)


def test_the_oldest_that_understands_the_dump_is_taken_or_one_of_the_other_flavour():
    maria = Header("mysql", "plain", server="10.5.23-MariaDB", flavour="MySQL")  # as MariaDB's own program once wrote
    assert flavour_of(maria) == "MariaDB"
    found = [here("MariaDB", "11.4.2"), here("MariaDB", "10.11.6"), here("MariaDB", "10.4.1"), here("MySQL", "8.0.36")]
    assert chosen(found, maria).version == "10.11.6"
    mysql = Header("mysql", "plain", server="8.4.2", flavour="MySQL")
    assert chosen(found[:2], mysql).flavour == "MariaDB"
    assert not same(found[0], mysql)
    with pytest.raises(SourceError, match=r"of MySQL 8\.4\.2; here is MySQL 8\.0\.36"):
        chosen(found[3:], mysql)
    with pytest.raises(SourceError, match="no MariaDB or MySQL server") as e:
        chosen([], mysql)
    assert e.value.kind == "environment"


def test_each_engine_has_its_loader(tmp_path: Path):
    loaders = DumpLoaders((tmp_path,))
    assert isinstance(loaders(SOURCE, tmp_path, None), Loader)
    mysql = S3DumpSource("1", "r", "b", "o", "orders", engine="mysql")
    assert isinstance(loaders(mysql, tmp_path, None), MysqlLoader)


# --- a server that does not start -----------------------------------------------------------------------------------


def failing(tmp_path: Path, installer: str | None, server: str) -> MysqlPrograms:
    """Return programs that are scripts. Two of them may not be in a directory that a server's user cannot enter."""
    made = program(tmp_path / "bin" / "installer", "") if installer is not None else None
    if made:
        made.write_text(f"#!/bin/sh\n{installer}\n")
    daemon = program(tmp_path / "bin" / "server", "")
    daemon.write_text(f"#!/bin/sh\n{server}\n")
    return MysqlPrograms(daemon, Path("/bin/true"), made, "MariaDB" if made else "MySQL", "10.11.6")


TAKEN = """
for one in "$@"; do case "$one" in --tmpdir=*) tried="${one#*=}/tried" ;; esac; done
echo x >> "$tried"
if [ "$(wc -l < "$tried")" -gt %d ]; then echo 'ready for connections'; exec sleep 60; fi
echo '[ERROR] Bind on TCP/IP port. Got error: 98: Address already in use'; exit 1
"""
"""What a server does that finds its port taken so many times."""


@pytest.mark.parametrize(
    ("installer", "server", "says", "kind"),
    [
        ("echo 'ERROR: no such thing'; exit 1", "", "ERROR: no such thing", "environment"),
        ("true", "echo '[ERROR] No space left on device'; exit 1", "No space left", "scratch-full"),
        (None, "exit 1", "it said nothing", "environment"),
        ("true", TAKEN % 5, "Address already in use", "environment"),
    ],
)
def test_a_server_that_does_not_start_is_no_fault_of_the_backup(
    tmp_path: Path, installer: str | None, server: str, says: str, kind: str
):
    scratch = ScratchMysql(failing(tmp_path, installer, server), tmp_path / "work", password="secret1")
    try:
        with pytest.raises(SourceError, match=says) as e:
            scratch.start("orders")
        assert e.value.kind == kind
    finally:
        scratch.close()
    assert not scratch.directory.exists()


def test_a_server_that_never_says_that_it_is_ready_is_not_waited_for_for_ever(tmp_path: Path):
    programs = failing(tmp_path, "true", "sleep 60")
    now = [0.0]

    def later(seconds: float) -> None:
        now[0] += 100

    scratch = ScratchMysql(programs, tmp_path / "work", password="secret1", monotonic=lambda: now[0], wait=later)
    try:
        with pytest.raises(SourceError, match="did not answer in time") as e:
            scratch.start("orders")
        assert e.value.kind == "deadline"
    finally:
        scratch.close()
    stopped = [False]

    def stop(seconds: float) -> None:
        stopped[0] = True

    scratch = ScratchMysql(programs, tmp_path / "work", password="secret1", wait=stop, stop=lambda: stopped[0])
    try:
        with pytest.raises(SourceError) as e:
            scratch.start("orders")
        assert e.value.kind == "cancelled"
    finally:
        scratch.close()


def test_a_port_that_was_taken_meanwhile_is_tried_no_more(tmp_path: Path):
    scratch = ScratchMysql(failing(tmp_path, "true", TAKEN % 1), tmp_path / "work", password="secret1")
    try:
        assert scratch.start("orders").alive()
    finally:
        scratch.close()
    assert not scratch.directory.exists()


@pytest.mark.parametrize(("database", "password", "kind"), [("a\nb", "good1", "config"), ("a", "it's", "internal")])
def test_nothing_that_is_not_a_name_reaches_the_first_words_of_a_server(database: str, password: str, kind: str):
    with pytest.raises(SourceError) as e:
        scratch_mysql._first_words(database, password)
    assert e.value.kind == kind


def test_a_server_of_mysql_keeps_its_components(tmp_path: Path):
    scratch = ScratchMysql(failing(tmp_path, None, ""), tmp_path / "work", password="secret1")
    try:
        options = scratch._command(tmp_path, tmp_path)
    finally:
        scratch.close()
    assert "--loose-mysqlx=OFF" in options
    assert not any(o.startswith("--plugin-dir") for o in options)


# --- the loading ------------------------------------------------------------------------------------------------------

SCRIPT = """-- MySQL dump 10.13  Distrib 8.0.36
-- Host: h    Database: orders
-- Server version\t8.0.36
-- Dump completed
"""


class FakeServer:
    def __init__(self, directory: Path, *, alive: bool) -> None:
        self.directory, self._alive = directory, alive

    def login(self, database: str) -> Login:
        return Login("127.0.0.1", 1, "owner", "x", database)

    def alive(self) -> bool:
        return self._alive

    def close(self) -> None:
        pass


def loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, client: str, *, alive: bool = True) -> Any:
    """Load a script by a client that is a script itself; return the observation."""
    file = tmp_path / "dump"
    file.write_text(SCRIPT)
    tool = program(tmp_path / "bin" / "client", "")
    tool.write_text(f"#!/bin/sh\n{client}\n")
    programs = MysqlPrograms(Path("/x"), tool, None, "MySQL", "8.0.36")
    monkeypatch.setattr(mysql_loader.mysql_programs, "programs_here", lambda declared, path: (programs,))
    made = MysqlLoader(Wanted("orders"), tmp_path)
    made._started = lambda *args: FakeServer(tmp_path, alive=alive)  # type: ignore[method-assign,assignment]
    made.inspect([file], timedelta(minutes=1), lambda: False)
    return made.load("x", timedelta(minutes=1), lambda: False).observations[0]


@pytest.mark.parametrize(
    ("client", "kind", "says"),
    [
        ("cat | tail -c 60", "", ""),
        ("cat > /dev/null", "dump-damaged", "has no end"),
        ("cat > /dev/null; kill -9 $$", "unknown-answer", "ended by signal 9"),
        ("cat > /dev/null; exit 127", "unknown-answer", "ended with 127"),
        ("cat | tail -c 60; exit 1", "unknown-answer", "gave no reason"),
        ("cat | tail -c 60; exit 3", "unknown-answer", "ended with 3"),
        (f"yes 'ERROR 1062 (23000) at line 1: x' | head -{MOST + 9} >&2; sleep 60", "dump-errors", "twice"),
        ("echo 'ERROR 2013 (HY000) at line 1: x' >&2; cat > /dev/null", "unknown-answer", "went away"),
    ],
)
def test_what_the_client_says_is_the_finding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, client: str, kind: str, says: str
):
    seen = loaded(tmp_path, monkeypatch, client)
    if kind == "unknown-answer":  # whatever it is, it is not green and not the backup's fault
        assert seen.kind not in {"", "dump-errors", "dump-damaged"}
    else:
        assert seen.kind == kind
    assert says in seen.message


def test_the_statement_that_the_client_repeats_before_an_error_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    said = ["-" * 14, "INSERT INTO t VALUES (1,'", "two lines')", "-" * 14, "", "ERROR 1406 (22001) at line 7: x"]
    seen = loaded(tmp_path, monkeypatch, f"printf '%s\\n' {' '.join(map(shlex.quote, said))} >&2; cat | tail -c 60")
    assert (seen.kind, seen.observed) == ("dump-errors", "1 error")
    unclear = ["-" * 14, "ERROR 1406 (22001) at line 7: x"]  # a value may look like the end of a statement
    seen = loaded(tmp_path, monkeypatch, f"printf '%s\\n' {' '.join(map(shlex.quote, unclear))} >&2; cat | tail -c 60")
    assert seen.kind == "dump-errors"


def test_a_server_that_ended_and_a_disk_that_is_full_are_no_fault_of_the_backup(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    assert loaded(tmp_path, monkeypatch, "cat | tail -c 60", alive=False).kind not in {"", "dump-errors"}
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 0}))
    assert loaded(tmp_path, monkeypatch, "cat | tail -c 60").kind == "scratch-full"


def test_a_declared_command_decrypts_a_script(tmp_path: Path):
    (tmp_path / "dump").write_text(SCRIPT[::-1])
    made = MysqlLoader(Wanted("orders", decrypt=("/usr/bin/rev",)), tmp_path)
    with pytest.raises(SourceError):  # reversed line by line it is no dump: but the command did run
        made.inspect([tmp_path / "dump"], timedelta(minutes=1), lambda: False)
