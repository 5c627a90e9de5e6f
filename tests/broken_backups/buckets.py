"""Buckets whose objects cannot be brought back as they were, each in a way that was seen in the field.

What a run restores of a bucket is asked in SQL. What holds of one time must fail of another, so there are cases in both
directions.
"""

from __future__ import annotations

import base64
import hashlib
import random
from dataclasses import replace
from datetime import UTC, datetime

import buckets_whole  # noqa: F401 - they add their cases
from bucket_lab import CHECK, EXPORTS, KEYS, LAB, ORDERS, Lab, asks, counted, gone, parquet, put, two_volumes
from case import case
from demo_world import SOURCE
from moments import Named
from product import Product

from restorecheck.model import Report, Verdict
from restorecheck.schedule import run_id, scratch_name

# --- what is missing --------------------------------------------------------------------------------------------------


@case("K22", "a volume was skipped: as many objects as the run before", Verdict.BROKEN, "assertion-failed", "hold")
def _volume_skipped(product: Product) -> Report:
    lab = Lab(product, *two_volumes())
    lab.declare(asks("hold", "select count(*) from objects", at_least=0.9, of="previous"))
    return lab.followed([gone(f"media/{n:02}", 0.001) for n in range(20)])


@case("K22", "a volume was skipped: the prefixes that there must be", Verdict.BROKEN, "assertion-failed", "prefixes")
def _prefix_skipped(product: Product) -> Report:
    lab = Lab(product, *(w for w in two_volumes() if w["key"].startswith("data/")))
    return lab.ran(asks("prefixes", "select distinct split_part(key, '/', 1) from objects", set=["data", "media"]))


@case("K22", "a volume is there by its names, and its objects are empty", Verdict.BROKEN, "assertion-failed", "bytes")
def _volume_emptied(product: Product) -> Report:
    lab = Lab(product, *two_volumes())
    lab.declare(counted(40), asks("bytes", "select sum(size)::bigint from objects", at_least=0.9, of="previous"))
    return lab.followed([put(f"media/{n:02}", "", 0.001) for n in range(20)])


@case("K32", "objects vanish slowly: each run is near the one before, and far from the most", Verdict.BROKEN,
      "assertion-failed", "hold")  # fmt: skip
def _slowly(product: Product) -> Report:
    lab = Lab(product, *(put(f"{n:02}") for n in range(40)))
    number = "select count(*) from objects"
    lab.declare(asks("step", number, at_least=0.9, of="previous"), asks("hold", number, at_least=0.9, of="max(90d)"))
    report = lab.followed([gone(f"{n:02}", 0.001) for n in range(3)], [gone(f"{n:02}", 0.001) for n in range(3, 6)])
    assert {f.name: str(f.outcome) for f in report.findings}["step"] == "pass", "each step is small"
    return report


# --- what cannot be read, or is not what it was -----------------------------------------------------------------------


def _ransomed(body: bytes) -> bytes:
    return random.Random(30).randbytes(len(body))


@case("K30", "one of many files is what ransomware left of it", Verdict.BROKEN, "data-damaged", "orders")
def _file_ransomed(product: Product) -> Report:
    body = parquet(100)
    lab = Lab(product, put("orders/1.parquet", body), put("orders/2.parquet", body, 9))
    lab.wrote(put("orders/2.parquet", _ransomed(body), 1))
    return lab.ran(ORDERS, read="all")


@case("K30", "a table in CSV was overwritten, and the file before it is still there at an earlier time")
def _before_the_ransom(product: Product) -> Report:
    good = "id,name\n" + "".join(f"{n},name {n}\n" for n in range(100))
    lab = Lab(product, put("people.csv", good, 9), put("people.csv", _ransomed(good.encode()), 1))
    people = {
        "name": "people",
        "sql": "select count(*) from people",
        "files": {"people": {"path": "people.csv", "columns": {"id": "BIGINT", "name": "VARCHAR"}}},
        "expect": {"equals": 100},
    }
    lab.declare(people, at="now")
    ransomed = product.verify(CHECK)
    assert ransomed.verdict is Verdict.BROKEN, ransomed
    assert ransomed.failure is not None
    assert ransomed.failure.kind == "data-damaged", ransomed.failure
    return lab.ran(people, at="3d")


