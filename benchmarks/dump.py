"""How long it takes from a dump in S3 to the first answer, against plain `pg_restore -j1` and the best set by hand.

A database of SIZE megabytes (800) is dumped once and put into a bucket of the demo AWS. Then, ROUNDS times (3) in turn:
the dump source of restorecheck, as a run uses it; boto3's download, a default server and `pg_restore -j1`; the same
with the best settings known and `pg_restore -j` of all cores. Each makes its server anew, and the clock stops at the
first counts; ours also compares checksums, makes a read-only role and looks for the databases. The last line is RESULT
{json}, medians as ratios: above 1 we are faster. PostgreSQL is that of RESTORECHECK_POSTGRES_17 with zstd, else the
wheel's with gzip.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "tests")]

import psycopg
from postgres_server import embedded

from restorecheck.assertions import judge_all, verdict
from restorecheck.config import load
from restorecheck.databases.interface import Login
from restorecheck.databases.scratch_postgres import SETTINGS, account
from restorecheck.demo.aws.process import REGION, DemoAws
from restorecheck.engines.clock import WallClock
from restorecheck.model import Verdict
from restorecheck.ports import LivePorts
from restorecheck.state import make_state

SIZE = int(os.environ.get("SIZE", "800"))
ROUNDS = int(os.environ.get("ROUNDS", "3"))
CORES = len(os.sched_getaffinity(0))
PASSWORD = "only-for-benchmarks"
SOURCE, SCRATCH, BASE = "111111111111", "222222222222", "333333333333"
BUCKET, KEY = "nightly", "shop/2026-11-21.dump"
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


def hand(aws: DemoAws, binaries: Path, place: Path, settings: dict[str, str], jobs: int, *initdb: str) -> float:
    """Return when the answer was there."""
    copy = place / "copy"
    aws.client("s3", SOURCE).download_file(BUCKET, KEY, str(copy))
    with by_hand(binaries, place, settings, *initdb) as environment:
        subprocess.run([binaries / "createdb", "shop"], check=True, env=environment)
        command = [str(binaries / "pg_restore"), "-d", "shop", "-j", str(jobs), str(copy)]
        subprocess.run(command, check=True, env=environment)
        ask(Login("127.0.0.1", int(environment["PGPORT"]), "postgres", PASSWORD, "shop"))
        return time.perf_counter()


def ours(ports: LivePorts, number: int) -> float:
    """Do what a run does from `find` to the answers, without its pauses; return when they were there."""
    plan = ports.plan(f"shop-20261121t00{number:02}z")
    source = ports.source(plan)
    point = source.find()
    for stage in source.stages(point):
        stage.begin()
        while not stage.look().done:
            pass
    answers = source.examine(point)
    answered = time.perf_counter()
    findings = judge_all(plan.check, answers, point, ports.salt(plan.run_id))
    assert verdict(findings, restores=False)[0] is Verdict.PASSED, findings
    return answered


def torn_down(ports: LivePorts, number: int) -> None:
    plan = ports.plan(f"shop-20261121t00{number:02}z")
    source = ports.source(plan)
    point = source.find()
    for stage in source.teardown(point):
        stage.begin()
        while not stage.look().done:
            pass
    assert not source.leftovers()


def configured(aws: DemoAws, binaries: Path, place: Path) -> LivePorts:
    roles = {a: aws.role(a, "restorecheck", trusted=[BASE], external_id="bench") for a in (SOURCE, SCRATCH)}
    keys = aws.credentials(BASE)
    os.environ["AWS_ACCESS_KEY_ID"] = keys["aws_access_key_id"]
    os.environ["AWS_SECRET_ACCESS_KEY"] = keys["aws_secret_access_key"]
    (place / "checks").mkdir()
    (place / "config.toml").write_text(
        f'endpoint_url = "{aws.url}"\nworkplace = "{place}/work"\n[programs]\npostgresql = ["{binaries}"]\n'
        f'[source_accounts.here]\nid = "{SOURCE}"\nrole = "{roles[SOURCE]}"\nexternal_id = "bench"\n'
        f'regions = ["{REGION}"]\n'
        f'[scratch_accounts.lab]\nid = "{SCRATCH}"\nrole = "{roles[SCRATCH]}"\nexternal_id = "bench"\n'
    )
    counted = "".join(
        f'[[assert]]\nname = "{name}"\nsql = "select count(*) from {name}"\nexpect = {{ equals = {number} }}\n'
        for name, number in rows(SIZE).items()
    )
    (place / "checks" / "shop.toml").write_text(
        f'[check]\nname = "shop"\nrpo = "1d"\nrto = "1h"\n[source]\ntype = "s3-dump"\naccount = "here"\n'
        f'region = "{REGION}"\nbucket = "{BUCKET}"\nobject = "{KEY}"\ndatabase = "shop"\n'
        f'[scratch]\naccount = "lab"\n{counted}'
    )
    config = load(place / "config.toml")
    make_state(config.state)
    return LivePorts(config, WallClock())


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


def measured(aws: DemoAws, binaries: Path, place: Path) -> dict[str, list[float]]:
    ports, number = configured(aws, binaries, place), 0
    took: dict[str, list[float]] = {"ours": [], "plain": [], "tuned": []}
    for number in range(ROUNDS):
        ways: dict[str, Callable[[], float]] = {
            "ours": lambda: ours(ports, number),  # noqa: B023 - called at once
            "plain": lambda: hand(aws, binaries, place, {}, 1),
            "tuned": lambda: hand(aws, binaries, place, BEST, CORES, "--no-sync"),
        }
        for name, run in ways.items():
            began = time.perf_counter()
            took[name].append(run() - began)
            if name == "ours":
                torn_down(ports, number)
    return took


def main() -> None:
    named = os.environ.get("RESTORECHECK_POSTGRES_17", "")
    binaries, compression = (Path(named), "zstd:3") if named else (embedded(), "gzip:1")
    place = Path(tempfile.mkdtemp(prefix="restorecheck-bench-"))
    place.chmod(0o711)
    account().give(place)
    try:
        dump = make(binaries, place, compression)
        print(f"{binaries}: {SIZE} MB, dumped with {compression} to {dump.stat().st_size >> 20} MiB, {CORES} cores")
        with DemoAws.start() as aws:
            s3 = aws.client("s3", SOURCE)
            s3.create_bucket(Bucket=BUCKET)
            s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
            s3.put_object(Bucket=BUCKET, Key=KEY, Body=dump.read_bytes())
            time.sleep(2)  # "now" is the second before a run began
            took = measured(aws, binaries, place)
        for name, seconds in took.items():
            print(f"{name:6} {' '.join(f'{s:6.2f}' for s in seconds)}  median {statistics.median(seconds):.2f} s")
        median = {name: statistics.median(seconds) for name, seconds in took.items()}
        ratios = {f"{name}_over_ours": round(median[name] / median["ours"], 2) for name in ("plain", "tuned")}
        print("RESULT " + json.dumps(ratios))
    finally:
        shutil.rmtree(place, ignore_errors=True)


if __name__ == "__main__":
    main()
