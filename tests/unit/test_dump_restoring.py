"""What is made of PostgreSQL's programs when they end as they should not; shell scripts stand in for them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from restorecheck.databases.guardian import Account
from restorecheck.databases.interface import Login
from restorecheck.dumps.complaints import MOST, Sort
from restorecheck.dumps.programs import Installation
from restorecheck.dumps.restoring import contents, environment, restore_archive, restore_script, server_version
from restorecheck.dumps.running import Limits
from restorecheck.errors import SourceError

LOGIN = Login("127.0.0.1", 1, "somebody", "only-for-tests", "shop")
LIMITS = Limits(lambda: 30.0)
SCRIPT = b"--\n-- PostgreSQL database dump\n--\n\n-- PostgreSQL database dump complete\n"


def programs(directory: Path, script: str) -> Installation:
    for name in ("pg_restore", "psql"):
        (directory / name).write_text(f"#!/bin/sh\n{script}\n")
        (directory / name).chmod(0o755)
    return Installation(directory, "18.1", (1, 16), frozenset({"gzip"}), restricts=True)


def archive(tmp_path: Path, script: str) -> list[Sort]:
    found, _ = restore_archive(programs(tmp_path, script), tmp_path / "dump", LOGIN, 2, LIMITS)
    return [c.sort for c in found]


def script(tmp_path: Path, does: str) -> list[Sort]:
    found, _ = restore_script(programs(tmp_path, does), iter([SCRIPT]), LOGIN, Account(), LIMITS)
    return [c.sort for c in found]


def test_no_word_and_no_code_is_no_complaint(tmp_path: Path) -> None:
    assert archive(tmp_path, "exit 0") == []


@pytest.mark.parametrize(
    "does",
    [
        "exit 1",
        "kill -9 $$",
        "echo 'pg_restore: warning: errors ignored on restore: 3' >&2; exit 1",
        "echo 'pg_restore: error: something that nobody has seen' >&2; exit 1",
    ],
)
def test_an_end_without_a_reason_is_unknown_and_not_green(tmp_path: Path, does: str) -> None:
    assert archive(tmp_path, does) == [Sort.UNKNOWN]


def test_a_flood_of_errors_is_cut_short(tmp_path: Path) -> None:
    flood = "while :; do echo 'pg_restore: error: could not execute query: ERROR:  syntax error' >&2; done"
    assert len(archive(tmp_path, flood)) > MOST
    flood = "while :; do echo 'psql:<stdin>:1: ERROR:  42601: syntax error' >&2; done"
    assert len(script(tmp_path, flood)) > MOST


def test_a_psql_that_does_not_come_to_the_end_of_the_script_is_noticed(tmp_path: Path) -> None:
    assert script(tmp_path, "cat > /dev/null") == [Sort.DAMAGE]
    assert script(tmp_path, "cat > /dev/null; exit 3") == [Sort.DAMAGE]
    lost = "cat > /dev/null; echo 'psql:<stdin>:9: error: connection to server was lost' >&2; exit 2"
    assert script(tmp_path, lost) == [Sort.TROUBLE]


@pytest.mark.parametrize(
    "does",
    [
        "kill -9 $$",  # as the kernel does where memory is short
        "cat > /dev/null; kill -9 $$",
        "exit 127",
        "echo 'libpq.so.5: cannot open shared object file' >&2; exit 127",
        "cat > /dev/null; exit 2",
    ],
)
def test_a_psql_that_dies_says_nothing_of_the_script(tmp_path: Path, does: str) -> None:
    assert script(tmp_path, does) == [Sort.UNKNOWN]
    missing = "echo 'psql:<stdin>:1: ERROR:  42704: role \"app\" does not exist' >&2; "
    assert script(tmp_path, missing + does) == [Sort.ROLE, Sort.UNKNOWN]


@pytest.mark.parametrize(
    ("does", "kind"),
    [
        ("exit 1", "unknown-answer"),
        ("kill -9 $$", "unknown-answer"),
        ("echo 'pg_restore: error: could not open input file: Permission denied' >&2; exit 1", "environment"),
        ("echo 'pg_restore: error: could not write file: No space left on device' >&2; exit 1", "scratch-full"),
        ("echo 'pg_restore: error: something that nobody has seen' >&2; exit 1", "dump-damaged"),
        ("echo 'pg_restore: error: could not read from input file: end of file' >&2; exit 1", "dump-damaged"),
        ("echo 'pg_restore: error: unsupported version (1.99) in file header' >&2; exit 1", "environment"),
    ],
)
def test_contents_that_cannot_be_read_are_told(tmp_path: Path, does: str, kind: str) -> None:
    with pytest.raises(SourceError, match="table of contents") as caught:
        contents(programs(tmp_path, does), tmp_path / "dump", LIMITS)
    assert caught.value.kind == kind


def test_contents_name_extensions_and_the_database(tmp_path: Path) -> None:
    said = """cat <<'X'
2; 3079 16386 EXTENSION - citext
CREATE DATABASE shop WITH TEMPLATE = template0 ENCODING = 'LATIN1' LOCALE_PROVIDER = icu
  LOCALE = 'de_DE' ICU_LOCALE = 'de';
X"""
    found = contents(programs(tmp_path, said), tmp_path / "dump", LIMITS)
    assert found.extensions == {"citext"}
    assert found.database["ENCODING"] == "LATIN1"
    assert found.database["ICU_LOCALE"] == "de"


def test_a_declared_server_that_does_not_answer_is_told(tmp_path: Path) -> None:
    assert server_version(programs(tmp_path, "echo '17.2 (Debian 17.2-1)'"), LOGIN, LIMITS) == "17.2"
    with pytest.raises(SourceError) as caught:
        server_version(programs(tmp_path, "exit 2"), LOGIN, LIMITS)
    assert caught.value.kind == "database-unreachable"


def test_a_server_off_this_machine_must_prove_who_it_is(tmp_path: Path) -> None:
    far = environment(replace(LOGIN, host="db.example.org"), tmp_path / "roots.pem")
    assert (far["PGSSLMODE"], far["PGSSLROOTCERT"]) == ("verify-full", str(tmp_path / "roots.pem"))
    assert "PGSSLMODE" not in environment(replace(LOGIN, host="127.0.0.1"))
