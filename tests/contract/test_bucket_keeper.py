"""What a keeper of a bucket must do, held against the one that tests use and the real one, through the fence."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
from bucket_server import REGION
from kept_bucket import KeptBucket

from restorecheck.errors import RefusedError, RestorecheckError, SourceError, StoreError
from restorecheck.fence import Fence
from restorecheck.store.bucket import ConflictError, Keeper
from restorecheck.store.bucket.s3 import S3Keeper

OURS = "123456789012"


def through_the_fence(endpoint: str, bucket: str = "state", prefix: str = "prod/") -> S3Keeper:
    return S3Keeper(fence(endpoint).keeper(bucket, prefix, REGION), bucket, prefix)


@cache
def fence(endpoint: str) -> Fence:
    """Enter once: that is what takes the time."""
    return Fence({}, {}, endpoint_url=endpoint)


@pytest.fixture(params=["in memory", "S3"])
def keeper(request: pytest.FixtureRequest) -> Keeper:
    if request.param == "in memory":
        return KeptBucket()
    request.getfixturevalue("s3")
    return through_the_fence(request.getfixturevalue("bucket_endpoint"))


def test_what_was_written_is_read(keeper: Keeper):
    assert keeper.get("runs/a.json") is None
    etag = keeper.put("runs/a.json", b"one", if_absent=True)
    kept = keeper.get("runs/a.json")
    assert kept is not None
    assert (kept.body, kept.etag) == (b"one", etag)
    assert kept.version


def test_every_write_has_a_version_of_its_own(keeper: Keeper):
    etag = keeper.put("a", b"one", if_absent=True)
    first = keeper.get("a")
    keeper.put("a", b"two", if_match=etag)
    second = keeper.get("a")
    assert first is not None
    assert second is not None
    assert (second.body, first.version != second.version, first.etag != second.etag) == (b"two", True, True)


def test_what_is_there_is_not_written_over(keeper: Keeper):
    keeper.put("a", b"one", if_absent=True)
    with pytest.raises(ConflictError):
        keeper.put("a", b"two", if_absent=True)
    kept = keeper.get("a")
    assert kept is not None
    assert kept.body == b"one"


def test_what_was_changed_since_it_was_read_is_not_written_over(keeper: Keeper):
    old = keeper.put("a", b"one", if_absent=True)
    keeper.put("a", b"two", if_match=old)
    with pytest.raises(ConflictError) as raised:
        keeper.put("a", b"three", if_match=old)
    assert (raised.value.kind, raised.value.retryable) == ("store", True)


def test_what_is_gone_since_it_was_read_is_not_written_anew(keeper: Keeper):
    with pytest.raises(ConflictError):
        keeper.put("a", b"one", if_match='"abc"')


def test_a_listing_is_in_order_and_begins_behind(keeper: Keeper):
    for key in ("runs/b/2", "runs/b/1", "runs/a/9", "runs/bb/1", "checks/b.json"):
        keeper.put(key, b"x", if_absent=True)
    assert list(keeper.list("runs/b/")) == ["runs/b/1", "runs/b/2"]
    assert list(keeper.list("runs/b/", "runs/b/1")) == ["runs/b/2"]
    assert list(keeper.list("runs/b/", "runs/b/15")) == ["runs/b/2"]
    assert list(keeper.list("runs/")) == ["runs/a/9", "runs/b/1", "runs/b/2", "runs/bb/1"]
    assert list(keeper.list("nothing/")) == []


def test_it_says_whether_it_keeps_versions(keeper: Keeper):
    assert keeper.versioning() is True


# --- S3 alone --------------------------------------------------------------------------------------------------------


def test_a_listing_of_many_pages_is_whole(s3: Any, bucket_endpoint: str):
    for n in range(7):
        s3.put_object(Bucket="state", Key=f"prod/runs/a/{n}", Body=b"x")

    class Small:
        """A hand that asks for small pages."""

        def __init__(self) -> None:
            self.hand = fence(bucket_endpoint).keeper("state", "prod/", REGION)
            self.account, self.calls = self.hand.account, 0

        def call(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
            self.calls += 1
            return self.hand.call(service, operation, **params, MaxKeys=3)

    small = Small()
    keeper = S3Keeper(small, "state", "prod/")  # type: ignore[arg-type]
    assert list(keeper.list("runs/")) == [f"runs/a/{n}" for n in range(7)]
    assert small.calls == 3


def test_nothing_is_seen_or_written_beside_the_prefix(s3: Any, bucket_endpoint: str):
    s3.put_object(Bucket="state", Key="other/runs/a", Body=b"x")
    keeper = through_the_fence(bucket_endpoint)
    assert list(keeper.list("")) == []
    keeper.put("a", b"x", if_absent=True)
    assert [o["Key"] for o in s3.list_objects_v2(Bucket="state")["Contents"]] == ["other/runs/a", "prod/a"]


def test_a_write_without_a_condition_is_not_sent(s3: Any, bucket_endpoint: str):
    with pytest.raises(RefusedError, match="it could write over what it has not read"):
        through_the_fence(bucket_endpoint).put("a", b"x")
    assert "Contents" not in s3.list_objects_v2(Bucket="state")


def test_what_lies_behind_a_delete_marker_is_gone(s3: Any, bucket_endpoint: str):
    keeper = through_the_fence(bucket_endpoint)
    keeper.put("a", b"x", if_absent=True)
    s3.delete_object(Bucket="state", Key="prod/a")
    assert keeper.get("a") is None
    keeper.put("a", b"y", if_absent=True)


@pytest.mark.parametrize("status", ["Suspended", ""])
def test_a_bucket_that_keeps_no_versions_says_so(s3: Any, bucket_endpoint: str, status: str):
    if status:
        s3.put_bucket_versioning(Bucket="state", VersioningConfiguration={"Status": status})
        assert through_the_fence(bucket_endpoint).versioning() is False
    else:
        s3.create_bucket(Bucket="plain", CreateBucketConfiguration={"LocationConstraint": REGION})
        assert through_the_fence(bucket_endpoint, "plain").versioning() is False


def test_a_bucket_that_is_not_there_is_the_operators_to_mend(bucket_endpoint: str):
    keeper = through_the_fence(bucket_endpoint, "nowhere")
    for act in (lambda: keeper.get("a"), keeper.versioning, lambda: list(keeper.list(""))):
        with pytest.raises(RestorecheckError, match="the state in s3://nowhere/prod failed at") as raised:
            act()
        assert raised.value.kind == "config"
        assert "must be in the service's own account" in raised.value.hint


def test_a_bucket_that_nobody_answers_for_may_answer_later():
    class Silent:
        """A hand whose calls get no answer."""

        account = OURS

        def call(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
            raise SourceError(f"{operation}: no answer", kind="aws-unavailable", retryable=True)

    keeper = S3Keeper(Silent(), "state", "prod/")  # type: ignore[arg-type]
    for act in (lambda: keeper.get("a"), keeper.versioning, lambda: keeper.put("a", b"", if_absent=True)):
        with pytest.raises(StoreError, match=r"cannot be reached: .*no answer") as raised:
            act()
        assert raised.value.retryable


def test_a_body_that_breaks_off_is_read_again_and_then_given_up():
    class Body:
        """The bytes of an object, of which some get lost."""

        def __init__(self, whole: bool) -> None:
            self.whole = whole

        def read(self) -> bytes:
            if not self.whole:
                raise ConnectionError("reset")
            return b"x"

    class Shaky:
        """A hand whose first answers break off."""

        account = OURS

        def __init__(self, bad: int) -> None:
            self.bad = bad

        def call(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
            self.bad -= 1
            return {"Body": Body(self.bad < 0), "ETag": '"1"', "VersionId": "v"}

    kept = S3Keeper(Shaky(2), "state", "prod/").get("a")  # type: ignore[arg-type]
    assert kept is not None
    assert kept.body == b"x"
    with pytest.raises(StoreError, match="broke off: ConnectionError") as raised:
        S3Keeper(Shaky(3), "state", "prod/").get("a")  # type: ignore[arg-type]
    assert raised.value.retryable
