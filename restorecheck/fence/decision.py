"""May this be touched? A resource as AWS described it just now and the permit of one run → a reason why not, or None.

Unknown means no: a fact that could not be established (a missing tag list, a creation time that AWS left out) refuses.
Nothing here talks to AWS, and nothing here may ever be loosened by configuration.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from restorecheck.fence.table import Role
from restorecheck.schedule import PREFIX, check_of, scratch_name, time_of

TAG_MANAGED = "restorecheck:managed"
TAG_RUN = "restorecheck:run"
TAG_RESOURCE = "restorecheck:resource"
"""Names the ARN that carries it. RDS copies a source's tags onto what is restored from it, so a bare ownership tag
spreads to databases that are not ours; one that names its resource does not. [RDS API, Tags of the restore calls]"""
TAG_EXPIRES = "restorecheck:expires"
TAG_CHECK = "restorecheck:check"

CLOCK_SKEW = timedelta(minutes=5)
"""How far AWS's clock and ours may differ when a resource must be younger than its run."""

BEING_MADE = frozenset({"creating", "copying", "pending"})
"""Statuses in which AWS leaves the creation time out, because there is none yet."""

ResourceKind = Literal["db", "cluster", "snapshot", "cluster-snapshot", "objects"]
"""As ARNs of RDS name them. `objects` are all below one prefix of the scratch bucket; their name is `bucket/prefix`,
and what is known of them is what their lease says."""

_SNAPSHOTS = frozenset({"snapshot", "cluster-snapshot"})


@dataclass(frozen=True, slots=True)
class Permit:
    """What one run, or one sweep, may touch. Accounts as configured; it never crosses its region."""

    source_accounts: frozenset[str]
    scratch_accounts: frozenset[str]
    source_account: str
    scratch_account: str
    region: str
    began: datetime
    expires: datetime
    run_id: str = ""  # empty: a sweep, which may touch only what has expired by `began`
    check: str = ""
    partition: str = "aws"
    borrowed: str = ""  # a manual snapshot of the source's owner, which this run may share and unshare, nothing else
    instance: str = ""  # the instance whose backups are tested
    cluster: str = ""  # the cluster whose backups are tested
    bucket: str = ""  # the scratch account's bucket
    source_bucket: str = ""  # the bucket whose versions are tested
    manifest: tuple[str, str] | None = None  # bucket and key of what a recorder may write; such a permit is for no run
    topic: str = ""  # ARN of the topic that a notifier may publish to; such a permit is for nothing else
    kept: tuple[str, str] | None = None  # bucket and prefix below which a keeper may write; and for nothing else
    function: str = ""  # qualified ARN of the function that a starter may start; such a permit is for nothing else

    def arn(self, kind: ResourceKind, account: str, name: str) -> str:
        """Return the ARN that a resource of this name has or will have."""
        if kind == "objects":
            return f"arn:{self.partition}:s3:::{name}"
        return f"arn:{self.partition}:rds:{self.region}:{account}:{kind}:{name}"

    def tags(self, kind: ResourceKind, account: str) -> list[dict[str, str]]:
        """Return the tags that a resource of this run must carry from the moment it exists."""
        name = scratch_name(self.run_id)
        if kind == "objects":
            name = f"{self.bucket}/{name}"
        return [
            {"Key": TAG_MANAGED, "Value": "true"},
            {"Key": TAG_RUN, "Value": self.run_id},
            {"Key": TAG_CHECK, "Value": self.check},
            {"Key": TAG_RESOURCE, "Value": self.arn(kind, account, name)},
            {"Key": TAG_EXPIRES, "Value": self.expires.astimezone(UTC).isoformat(timespec="seconds")},
        ]


@dataclass(frozen=True, slots=True)
class Target:
    """One resource as AWS described it just now. None means that AWS did not say."""

    kind: ResourceKind
    account: str
    name: str
    arn: str | None
    tags: Mapping[str, str] | None
    status: str | None
    created: datetime | None
    deletion_protection: bool | None = None  # instances and clusters
    replicas: int | None = None  # instances and clusters; a primary or a global cluster that it belongs to counts, too
    members: frozenset[str] | None = None  # clusters only: its instances
    snapshot_type: str | None = None  # snapshots only
    instance: str | None = None  # snapshots of instances: of which instance
    cluster: str | None = None  # snapshots of clusters: of which; instances: in which, and AWS says none if in none


def why_not_place(role: Role, account: str, region: object, permit: Permit) -> str | None:
    """Return why nothing at all may be written by this role in this account and region, or None."""
    for whose, is_set in (("notifier", permit.topic), ("keeper", permit.kept), ("starter", permit.function)):
        if is_set:
            return f"the permit of a {whose} does not count for the {role} role"
    if reason := _why_not_lists(permit):
        return reason
    if region != permit.region:
        return f"the permit is for {permit.region}, the call is for {region}"
    if (role is Role.RECORDER) != (permit.manifest is not None):
        return f"the permit of a {'run' if role is Role.RECORDER else 'recorder'} does not count for the {role} role"
    side = {
        Role.SOURCE: (permit.source_account, permit.source_accounts),
        Role.SCRATCH: (permit.scratch_account, permit.scratch_accounts),
        Role.RECORDER: (permit.source_account, permit.source_accounts),
    }.get(role)
    if side is None or account != side[0] or account not in side[1]:
        return f"the permit is not for account {account or '?'} as {role} account"
    return None


def why_not(target: Target, permit: Permit) -> str | None:
    """Return why this run (or sweep) may not change or delete this target, or None if it may."""
    return (
        _why_not_account(target, permit)
        or _why_not_identity(target, permit)
        or _why_not_age(target, permit)
        or _why_not_kind(target, permit)
    )


