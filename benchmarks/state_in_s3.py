"""What a tick costs whose state is a bucket: fetch, fold, commit, with a thousand checks; beside a directory of SQLite.

The bucket is an HTTP server on this machine (moto), in a process of its own, reached through the fence. The peer does
the same work on a store in a directory: opens it, saves the same reports, closes it. All times are processor time of
our process, so neither the network nor the disk is in them. CHECKS (1000), RUNS (30) of each check, ENDED (40) runs
that a tick folds. Making a lost copy anew is measured with REBUILT (3000) records, which are read from memory.
"""

import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import boto3
import sqlalchemy as sa
from kept_bucket import KeptBucket
from metrics_world import ran
from store_places import AT

from restorecheck.fence import Fence
from restorecheck.model import Entry, Finding, Measured, Outcome, Report, Trigger
from restorecheck.store import Store
from restorecheck.store.bucket import BucketState, records
from restorecheck.store.bucket.s3 import S3Keeper
from restorecheck.store.tables import OUTBOX

CHECKS, RUNS, ENDED, REBUILT = (
    int(os.environ.get(name, n)) for name, n in (("CHECKS", 1000), ("RUNS", 30), ("ENDED", 40), ("REBUILT", 3000))
)
ROUNDS, REGION = 5, "eu-central-1"


def report(check: str, n: int) -> Report:
    """Return the n-th night of a check."""
    began = AT + timedelta(days=n)
    findings = tuple(
        Finding(f"question-{k}", Outcome.PASS, "at least 1", "2", seconds=0.5, value="2") for k in range(3)
    )
    measured = tuple(Measured(f"question-{k}", str(n)) for k in range(3))
    name, ended = f"{check}-{began:%Y%m%dt%H%Mz}", began + timedelta(minutes=9)
    made = replace(ran(), findings=findings, measured=measured)
    return replace(made, run_id=name, check=check, started=began, ended=ended)


def furnish(store: Store, checks: list[str]) -> None:
    """Let all nights be over, and told."""
    for check in checks:
        for n in range(RUNS):
            store.proofs.save(report(check, n))
        store.ledger.schedule(check, AT + timedelta(days=RUNS), [], [])
    store.prune(AT)  # which forgets none of them
    with store._database.write() as connection:  # noqa: SLF001 - as the telling does when nobody is to be told
        connection.execute(sa.update(OUTBOX).values(delivered=AT.timestamp()))


def seconds(act: Callable[[], object]) -> float:
    """Return the processor time of one call: others use the machine as well."""
    began = time.process_time()
    act()
    return time.process_time() - began


def begin(store: Store, ended: list[Report]) -> None:
    """Let runs be under way."""
    for one in ended:
        entry = Entry(one.run_id, one.check, "222222222222", one.started, one.started, Trigger.SCHEDULE)
        store.ledger.schedule(one.check, one.started, [entry], [])
    store.ledger.admit("lambda", lambda waiting, _: [e.run_id for e in waiting], AT + timedelta(days=999))


