"""Sweeping a scratch bucket: what a dead run left there goes by its lease, and nothing else ever does."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from fake_buckets import REGION, SCRATCH, SOURCE, Bucket, FakeS3, aws_error
from fence_cases import BEGAN

from restorecheck.errors import SourceError
from restorecheck.fence import Role
from restorecheck.fence.object_parameters import LEASE, metadata_of
from restorecheck.sweep import Place, State, Swept, prefixes, sweep

NOW = BEGAN + timedelta(days=2)
LAB = Place(Role.SCRATCH, SCRATCH, REGION, "lab", bucket="scratch")
RUN = "orders-db-20261121t0300z"


def account(**runs: timedelta) -> FakeS3:
    s3 = FakeS3(lambda: NOW)
    s3.buckets["scratch"] = Bucket(SCRATCH)
    for day, (run, lasts) in enumerate(runs.items(), 20):
        left(s3, f"{run.replace('_', '-')}-202611{day}t0300z", day, lasts)
    return s3


def left(s3: FakeS3, run: str, day: int, lasts: timedelta, objects: int = 3) -> str:
    began = BEGAN + timedelta(days=day - 21)
    permit = s3.permit(
        source_account=SOURCE,
        scratch_account=SCRATCH,
        region=REGION,
        began=began,
        expires=began + lasts,
        run_id=run,
        check="orders-db",
        bucket="scratch",
    )
    bucket, prefix = s3.buckets["scratch"], f"restorecheck-{run}/"
    tags = metadata_of(permit.tags("objects", SCRATCH))
    bucket.put(prefix + LEASE, b"", began + timedelta(minutes=1), metadata=tags)
    for n in range(objects):
        bucket.put(f"{prefix}k/{n}", b"x", began + timedelta(minutes=2))
    bucket.put(f"{prefix}k/0", None, began + timedelta(minutes=3))
    bucket.uploads.append((f"{prefix}k/9", "u1"))
    return prefix


def swept(s3: FakeS3, *, act: bool = True, **limits: Any) -> Swept:
    return sweep(s3, (LAB,), NOW, act=act, **limits)  # type: ignore[arg-type]


DAY = timedelta(days=1)


def test_what_has_expired_goes_to_the_last_version_and_what_is_leased_stays() -> None:
    s3 = account(orders_db=DAY, users_db=DAY * 9)
    found = swept(s3)
    assert [(p.target.name, p.state) for p in found.pieces] == [
        ("scratch/restorecheck-orders-db-20261120t0300z", State.ASKED),
        ("scratch/restorecheck-users-db-20261121t0300z", State.LEASED),
    ]
    assert {key.partition("/")[0] for key in s3.buckets["scratch"].keys} == {"restorecheck-users-db-20261121t0300z"}
    assert [key for key, _ in s3.buckets["scratch"].uploads] == ["restorecheck-users-db-20261121t0300z/k/9"]
    assert not found.leaked
    assert swept(s3).of(State.ASKED) == ()


def test_a_dry_run_deletes_nothing() -> None:
    s3 = account(orders_db=DAY)
    assert [p.state for p in swept(s3, act=False).pieces] == [State.EXPIRED]
    assert len(s3.buckets["scratch"].keys) == 4


def test_what_has_no_lease_or_one_that_cannot_be_read_is_kept_and_reported() -> None:
    s3 = account()
    s3.buckets["scratch"].put("restorecheck-notes/theirs", b"", NOW)
    s3.buckets["scratch"].put("restorecheck.txt", b"", NOW)
    s3.buckets["scratch"].put("theirs/x", b"", NOW)
    [piece] = swept(s3).pieces
    assert (piece.state, "no lease" in piece.reason) == (State.KEPT, True)
    assert piece.label == "arn:aws:s3:::scratch/restorecheck-notes"
    s3.trouble = lambda what, _: aws_error("403") if what == "scratch HeadObject" else None
    [piece] = swept(s3).pieces
    assert (piece.state, "could not be read" in piece.reason) == (State.KEPT, True)
    assert len(s3.buckets["scratch"].keys) == 3


def test_a_lease_that_was_copied_from_elsewhere_proves_nothing() -> None:
    s3 = account(orders_db=DAY)
    bucket = s3.buckets["scratch"]
    [lease] = bucket.keys[f"restorecheck-orders-db-20261120t0300z/{LEASE}"]
    bucket.put(f"restorecheck-users-db-20261120t0300z/{LEASE}", b"", lease.modified, metadata=lease.metadata)
    bucket.put("restorecheck-users-db-20261120t0300z/k/theirs", b"", NOW)
    states = {p.target.name.partition("/")[2]: p.state for p in swept(s3).pieces}
    assert states["restorecheck-users-db-20261120t0300z"] is State.KEPT
    assert "restorecheck-users-db-20261120t0300z/k/theirs" in bucket.keys


def test_an_upload_alone_is_found_too() -> None:
    s3 = account()
    s3.buckets["scratch"].uploads.append(("restorecheck-orders-db-20261120t0300z/k/1", "u1"))
    assert [p.state for p in swept(s3).pieces] == [State.KEPT]


def test_a_bucket_that_cannot_be_listed_is_not_an_empty_one() -> None:
    s3 = account(orders_db=DAY)
    s3.trouble = lambda what, _: aws_error("AccessDenied") if what == "scratch ListMultipartUploads" else None
    found = swept(s3)
    assert found.pieces == ()
    assert [b.what for b in found.blind] == ["restored objects"]
    assert len(s3.buckets["scratch"].keys) == 4


def test_the_breaker_counts_prefixes_too() -> None:
    s3 = account(a_db=DAY, b_db=DAY, c_db=DAY)
    for n in range(8):
        left(s3, f"d-db-2026112{n % 10}t0300z", 20, DAY)
    assert swept(s3, most=3).tripped
    assert swept(s3, share=0.1).tripped
    assert not swept(s3, most=100, share=1.0).tripped


def test_what_a_lock_holds_is_reported_as_not_deleted() -> None:
    s3 = account(orders_db=DAY)
    s3.buckets["scratch"].keys["restorecheck-orders-db-20261120t0300z/k/1"][0].locked = True
    [piece] = swept(s3).pieces
    assert (piece.state, "1 not deleted: AccessDenied: object lock" in piece.reason) == (State.FAILED, True)
    assert f"restorecheck-orders-db-20261120t0300z/{LEASE}" in s3.buckets["scratch"].keys


def test_a_prefix_too_large_for_one_sweep_is_finished_by_the_next() -> None:
    s3 = account()
    s3.page = 1000
    prefix = left(s3, "orders-db-20261120t0300z", 20, DAY, objects=1500)
    [piece] = swept(s3, act=False).pieces
    permit = s3.permit(
        source_account="", scratch_account=SCRATCH, region=REGION, began=NOW, expires=NOW, bucket="scratch"
    )
    hand = s3.hand(Role.SCRATCH, SCRATCH, REGION, permit)
    assert prefixes.delete(hand, piece, most_calls=2).state is State.ASKED
    assert prefix + LEASE in s3.buckets["scratch"].keys
    assert swept(s3).of(State.ASKED)
    assert s3.buckets["scratch"].keys == {}


def test_a_place_without_a_bucket_is_not_asked_about_one() -> None:
    s3 = account()
    sweep(s3, (Place(Role.SCRATCH, SCRATCH, REGION, "lab"),), NOW, act=True)  # type: ignore[arg-type]
    assert s3.calls == []


class Endless:
    """A listing that does not say how it goes on, and one that goes in a circle."""

    def __init__(self, **page: Any) -> None:
        self.page = page

    def call(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
        return {"IsTruncated": True, **self.page}


@pytest.mark.parametrize("page", [{}, {"NextKeyMarker": "a", "NextVersionIdMarker": "v"}])
def test_a_listing_that_does_not_end_is_an_error(page: dict[str, str]) -> None:
    permit = account().permit(
        source_account="", scratch_account=SCRATCH, region=REGION, began=NOW, expires=NOW, bucket="scratch"
    )
    with pytest.raises(SourceError):
        prefixes.found(Endless(**page), LAB, permit)  # type: ignore[arg-type]
