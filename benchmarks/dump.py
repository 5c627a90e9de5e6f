"""How long it takes from a dump to the first answer, against plain `pg_restore -j1` and against the best set by hand.

A database of SIZE megabytes (800) is dumped once. Then, ROUNDS times (3) in turn: our loader; a default server and
`pg_restore -j1`; a server with the best settings known and `pg_restore -j` of all cores. Each begins with a copy of the
dump, makes its server anew, and ends with the first counts. The last line is RESULT {json}, medians as ratios: above 1
we are faster. PostgreSQL is that of RESTORECHECK_POSTGRES_17 with zstd, else the wheel's with gzip.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "tests")]

import psycopg
from postgres_server import embedded

from restorecheck.databases.interface import Login
from restorecheck.databases.scratch_postgres import SETTINGS, account
from restorecheck.dumps import Loader, Wanted

SIZE = int(os.environ.get("SIZE", "800"))
ROUNDS = int(os.environ.get("ROUNDS", "3"))
CORES = len(os.sched_getaffinity(0))
PASSWORD = "only-for-benchmarks"
HOUR = timedelta(hours=1)
BEST = {
    **{k: v for k, v in SETTINGS.items() if k not in {"listen_addresses", "unix_socket_directories"}},
    "shared_buffers": "128MB",
    "maintenance_work_mem": "256MB",
    "max_wal_size": "16GB",
}
MATERIAL = """
    CREATE TABLE users (id int PRIMARY KEY, email text NOT NULL UNIQUE, made timestamptz NOT NULL);
    INSERT INTO users SELECT g, 'user' || g || '@example.org', '2026-01-01'::timestamptz + g * interval '1 minute'
        FROM generate_series(1, {users}) g;
    CREATE TABLE submissions (id bigint PRIMARY KEY, u int NOT NULL, made timestamptz NOT NULL, note text);
    INSERT INTO submissions SELECT g, 1 + g % {users}, '2026-01-01'::timestamptz + g * interval '1 second', md5(g::text)
        FROM generate_series(1, {submissions}) g;
    CREATE TABLE answers (id bigint PRIMARY KEY, s bigint NOT NULL, q int NOT NULL, body text, ok boolean);
    INSERT INTO answers SELECT g, 1 + g % {submissions}, g % 97, repeat(md5(g::text), 1 + g % 7), g % 3 = 0
        FROM generate_series(1, {answers}) g;
    CREATE TABLE documents (id int PRIMARY KEY, body text);
    INSERT INTO documents SELECT g, (SELECT string_agg(md5((g * 1000 + n)::text), '') FROM generate_series(1, 300) n)
        FROM generate_series(1, {documents}) g;
    CREATE INDEX ON answers (s);
    CREATE INDEX ON answers (q, ok);
    CREATE INDEX ON submissions (u, made);
    ALTER TABLE submissions ADD FOREIGN KEY (u) REFERENCES users;
    ALTER TABLE answers ADD FOREIGN KEY (s) REFERENCES submissions;
"""
QUESTION = """
    SELECT (SELECT count(*) FROM public.answers), (SELECT count(*) FROM public.submissions),
           (SELECT count(*) FROM public.users), (SELECT count(*) FROM public.documents)
