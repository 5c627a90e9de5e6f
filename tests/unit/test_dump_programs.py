"""Which PostgreSQL is taken for a dump, and what is said when none will do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from restorecheck.dumps import programs
from restorecheck.dumps.header import Header, recognise
from restorecheck.dumps.programs import NEEDED, Installation, candidates, chosen, examined, head, installations
from restorecheck.errors import SourceError


def installation(version: str, *compressions: str, minor: int = 16, **more: object) -> Installation:
    values = {"extensions": frozenset({"citext"}), "restricts": True, **more}
    return Installation(Path("/pg") / version, version, (1, minor), frozenset(compressions), **values)  # type: ignore[arg-type]


OLD = installation("15.18", "gzip", minor=14)
FULL = installation("17.11", "gzip", "lz4", "zstd")
NEW = installation("18.6", "gzip")
ALL = (OLD, FULL, NEW)


def dump(server: str, compression: str = "gzip", minor: int = 14, form: str = "custom", program: str = "") -> Header:
    return Header("postgresql", form, (1, minor), compression, "shop", server, program or server)  # type: ignore[arg-type]


def refused(found: tuple[Installation, ...], header: Header) -> str:
    with pytest.raises(SourceError) as caught:
        chosen(found, header)
    assert caught.value.kind == "environment"
    return caught.value.message


@pytest.mark.parametrize(
    ("header", "version"),
    [
        (dump("9.6.24"), "15.18"),
        (dump("15.4 (Debian 15.4-1)"), "15.18"),
        (dump("15.4", minor=15), "17.11"),
        (dump("15.4", program="16.1"), "17.11"),
        (dump("16.1"), "17.11"),
        (dump("17.2", "zstd", 16), "17.11"),
        (dump("18.0", "gzip", 16), "18.6"),
        (dump("", "none"), "15.18"),
        (dump("14.1", form="plain"), "15.18"),
    ],
)
def test_the_oldest_that_can_restore_it_is_taken(header: Header, version: str) -> None:
    assert chosen(ALL, header).version == version


def test_one_with_the_extensions_is_preferred() -> None:
    rich = installation("18.1", "gzip", extensions=frozenset({"citext", "postgis"}))
    assert chosen((OLD, rich), dump("15.1"), {"postgis"}) is rich
    assert chosen((OLD, NEW), dump("15.1"), {"postgis"}) is OLD  # none has it: the restore will say so


def test_what_each_lacks_is_named() -> None:
    message = refused((OLD, NEW), dump("17.2", "zstd", 16))
    assert message.startswith("the dump is of PostgreSQL 17 with zstd; here are 15.18 in /pg/15.18 (is older than 17)")
    assert "18.6 in /pg/18.6 (no zstd)" in message
    assert "cannot read archives of version 1.16" in refused((OLD,), dump("15.1", minor=16))
    assert refused((), dump("", "none")).endswith("of an unknown version; here are no PostgreSQL at all")
    assert "here is 17.11" in refused((FULL,), dump("99.0"))


def test_a_script_needs_a_psql_that_can_be_restricted() -> None:
    loose = installation("17.1", "gzip", restricts=False)
    assert "restrict" in refused((loose,), dump("15.1", form="plain"))
    assert chosen((loose,), dump("15.1")) is loose


def test_the_head_that_is_handed_to_pg_restore_is_one() -> None:
    assert recognise(head(16, 3)).compression == "zstd"
    assert recognise(head(14, 6)).compression == "gzip"


# --- what is here -----------------------------------------------------------------------------------------------------


def fake(directory: Path, **scripts: str) -> Path:
    """Make a directory of programs that answer with shell scripts."""
    directory.mkdir(parents=True)
    for name in {*NEEDED, *scripts}:
        path = directory / name
        path.write_text(f"#!/bin/sh\n{scripts.get(name, 'exit 0')}\n")
        path.chmod(0o755)
    return directory


def test_directories_are_found_once_each_and_only_whole_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "_DEBIAN", tmp_path / "debian")
    monkeypatch.setattr(programs, "WHEEL", "no_such_wheel")
    one, two = fake(tmp_path / "one"), fake(tmp_path / "debian" / "16" / "bin")
    (fake(tmp_path / "part") / "psql").unlink()
    (tmp_path / "link").symlink_to(one)
    path = os.pathsep.join(["", str(tmp_path / "part"), str(tmp_path / "link"), "/nowhere"])
    assert list(candidates([one], path)) == [one, two]


def test_a_declared_directory_without_programs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="holds no postgres, initdb, psql, pg_restore") as caught:
        installations([tmp_path], "")
    assert caught.value.kind == "environment"


def test_one_that_does_not_run_is_told_and_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "_DEBIAN", tmp_path / "none")
    monkeypatch.setattr(programs, "WHEEL", "no_such_wheel")
    monkeypatch.setattr(programs, "server_user", dict)
    found, unusable = installations([fake(tmp_path / "broken", postgres="exit 1")], "")
    assert found == ()
    assert "does not run here" in unusable[0]


def test_one_that_cannot_be_started_is_told(tmp_path: Path) -> None:
    def run(*_: object, **__: object) -> subprocess.CompletedProcess[str]:
        raise PermissionError(13, "Permission denied")

    with pytest.raises(SourceError, match="Permission denied") as caught:
        examined(tmp_path, run)
    assert "readable to all" in caught.value.hint


def test_what_pg_restore_reads_is_asked_and_not_guessed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "server_user", dict)  # nobody else can reach a test's directory
    reader = f"exec {sys.executable} {tmp_path}/reader.py $2"
    (tmp_path / "reader.py").write_text(
        "import sys\n"
        "data = open(sys.argv[1], 'rb').read()\n"
        "if data[6] > 16: print('pg_restore: error: unsupported version (1.17) in file header')\n"
        "elif data[11] == 3: print('warning: this installation does not support compression (zstd)')\n"
    )
    directory = fake(tmp_path / "bin", postgres="echo 'postgres (PostgreSQL) 19.2'", pg_restore=reader)
    found = examined(directory)
    assert (found.version, found.major, found.archive) == ("19.2", 19, (1, 16))
    assert found.compressions == {"gzip", "lz4"}
    assert (found.restricts, found.extensions, found.tls) == (False, frozenset(), False)
