"""A scratch server lives as long as somebody wants it, and leaves nothing, however its owner ended."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from postgres_server import debian, embedded

from restorecheck.databases import guardian, scratch_postgres
from restorecheck.databases.guardian import PREFIX, Account, Guarded, sweep
from restorecheck.databases.postgres import Postgres
from restorecheck.databases.scratch_postgres import LIMITS, SUPERUSER, Locale, ScratchPostgres, account, place
from restorecheck.errors import SourceError
from restorecheck.model import Answer, Assertion, Cell, Expectation


def until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.02)


def running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"


@pytest.fixture
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A workplace; where root puts its servers instead is this test's own as well, and swept by nobody else."""
    with tempfile.TemporaryDirectory(prefix="rc-scratch-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o711)
        monkeypatch.setattr("tempfile.tempdir", name)
        monkeypatch.setenv("TMPDIR", name)
        yield tmp_path / "work"


@pytest.fixture
def one(inside: Path) -> Iterator[ScratchPostgres]:
    with ScratchPostgres(embedded(), 18, inside, password="only-for-tests") as server:
        yield server.start()


def postmaster(server: ScratchPostgres) -> int:
    return int((server.directory / "data" / "postmaster.pid").read_text().split("\n")[0])


# --- the server ------------------------------------------------------------------------------------------------------


def test_it_answers_its_superuser_and_forgets_nothing_it_should_keep(one: ScratchPostgres) -> None:
    assert one.version.startswith("18.")
    assert one.alive()
    remarks = one.create("shop", Locale("LATIN1", "libc", "C", "C"), ("app", "postgres", "app"))
    assert remarks == ()
    with one.connect("shop") as connection:
        assert connection.execute("SHOW server_encoding").fetchone() == ("LATIN1",)
        roles = connection.execute("SELECT rolname, rolcanlogin FROM pg_roles WHERE rolname !~ '^pg_'").fetchall()
        assert sorted(roles) == [("app", True), ("postgres", False), (SUPERUSER, True)]
        settings = ["fsync", "full_page_writes", "autovacuum", "wal_level", "max_wal_senders", "listen_addresses"]
        got = [connection.execute(f"SHOW {name}").fetchone() for name in settings]
        assert got == [("off",), ("off",), ("off",), ("minimal",), ("0",), ("127.0.0.1",)]


def test_no_event_trigger_of_a_dump_runs_with_the_superuser_s_rights(one: ScratchPostgres) -> None:
    one.create("shop", Locale(), ())
    with one.connect("shop") as connection:
        connection.execute("CREATE TABLE public.touched (n int)")
        connection.execute(
            "CREATE FUNCTION public.fire() RETURNS event_trigger LANGUAGE plpgsql "
            "AS $$ BEGIN INSERT INTO public.touched VALUES (1); END $$"
        )
        for event in ("login", "ddl_command_end"):
            connection.execute(f"CREATE EVENT TRIGGER on_{event} ON {event} EXECUTE FUNCTION public.fire()")
            connection.execute(f"ALTER EVENT TRIGGER on_{event} ENABLE ALWAYS")
    with one.connect("shop") as connection:
        connection.execute("CREATE TABLE public.more (n int)")
        assert connection.execute("SELECT count(*) FROM public.touched").fetchone() == (0,)


def test_no_time_limit_that_a_dump_brings_along_ends_what_the_superuser_does(one: ScratchPostgres) -> None:
    """As a dump with --create does, or one of pg_dumpall. The time to analyze a large database is longer than most."""
    one.create("shop", Locale(), ())
    with one.connect("shop") as connection:
        connection.execute("CREATE TABLE public.many AS SELECT g FROM generate_series(1, 9) g")
        for name in LIMITS:
            connection.execute(f"ALTER DATABASE shop SET {name} = '1ms'")
    with one.connect("shop") as connection, connection.transaction():
        assert connection.execute("SELECT 1 FROM pg_sleep(0.1)").fetchone() == (1,)
        assert {connection.execute(f"SHOW {name}").fetchone() for name in LIMITS} == {("0",)}
    one.analyze("shop")
    with one.connect("shop") as connection:
        counted = connection.execute("SELECT reltuples FROM pg_class WHERE oid = 'public.many'::regclass").fetchone()
    assert counted == (9.0,)


def test_nobody_gets_in_without_the_password(one: ScratchPostgres) -> None:
    login = one.login("postgres")
    for password in ("wrong", ""):
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(host=login.host, port=login.port, user=login.user, password=password, dbname="postgres")
    assert "only-for-tests" not in repr(login)


def test_its_directory_is_closed_to_others_and_its_environment_is_empty(
    inside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    with ScratchPostgres(embedded(), 18, inside, password="only-for-tests") as server:
        server.start()
        assert server.directory.stat().st_mode & 0o077 == 0
        assert not (server.directory / "password").exists()
        assert b"AWS" not in Path(f"/proc/{postmaster(server)}/environ").read_bytes()
        assert os.stat(f"/proc/{postmaster(server)}").st_uid != 0


def test_a_locale_that_is_not_here_is_replaced_and_told(one: ScratchPostgres) -> None:
    (remark,) = one.create("shop", Locale("UTF8", "libc", "tlh_KX.UTF-8", "tlh_KX.UTF-8"), ())
    assert "the locale of the dump is not on this machine" in remark
    assert one.create("dumped", Locale("UTF8", "builtin", "C", "C", "C.UTF-8"), ()) == ()
    assert one.create("icu", Locale("UTF8", "icu", "C", "C", "de"), ())  # the wheel has no ICU
    assert one.create("quoted", Locale("UTF8", "libc", "x'; DROP ROLE y", "C"), ()) == ()


def test_an_encoding_is_never_replaced(one: ScratchPostgres) -> None:
    with pytest.raises(SourceError) as caught:
        one.create("shop", Locale("KLINGON"), ())
    assert caught.value.kind == "environment"
    with pytest.raises(SourceError, match="the server's own"):
        one.create("postgres", Locale(), ())


def test_an_older_major_works_too(inside: Path) -> None:
    with ScratchPostgres(debian(), 15, inside, password="only-for-tests") as server:
        assert server.start().version.startswith("15.")
        assert server.create("shop", Locale("UTF8", "icu", "C", "C", "de"), ()) == ()


def test_programs_that_do_not_work_are_the_environments_fault(inside: Path, tmp_path: Path) -> None:
    with ScratchPostgres(tmp_path, 18, inside, password="x") as server, pytest.raises(SourceError) as caught:
        server.start()
    assert caught.value.kind == "environment"
    assert "did not start" in caught.value.message


def test_a_start_that_nobody_wants_any_more_ends(inside: Path) -> None:
    with (
        ScratchPostgres(embedded(), 18, inside, password="x", stop=lambda: True) as server,
        pytest.raises(SourceError) as caught,
    ):
        server.start()
    assert caught.value.kind == "cancelled"
    assert not server.directory.exists()


def test_a_start_that_takes_too_long_ends(inside: Path) -> None:
    with ScratchPostgres(embedded(), 18, inside, password="x") as server, pytest.raises(SourceError) as caught:
        server.start(within=0.0)
    assert caught.value.kind == "deadline"


def test_a_port_that_was_taken_meanwhile_is_tried_no_more(inside: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ports = [taken.getsockname()[1]]
        free = scratch_postgres._free_port
        monkeypatch.setattr(scratch_postgres, "_free_port", lambda: ports.pop() if ports else free())
        with ScratchPostgres(embedded(), 18, inside, password="x") as server:
            assert server.start().port != taken.getsockname()[1]


# --- its end ---------------------------------------------------------------------------------------------------------


def test_closing_leaves_nothing_and_may_be_done_twice(one: ScratchPostgres) -> None:
    pid = postmaster(one)
    one.close()
    assert not running(pid)
    assert not one.directory.exists()
    assert not one.alive()
    one.close()


OWNER = """
import sys, time
from pathlib import Path
from restorecheck.databases.scratch_postgres import ScratchPostgres
server = ScratchPostgres(Path(sys.argv[1]), 18, Path(sys.argv[2]), password="only-for-tests").start()
pid = (server.directory / "data" / "postmaster.pid").read_text().split("\\n")[0]
print(pid, server._guarded._process.pid, server.directory, flush=True)
time.sleep(600)
"""


@pytest.fixture
def owned(inside: Path) -> Iterator[tuple[subprocess.Popen[str], int, int, Path]]:
    command = [sys.executable, "-c", OWNER, str(embedded()), str(inside)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as owner:
        try:
            assert owner.stdout
            pid, guard, directory = owner.stdout.readline().split()
            yield owner, int(pid), int(guard), Path(directory)
        finally:
            owner.kill()


def test_a_service_that_is_killed_leaves_neither_server_nor_data(
    owned: tuple[subprocess.Popen[str], int, int, Path],
) -> None:
    owner, pid, guard, directory = owned
    assert running(pid)
    owner.send_signal(signal.SIGKILL)
    until(lambda: not running(pid) and not running(guard) and not directory.exists())


def test_a_server_whose_guardian_is_killed_ends_and_is_swept(
    owned: tuple[subprocess.Popen[str], int, int, Path],
) -> None:
    owner, pid, guard, directory = owned
    os.kill(guard, signal.SIGKILL)
    until(lambda: not running(pid))
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    assert directory.exists()
    assert directory.name in sweep(directory.parent)
    assert not directory.exists()


def test_a_living_server_is_not_swept(one: ScratchPostgres) -> None:
    assert sweep(one.directory.parent) == []
    assert one.alive()


def test_a_guardian_that_is_gone_is_told(inside: Path) -> None:
    with ScratchPostgres(embedded(), 18, inside, password="x") as server:
        server.start()
        server._guarded._process.kill()
        until(lambda: not server.alive())
        with pytest.raises(SourceError) as caught:
            server._guarded.run(["/bin/true"], {}, 5.0)
        assert caught.value.kind == "interfered"


# --- guardians -------------------------------------------------------------------------------------------------------


def guarded(inside: Path) -> Guarded:
    return Guarded(place(inside), account())


def test_a_program_runs_to_its_end_and_its_last_words_come_back(inside: Path) -> None:
    one = guarded(inside)
    try:
        done = one.run(["/bin/sh", "-c", "echo first; echo $KNOWN $HOME; exit 7"], {"KNOWN": "yes"}, 20.0)
        assert (done.code, done.words) == (7, "first\nyes\n")
        missing = one.run(["/nowhere/program"], {}, 20.0)
        assert missing.code == 127
        assert "/nowhere/program" in missing.words
    finally:
        one.close()


def test_the_log_of_a_server_is_capped(inside: Path) -> None:
    one = guarded(inside)
    try:
        one.serve(["/bin/sh", "-c", "head -c 5000000 /dev/zero"], {"PATH": "/usr/bin:/bin"}, signal.SIGKILL)
        ended = None
        while ended is None:
            ended = one.ended(1.0)
        assert ended.code == 0
        assert 1 << 20 <= one.log.stat().st_size < (1 << 20) + (1 << 17)
    finally:
        one.close()


def test_children_of_children_are_ended_as_well(inside: Path) -> None:
    one = guarded(inside)
    script = 'setsid sh -c "echo \\$\\$ > child; exec sleep 600" & while [ ! -s child ]; do :; done; exec sleep 600'
    one.serve(["/bin/sh", "-c", script], {"PATH": "/usr/bin:/bin"}, signal.SIGTERM)
    child = one.directory / "child"
    until(lambda: child.exists() and bool(child.read_text().strip()))
    pid = int(child.read_text())
    assert running(pid)
    one.close()
    assert not running(pid)


@pytest.mark.parametrize("name", ["elsewhere", PREFIX + "link", PREFIX + "file", PREFIX + "full"])
def test_what_is_not_ours_is_never_swept(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name.endswith("link"):
        (tmp_path / "target").mkdir()
        (tmp_path / "target" / guardian._LOCK).touch()
        path.symlink_to(tmp_path / "target")
    elif name.endswith("file"):
        path.touch()
    else:
        path.mkdir()
        (path / "precious").touch()
    assert sweep(tmp_path) == []
    assert path.exists()
    assert name != PREFIX + "full" or (path / "precious").exists()


def test_a_directory_of_somebody_else_is_never_swept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / f"{PREFIX}x").mkdir()
    (tmp_path / f"{PREFIX}x" / guardian._LOCK).touch()
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    assert sweep(tmp_path) == []
    monkeypatch.undo()
    assert sweep(tmp_path) == [f"{PREFIX}x"]


def test_nothing_to_sweep_is_fine(tmp_path: Path) -> None:
    assert sweep(tmp_path / "nowhere") == []


def test_a_server_that_lost_its_guardian_is_stopped_only_where_it_works(tmp_path: Path) -> None:
    path = tmp_path / f"{PREFIX}x"
    (path / "data").mkdir(parents=True)
    (path / guardian._LOCK).touch()
    with subprocess.Popen(["sleep", "600"], cwd="/") as other, subprocess.Popen(["sleep", "600"], cwd=path) as ours:
        try:
            (path / "data" / "postmaster.pid").write_text(f"{other.pid}\n")
            (path / "data" / "server.pid").write_text(f"{ours.pid}\n")
            assert sweep(tmp_path) == [path.name]
            assert ours.wait(60) == -signal.SIGKILL
            assert running(other.pid)
        finally:
            other.kill()
            ours.kill()


def test_a_bound_program_dies_with_the_one_that_started_it() -> None:
    script = (
        "import subprocess, time\nfrom restorecheck.databases.guardian import bound\n"
        "print(subprocess.Popen(bound(['/bin/sleep', '600'])).pid, flush=True)\ntime.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        pid = int(parent.stdout.readline())
        until(lambda: Path(f"/proc/{pid}/cmdline").read_bytes().startswith(b"/bin/sleep"))
        parent.send_signal(signal.SIGKILL)
    until(lambda: not running(pid))


# --- where it is put -------------------------------------------------------------------------------------------------


def test_root_does_not_put_a_server_where_nobody_can_reach_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = tmp_path / "state"
    closed.mkdir(mode=0o700)
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    assert place(closed / "work") == closed / "work"
    assert account() == Account()
    monkeypatch.undo()
    if os.geteuid() == 0:
        assert place(closed / "work") != closed / "work"
        assert account().user > 0


def test_a_place_that_somebody_else_made_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if os.geteuid() != 0:
        return
    closed = tmp_path / "state"
    closed.mkdir(mode=0o700)
    (tmp_path / "other").mkdir()
    (tmp_path / "restorecheck-scratch-servers").symlink_to(tmp_path / "other")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(SourceError, match="is not ours"):
        place(closed)


# --- what a dump brings along -----------------------------------------------------------------------------------------

PROGRAM = """
    CREATE FUNCTION public.{0}(path text) RETURNS int SECURITY DEFINER LANGUAGE plpgsql AS $f$
        BEGIN EXECUTE format('COPY (SELECT 1) TO PROGRAM %L', 'cat > ' || path); RETURN 1; END $f$;
    ALTER FUNCTION public.{0}(text) OWNER TO {1};
"""
HOSTILE = """
    CREATE EXTENSION file_fdw;
    CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;
    CREATE FOREIGN TABLE public.program (line text) SERVER files OPTIONS (program 'touch {witness}; echo 1');
    CREATE FOREIGN TABLE public.passwords (line text) SERVER files OPTIONS (filename '/etc/passwd');
    GRANT EXECUTE ON FUNCTION pg_catalog.lo_export(oid, text), pg_catalog.pg_read_file(text) TO PUBLIC;
    GRANT EXECUTE ON FUNCTION pg_catalog.lo_import(text) TO PUBLIC;
    CREATE FUNCTION public.untrusted(text) RETURNS text LANGUAGE internal AS 'upper';
    CREATE TABLE public.orders AS SELECT g AS id FROM generate_series(1, 10) g;
    CREATE FUNCTION public.honest() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM public.orders';
    CREATE FUNCTION public.fires() RETURNS event_trigger LANGUAGE plpgsql AS $f$
        BEGIN COPY (SELECT 1) TO PROGRAM 'touch {witness}'; END $f$;
    CREATE EVENT TRIGGER fires ON ddl_command_start EXECUTE FUNCTION public.fires();
"""
ESCAPES = (
    "select of_ours('{witness}')",
    "select of_postgres('{witness}')",
    "select of_app('{witness}')",
    "select line from program",
    "select count(*) from passwords",
    "select pg_read_file('/etc/hostname')",
    "select lo_import('/etc/hostname')",
    "select lo_export(1, '{witness}')",
    "select untrusted('x')",
)


def test_nothing_that_came_with_a_dump_gets_out_of_the_database(one: ScratchPostgres) -> None:
    witness = one.directory / "data" / "witness"  # where the server's account may write
    one.create("shop", Locale(), ("app",))
    with one.connect("shop") as connection:
        connection.execute("SET event_triggers = off")
        connection.execute("GRANT pg_execute_server_program TO app")
        for name, owner in (("of_ours", SUPERUSER), ("of_postgres", "postgres"), ("of_app", "app")):
            connection.execute(PROGRAM.format(name, owner).encode())
        connection.execute(HOSTILE.format(witness=witness).encode())
    master, database = one.login("shop"), Postgres()
    reader = replace(master, user="restorecheck_reader_x", password="read-only")

    def asked(sql: str) -> Answer:
        question = Assertion("x", sql.format(witness=witness), Expectation(at_least=Cell("number", "0")))
        return database.ask(reader, [question], "salt", timedelta(seconds=30))[0]

    database.prepare(master, reader)
    assert asked(ESCAPES[0]).error == ""  # this is what it is about
    until(witness.exists)
    witness.unlink()
    one.disarm("shop")
    one.disarm("shop")  # a second attempt finds nothing more to do
    for sql in ESCAPES:
        answer = asked(sql)
        assert answer.error, sql
        assert not witness.exists(), sql
    assert [asked(sql).cells[0].text for sql in ("select honest()", "select count(*) from orders")] == ["10", "10"]
    with one.connect("shop") as connection:
        assert connection.execute("SELECT rolname FROM pg_roles WHERE rolsuper").fetchall() == [(SUPERUSER,)]


def test_what_cannot_be_made_harmless_is_not_asked(one: ScratchPostgres) -> None:
    with pytest.raises(SourceError, match="could not be made harmless") as e:
        one.disarm("nowhere")
    assert e.value.kind == "environment"