"""


def rows(size: int) -> dict[str, int]:
    """Return how many rows make a database of about so many megabytes."""
    return {"users": 60 * size, "submissions": 250 * size, "answers": 2400 * size, "documents": 20 * size}


def as_server() -> dict[str, object]:
    who = account()
    return {"user": who.user, "group": who.group, "extra_groups": []} if who.user >= 0 else {}


@contextlib.contextmanager
def by_hand(binaries: Path, place: Path, settings: dict[str, str], *initdb: str) -> Iterator[dict[str, str]]:
    """Make and start a server as a script would, and yield the environment of its clients."""
    data = place / "data"
    shutil.rmtree(data, ignore_errors=True)
    secret = place / "secret"
    secret.write_text(PASSWORD)
    secret.chmod(0o644)
    command = [binaries / "initdb", "-D", data, "-U", "postgres", "-A", "scram-sha-256", "--pwfile", secret, *initdb]
    quiet: dict[str, object] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": "/", **as_server()}
    options = ["-E", "UTF8", "--locale=C"]
    subprocess.run([*command, *options], check=True, env={"LC_ALL": "C", "PATH": os.environ["PATH"]}, **quiet)  # type: ignore[call-overload]
    port = "54329"
    started = [binaries / "postgres", "-D", data, "-p", port, "-c", "unix_socket_directories="]
    for name, value in settings.items():
        started += ["-c", f"{name}={value}"]
    server = subprocess.Popen(started, **quiet)  # type: ignore[call-overload]
    try:
        while not (data / "postmaster.pid").exists() or "ready" not in (data / "postmaster.pid").read_text():
            assert server.poll() is None, "the server did not start"
            time.sleep(0.02)
        yield {"PGHOST": "127.0.0.1", "PGPORT": port, "PGUSER": "postgres", "PGPASSWORD": PASSWORD, "LC_ALL": "C"}
    finally:
        server.send_signal(3)
        server.wait()
        shutil.rmtree(data, ignore_errors=True)


def ask(login: Login) -> None:
    with psycopg.connect(
        host=login.host, port=login.port, user=login.user, password=login.password, dbname=login.database
    ) as connection:
        answer = connection.execute(QUESTION).fetchone()
    assert answer == tuple(rows(SIZE)[name] for name in ("answers", "submissions", "users", "documents")), answer


def hand(binaries: Path, dump: Path, place: Path, settings: dict[str, str], jobs: int, *initdb: str) -> None:
    copy = place / "copy"
    shutil.copyfile(dump, copy)
    with by_hand(binaries, place, settings, *initdb) as environment:
        subprocess.run([binaries / "createdb", "shop"], check=True, env=environment)
        command = [str(binaries / "pg_restore"), "-d", "shop", "-j", str(jobs), str(copy)]
        subprocess.run(command, check=True, env=environment)
        ask(Login("127.0.0.1", int(environment["PGPORT"]), "postgres", PASSWORD, "shop"))


def ours(binaries: Path, dump: Path, place: Path) -> None:
    copy, digest = place / "copy", hashlib.sha256()
    with dump.open("rb") as source, copy.open("wb") as target:
        while block := source.read(1 << 20):
            digest.update(block)
            target.write(block)
    loader = Loader(Wanted("shop", programs=(binaries,)), place / "ours", path="")
    try:
        loader.inspect((copy,), HOUR, lambda: False)
        loaded = loader.load(PASSWORD, HOUR, lambda: False)
        assert not loaded.observations[0].kind, loaded.observations
        ask(loaded.login)
    finally:
        loader.close()


def make(binaries: Path, place: Path, compression: str) -> Path:
    dump = place / "dump"
    with by_hand(binaries, place, BEST, "--no-sync") as environment:
        subprocess.run([binaries / "createdb", "shop"], check=True, env=environment)
        command = [binaries / "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", "shop", "-c"]
        subprocess.run([*command, MATERIAL.format(**rows(SIZE))], check=True, env=environment)
        subprocess.run(
            [binaries / "pg_dump", "-Fc", "-Z", compression, "-f", dump, "shop"], check=True, env=environment
        )
    return dump


def main() -> None:
    named = os.environ.get("RESTORECHECK_POSTGRES_17", "")
    binaries, compression = (Path(named), "zstd:3") if named else (embedded(), "gzip:1")
    place = Path(tempfile.mkdtemp(prefix="restorecheck-bench-"))
    place.chmod(0o711)
    account().give(place)
    try:
        dump = make(binaries, place, compression)
        print(f"{binaries}: {SIZE} MB, dumped with {compression} to {dump.stat().st_size >> 20} MiB, {CORES} cores")
        ways: dict[str, Callable[[], None]] = {
            "ours": lambda: ours(binaries, dump, place),
            "plain": lambda: hand(binaries, dump, place, {}, 1),
            "tuned": lambda: hand(binaries, dump, place, BEST, CORES, "--no-sync"),
        }
        took: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(ROUNDS):
            for name, run in ways.items():
                began = time.perf_counter()
                run()
                took[name].append(time.perf_counter() - began)
        for name, seconds in took.items():
            print(f"{name:6} {' '.join(f'{s:6.2f}' for s in seconds)}  median {statistics.median(seconds):.2f} s")
        median = {name: statistics.median(seconds) for name, seconds in took.items()}
        ratios = {f"{name}_over_ours": round(median[name] / median["ours"], 2) for name in ("plain", "tuned")}
        print("RESULT " + json.dumps(ratios))
    finally:
        shutil.rmtree(place, ignore_errors=True)


if __name__ == "__main__":
    main()
