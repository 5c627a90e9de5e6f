"""Copies of a snapshot on either side and the share between them: how they are made, and how they are removed again.

The same for snapshots of instances and of clusters. Every `begin` may run twice: what it meets under this run's name is
adopted if this run made it, refused if not. Removed is only what carries this run's tags; the fence, which describes
again, has the last word.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from restorecheck.durable import Look
from restorecheck.errors import AwsError, SourceError
from restorecheck.model import RecoveryPoint
from restorecheck.sources.interface import Stage
from restorecheck.sources.rds.describing import Described, tolerate
from restorecheck.sources.rds.reach import Reach, Side

# --- there ---------------------------------------------------------------------------------------------------------


def stages(reach: Reach, point: RecoveryPoint) -> list[Stage]:
    """Return the legs from this point to a snapshot that the scratch account can restore from."""
    limits, legs = reach.limits, []
    if reach.exports(point):
        export = reach.begun(lambda: _export(reach, point))
        legs.append(Stage("export", export, _copied(reach, "source"), limits.copy))
    if reach.exports(point) or reach.borrows(point):
        legs.append(Stage("share", lambda: _share(reach, point), lambda: _look_shared(reach, point), limits.copy))
    if reach.imports(point):
        import_ = reach.begun(lambda: _import(reach, point))
        legs.append(Stage("import", import_, _copied(reach, "scratch"), limits.copy))
    return legs


def not_seen_yet(reach: Reach, error: AwsError) -> AwsError:
    """Return what an error means where a snapshot is read that was just shared: a share takes a moment to be seen."""
    if error.code != reach.kept.unknown:
        return error
    return AwsError(error.code, error.message, kind=error.kind, retryable=True)


def _export(reach: Reach, point: RecoveryPoint) -> None:
    _copy(reach, "source", point.id, point, reach.source.share_key or point.key)


def _import(reach: Reach, point: RecoveryPoint) -> None:
    try:
        _copy(reach, "scratch", reach.shared_arn(point), point, reach.placement.key)
    except AwsError as e:
        raise not_seen_yet(reach, e) from e


def _copy(reach: Reach, side: Side, snapshot: str, point: RecoveryPoint, key: str | None) -> None:
    if key is None or not point.encrypted:  # of a cluster, a copy cannot encrypt: AWS refuses a key [RDS API]
        _copy_under(reach, side, snapshot, None)
        return
    try:
        _copy_under(reach, side, snapshot, key)
    except AwsError as e:
        if not _by_aws(point) or e.kind != "settings":
            raise
        # Nobody documents whether that counts as encrypted here. Without a key it stays under the one that it has.
        _copy_under(reach, side, snapshot, None)


def _copy_under(reach: Reach, side: Side, snapshot: str, key: str | None) -> None:
    kept = reach.kept
    params: dict[str, Any] = {
        f"Source{kept.identifier}": snapshot,
        f"Target{kept.identifier}": reach.name,
        "CopyTags": False,
        "Tags": reach.tags(kept.kind, side),
    }
    if key:
        params["KmsKeyId"] = key
    try:
        reach.hand(side).call("rds", f"Copy{kept.word}", **params)
    except AwsError as e:
        if e.code != kept.exists or not reach.ours(reach.snapshot(side)):
            raise


def _copied(reach: Reach, side: Side) -> Callable[[], Look]:
    def look() -> Look:
        snapshot = reach.sighted_snapshot(side)
        if snapshot is None:
            raise SourceError(f"the copy {reach.name} vanished from the {side} account", kind="interfered")
        status = snapshot.get("Status", "unknown")
        if status == "failed" or status.startswith("incompatible"):
            raise SourceError(f"the copy {reach.name} in the {side} account ended as {status}", kind="copy-failed")
        done = status == "available"
        return Look(done, status if done else f"{status} {snapshot.get('PercentProgress', 0)} %")

    return look


def _share(reach: Reach, point: RecoveryPoint) -> None:
    try:
        _change_share(reach, point, "ValuesToAdd")
    except AwsError as e:
        if not _by_aws(point) or e.retryable or e.kind in {"permission", "credentials", "quota"}:
            raise
        message = f"{point.arn} is encrypted under a key that AWS owns, and AWS did not let it be shared: {e.message}"
        hint = "give the source a customer managed key, or set share_key, so that a copy under it can be shared"
        raise SourceError(message, hint, kind="key-not-shareable") from e


def _by_aws(point: RecoveryPoint) -> bool:
    """Say whether it is encrypted under a key that is in no account: nobody documents what may be done with it."""
    return point.encrypted and point.key is None


def _change_share(reach: Reach, point: RecoveryPoint, change: str) -> None:
    params: dict[str, Any] = {
        reach.kept.identifier: reach.shareable(point),
        "AttributeName": "restore",
        change: [reach.placement.account],
    }
    reach.sharing_hand(point).call("rds", f"Modify{reach.kept.word}Attribute", **params)


def _look_shared(reach: Reach, point: RecoveryPoint) -> Look:
    done = reach.shared(reach.shareable(point))
    return Look(done, "shared" if done else "not shared yet")


# --- and back ------------------------------------------------------------------------------------------------------


def removal(reach: Reach, point: RecoveryPoint) -> list[Stage]:
    """Return the legs back, in the order that AWS allows: scratch copy, share, source copy."""
    legs = []
    if reach.imports(point):
        legs.append(_drop_copy(reach, "drop import", "scratch"))
    if reach.exports(point) or reach.borrows(point):
        unshare, look = (lambda: _unshare(reach, point)), (lambda: _look_unshared(reach, point))
        legs.append(Stage("unshare", unshare, look, reach.limits.teardown))
    if reach.exports(point):
        legs.append(_drop_copy(reach, "drop export", "source"))
    return legs


def going(reach: Reach, sighted: Described | None) -> bool:
    """Say whether a shared listing shows it on its way out. Then there is nothing to do; all else is asked afresh."""
    if sighted is None or not reach.ours(sighted):
        return False
    return "deleting" in {sighted.get("DBInstanceStatus"), sighted.get("Status")}


def _drop_copy(reach: Reach, name: str, side: Side) -> Stage:
    kept = reach.kept

    def drop() -> None:
        if not reach.ours(reach.snapshot(side)):
            return
        try:
            reach.hand(side).call("rds", f"Delete{kept.word}", **{kept.identifier: reach.name})
        except AwsError as e:
            tolerate(e, kept.unknown, kept.busy)

    def look() -> Look:
        if going(reach, reach.sighted_snapshot(side)):
            return Look(done=False, status="deleting")
        drop()
        snapshot = reach.snapshot(side)
        if snapshot is None or not reach.ours(snapshot):
            return Look(done=True, status="gone")
        return Look(done=False, status=snapshot.get("Status", "unknown"))

    return Stage(name, reach.begun(drop), look, reach.limits.teardown)


def _unshare(reach: Reach, point: RecoveryPoint) -> None:
    if reach.exports(point) and not reach.ours(reach.snapshot("source")):
        return
    try:
        _change_share(reach, point, "ValuesToRemove")
    except AwsError as e:
        tolerate(e, reach.kept.unknown)


def _look_unshared(reach: Reach, point: RecoveryPoint) -> Look:
    if reach.exports(point) and not reach.ours(reach.snapshot("source")):
        return Look(done=True, status="gone")
    try:
        shared = reach.shared(reach.shareable(point))
    except AwsError as e:
        tolerate(e, reach.kept.unknown)
        shared = False
    if shared:
        _unshare(reach, point)
    return Look(not shared, "still shared" if shared else "not shared")
