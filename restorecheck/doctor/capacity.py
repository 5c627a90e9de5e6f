"""Whether AWS will let the newest recovery point be restored: quotas, the engine's version, the instance class."""

from __future__ import annotations

from collections.abc import Iterable

from restorecheck.doctor.diagnosis import Described, Hand, Ill, said
from restorecheck.errors import SourceError
from restorecheck.failures import kind
from restorecheck.model import AuroraSource, Placement, RdsSource
from restorecheck.sources.rds import engines

Quota = tuple[str, int]

OF_INSTANCES: tuple[Quota, ...] = (("DBInstances", 1), ("ManualSnapshots", 1))
OF_CLUSTERS: tuple[Quota, ...] = (("DBInstances", 1), ("DBClusters", 1))
OF_COPIED_CLUSTERS: tuple[Quota, ...] = (*OF_CLUSTERS, ("ManualClusterSnapshots", 1))
"""Quotas that a run takes of, and how much of each. Names: the RDS API reference, AccountQuota."""


def quotas(hand: Hand, needs: Iterable[Quota], needed_gib: int) -> str:
    """Look whether what a run makes and `needed_gib` of storage fit into the quotas."""
    answer = hand.call("rds", "DescribeAccountAttributes")
    limits = {limit.get("AccountQuotaName"): limit for limit in said(answer, "AccountQuotas", "this account")}
    shown = []
    wanted = dict(needs)
    if "ManualSnapshots" in wanted:  # instances have storage of their own, and of a quota in GiB
        wanted["AllocatedStorage"] = max(needed_gib, 1)
    for name, needed in wanted.items():
        if name not in limits:
            raise SourceError(f"AWS does not say the quota {name}", kind="unknown-answer")
        used, most = said(limits[name], "Used", name), said(limits[name], "Max", name)
        shown.append(f"{name} {used} of {most}")
        if used + needed > most:
            raise Ill(f"the quota {name} has no room: {used} of {most} used, {needed} needed", "raise the quota")
    return ", ".join(shown)


def engine(hand: Hand, newest: Described, source: RdsSource | AuroraSource) -> str:
    """Look whether the check can ask the engine of the newest recovery point, and RDS still offers its version."""
    name, version = said(newest, "Engine", "the snapshot"), said(newest, "EngineVersion", "the snapshot")
    if trouble := engines.why_not(source, name):
        what, fix = trouble
        raise Ill(f"the newest recovery point is of engine {name}, which this check cannot ask", fix or kind(what).hint)
    versions = list(
        hand.pages(
            "rds",
            "DescribeDBEngineVersions",
            "DBEngineVersions",
            Engine=name,
            EngineVersion=version,
            IncludeAll=True,  # else a deprecated version looks like one that never was
        )
    )
    statuses = {found.get("Status") for found in versions if found.get("EngineVersion") == version}
    if "available" in statuses:
        return f"{name} {version} is offered"
    if None in statuses:
        raise SourceError(f"AWS does not say the status of {name} {version}", kind="unknown-answer")
    word = ", ".join(sorted(str(status) for status in statuses)) or "not offered any more"
    fix = "upgrade the snapshot with ModifyDBSnapshot, and the source with it"
    if "DBClusterSnapshotArn" in newest:  # which cannot be upgraded
        fix = "upgrade the source, so that its next snapshot can be restored"
    raise Ill(f"{name} {version} is {word}", fix)


def orderable(hand: Hand, newest: Described, place: Placement) -> str:
    """Look whether the instance class can be had for the newest recovery point's engine, version and licence."""
    wanted = {
        "Engine": said(newest, "Engine", "the snapshot"),
        "EngineVersion": said(newest, "EngineVersion", "the snapshot"),
        "DBInstanceClass": place.instance_class,
    }
    # What a cluster snapshot says of its licence is not in the words of the options.
    if (licence := newest.get("LicenseModel")) and "DBClusterSnapshotArn" not in newest:
        wanted["LicenseModel"] = licence
    options = hand.pages("rds", "DescribeOrderableDBInstanceOptions", "OrderableDBInstanceOptions", **wanted, Vpc=True)
    what = f"{place.instance_class} for {wanted['Engine']} {wanted['EngineVersion']}"
    # AWS filters, but a simulator or a proxy may not.
    if not any(said(option, "DBInstanceClass", "an option") == place.instance_class for option in options):
        raise Ill(f"{what} cannot be ordered in {place.region}", "set instance_class to one that can")
    return f"{what} can be ordered"
