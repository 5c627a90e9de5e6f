"""Every way out of DuckDB's lock that we know of, tried through `ask`: refused, and this machine is as it was."""

from __future__ import annotations

import http.server
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from object_files import ONE, ORDERS, Asker, orders, view

from restorecheck.model import Expectation

pytestmark = pytest.mark.long  # each is a question to a process of its own

SECRET = "a secret beside the restored files"
NO_ROWS = Expectation(no_rows=True)

READING = [
    "select content from read_text('{secret}')",
    "select content from read_text('/etc/passwd')",
    "select content from read_blob('{secret}')",
    "select * from read_csv('{secret}')",
    "select * from read_csv('{inside}/../beside/secret.csv')",
    "select * from read_csv('{inside}/*')",
    "select * from read_json('{secret}')",
    "select * from read_parquet('{secret}')",
    "select * from sniff_csv('{secret}')",
    "select * from parquet_metadata('{secret}')",
    "select * from '{secret}'",
    "from '/etc/passwd'",
    "select * from glob('/etc/*')",
    "select * from glob('{inside}/../beside/*')",
    "select * from read_csv('{inside}/link.csv')",
    "select * from read_text('/proc/self/environ')",
    "select * from read_text('/proc/self/maps')",
    "select * from read_csv('/dev/stdin')",
    "select * from read_text('http://127.0.0.1:{port}/x')",
    "select * from read_csv('https://127.0.0.1:{port}/x')",
    "select * from read_parquet('s3://bucket/key')",
    "select getenv('PATH')",
    "select * from query('select content from read_text(''{secret}'')')",
    "select * from query_table('{secret}')",
    "with x as (select content from read_text('{secret}')) select * from x",
    "select (select content from read_text('{secret}'))",
    "select * from sqlite_scan('{secret}', 'x')",
    "select * from postgres_scan('host=127.0.0.1', 'public', 'x')",
]

DOING = [
    "copy (select 1) to '{inside}/escaped'",
    "copy orders to '{inside}/00000001.csv'",
    "copy orders from '{secret}'",
    "export database '{inside}/escaped'",
    "import database '{inside}'",
    "attach '{inside}/escaped.db'",
    "attach ':memory:' as other",
    "install httpfs",
    "load httpfs",
    "load '{secret}'",
    "set lock_configuration = false",
    "set enable_external_access = true",
    "set allowed_paths = ['/etc/passwd']",
    "set memory_limit = '100GB'",
    "reset enable_external_access",
    "pragma enable_external_access",
    "pragma enable_profiling='json'",
    "call pragma_version()",
    "create secret x (type s3, key_id 'a', secret 'b')",
    "create table escaped as select 1",
    "create macro f() as 1",
    "insert into orders values (1)",
    "with x as (insert into orders values (1) returning 1) select * from x",
    "update orders set id = 1",
    "delete from orders",
    "drop view orders",
    "begin",
    "checkpoint",
    "vacuum",
    "explain select 1",
    "explain analyze select 1",
    "prepare p as select 1",
    "execute p",
    "use memory",
    "pivot orders on id using sum(id)",
    "select 1; copy (select 1) to '{inside}/escaped'",
    "select 1 /* ; */ ; select 2",
]


@pytest.fixture(scope="module")
def listener() -> Iterator[tuple[int, list[str]]]:
    """A web server of this machine, and what was asked of it."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()

        do_HEAD = do_GET  # noqa: N815 - the name that http.server calls

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_address[1], asked
    server.shutdown()
    thread.join()
    server.server_close()


def tree(directory: Path) -> dict[str, bytes]:
    """Return every file under a directory with its content."""
    return {str(p): p.read_bytes() for p in sorted(directory.rglob("*")) if p.is_file()}


@pytest.mark.parametrize("sql", READING + DOING)
def test_an_escape_is_refused_and_leaves_nothing(
    sql: str, tmp_path: Path, listener: tuple[int, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    inside, beside = tmp_path / "inside", tmp_path / "beside"
    inside.mkdir()
    beside.mkdir()
    secret = beside / "secret.csv"
    secret.write_text(f"{SECRET}\n{SECRET}\n")
    (inside / "link.csv").symlink_to(secret)
    path = orders(inside, "csv", 50)
    port, asked = listener
    before = tree(tmp_path)
    text = sql.replace("{secret}", str(secret)).replace("{inside}", str(inside)).replace("{port}", str(port))
    files = {view(columns=ORDERS): (path,)}
    answer = Asker()(text, files, expect=NO_ROWS)  # one that would pass if the query answered nothing
    assert answer.error, answer
    assert answer.kind in ("question", "missing-object", "internal")
    assert SECRET not in answer.error
    assert tree(tmp_path) == before
    assert not asked


def test_nothing_of_the_environment_reaches_the_child(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DUCKDB_HOME", str(tmp_path))
    monkeypatch.setenv("PYTHONSTARTUP", "/etc/passwd")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (tmp_path / "duckdb.py").write_text("raise SystemExit(9)")
    assert Asker()("select 1").cells[0].text == "1"


def test_settings_that_matter_are_locked() -> None:
    ask = Asker()
    for name, value in (
        ("lock_configuration", "true"),
        ("enable_external_access", "false"),
        ("autoload_known_extensions", "false"),
        ("autoinstall_known_extensions", "false"),
        ("allow_community_extensions", "false"),
        ("python_enable_replacements", "false"),
    ):
        query = f"select value = '{value}' from duckdb_settings() where name = '{name}'"
        assert ask(query).cells[0].text == "true", name


def test_a_variable_of_the_reader_is_no_table() -> None:
    assert Asker()("select count(*) from job").kind == "missing-object"


def test_a_query_that_never_ends_is_ended() -> None:
    began = time.monotonic()
    query = "select count(*) from range(1000000000000) a, range(1000000) b where (a.range * b.range) % 7 = 3"
    answer = Asker()(query, timeout=0.5)
    assert answer.kind == "timeout"
    assert "0.5 s" in answer.error
    assert time.monotonic() - began < 50  # of the hundred seconds that all questions have


@pytest.mark.parametrize(
    "sql",
    [
        "select length(repeat('x', 3000000000))",
        "select repeat('x', 3000000000)",
        "select max(l) from (select list(repeat('x', 1000) || range) l from range(100000000))",
        "select count(*) from (select hash(range) h from range(300000000) group by h)",
    ],
)
def test_a_query_that_eats_memory_is_refused(sql: str) -> None:
    answer = Asker()(sql, timeout=40)
    assert answer.kind == "limit", answer
    assert not answer.cells


def test_a_huge_result_is_not_taken() -> None:
    answer = Asker()("select repeat('x', 100000) from range(100000000)", expect=NO_ROWS)
    assert (answer.rows, answer.more) == (10_000, True)
    one = Asker()("select repeat('x', 100000) from range(100000000)", expect=ONE)
    assert (one.rows, one.more) == (1, True)


def test_no_child_is_left() -> None:
    Asker()("select 1")
    children = b"".join(_read(task / "children") for task in Path("/proc/self/task").iterdir()).decode().split()
    assert not [pid for pid in children if b"duckdb_child" in _read(Path(f"/proc/{pid}/cmdline"))]


def _read(of_a_process: Path) -> bytes:
    try:
        return of_a_process.read_bytes()
    except (FileNotFoundError, ProcessLookupError):  # another thread or child ended meanwhile
        return b""
