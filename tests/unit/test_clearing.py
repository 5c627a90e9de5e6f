"""Removing everything below one prefix: to the last upload, the lease last, and never on a listing that lies."""

from __future__ import annotations

from typing import Any

import pytest

from restorecheck.errors import AwsError, SourceError
from restorecheck.sources.versions.clearing import Prefix, clear, held

HERE = Prefix("scratch", "222222222222", "restorecheck-x/", "restorecheck-x/.lease")


class Hand:
    """A bucket of a few pages, which may change while it is looked at."""

    def __init__(self, *versions: str, uploads: tuple[str, ...] = (), **answers: Any) -> None:
        self.versions, self.uploads, self.answers = list(versions), list(uploads), answers
        self.deleted: list[list[str]] = []
        self.arriving: list[str] = []

    def call(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
        answer = self.answers.get(operation)
        if isinstance(answer, Exception):
            raise answer
        if answer is not None:
            return answer  # type: ignore[no-any-return]
        result: dict[str, Any] = getattr(self, operation)(params)
        return result

    def ListObjectVersions(self, params: dict[str, Any]) -> dict[str, Any]:  # noqa: N802 - S3's names
        return {"Versions": [{"Key": key, "VersionId": "null"} for key in sorted(self.versions)]}

    def ListMultipartUploads(self, params: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        return {"Uploads": [{"Key": key, "UploadId": "u"} for key in self.uploads]}

    def AbortMultipartUpload(self, params: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        self.uploads.remove(params["Key"])
        return {}

    def DeleteObjects(self, params: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        keys = [item["Key"] for item in params["Delete"]["Objects"]]
        self.deleted.append(keys)
        self.versions = [key for key in self.versions if key not in keys] + self.arriving
        self.arriving = []
        return {}


def test_the_lease_stays_while_anything_arrives() -> None:
    hand = Hand(HERE.lease, "restorecheck-x/a")
    hand.arriving = ["restorecheck-x/b"]
    assert not clear(hand, HERE).done
    assert hand.versions == [HERE.lease, "restorecheck-x/b"]
    assert clear(hand, HERE).done
    assert hand.versions == []
    assert hand.deleted == [["restorecheck-x/a"], ["restorecheck-x/b"], [HERE.lease]]
    assert clear(hand, HERE).done
    assert clear(hand, HERE).removed == 0


def test_an_upload_that_is_gone_by_now_is_gone_and_any_other_error_is_one() -> None:
    gone = AwsError("NoSuchUpload", "gone", kind="interfered", retryable=False)
    hand = Hand(HERE.lease, uploads=("restorecheck-x/a",), AbortMultipartUpload=gone)
    assert clear(hand, HERE).removed == 1
    denied = AwsError("AccessDenied", "no", kind="permission", retryable=False)
    with pytest.raises(AwsError):
        clear(Hand(uploads=("restorecheck-x/a",), AbortMultipartUpload=denied), HERE)


def test_it_stops_when_it_is_enough() -> None:
    hand = Hand(HERE.lease, uploads=("restorecheck-x/a", "restorecheck-x/b"))
    cleared = clear(hand, HERE, lambda: True)
    assert (cleared.removed, cleared.done, hand.uploads) == (1, False, ["restorecheck-x/b"])


def test_what_s3_will_not_delete_is_counted_by_what_it_says() -> None:
    errors = {"Errors": [{"Code": "AccessDenied", "Message": "locked"}, {}]}
    cleared = clear(Hand("restorecheck-x/a", "restorecheck-x/b", "restorecheck-x/c", DeleteObjects=errors), HERE)
    assert (cleared.refused, cleared.removed, cleared.done) == ({"AccessDenied: locked": 1, "Unknown": 1}, 1, False)
    assert not clear(Hand(HERE.lease, DeleteObjects={"Errors": [{"Code": "AccessDenied"}]}), HERE).done


@pytest.mark.parametrize("operation", ["ListObjectVersions", "ListMultipartUploads"])
@pytest.mark.parametrize(
    "page",
    [
        {"IsTruncated": True},
        {"IsTruncated": True, "NextKeyMarker": "restorecheck-x/a"},
        {"Versions": [{"Key": "theirs", "VersionId": "1"}]},
        {"Uploads": [{"Key": "theirs", "UploadId": "1"}]},
    ],
)
def test_a_listing_that_goes_astray_deletes_nothing(operation: str, page: dict[str, Any]) -> None:
    hand = Hand(**{operation: page})
    if ("Versions" in page) == (operation == "ListMultipartUploads") and "IsTruncated" not in page:
        assert held(hand, HERE).told == "0 versions and delete markers, 0 unfinished uploads"
        return
    with pytest.raises(SourceError):
        held(hand, HERE)
    with pytest.raises(SourceError):
        clear(hand, HERE)
    assert hand.deleted == []


@pytest.mark.parametrize(("prefix", "lease"), [("", ".lease"), ("/", "/.lease"), ("a", "a/.lease"), ("a/", "b/.lease")])
def test_nothing_but_a_prefix_with_its_lease_can_be_cleared(prefix: str, lease: str) -> None:
    with pytest.raises(ValueError, match="prefix"):
        Prefix("scratch", "222222222222", prefix, lease)
