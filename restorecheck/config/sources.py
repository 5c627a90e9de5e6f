"""The [source] of a check: rules between its keys and with config.toml, and the source that comes out of it."""

from __future__ import annotations

from restorecheck.config.check_shape import CheckFile
from restorecheck.config.complaints import foreign, not_scratch, once
from restorecheck.config.document import Document
from restorecheck.config.resolved import SourceAccount
from restorecheck.config.source_shape import REQUIRED, Source
from restorecheck.config.world import World, known, one
from restorecheck.model import (
    AnySource,
    AuroraSource,
    Portion,
    RdsSource,
    S3DumpSource,
    S3ObjectsSource,
    SnapshotKind,
)

_MEANT = {
    ("instance", "aurora"): "cluster",
    ("cluster", "rds"): "instance",
    ("prefix", "s3-dump"): "object",
    ("object", "s3-objects"): "prefix",
}
"""Key of one kind that stands in another → what was meant."""

_AT_ONCE = S3ObjectsSource("", "", "").at_once
_READ = S3ObjectsSource("", "", "").read


def resolve(document: Document[CheckFile], world: World) -> AnySource | None:
    """Return the source of a check, or None after complaining about what is wrong with it."""
    source = document.tree.source or Source()
    name = one(document, world, ("source", "account"), source.account, world.defaults.account)
    region = one(document, world, ("source", "region"), source.region, world.defaults.region)
    if source.account:
        known(world, document, ("source", "account"), source.account, "source_accounts")
    account = world.sources.get(name or "")
    if account and region and region not in account.regions:
        document.wrong(
            ("source", "region"),
            f"{region} is not among the regions of {name}; write {' or '.join(account.regions)}, or add it there",
        )
    foreign(document, ("source",), Source, source.type, _MEANT)
    _lists(document, source)
    _objects(document, source)
    _dump(document, source)
    if source.bucket:
        other = "restore into a bucket that holds no backup"
        not_scratch(document, world, ("source", "bucket"), source.bucket, other)
    if not (account and region) or any(document.unclear("source", key) for key in REQUIRED.get(source.type or "", ())):
        return None
    return _made(source, account, region)


# --- rules ------------------------------------------------------------------------------------------------------


def _lists(document: Document[CheckFile], source: Source) -> None:
    if source.snapshots == []:
        document.wrong(("source", "snapshots"), 'is empty; write for example snapshots = ["automated", "manual"]')
    if source.decrypt == []:
        document.wrong(("source", "decrypt"), 'is empty; write a command, for example decrypt = ["age", "-d"]')
    once(document, ("source", "roles"), source.roles or [])


def _objects(document: Document[CheckFile], source: Source) -> None:
    if document.unclear("source", "mode") or document.unclear("source", "sample"):
        return
    if source.mode == "sample" and source.sample is None:
        document.wrong(("source", "sample"), 'is missing; write how many, for example sample = 1000 or sample = "1%"')
    if source.sample is not None and source.mode != "sample":
        document.wrong(("source", "sample"), 'is of no use without mode = "sample"; write that, or leave it out')


def _dump(document: Document[CheckFile], source: Source) -> None:
    if source.form == "directory" and source.object and source.object.rpartition("/")[2] != "toc.dat":
        document.wrong(
            ("source", "object"),
            'does not end with toc.dat, by which a directory is found; write for example "daily/*/toc.dat"',
        )
    if source.engine == "mysql" and source.type == "s3-dump":
        for key in (key for key in ("jobs", "server") if getattr(source, key) is not None):
            document.wrong(("source", key), 'is of no use with engine = "mysql"; leave it out')
        if source.form == "directory":
            document.wrong(
                ("source", "form"), 'is "directory", which only pg_dump writes; write form = "file" or "parts"'
            )


# --- what comes out ---------------------------------------------------------------------------------------------


def _made(source: Source, account: SourceAccount, region: str) -> AnySource | None:
    if source.type == "aurora":
        return _aurora(source, account, region)
    if source.type == "s3-objects":
        return _s3_objects(source, account, region)
    if source.type == "s3-dump":
        return _s3_dump(source, account, region)
    return _rds(source, account, region) if source.type else None


def _snapshots(source: Source) -> tuple[SnapshotKind, ...]:
    return tuple(SnapshotKind(kind) for kind in source.snapshots or ("automated", "manual"))


def _rds(source: Source, account: SourceAccount, region: str) -> RdsSource:
    return RdsSource(
        account=account.id,
        region=region,
        instance=source.instance or "",
        database=source.database or "",
        pick=source.pick or "latest",
        within=source.within,
        snapshots=_snapshots(source),
        share_key=account.share_keys.get(region),
        engine=source.engine or "postgresql",
    )


def _aurora(source: Source, account: SourceAccount, region: str) -> AuroraSource:
    return AuroraSource(
        account=account.id,
        region=region,
        cluster=source.cluster or "",
        database=source.database,
        pick=source.pick or "latest",
        within=source.within,
        snapshots=_snapshots(source),
        share_key=account.share_keys.get(region),
        copies=bool(source.copies),
        engine=source.engine or "postgresql",
    )


def _s3_objects(source: Source, account: SourceAccount, region: str) -> S3ObjectsSource:
    return S3ObjectsSource(
        account=account.id,
        region=region,
        bucket=source.bucket or "",
        prefix=source.prefix or "",
        at=source.at or None,
        restore=source.sample or Portion(),
        read=source.read or _READ,
        transfer=source.transfer or "copy",
        at_once=source.at_once or _AT_ONCE,
        most_objects=source.most_objects,
        most_bytes=source.most_bytes,
    )


def _s3_dump(source: Source, account: SourceAccount, region: str) -> S3DumpSource:
    return S3DumpSource(
        account=account.id,
        region=region,
        bucket=source.bucket or "",
        object=source.object or "",
        database=source.database or "",
        form=source.form or "file",
        engine=source.engine or "postgresql",
        at=source.at or None,
        checksum=source.checksum,
        decrypt=tuple(source.decrypt or ()),
        jobs=source.jobs,
        roles=tuple(source.roles or ()),
        server=source.server,
        most_bytes=source.most_bytes,
    )