@case("K30", "every object is there, under the name that ransomware gives", Verdict.BROKEN, "assertion-failed", "names")
def _renamed(product: Product) -> Report:
    lab = Lab(product, *(put(f"{n}.pdf", days=9) for n in range(9)), *(gone(f"{n}.pdf", 1) for n in range(9)))
    lab.wrote(*(put(f"{n}.pdf.locked", random.Random(n).randbytes(99), 1) for n in range(9)))
    names = asks("names", "select key from objects where key not like '%.pdf'", no_rows=True)
    return lab.ran(counted(9), names)


_KEY = b"a key of the attacker, 32 bytes.."[:32]
_SEALED = {
    "SSECustomerAlgorithm": "AES256",
    "SSECustomerKey": base64.b64encode(_KEY).decode(),
    "SSECustomerKeyMD5": base64.b64encode(hashlib.md5(_KEY, usedforsecurity=False).digest()).decode(),
}


@case("K31", "an object under a key that only the attacker has (SSE-C)", Verdict.UNPROVEN, "object-sealed")
def _sealed(product: Product) -> Report:
    lab = Lab(product, put("open"), put("shut", days=9))
    lab.put("shut", b"what it was", 1, **_SEALED)
    report = lab.ran(counted(2))
    assert report.failure is not None
    assert "shut" in report.failure.message
    return report


@case("K31", "the version before the attacker's, at a time before it")
def _before_it_was_sealed(product: Product) -> Report:
    lab = Lab(product, put("open", days=9), put("shut", "what it was", days=9))
    lab.put("shut", b"theirs", 1, **_SEALED)
    return lab.ran(counted(2), at="3d", read="all")


# --- delete markers and versions --------------------------------------------------------------------------------------


def _markers(product: Product) -> Lab:
    """`kept` was always there, `erased` was deleted 20 days ago, `live` 5 days ago."""
    return Lab(
        product, put("kept", days=30), put("erased", days=30), put("live", days=30), gone("erased", 20), gone("live", 5)
    )


@case("K45", "before any marker, everything is there")
def _before_all_markers(product: Product) -> Report:
    return _markers(product).ran(asks("keys", KEYS, set=["erased", "kept", "live"]), at="25d")


@case("K45", "what was deleted before does not come back, what was deleted after is there")
def _between_markers(product: Product) -> Report:
    return _markers(product).ran(asks("keys", KEYS, set=["kept", "live"]), at="10d")


@case("K45", "a live object was deleted before that time, and is missed", Verdict.BROKEN, "assertion-failed", "live")
def _missed(product: Product) -> Report:
    live = asks("live", "select count(*) from objects where key = 'live'", equals=1)
    return _markers(product).ran(live, at="2d")


@case("K45", "an object that was erased came back under its key, and is found", Verdict.BROKEN, "assertion-failed",
      "erased")  # fmt: skip
def _came_back(product: Product) -> Report:
    lab = _markers(product)
    lab.wrote(put("erased", "copied back by somebody", 1))
    return lab.ran(asks("erased", "select key from objects where key = 'erased'", no_rows=True))


@case("K46", "an archived object with a delete marker above it, at a time before the marker", Verdict.UNPROVEN,
      "object-archived")  # fmt: skip
def _archived_below_a_marker(product: Product) -> Report:
    cold = put("cold", days=30, storage_class="DEEP_ARCHIVE")
    return Lab(product, put("warm", days=30), cold, gone("cold", 5)).ran(counted(2), at="10d")