def _why_not_lists(permit: Permit) -> str | None:
    if not permit.scratch_accounts or not permit.source_accounts:
        return "the lists of source and scratch accounts must both be known"
    if permit.scratch_accounts & permit.source_accounts:
        return "an account is configured both as source and as scratch"
    return None


def _why_not_account(target: Target, permit: Permit) -> str | None:
    if reason := _why_not_lists(permit):
        return reason
    if target.account == permit.scratch_account and target.account in permit.scratch_accounts:
        return None
    in_source = target.account == permit.source_account and target.account in permit.source_accounts
    if in_source and target.kind in _SNAPSHOTS:  # our own copies; what runs in a source account is never a target
        return None
    return f"account {target.account or '?'} is not one in which this run may do this"


def _why_not_identity(target: Target, permit: Permit) -> str | None:
    bucket, _, name = target.name.rpartition("/")  # only `objects` have a bucket in their name
    if bucket != (permit.bucket if target.kind == "objects" else ""):
        return f"it is in the bucket {bucket!r}, not in the scratch bucket of this permit"
    if not name.startswith(PREFIX):
        return f"its name does not begin with {PREFIX}"
    if target.tags is None:
        return "its tags are not known"
    if target.arn != permit.arn(target.kind, target.account, target.name):
        return f"its ARN is {target.arn or 'not known'}, not the one that belongs to its name, account and region"
    if target.tags.get(TAG_MANAGED) != "true":
        return f"it does not carry the tag {TAG_MANAGED}"
    if target.tags.get(TAG_RESOURCE) != target.arn:
        return f"its tag {TAG_RESOURCE} does not name it: the tags were copied from something else"
    run = target.tags.get(TAG_RUN, "")
    if name != scratch_name(run):
        return "its name is not the one that its run gives"
    if permit.run_id and run != permit.run_id:
        return f"it belongs to the run {run}, not to {permit.run_id}"
    if not permit.run_id and (check_of(run) is None or time_of(run) is None):
        return f"its tag {TAG_RUN} is not a run id"
    return None


def _why_not_age(target: Target, permit: Permit) -> str | None:
    began = permit.began
    if not permit.run_id:  # a sweep: only what has expired, and the run id says when its run began at the earliest
        expires = lease_of(target)
        if expires is None:
            return f"its tag {TAG_EXPIRES} is not a time"
        if expires > permit.began:
            return f"its lease runs until {expires:%Y-%m-%d %H:%M} UTC"
        began = time_of((target.tags or {}).get(TAG_RUN, "")) or permit.began
    if target.created is None:
        return None if target.status in BEING_MADE else "AWS does not say when it was created"
    if target.created < began - CLOCK_SKEW:
        return "it is older than the run"
    return None


def _why_not_kind(target: Target, permit: Permit) -> str | None:
    if target.kind == "db":
        return _why_not_instance(target)
    if target.kind == "cluster":
        return _why_not_cluster(target)
    if target.kind == "objects":
        return None if permit.bucket else "the permit is for no bucket"
    return _why_not_snapshot(target)


def _why_not_instance(target: Target) -> str | None:
    if target.deletion_protection is not False:
        return "deletion protection is not known to be off"
    if target.replicas != 0:
        return "it has, or may have, read replicas"
    if target.cluster and target.cluster != target.name:
        return f"it is in the cluster {target.cluster}, which is not its run's"
    return None


def _why_not_cluster(target: Target) -> str | None:
    if target.deletion_protection is not False:
        return "deletion protection is not known to be off"
    if target.replicas != 0:
        return "it replicates, or may replicate, to or from another cluster"
    if target.members is None:
        return "its instances are not known"
    if strange := target.members - {target.name}:
        return f"the instance {min(strange)} in it is not its run's"
    return None


def _why_not_snapshot(target: Target) -> str | None:
    return None if target.snapshot_type == "manual" else "it is not a manual snapshot"


def why_not_destroy(target: Target) -> str | None:
    """Return why this target, which may be changed, may not be deleted now; or None if it may."""
    if target.kind == "cluster" and target.members != frozenset():
        return "it still has, or may have, instances"
    return None


def lease_of(target: Target) -> datetime | None:
    """Return until when a resource's tags say that it is in use, or None if they do not say it as we write it."""
    try:
        found = datetime.fromisoformat((target.tags or {}).get(TAG_EXPIRES, ""))
    except ValueError:
        return None
    return found if found.tzinfo else None


# --- sharing -----------------------------------------------------------------------------------------------------


def why_not_share(target: Target, permit: Permit) -> str | None:
    """Return why this run may not share, or unshare, this snapshot with its scratch account; or None if it may.

    It may for its own copy, and for the one manual snapshot of the owner's that it picked.
    """
    if target.kind not in _SNAPSHOTS:
        return "only a snapshot can be shared"
    if target.kind == "snapshot" and (not permit.instance or target.instance != permit.instance):
        return "it is not a snapshot of the instance whose backups are tested"
    if target.kind == "cluster-snapshot" and (not permit.cluster or target.cluster != permit.cluster):
        return "it is not a snapshot of the cluster whose backups are tested"
    if not permit.borrowed or target.name != permit.borrowed:
        return why_not(target, permit)
    if target.account != permit.source_account or target.account not in permit.source_accounts:
        return "it is not in the source account"
    if target.arn != permit.arn(target.kind, target.account, target.name):
        return f"its ARN is {target.arn or 'not known'}, not the one that belongs to its name, account and region"
    return _why_not_snapshot(target)
