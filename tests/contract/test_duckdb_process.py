"""The child process itself: what it takes from itself, when it is killed, and that its program does a job."""

from __future__ import annotations

import ctypes
import io
import json
import os
import resource
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from object_files import FORMS, ORDERS, SALT, listing, orders

from restorecheck.databases import duckdb_child, duckdb_streams
from restorecheck.databases.duckdb_child import Job, main, run
from restorecheck.databases.duckdb_confinement import confine
from restorecheck.databases.duckdb_process import PROGRAM, Told, told_by_child

GIB = 1024**3


def job(sql: str = "select 1", views: list[dict[str, Any]] | None = None, **changes: Any) -> dict[str, Any]:
    made = {"name": "one", "sql": sql, "no_rows": False, "members": False, "salt": SALT, "timeout": 30.0}
    made |= {"memory": GIB, "threads": 1, "objects": "", "views": views or []}
    return {**made, **changes}


def a_view(*paths: Path, columns: tuple[tuple[str, str], ...] = ORDERS, read: bool = True) -> dict[str, Any]:
    return {"name": "orders", "paths": [str(p) for p in paths], "columns": columns, "read": read}


def said_by(document: dict[str, Any]) -> list[dict[str, Any]]:
    """Run the program of the child inside this process."""
    messages: list[dict[str, Any]] = []
    run(Job.of(document), messages.append)
    return messages


def child(program: str, *, seconds: float = 30, asking: float = 10) -> Told:
    """Run another program as if it were ours."""
    bounded = job() | {"address_space": 3 * GIB, "cpu_seconds": 60}
    return told_by_child(bounded, time.monotonic() + seconds, asking, program=program)


# --- the program, in this process -----------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS)
def test_the_program_reads_every_format(form: str, tmp_path: Path) -> None:
    columns = () if form == "parquet" else ORDERS
    path = orders(tmp_path, form, 10)
    said = said_by(job("select max(id) from orders", [a_view(path, columns=columns)]))
    assert [m.get("stage") for m in said] == ["open", "read", "read", "ask", None]
    assert said[2]["rows"] == 10
    assert said[-1]["answer"]["cells"] == ({"kind": "number", "text": "9", "naive": False},)