@case("K46", "an archived object with a delete marker above it, at a time after the marker, is no part of it")
def _archived_and_deleted(product: Product) -> Report:
    cold = put("cold", days=30, storage_class="DEEP_ARCHIVE")
    return Lab(product, put("warm", days=30), cold, gone("cold", 5)).ran(counted(1), at="2d")


@case("K47", "an archived object among others: nothing is skipped in silence", Verdict.UNPROVEN, "object-archived")
def _archived(product: Product) -> Report:
    lab = Lab(product, *(put(f"{n:02}") for n in range(20)), put("cold", storage_class="GLACIER"))
    report = lab.ran(counted(21))
    assert report.failure is not None
    assert "cold" in report.failure.message
    return report


@case("K48", "the role may not decrypt the objects under their KMS key", Verdict.UNPROVEN, "key-access")
def _not_permitted(product: Product) -> Report:
    lab = Lab(product, put("plain"))
    lab.put("secret", ServerSideEncryption="aws:kms", SSEKMSKeyId=lab.world.source_key)
    message = (
        f"User: {lab.world.scratch_role} is not authorized to perform: kms:Decrypt on resource: {lab.world.source_key}"
        " because no resource-based policy allows the kms:Decrypt action"
    )
    lab.world.aws.fault("CopyObject", service="s3", name="*secret", code="AccessDenied", message=message, times=None)
    return lab.ran(counted(2))


@case("K48", "the objects are under AWS's own key, which only their account may use", Verdict.UNPROVEN, "permission")
def _key_of_its_account(product: Product) -> Report:
    lab = Lab(product, put("plain"))
    lab.put("secret", ServerSideEncryption="aws:kms")
    return lab.ran(counted(2))


@case("K48", "the KMS key of the objects is disabled", Verdict.BROKEN, "key-unusable")
def _key_disabled(product: Product) -> Report:
    lab = Lab(product, put("plain"))
    lab.put("secret", ServerSideEncryption="aws:kms", SSEKMSKeyId=lab.world.source_key)
    lab.world.aws.client("kms", SOURCE).disable_key(KeyId=lab.world.source_key)
    return lab.ran(counted(2))


@case("K50", "the destination has objects of these names: they are neither taken for restored nor touched")
def _names_exist(product: Product) -> Report:
    lab = Lab(product, *(put(f"{n}", f"body {n}") for n in range(9)))
    for n in range(9):
        lab.scratch.put_object(Bucket=LAB, Key=f"{n}", Body=b"of others")
    return lab.ran(counted(9), asks("bodies", "select sum(size)::int from objects", equals=9 * len("body 0")))


@case("K50", "the run's own prefix in the destination has objects of others", Verdict.UNPROVEN, "taken")
def _prefix_taken(product: Product) -> Report:
    lab = Lab(product, put("1"))
    lab.declare(counted(1))
    at = datetime.now(UTC)
    theirs = f"{scratch_name(run_id(CHECK, at))}/k/theirs"
    lab.scratch.put_object(Bucket=LAB, Key=theirs, Body=b"x")
    report = product.verify(CHECK, clock=Named(at), left=True)
    [left] = report.leaked
    assert "no lease" in left.reason, left
    assert theirs in lab.world.held(LAB)
    return replace(report, leaked=())  # it is not the run's, so it is told and left


def _overwritten(product: Product) -> Lab:
    return Lab(product, put("report", "as it was", 30), put("report", "after somebody was at it", 5))


@case("K51", "an earlier version is restored, where the newest is another")
def _earlier_version(product: Product) -> Report:
    size = asks("size", "select size from objects where key = 'report'", equals=len("as it was"))
    return _overwritten(product).ran(size, at="10d", read="all")


@case(
    "K51", "the newest version is not what it was, and the question knows", Verdict.BROKEN, "assertion-failed", "size"
)
def _latest_version(product: Product) -> Report:
    size = asks("size", "select size from objects where key = 'report'", equals=len("as it was"))
    return _overwritten(product).ran(size)


