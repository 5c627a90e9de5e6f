"""From a configuration to an estate: which accounts, snapshots, buckets and groups its checks name. Reads nothing else.

What only AWS knows (under which key a backup is, who restorecheck runs as) is left as wide as it must be, or as a
placeholder that AWS refuses, and the page docs/iam.md says how to narrow it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from restorecheck.config import Config
from restorecheck.config.receivers import Sns
from restorecheck.config.resolved import ScratchAccount, SourceAccount
from restorecheck.iam.estate import ANY, Bucket, Estate, Place, Scratch, Service, Snapshots, Source
from restorecheck.model import (
    AuroraSource,
    Check,
    Placement,
    RdsSource,
    Reference,
    S3DumpSource,
    S3ObjectsSource,
    SnapshotKind,
)

SERVICE = "arn:aws:iam::ACCOUNT-OF-THE-SERVICE:role/ROLE-OF-THE-SERVICE"
"""Stands where nobody said who restorecheck runs as. AWS refuses it."""


def estate_of(config: Config, service: str = SERVICE, *, function: str = "", runs_on: str = "") -> Estate:
    """Return the estate of a configuration; `service` is the ARN of the role that restorecheck runs as.

    `function` is that of the function that runs checks, `runs_on` the service of AWS that gives it its identity.
    """
    partition = next((account.role.split(":")[1] for account in config.scratch_accounts), "aws")
    return Estate(
        tuple(_source(config, account) for account in config.source_accounts),
        tuple(_scratch(config, account) for account in config.scratch_accounts),
        replace(_service(config, service), function=function, runs_on=runs_on),
        partition,
    )


def literal(text: str) -> str:
    """Return a text as IAM takes it for itself: `*`, `?` and `$` would be more than that."""
    return text.replace("$", "${$}").replace("*", "${*}").replace("?", "${?}")


def _service(config: Config, role: str) -> Service:
    topics = tuple(receiver.topic for receiver in config.receivers if isinstance(receiver, Sns))
    kept = config.state.bucket
    return Service(
        role,
        role.split(":")[4],
        (kept.region or "") if kept else "",
        topics,
        state=Bucket(kept.name, literal(kept.prefix)) if kept else None,
    )


# --- sources -------------------------------------------------------------------------------------------------------


def _source(config: Config, account: SourceAccount) -> Source:
    checks = [check for check in config.checks if check.source.account == account.id]
    buckets, manifests = _buckets(config, account)
    return Source(
        account.name,
        account.id,
        account.role,
        account.regions,
        account.external_id or "",
        _snapshots([check.source for check in checks if isinstance(check.source, RdsSource)]),
        _snapshots([check.source for check in checks if isinstance(check.source, AuroraSource)]),
        buckets=buckets,
        manifests=manifests,
    )


def _snapshots(sources: Iterable[RdsSource | AuroraSource]) -> Snapshots:
    copied: list[str] = []
    lent, shared = False, False
    for source in sources:
        name = source.instance if isinstance(source, RdsSource) else source.cluster
        kinds = source.snapshots
        shared |= SnapshotKind.SHARED in kinds
        lent |= SnapshotKind.MANUAL in kinds
        if SnapshotKind.AUTOMATED in kinds:
            copied.append(f"rds:{name}-*")
        if SnapshotKind.AWSBACKUP in kinds:
            copied.append("awsbackup:*")
        if SnapshotKind.MANUAL in kinds and source.share_key:
            copied.append("*")  # one under AWS's own key is copied, whatever its owner called it
    names = ANY if "*" in copied else tuple(dict.fromkeys(copied))
    return Snapshots(names, ANY if lent else (), ANY if shared else ())


def _buckets(config: Config, account: SourceAccount) -> tuple[tuple[Bucket, ...], tuple[Bucket, ...]]:
    read: list[Bucket] = []
    manifests: list[Bucket] = []
    for check in config.checks:
        read += [bucket for owner, bucket in _read_by(check) if owner == account.id]
        manifests += [_manifests(reference) for reference in check.references if reference.account == account.id]
    return _merged(read), tuple(dict.fromkeys(manifests))


def _read_by(check: Check) -> Iterator[tuple[str, Bucket]]:
    """Yield the buckets that a check reads, each with the account that it is in."""
    source = check.source
    if isinstance(source, S3ObjectsSource):
        copied = source.transfer == "copy"
        yield source.account, Bucket(source.bucket, literal(source.prefix), read=not copied, copied=copied)
    elif isinstance(source, S3DumpSource):
        head = source.object.partition("*")[0]
        if source.form == "directory" and head == source.object:
            head = head.removesuffix("toc.dat").rstrip("/")  # beside the directory lies its checksum
        yield source.account, Bucket(source.bucket, literal(head))
    for reference in check.references:
        yield reference.account, _manifests(reference)
    for objects in check.objects:
        yield objects.account, Bucket(objects.bucket, literal(objects.prefix), read=False)


def _manifests(reference: Reference) -> Bucket:
    return Bucket(reference.bucket, literal(reference.object.partition("*")[0]))


def _merged(buckets: Iterable[Bucket]) -> tuple[Bucket, ...]:
    found: dict[tuple[str, str], Bucket] = {}
    for one in buckets:
        held = found.setdefault((one.name, one.prefix), one)
        found[one.name, one.prefix] = replace(held, read=held.read or one.read, copied=held.copied or one.copied)
    return tuple(found.values())


# --- scratch -------------------------------------------------------------------------------------------------------


def _scratch(config: Config, account: ScratchAccount) -> Scratch:
    checks = [check for check in config.checks if check.placement.account == account.id]
    named = {source.id: source.name for source in config.source_accounts}
    places = tuple(
        _place(place, [c.placement for c in checks if c.placement.region == place.region])
        for place in account.placements
    )
    sources = tuple(dict.fromkeys(named[check.source.account] for check in checks if check.source.account in named))
    return Scratch(account.name, account.id, account.role, places, account.external_id or "", sources)


def _place(place: Placement, used: Iterable[Placement]) -> Place:
    every = [place, *used]
    return Place(
        place.region,
        _names(one.subnet_group for one in every if one.subnet_group),
        _names(one.parameter_group or "default.*" for one in every if one.subnet_group),
        _names(one.option_group or "default:*" for one in every if one.subnet_group),
        _names(one.cluster_parameter_group or "default.*" for one in every if one.subnet_group),
        _names(one.key for one in every if one.key),
        place.bucket,
    )


def _names(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))
