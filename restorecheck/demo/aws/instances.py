"""A DB instance: what it is, which status it shows, what DescribeDBInstances says of it. Starts and stops nothing."""

from __future__ import annotations

import socket
import uuid
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from restorecheck.demo.aws.servers import Server
from restorecheck.demo.aws.timeline import Timeline, Timings

Wire = dict[str, Any]

INHERITED = [
    "AllocatedStorage",
    "AutoMinorVersionUpgrade",
    "BackupRetentionPeriod",
    "DBInstanceClass",
    "DBName",
    "Engine",
    "EngineVersion",
    "Iops",
    "KmsKeyId",
    "LicenseModel",
    "MasterUsername",
    "OptionGroupName",
    "Port",
    "PreferredBackupWindow",
    "PreferredMaintenanceWindow",
    "StorageEncrypted",
    "StorageThroughput",
    "StorageType",
]
"""Settings that a snapshot keeps of its instance and a restore takes over."""

GONE_BAD = frozenset({"failed", "incompatible-restore", "incompatible-network", "incompatible-create"})
"""Statuses in which there is no endpoint, and no final snapshot can be taken."""


class Dead:
    """An address at which no database answers: refusing connections, or accepting and then saying nothing."""

    def __init__(self, *, hang: bool, port: int = 0) -> None:
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind(("127.0.0.1", port))
        except OSError:  # somebody else was faster: then another port
            self._socket.bind(("127.0.0.1", 0))
        if hang:
            self._socket.listen(64)
        self.port = int(self._socket.getsockname()[1])

    def close(self) -> None:
        """Give the port back."""
        self._socket.close()


@dataclass(eq=False)
class Instance:
    """One DB instance of one account and region. `settings` are fields as DescribeDBInstances names them."""

    account: str
    region: str
    identifier: str
    settings: Wire
    tags: dict[str, str]
    timeline: Timeline
    boot: Future[Server]
    created: datetime
    end_status: str | None = None
    dead: Dead | None = None
    resource_id: str = field(default_factory=lambda: "db-" + uuid.uuid4().hex[:26].upper())
    deleting: Timeline | None = None
    removal: Future[None] | None = None
    """The work behind its deletion."""
    reboot: Future[None] | None = None
    """The work behind the last reboot."""
    password: Timeline | None = None
    """The journey of a new master password; None when there is none under way."""

    @property
    def arn(self) -> str:
        """Its ARN."""
        return f"arn:aws:rds:{self.region}:{self.account}:db:{self.identifier}"

    @property
    def server(self) -> Server | None:
        """Its database server, once that answers."""
        if self.boot.done() and not self.boot.cancelled() and self.boot.exception() is None:
            return self.boot.result()
        return None

    @property
    def cluster(self) -> str | None:
        """The identifier of its cluster; None for an instance with storage of its own."""
        return self.settings.get("DBClusterIdentifier")

    def give_up(self) -> None:
        """Let an instance of a cluster that has not begun to start never start."""
        if self.cluster and self.boot.cancel():
            self.boot.set_running_or_notify_cancel()

    def gone(self, now: float) -> bool:
        """Say whether its deletion has come to an end."""
        if self.deleting is None or self.removal is None:
            return False
        return self.deleting.at(now) == "gone" and self.removal.done()

    def status(self, now: float) -> str:
        """Return its status: what the clock says, but never `available` before the database answers."""
        if self.deleting:
            return "deleting"
        by_clock = self.timeline.at(now)
        if by_clock == "creating" or not self.boot.done():
            return "creating"
        if self.server is None:
            return "failed"  # the data directory did not come up: crash recovery failed
        if by_clock == "available" and self.end_status:
            return self.end_status
        if by_clock == "available" and self.reboot and not self.reboot.done():
            return "rebooting"
        if by_clock == "available" and self.password:
            return self.password.at(now)
        return by_clock

    def endpoint(self, now: float) -> Wire | None:
        """Return where it answers, once that is known."""
        server = self.server
        if server is None or self.status(now) in {"creating", *GONE_BAD}:
            return None
        port = self.dead.port if self.dead else server.port
        return {"Address": "127.0.0.1", "Port": port, "HostedZoneId": "Z2R2ITUGPM61AM"}

    def describe(self, now: float, today: datetime) -> Wire:
        """Return what DescribeDBInstances says. `now` is the estate's clock, `today` the time of day that it tells."""
        status = self.status(now)
        described = self.settings | {
            "DBInstanceIdentifier": self.identifier,
            "DBInstanceArn": self.arn,
            "DbiResourceId": self.resource_id,
            "DBInstanceStatus": status,
            "TagList": tag_list(self.tags),
            "PendingModifiedValues": {"MasterUserPassword": "****"} if self.password else {},
            "Endpoint": self.endpoint(now),
        }
        described.pop("Port", None)  # a setting of the instance, but a field of its endpoint
        group = described.pop("OptionGroupName", None)
        described["OptionGroupMemberships"] = [{"OptionGroupName": group, "Status": "in-sync"}] if group else []
        if status != "creating":
            described["InstanceCreateTime"] = self.created
            if described["BackupRetentionPeriod"]:
                described["LatestRestorableTime"] = today - timedelta(minutes=5)
        return {key: value for key, value in described.items() if value is not None}


def journey(began: float, timings: Timings, *, retention: int) -> Timeline:
    """Return the way of a new instance to `available`."""
    phases = [("creating", timings.create)]
    if retention > 0:
        phases.append(("backing-up", timings.backup))
    return Timeline(began, tuple(phases), "available")


def tag_list(tags: dict[str, str]) -> list[Wire]:
    """Return tags as AWS lists them."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def tag_map(tags: Sequence[Wire] | None) -> dict[str, str]:
    """Return tags of a call as a map."""
    return {tag["Key"]: tag.get("Value", "") for tag in tags or []}
