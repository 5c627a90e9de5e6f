"""The control endpoint, `/demo/…`: what AWS has no call for. JSON in, JSON out; docs/demo-aws.md lists every call.

Nobody is asked who he is: the server listens on loopback, and everything in it is make-believe.
"""

from __future__ import annotations

import json
import urllib.parse
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from typing import Any

from restorecheck.demo.aws import access, patches, rds_cluster_snapshots, rds_snapshots, s3_control
from restorecheck.demo.aws.clusters import Cluster
from restorecheck.demo.aws.digest import Digests
from restorecheck.demo.aws.errors import AwsError, ControlError, required, time_of
from restorecheck.demo.aws.estate import Estate
from restorecheck.demo.aws.events import CLUSTER
from restorecheck.demo.aws.faults import Call
from restorecheck.demo.aws.instances import Instance
from restorecheck.demo.aws.scope import Scope
from restorecheck.demo.aws.snapshots import Snapshot
from restorecheck.demo.aws.timeline import FOREVER

Values = dict[str, Any]
REGION = "us-east-1"


class Control:
    """Answers control calls on one estate."""

    def __init__(self, estate: Estate) -> None:
        self._estate, self._digests = estate, Digests(estate)
        self._calls: dict[tuple[str, str], Callable[[Values], Any]] = {
            ("GET", "state"): lambda _: estate.describe(),
            ("GET", "calls"): lambda _: estate.calls.last(),
            ("DELETE", "calls"): lambda _: estate.calls.clear(),
            ("GET", "tally"): lambda _: estate.calls.tally(),
            ("POST", "clock"): self._clock,
            ("POST", "outage"): self._outage,
            ("GET", "faults"): lambda _: estate.faults.describe(),
            ("POST", "faults"): lambda values: asdict(estate.faults.add(values)),
            ("DELETE", "faults"): lambda values: estate.faults.clear(values.get("id")),
            ("GET", "timings"): lambda _: asdict(estate.timings),
            ("POST", "timings"): self._timings,
            ("POST", "skip"): self._skip,
            ("POST", "quota"): self._quota,
            ("POST", "crash"): self._crash,
            ("POST", "event"): self._event,
            ("POST", "automated-snapshot"): self._automated_snapshot,
            ("POST", "automated-cluster-snapshot"): self._automated_cluster_snapshot,
            ("POST", "final-cluster-snapshot"): self._final_cluster_snapshot,
            ("GET", "snapshot-directory"): self._directory(estate.snapshot_directory),
            ("GET", "cluster-snapshot-directory"): self._directory(estate.cluster_snapshot_directory),
            ("GET", "instance-directory"): self._directory(estate.instance_directory),
            ("GET", "cluster-directory"): self._directory(estate.cluster_directory),
            **s3_control.CALLS,
            ("POST", "role"): self._role,
            ("GET", "iam"): lambda _: estate.iam.describe(),
            ("POST", "iam"): self._iam,
            ("GET", "digest"): lambda values: {a: self._digests.of(a) for a in _list(values, "accounts")},
            ("POST", "reset"): self._reset,
        }

    def answer(self, method: str, path: str, query: str, body: bytes) -> tuple[int, bytes]:
        """Answer one call with an HTTP status and JSON."""
        try:
            values = dict(urllib.parse.parse_qsl(query)) | _object(body)
            answer = self._call(method, path)(values)
        except (ControlError, AwsError, ValueError) as e:
            return 400, json.dumps({"error": str(e)}).encode()
        return 200, json.dumps({"ok": True} if answer is None else answer, default=str).encode()

    def _call(self, method: str, path: str) -> Callable[[Values], Any]:
        if (method, path) in self._calls:
            return self._calls[method, path]
        known = ", ".join(f"{m} /demo/{p}" for m, p in self._calls)
        raise ControlError(f"no such control call: {method} /demo/{path}; known are {known}")

    def _timings(self, values: Values) -> Values:
        try:
            self._estate.timings = replace(self._estate.timings, **values)
        except TypeError as e:
            known = ", ".join(asdict(self._estate.timings))
            raise ControlError(f"timings: known are {known}, given are {', '.join(values)}") from e
        return asdict(self._estate.timings)

    def _skip(self, values: Values) -> None:
        (seconds,) = required(values, "seconds")
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds < FOREVER:
            raise ControlError(f"seconds is {seconds!r}; would be right: a number of seconds, 0 or more")
        self._estate.skip(seconds)

    def _clock(self, values: Values) -> Values:
        (seconds,) = required(values, "offset")
        if isinstance(seconds, bool) or not isinstance(seconds, int | float):
            raise ControlError(f"offset is {seconds!r}; would be right: seconds, as a number")
        try:
            self._estate.offset = timedelta(seconds=seconds)
            return {"now": self._estate.today()}
        except (OverflowError, ValueError) as e:  # beyond what a date can be, or no number at all
            self._estate.offset = timedelta(0)
            raise ControlError(f"offset is {seconds!r}: {e}") from e

    def _outage(self, values: Values) -> Values:
        how = values.get("how")
        if how not in {None, "closed", "unavailable"}:
            raise ControlError(f"how is {how!r}; would be right: closed, unavailable, or null for none")
        self._estate.outage = how
        return {"how": how}

    def _quota(self, values: Values) -> None:
        (account,) = required(values, "account")
        region = self._estate.region(account, values.get("region") or REGION)
        if (instances := values.get("instances")) is not None:
            region.instance_quota = int(instances)
        if (snapshots := values.get("snapshots")) is not None:
            region.snapshot_quota = int(snapshots)
        if (clusters := values.get("clusters")) is not None:
            region.cluster_quota = int(clusters)
        if (cluster_snapshots := values.get("cluster_snapshots")) is not None:
            region.cluster_snapshot_quota = int(cluster_snapshots)

    def _crash(self, values: Values) -> None:
        account, name = required(values, "account", "instance")
        server = self._instance(account, name, values).server
        if server is None:
            raise ControlError(f"the database of {name} does not run")
        server.crash()

    def _event(self, values: Values) -> None:
        account, name, message = required(values, "account", "id", "message")
        cluster = values.get("type") == CLUSTER
        to = self._cluster(account, name, values) if cluster else self._instance(account, name, values)
        self._estate.happened(to, str(message), *_list(values, "categories"))

    def _instance(self, account: str, name: str, values: Values) -> Instance:
        return self._estate.instance(account, values.get("region") or REGION, name)

    def _cluster(self, account: str, name: str, values: Values) -> Cluster:
        return self._estate.cluster(account, values.get("region") or REGION, name)

    def _automated_snapshot(self, values: Values) -> Values:
        account, instance = required(values, "account", "instance")
        kind = values.get("kind") or "automated"
        if kind not in {"automated", "awsbackup"}:
            raise ControlError(f"kind is {kind!r}; would be right: automated, awsbackup")
        return self._taken(values, account, lambda scope, at: rds_snapshots.made_by_aws(scope, instance, at, kind))

    def _automated_cluster_snapshot(self, values: Values) -> Values:
        account, cluster = required(values, "account", "cluster")
        return self._taken(values, account, lambda scope, at: rds_cluster_snapshots.made_by_aws(scope, cluster, at))

    def _final_cluster_snapshot(self, values: Values) -> Values:
        account, cluster = required(values, "account", "cluster")
        return self._taken(values, account, lambda scope, at: rds_cluster_snapshots.before_upgrade(scope, cluster, at))

    def _taken(self, values: Values, account: str, take: Callable[[Scope, datetime | None], Snapshot]) -> Values:
        region = values.get("region") or REGION
        scope = Scope(self._estate, account, region, Call("rds", "AutomatedBackup", account, "aws"))
        with self._estate.lock:
            snapshot = take(scope, time_of(values, "at"))
        snapshot.work.result(300)
        return {"id": snapshot.identifier, "arn": snapshot.arn}

    @staticmethod
    def _directory(find: Callable[[str, str, str], Any]) -> Callable[[Values], Values]:
        def answer(values: Values) -> Values:
            account, name = required(values, "account", "id")
            return {"path": str(find(account, values.get("region") or REGION, name))}

        return answer

    @staticmethod
    def _role(values: Values) -> Values:
        account, name, trusted = required(values, "account", "name", "trusted")
        return {"arn": access.make_role(account, name, list(trusted), values.get("external_id"))}

    def _iam(self, values: Values) -> Values:
        self._estate.iam.set(values)
        return self._estate.iam.describe()

    def _reset(self, _: Values) -> None:
        self._estate.reset()
        patches.reset()


def _object(body: bytes) -> Values:
    parsed = json.loads(body) if body else {}
    if not isinstance(parsed, dict):
        raise ControlError("the body of a control call is a JSON object")
    return parsed


def _list(values: Values, name: str) -> list[str]:
    (found,) = required(values, name)
    return found if isinstance(found, list) else str(found).split(",")