@pytest.mark.parametrize(
    ("content", "name", "kind"),
    [
        (b"id\n", "00000001.exe", "question"),
        (b"", "00000001.jsonl.gz", "data-damaged"),
        (b"\x1f\x8b", "00000001.csv.gz", "data-damaged"),
        (b"x" * 100, "00000001.csv.zst", "data-damaged"),
        (b"x" * 100, "00000001.parquet", "question"),  # with columns
        (b"{", "00000001.jsonl", "data-damaged"),
    ],
)
def test_the_program_says_what_is_wrong_with_a_file(content: bytes, name: str, kind: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    said = said_by(job(views=[a_view(path)]))
    assert said[-1]["kind"] == kind
    assert not any("answer" in m for m in said)


def test_the_program_guesses_columns_that_nobody_declared(tmp_path: Path) -> None:
    for form in ("csv", "tsv", "jsonl"):
        said = said_by(job("select max(id) from orders", [a_view(orders(tmp_path, form, 10), columns=())]))
        assert said[-1]["answer"]["cells"][0]["text"] == "9"


@pytest.mark.parametrize("name", ["00000001.csv", "00000001.csv.gz"])
def test_a_file_that_is_not_there_is_our_own_fault(name: str, tmp_path: Path) -> None:
    assert said_by(job(views=[a_view(tmp_path / name)]))[-1]["kind"] == "internal"


def test_the_program_asks_no_more_of_files_that_were_read_before(tmp_path: Path) -> None:
    said = said_by(job("select count(*) from orders", [a_view(orders(tmp_path, "csv.gz"), read=False)]))
    assert [m.get("stage") for m in said] == ["open", "ask", None]


@pytest.mark.parametrize(
    ("document", "error"),
    [
        (job("select 1; select 2"), "it is not exactly one SELECT"),
        (job("select $a"), "it has a placeholder, which nothing fills in"),
        (job("select repeat('x', 9000000)"), "the answer is larger than 8 MiB: ask for less"),
        (job("select 1, 2"), ""),
        (job("select range from range(3)", members=True), ""),
        (job("select range from range(3)", no_rows=True), ""),
    ],
)
def test_the_program_takes_what_the_expectation_needs(document: dict[str, Any], error: str) -> None:
    assert said_by(document)[-1]["answer"]["error"] == error


def test_the_program_interrupts_itself_in_time() -> None:
    endless = "select count(*) from range(1000000000000) a, range(1000000) b where (a.range * b.range) % 7 = 3"
    assert said_by(job(endless, timeout=0.2))[-1]["kind"] == "timeout"


def test_a_setting_that_duckdb_does_not_know_is_our_own_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(duckdb_child.ALWAYS, "no_such_setting", "1")
    assert said_by(job())[-1]["kind"] == "internal"


def test_views_without_files_and_the_list_of_objects_are_tables_too(tmp_path: Path) -> None:
    path = listing(tmp_path, [{"key": "a", "size": 3}])
    document = job("select sum(size) + (select count(*) from orders) from objects", [a_view()], objects=str(path))
    assert said_by(document)[-1]["answer"]["cells"][0]["text"] == "3"


def test_a_list_of_objects_that_cannot_be_read_is_our_own_fault(tmp_path: Path) -> None:
    document = job("select count(*) from objects", objects=str(tmp_path / "none.jsonl"))
    assert said_by(document)[-1]["kind"] == "internal"


def test_main_confines_itself_before_it_does_anything() -> None:
    out, limits = io.StringIO(), []
    document = job() | {"address_space": 5, "cpu_seconds": 6}
    main(io.StringIO(json.dumps(document)), out, lambda space, cpu: limits.append((space, cpu, out.getvalue())))
    assert limits == [(5, 6, "")]
    assert "answer" in json.loads(out.getvalue().splitlines()[-1])


# --- what it takes from itself ----------------------------------------------------------------------------------------


def test_limits_are_set_and_never_above_what_is_allowed() -> None:
    limits: dict[int, tuple[int, int]] = {}
    calls: list[str] = []

    class Kernel:
        def prctl(self, *_: int) -> None:
            calls.append("prctl")

        def unshare(self, flags: int) -> None:
            calls.append(f"unshare {flags:x}")

    confine(GIB, 60, set_limit=limits.__setitem__, kernel=Kernel)
    assert limits[resource.RLIMIT_CORE] == (0, 0)
    assert limits[resource.RLIMIT_FSIZE] == (0, 0)
    assert limits[resource.RLIMIT_AS] == (GIB, GIB)
    assert limits[resource.RLIMIT_CPU][0] == 60
    assert calls == ["prctl", "prctl", "prctl", "unshare 50000000"]


def test_a_kernel_without_these_calls_is_no_error() -> None:
    confine(GIB, 60, set_limit=lambda *_: None, kernel=object)


def test_a_child_has_its_limits_an_empty_environment_and_no_network(tmp_path: Path) -> None:
    probe = """
import json, sys, os, resource, signal
document = json.load(sys.stdin)
sys.path[:] = json.loads(sys.argv[1])
from restorecheck.databases.duckdb_confinement import confine
confine(document["address_space"], document["cpu_seconds"])
grows = "no"
try:
    with open(grown, "wb") as f:
        f.write(b"x")
    grows = "yes"
except OSError:
    os.unlink(grown)
print(json.dumps({"answer": {
    "environment": sorted(set(os.environ) - {"LC_CTYPE"}), "cwd": os.getcwd(), "core": resource.getrlimit(4),
    "space": resource.getrlimit(9)[0], "grows": grows, "session": os.getsid(0) == os.getpid(),
    "devices": [l.split(":")[0].strip() for l in open("/proc/net/dev").readlines()[2:]],
    "privileges": [l.split()[1] for l in open("/proc/self/status") if l.startswith("NoNewPrivs")],
    "files": sorted(os.listdir("/proc/self/fd")) if os.access("/proc/self/fd", os.R_OK) else [],
}}))
"""
    told = child(f"grown = {str(tmp_path / 'grown')!r}\n{probe}")
    answer = told.last["answer"]
    assert answer["environment"] == []
    assert (answer["cwd"], answer["core"], answer["space"]) == ("/", [0, 0], 3 * GIB)
    assert (answer["grows"], answer["session"], answer["privileges"]) == ("no", True, ["1"])
    assert len(answer["files"]) <= 4  # the three, and the directory itself
    if ctypes.CDLL(None).prctl and answer["devices"] != []:  # a kernel that allows no namespaces says so by devices
        assert "lo" in answer["devices"]


def test_the_real_child_answers() -> None:
    told = child(PROGRAM)
    assert told.last["answer"]["cells"][0]["text"] == "1"


# --- when it is killed ------------------------------------------------------------------------------------------------

SAY = "import json,time,os,sys,signal\nprint(json.dumps({'stage': 'ask'}), flush=True)\n"


def test_a_child_that_hangs_is_killed_with_its_children(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    forks = f"pid = os.fork()\nif pid: open({str(note)!r}, 'w').write(str(pid))\nelse: time.sleep(60)\n"
    began = time.monotonic()
    told = child("import os,time\n" + forks + SAY + "time.sleep(60)", asking=0.0)  # its time begins when all is there
    assert told.late
    assert time.monotonic() - began < 25
    grandchild = int(note.read_text())
    deadline = time.monotonic() + 30
    while _lives(grandchild) and time.monotonic() < deadline:
        os.sched_yield()
    assert not _lives(grandchild)


def _lives(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def test_a_question_has_its_own_time_from_when_it_is_asked() -> None:
    began = time.monotonic()
    told = child(SAY + "time.sleep(60)", asking=0.2)
    assert told.late
    assert told.stage == "ask"
    assert time.monotonic() - began < 25  # of the thirty that it has in all


@pytest.mark.parametrize(
    "program",
    [
        "print('no message', flush=True)\nimport time; time.sleep(60)",
        "print('[1]', flush=True)\nimport time; time.sleep(60)",
        "import sys\nwhile True: sys.stdout.write('x' * 65536)",
        "print('[' * 100000, flush=True)\nimport time; time.sleep(60)",
    ],
)
def test_a_child_that_says_no_message_or_too_much_is_not_listened_to(program: str) -> None:
    told = child(program)
    assert told.flooded
    assert not told.ended


def test_how_a_child_died_is_known() -> None:
    assert child(SAY + "os.kill(os.getpid(), signal.SIGSEGV)").status == -signal.SIGSEGV
    assert child("raise SystemExit(3)").status == 3
    assert child("import os; os.close(1); import time; time.sleep(60)").status == -signal.SIGALRM


def test_nothing_is_said_before_anything_is_said() -> None:
    told = Told()
    assert (told.last, told.stage, told.view, told.ended) == ({}, "", "", False)


# --- compressed files -------------------------------------------------------------------------------------------------


def test_a_stream_of_several_members_is_read_to_its_end(tmp_path: Path) -> None:
    for form in ("csv.gz", "csv.zst"):
        path = orders(tmp_path, form)
        whole = path.read_bytes()
        path.write_bytes(whole + whole)
        duckdb_streams.read_through(path, form.partition(".")[2])
        path.write_bytes(whole + whole[:-9])
        with pytest.raises(duckdb_streams.CutOffError):
            duckdb_streams.read_through(path, form.partition(".")[2])


def test_without_the_library_a_zstandard_file_is_not_taken_for_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "zstandard", None)
    path = tmp_path / "00000001.csv.zst"
    path.write_bytes(b"\x28\xb5\x2f\xfd")
    said = said_by(job(views=[a_view(path)]))
    assert said[-1]["kind"] == "environment"