def _expire(lab: Lab, *keys: str) -> None:
    """Delete every version but the newest for good, as a lifecycle rule for noncurrent versions does."""
    for key in keys:
        found = lab.s3.list_object_versions(Bucket=EXPORTS, Prefix=key)
        for one in (*found.get("Versions", ()), *found.get("DeleteMarkers", ())):
            if one["Key"] == key and not one["IsLatest"]:
                lab.s3.delete_object(Bucket=EXPORTS, Key=key, VersionId=one["VersionId"])


@case("K52", "a lifecycle rule ate the old versions: nothing is left of that time", Verdict.BROKEN, "empty-backup")
def _expired(product: Product) -> Report:
    keys = [f"{n}" for n in range(9)]
    lab = Lab(product, *(put(key, days=30) for key in keys), *(put(key, "newer", 5) for key in keys))
    _expire(lab, *keys)
    return lab.ran(at="10d")


@case("K52", "a lifecycle rule ate some of the old versions: fewer than there were", Verdict.BROKEN, "assertion-failed",
      "count")  # fmt: skip
def _partly_expired(product: Product) -> Report:
    keys = [f"{n}" for n in range(9)]
    lab = Lab(product, *(put(key, days=30) for key in keys), *(put(key, "newer", 5) for key in keys))
    _expire(lab, *keys[:3])
    return lab.ran(counted(9), at="10d")


@case("K52", "a lifecycle rule ate the bucket: markers are all there is", Verdict.BROKEN, "empty-backup")
def _all_expired(product: Product) -> Report:
    keys = [f"{n}" for n in range(9)]
    lab = Lab(product, *(put(key, days=30) for key in keys), *(gone(key, 5) for key in keys))
    _expire(lab, *keys)
    return lab.ran()


@case("K52", "a lifecycle rule ate the bucket: the folders that a console shows are all there is", Verdict.BROKEN,
      "empty-backup")  # fmt: skip
def _all_but_folders_expired(product: Product) -> Report:
    folders = [put("orders/", "", 30), put("orders/2026/", "", 30)]
    keys = [f"orders/2026/{n}" for n in range(9)]
    return Lab(product, *folders, *(put(key, days=30) for key in keys), *(gone(key, 5) for key in keys)).ran()


# --- two stores -------------------------------------------------------------------------------------------------------

_MANIFEST: dict[str, object] = {
    "sql": "select m.key from manifest m left join objects o on o.key = m.key where o.key is null",
    "files": {"manifest": {"path": "manifest.csv", "columns": {"id": "BIGINT", "key": "VARCHAR"}}},
    "expect": {"no_rows": True},
}


def _catalogued(product: Product) -> Lab:
    """A table in CSV that names ten objects, which are there."""
    rows = "id,key\n" + "".join(f"{n},documents/{n}.pdf\n" for n in range(10))
    return Lab(product, put("manifest.csv", rows, 5), *(put(f"documents/{n}.pdf", days=9) for n in range(10)))


@case("K53", "a table names an object that was deleted before that time", Verdict.BROKEN, "assertion-failed", "named")
def _row_without_object(product: Product) -> Report:
    lab = _catalogued(product)
    lab.wrote(gone("documents/7.pdf", 3))
    return lab.ran({"name": "named"} | _MANIFEST)


@case("K53", "a table names an object that was deleted after that time, and the objects are of its own time")
def _row_with_object_of_its_time(product: Product) -> Report:
    lab = _catalogued(product)
    lab.wrote(gone("documents/7.pdf", 3))
    return lab.ran({"name": "named"} | _MANIFEST, at="4d")


@case("K53", "an object that no table names", Verdict.BROKEN, "assertion-failed", "known")
def _object_without_row(product: Product) -> Report:
    lab = _catalogued(product)
    lab.wrote(put("documents/stranger.pdf", days=3))
    known = {
        "name": "known",
        "sql": "select o.key from objects o anti join manifest m on m.key = o.key where o.key like 'documents/%'",
    }
    return lab.ran({"name": "named"} | _MANIFEST, _MANIFEST | known)