@contextmanager
def serving() -> Iterator[str]:
    """Serve an S3 from another process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def served(endpoint: str) -> S3Keeper:
    """Return a keeper of a new bucket."""
    client = boto3.client("s3", endpoint_url=endpoint, region_name=REGION)
    client.create_bucket(Bucket="state", CreateBucketConfiguration={"LocationConstraint": REGION})
    client.put_bucket_versioning(Bucket="state", VersioningConfiguration={"Status": "Enabled"})
    return S3Keeper(Fence({}, {}, endpoint_url=endpoint).keeper("state", "prod/", REGION), "state", "prod/")


def ticks(keeper: S3Keeper, home: Path, checks: list[str]) -> dict[str, float]:
    """Measure ticks: most of them find ENDED runs that were recorded since the one before."""
    clock = (AT + timedelta(days=RUNS, hours=1)).timestamp
    with closing(BucketState(keeper, home / "lambda", clock)) as state:
        store = state.open()
        furnish(store, checks)
        store.copy_to(home / "restorecheck.sqlite")
        first = seconds(state.commit)
        opened, folded, committed, quiet, records_put = [], [], [], [], []
        for n in range(ROUNDS):
            ended = [report(check, RUNS + n) for check in checks[:ENDED]]
            begin(state.open(), ended)
            state.commit()
            records_put.append(seconds(lambda some=ended: [state.put(one) for one in some]) / len(ended))
            opened.append(seconds(state.open))
            store = state._store  # noqa: SLF001 - what was just opened
            assert store is not None
            folded.append(seconds(lambda store=store: state.fold(store)))
            committed.append(seconds(state.commit))
            quiet.append(seconds(lambda: (state.fold(state.open()), state.commit())))
    kept = keeper.get(records.COPY)
    assert kept is not None
    return {
        "copy_megabytes": round(len(kept.body) / 1e6, 2),
        "first_commit_cpu_seconds": round(first, 3),
        "record_cpu_seconds": round(statistics.median(records_put), 4),
        "open_cpu_seconds": round(statistics.median(opened), 3),
        "fold_cpu_seconds": round(statistics.median(folded), 3),
        "commit_cpu_seconds": round(statistics.median(committed), 3),
        "quiet_tick_cpu_seconds": round(statistics.median(quiet), 3),
    }


def peer(home: Path, checks: list[str]) -> tuple[float, float]:
    """Do the same work on a directory with the same runs; return the seconds of a tick, and the size of its file."""
    file = home / "restorecheck.sqlite"
    took = []
    for n in range(ROUNDS):
        ended = [report(check, RUNS + n) for check in checks[:ENDED]]
        with closing(Store.open(f"sqlite:///{file}")) as store:
            begin(store, ended)

        def tick(some: list[Report] = ended) -> None:
            with closing(Store.open(f"sqlite:///{file}")) as store:
                for one in some:
                    store.proofs.save(one)

        took.append(seconds(tick))
    return statistics.median(took), file.stat().st_size / 1e6


def rebuilt(home: Path, checks: list[str]) -> float:
    """Return how long it takes to make a lost copy anew from REBUILT records, without the network."""
    bucket = KeptBucket()
    for check in checks[: REBUILT // RUNS]:
        for n in range(RUNS):
            one = report(check, n)
            bucket.write(records.record_key(one.run_id) or "", records.written(one))
    with closing(BucketState(bucket, home / "rebuilt")) as state:
        return seconds(state.open)


def main() -> None:
    os.environ |= {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}
    checks = [f"shop-{n:04}" for n in range(CHECKS)]
    with serving() as endpoint, tempfile.TemporaryDirectory(prefix="restorecheck-bucket-") as home:
        ours = ticks(served(endpoint), Path(home), checks)
        theirs, megabytes = peer(Path(home), checks)
        anew = rebuilt(Path(home), checks)
    tick = ours["open_cpu_seconds"] + ours["fold_cpu_seconds"] + ours["commit_cpu_seconds"]
    result = {
        "checks": CHECKS,
        "runs": CHECKS * RUNS,
        "folded": ENDED,
        **ours,
        "tick_cpu_seconds": round(tick, 3),
        "peer_tick_cpu_seconds": round(theirs, 3),
        "ratio": round(tick / theirs, 2),
        "peer_file_megabytes": round(megabytes, 2),
        "rebuilt": min(REBUILT // RUNS, CHECKS) * RUNS,
        "rebuild_cpu_seconds": round(anew, 2),
    }
    quiet, copy = ours["quiet_tick_cpu_seconds"], ours["copy_megabytes"]
    print(f"{CHECKS} checks, {CHECKS * RUNS} runs: a working copy of {copy} MB. CPU seconds of a tick:")
    print(f"{tick:.2f} if it folds {ENDED} runs, {quiet:.2f} if nothing happened; on a directory {theirs:.2f}")
    print("RESULT " + json.dumps(result))


if __name__ == "__main__":
    main()
