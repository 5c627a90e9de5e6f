"""How fast the probes read a database, against `pg_dump` and `pg_amcheck`, and what each of them catches.

A database of SIZE megabytes (1000) is made once on PostgreSQL 17 and read once, so that it lies in memory. Then,
ROUNDS times (3) in turn: `readable`; `pg_dump > /dev/null`; `pg_amcheck`; `pg_amcheck --heapallindexed`, both with as
many jobs as there are cores; and all probes that look at data, one after another. Then 39 kinds of damage, with and
without page checksums (tests/damage), are shown to each (CATCH=0: not). The last line is RESULT {json}: medians of
megabytes of the database a second, ratios to `pg_dump` (above 1: faster than it), how many kinds each catches.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "tests"), str(HERE.parent / "tests" / "damage")]

import kinds
from cluster import Cluster, binaries, cluster
from dump import MATERIAL, rows
from postgres_server import PASSWORD, SUPERUSER, Server, free_port, server
from suite import PROBES, WITHOUT, look

from restorecheck.databases.interface import Login
from restorecheck.databases.postgres import Postgres
from restorecheck.model import Verdict

SIZE = int(os.environ.get("SIZE", "1000"))
ROUNDS = int(os.environ.get("ROUNDS", "3"))
CATCH = os.environ.get("CATCH", "1") != "0"
CORES = str(len(os.sched_getaffinity(0)))
SETTINGS = {
    "shared_buffers": "1500MB",
    "max_wal_size": "8GB",
    "log_statement": "none",
    "max_connections": "40",
    "jit": "off",
    "synchronous_commit": "local",  # else VACUUM cannot mark the pages of what was just written as seen by all
}
DATA = ("readable", "counts_agree", "visibility", "amcheck", "foreign_keys")
"""The probes that read data; the others read the catalogue."""

Way = Callable[[], bool]
"""Does one thing, and says whether all was well."""


def program(running: Server, name: str, *arguments: str) -> Way:
    """Return a program of PostgreSQL, pointed at the database."""
    environment = {"PGHOST": "127.0.0.1", "PGPORT": str(running.port), "PGUSER": SUPERUSER, "PGPASSWORD": PASSWORD}
    command = [str(running.binaries / name), *arguments]

    def run() -> bool:
        with Path(os.devnull).open("wb") as nothing:
            done = subprocess.run(
                command, stdout=nothing, stderr=nothing, env={**environment, "LC_ALL": "C"}, check=False, timeout=600
            )
        return done.returncode == 0

    return run


def programs(running: Server) -> dict[str, Way]:
    return {
        "pg_dump": program(running, "pg_dump", "shop"),
        "pg_amcheck": program(running, "pg_amcheck", "-j", CORES, "shop"),
        "pg_amcheck --heapallindexed": program(running, "pg_amcheck", "-j", CORES, "--heapallindexed", "shop"),
    }


def probing(running: Server, names: tuple[str, ...]) -> Way:
    """Return some probes, run through the executor as in a run."""
    database = Postgres(patience=timedelta(seconds=20))
    master = Login("127.0.0.1", running.port, SUPERUSER, PASSWORD, "shop")
    reader = replace(master, user="restorecheck_reader_x", password="read-only")
    database.prepare(master, reader, {"shop": ("amcheck", "pg_visibility")})
    wanted = [a for a in WITHOUT if a.name in names]

    def run() -> bool:
        answers = database.ask(reader, wanted, "salt", timedelta(minutes=10))
        return all(a.examined and not a.error and not a.examined.flawed and not a.examined.owed for a in answers)

    return run


def speed() -> tuple[dict[str, float], int]:
    """Return the median seconds of each way, and the size of the database in megabytes."""
    with server(binaries(), SETTINGS) as running:
        with running.superuser() as connection:
            connection.execute("CREATE DATABASE shop")
        with running.superuser("shop") as connection:
            connection.execute(MATERIAL.format(**rows(SIZE)))
            connection.execute("VACUUM ANALYZE")
            connection.execute("CHECKPOINT")
            connection.execute("CREATE EXTENSION amcheck")
            [size] = connection.execute("SELECT pg_database_size('shop') / 1000000").fetchone() or [0]
        ways = {
            "readable": probing(running, ("readable",)),
            **programs(running),
            "all probes": probing(running, DATA),
        }
        took: dict[str, list[float]] = {name: [] for name in ways}
        for turn in range(ROUNDS + 1):  # the first one warms up
            for name, way in ways.items():
                began = time.perf_counter()
                assert way(), f"{name} found something in a healthy database"
                if turn:
                    took[name].append(time.perf_counter() - began)
        return {name: statistics.median(seconds) for name, seconds in took.items()}, int(size)


def catches(shop: Cluster, one: kinds.Kind) -> dict[str, bool]:
    """Return who catches one kind of damage. Each begins with the same damaged files."""
    found: dict[str, bool] = {}
    for name in ("pg_dump", "pg_amcheck", "pg_amcheck --heapallindexed"):
        with shop.copy() as damaged:
            one.apply(damaged)
            running = replace(damaged.server, port=free_port())
            try:
                running.start()
                with running.superuser("shop") as connection:
                    connection.execute("CREATE EXTENSION IF NOT EXISTS amcheck")
                found[name] = not programs(running)[name]()
            except Exception as e:  # noqa: BLE001 - whatever keeps it from looking is seen by who runs it
                found[name] = bool(e)
            finally:
                running.stop()
    with shop.copy() as damaged:
        one.apply(damaged)
        seen, _ = look(damaged)
        names = {f.name for f in seen.found if f.kind in ("data-damaged", "connection-lost", "assertion-failed")}
        found["readable"] = bool(names & {"readable", "connect"})
        found["all probes"] = seen.without is Verdict.BROKEN
    return found


def main() -> None:
    seconds, size = speed()
    for name, took in seconds.items():
        print(f"{name:30} {took:6.2f} s {size / took:7.0f} MB/s")
    ratios = {name: round(seconds["pg_dump"] / took, 2) for name, took in seconds.items() if name != "pg_dump"}
    caught: dict[str, dict[str, int]] = {}
    if CATCH:
        for mode in ("checksums_off", "checksums_on"):
            with cluster(checksums=mode == "checksums_on") as shop:
                for one in kinds.KINDS:
                    if one.harmless or (one.harmless_with_checksums and mode == "checksums_on"):
                        continue
                    found = catches(shop, one)
                    print(f"{mode:13} {one.name:58} {', '.join(n for n, yes in found.items() if yes) or 'nobody'}")
                    for name, yes in found.items():
                        caught.setdefault(name, {"checksums_off": 0, "checksums_on": 0})[mode] += yes
    result = {
        "megabytes": size,
        "rounds": ROUNDS,
        "probes": [p for p in PROBES if p in DATA],
        "megabytes_per_second": {name: round(size / took) for name, took in seconds.items()},
        "pg_dump_over": ratios,
        "caught": caught,
    }
    print(f"RESULT {json.dumps(result)}")


if __name__ == "__main__":
    main()
