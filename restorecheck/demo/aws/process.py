"""The demo AWS as a child process: start it, talk to its control endpoint, stop it. For tests and for the demo.

This module alone is what others import; the server itself runs elsewhere, so that its death can be tested too.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

REGION = "us-east-1"
ADMINISTRATOR_KEY = "AKIADEMO"
START_SECONDS = 60.0
FAST = {"create": 0.2, "backup": 0.2, "snapshot": 0.1, "copy": 0.1, "delete": 0.1, "password": 0.2}
"""Timings for tests: short, but long enough for every status to be seen by somebody who polls."""


class DemoAwsError(Exception):
    """The server did not start, or refused a control call; its text says why."""


class DemoAws:
    """A running demo AWS. Use `start`, as a context manager or with `stop`."""

    def __init__(self, url: str, process: subprocess.Popen[str] | None = None) -> None:
        self.url, self._process = url, process
        self._clients: dict[tuple[str, str, str], Any] = {}

    @classmethod
    def start(
        cls,
        *,
        port: int = 0,
        data_dir: Path | None = None,
        postgres_bin: Path | None = None,
        timings: Mapping[str, float] | None = None,
        checksums: bool = True,
    ) -> DemoAws:
        """Start the server and wait until it is ready. `timings`: seconds per phase, by the names of Timings."""
        command = [sys.executable, "-m", "restorecheck.demo.aws", "--port", str(port)]
        if data_dir:
            command += ["--data-dir", str(data_dir)]
        if postgres_bin:
            command += ["--postgres-bin", str(postgres_bin)]
        if timings:
            command += ["--timings", ",".join(f"{name}={seconds}" for name, seconds in timings.items())]
        if not checksums:
            command.append("--no-checksums")
        home = str(Path(__file__).parents[3])  # the child finds the package that we are, installed or not
        path = os.pathsep.join([home, *filter(None, [os.environ.get("PYTHONPATH")])])
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": path},
            start_new_session=True,  # Ctrl-C is for whoever started it, who then stops it
        )
        assert process.stdout is not None  # a pipe was asked for
        too_late = threading.Timer(START_SECONDS, process.kill)
        too_late.start()
        try:
            line = process.stdout.readline()
        finally:
            too_late.cancel()
        if not line.startswith("READY "):
            process.kill()
            process.communicate()
            raise DemoAwsError(f"the demo AWS did not start; it said {line.strip()!r}, and more on standard error")
        return cls(line.split()[1], process)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, e: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """The server's process id. Raises DemoAwsError if somebody else started it."""
        if self._process is None:
            raise DemoAwsError("this demo AWS was not started here")
        return self._process.pid

    def stop(self) -> None:
        """Stop the server and all its databases; a second time does nothing."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()  # its watchdog stops the databases
            process.communicate()

    # --- boto3 -------------------------------------------------------------------------------------------------------

    def credentials(self, account: str) -> dict[str, str]:
        """Return boto3 arguments for the administrator of an account."""
        return {"aws_access_key_id": ADMINISTRATOR_KEY + account, "aws_secret_access_key": "demo"}

    def client(self, service: str, account: str, region: str = REGION) -> Any:
        """Return a boto3 client of an account's administrator, for building scenarios."""
        import boto3  # noqa: PLC0415 - slow to import, and not everybody needs it

        if (service, account, region) not in self._clients:
            make: Any = boto3.Session  # the stubs know each service by its own name, and here it is a variable
            session = make(**self.credentials(account), region_name=region)
            self._clients[service, account, region] = session.client(service, endpoint_url=self.url)
        return self._clients[service, account, region]

    # --- control -----------------------------------------------------------------------------------------------------

    def fault(self, operation: str = "*", **order: Any) -> str:
        """Put a fault in force and return its id; restorecheck/demo/aws/faults.py lists the fields."""
        return str(self._control("POST", "faults", {"operation": operation, **order})["id"])

    def faults(self) -> list[dict[str, Any]]:
        """List the faults in force, with how often each struck."""
        return list(self._control("GET", "faults"))

    def clear_faults(self, number: str | None = None) -> None:
        """Lift one fault, or all."""
        self._control("DELETE", "faults", {"id": number} if number else {})

    def timings(self, **seconds: float) -> dict[str, float]:
        """Change the seconds of some phases, for what begins from now on; returns all."""
        return dict(self._control("POST", "timings", seconds))

    def skip(self, seconds: float) -> None:
        """Let so many seconds of every phase that is under way pass at once; the time of day stays as it is."""
        self._control("POST", "skip", {"seconds": seconds})

    def clock(self, offset: float) -> None:
        """Let it tell a time of day so many seconds from ours, in all that it describes; phases last as long as ever.

        How long the credentials of a role are good is not touched.
        """
        self._control("POST", "clock", {"offset": offset})

    def outage(self, on: bool, *, how: Literal["closed", "unavailable"] = "closed") -> None:
        """Begin or end an outage: AWS closes each connection without an answer, or answers each call with 503.

        Databases and control calls are not touched.
        """
        self._control("POST", "outage", {"how": how if on else None})

    def quota(
        self,
        account: str,
        *,
        instances: int | None = None,
        snapshots: int | None = None,
        clusters: int | None = None,
        cluster_snapshots: int | None = None,
        region: str = REGION,
    ) -> None:
        """Set an account's quota of instances, clusters, or manual snapshots of either in a region."""
        order = {"account": account, "instances": instances, "snapshots": snapshots, "region": region}
        order |= {"clusters": clusters, "cluster_snapshots": cluster_snapshots}
        self._control("POST", "quota", order)

    def crash(self, account: str, instance: str, *, region: str = REGION) -> None:
        """Let the database of an instance die as of a fault in it; it comes up again. No event tells of it."""
        self._control("POST", "crash", {"account": account, "instance": instance, "region": region})

    def event(
        self,
        account: str,
        name: str,
        message: str,
        *categories: str,
        of: Literal["db-instance", "db-cluster"] = "db-instance",
        region: str = REGION,
    ) -> None:
        """Let AWS tell of an event, now. Nothing else happens."""
        order = {"account": account, "id": name, "message": message, "categories": list(categories), "type": of}
        self._control("POST", "event", order | {"region": region})

    def automated_snapshot(
        self,
        account: str,
        instance: str,
        *,
        at: datetime | None = None,
        kind: str = "automated",
        region: str = REGION,
    ) -> str:
        """Take a snapshot as AWS's nightly backup (or, kind="awsbackup", AWS Backup) does; returns its id.

        `at`: the time at which it says that it was made; its data is that of now.
        """
        order = {"account": account, "instance": instance, "kind": kind, "region": region}
        if at:
            order["at"] = at.isoformat()
        return str(self._control("POST", "automated-snapshot", order)["id"])

    def automated_cluster_snapshot(
        self, account: str, cluster: str, *, at: datetime | None = None, region: str = REGION
    ) -> str:
        """Take a snapshot of a cluster as AWS's nightly backup does; returns its id. `at` as with instances."""
        return self._of_cluster("automated-cluster-snapshot", account, cluster, at, region)

    def final_cluster_snapshot(
        self, account: str, cluster: str, *, at: datetime | None = None, region: str = REGION
    ) -> str:
        """Take the snapshot that a failed upgrade leaves behind, `rds-final-…`; returns its id."""
        return self._of_cluster("final-cluster-snapshot", account, cluster, at, region)

    def _of_cluster(self, call: str, account: str, cluster: str, at: datetime | None, region: str) -> str:
        order = {"account": account, "cluster": cluster, "region": region, "at": at.isoformat() if at else None}
        return str(self._control("POST", call, order)["id"])

    def snapshot_directory(self, account: str, snapshot_id: str, *, region: str = REGION) -> Path:
        """Return the data directory of a snapshot, for damaging it."""
        return self._directory("snapshot-directory", account, snapshot_id, region)

    def instance_directory(self, account: str, instance_id: str, *, region: str = REGION) -> Path:
        """Return the data directory of an instance."""
        return self._directory("instance-directory", account, instance_id, region)

    def cluster_snapshot_directory(self, account: str, snapshot_id: str, *, region: str = REGION) -> Path:
        """Return the data directory of a snapshot of a cluster, for damaging it."""
        return self._directory("cluster-snapshot-directory", account, snapshot_id, region)

    def cluster_directory(self, account: str, cluster_id: str, *, region: str = REGION) -> Path:
        """Return the data directory of a cluster."""
        return self._directory("cluster-directory", account, cluster_id, region)

    # --- buckets -----------------------------------------------------------------------------------------------------

    def history(self, account: str, bucket: str, writes: Iterable[Mapping[str, Any]]) -> list[str]:
        """Write many versions, each with its time; returns their version ids. s3_control.py lists the fields."""
        plain = [dict(w) | ({"at": w["at"].isoformat()} if isinstance(w.get("at"), datetime) else {}) for w in writes]
        return list(self._control("POST", "history", {"account": account, "bucket": bucket, "writes": plain}))

    def backdate(self, account: str, bucket: str, key: str, version: str, when: datetime) -> None:
        """Let a version or delete marker have been written at another time; its place in the history stays."""
        where = {"account": account, "bucket": bucket, "key": key, "version": version}
        self._control("POST", "backdate", where | {"at": when.isoformat()})

    def rot(self, account: str, bucket: str, key: str, version: str, *, offset: int = 0, length: int = 1) -> None:
        """Change bytes of a version; its size, ETag, checksums and times stay as they are."""
        where = {"account": account, "bucket": bucket, "key": key, "version": version}
        self._control("POST", "rot", where | {"offset": offset, "length": length})

    def objects(self, account: str, bucket: str, prefix: str = "") -> dict[str, int]:
        """Count the versions, markers and uploads under a prefix."""
        return dict(self._control("GET", "objects", {"account": account, "bucket": bucket, "prefix": prefix}))

    def _directory(self, call: str, account: str, name: str, region: str) -> Path:
        return Path(self._control("GET", call, {"account": account, "id": name, "region": region})["path"])

    def role(self, account: str, name: str, *, trusted: Iterable[str], external_id: str | None = None) -> str:
        """Make a role that `trusted` (account ids or ARNs) may assume, with this external id; returns its ARN."""
        order = {"account": account, "name": name, "trusted": list(trusted), "external_id": external_id}
        return str(self._control("POST", "role", order)["arn"])

    def enforce(self, on: bool = True, scps: Mapping[str, Iterable[Mapping[str, Any]]] | None = None) -> None:
        """Let the policies of roles, buckets and keys count from now on, or not; `scps`: documents, by account."""
        given = {account: [dict(one) for one in documents] for account, documents in (scps or {}).items()}
        self._control("POST", "iam", {"on": on, "scps": given})

    def calls(self) -> list[dict[str, Any]]:
        """Return the last 20,000 AWS calls since the last reset: time, account, role, operation, status…."""
        return list(self._control("GET", "calls"))

    def tally(self) -> dict[str, Any]:
        """Return all calls since the last reset as counts per minute, and when each instance and snapshot was made."""
        return dict(self._control("GET", "tally"))

    def clear_calls(self) -> None:
        """Forget the calls so far."""
        self._control("DELETE", "calls")

    def state(self) -> dict[str, Any]:
        """Return the pids of running databases, the data directory and PostgreSQL's version."""
        return dict(self._control("GET", "state"))

    def digest(self, accounts: Iterable[str]) -> dict[str, Any]:
        """Describe all RDS resources of accounts, with a hash of every snapshot's bytes, and their buckets."""
        return dict(self._control("GET", "digest", {"accounts": list(accounts)}))

    def reset(self) -> None:
        """Empty all accounts, stop all databases, lift all faults; timings are those of the start again."""
        self._control("POST", "reset")

    def _control(self, method: str, call: str, values: Mapping[str, Any] | None = None) -> Any:
        body = json.dumps(values or {}).encode()
        request = urllib.request.Request(f"{self.url}/demo/{call}", data=body, method=method)
        request.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(request, timeout=300) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as e:
            with e:
                raise DemoAwsError(f"{method} /demo/{call}: {json.load(e)['error']}") from None
