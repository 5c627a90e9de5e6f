"""A keeper of a bucket in the account of this process, through the fence's keeper: what it may write is judged there.

Gives the errors of AWS the names of a store. Decides nothing about what is kept.
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Iterator
from typing import Any

from restorecheck.errors import AwsError, RestorecheckError, SourceError, StoreError
from restorecheck.fence import Hand
from restorecheck.store.bucket.keeper import ConflictError, Kept

_ABSENT = frozenset({"404", "NoSuchKey", "NotFound"})
_OTHER = frozenset({"409", "412", "ConditionalRequestConflict", "OperationAborted", "PreconditionFailed"})
"""Somebody else wrote it, before or at the same moment. [S3 user guide, conditional-writes]"""

_NEVER = frozenset(
    {"NoSuchBucket", "PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException"}
)
_READS = 3


class S3Keeper:
    """See Keeper. `prefix` ends in `/`. Safe to use from many threads."""

    def __init__(self, hand: Hand, bucket: str, prefix: str) -> None:
        self._hand, self._bucket, self._prefix = hand, bucket, prefix
        self.shown = f"s3://{bucket}/{prefix.rstrip('/')}"

    def get(self, key: str) -> Kept | None:
        """See Keeper.get."""
        for left in reversed(range(_READS)):
            try:
                answer = self._call("GetObject", Key=self._prefix + key)
            except AwsError as e:
                if e.code in _ABSENT:
                    return None
                raise self._error(e, f"reading {key}") from e
            try:
                body = answer["Body"].read()  # which is whole, and what its checksum says, or raises
            except Exception as e:  # the classes are botocore's and urllib3's, which only the fence knows
                if not left:
                    raise StoreError(f"reading {self.shown}/{key} broke off: {type(e).__name__}") from e
                continue
            return Kept(body, str(answer["ETag"]), _version(answer))
        raise AssertionError

    def put(self, key: str, body: bytes, *, if_match: str | None = None, if_absent: bool = False) -> str:
        """See Keeper.put."""
        condition = {"IfNoneMatch": "*"} if if_absent else {"IfMatch": if_match or ""}
        sum_ = b64encode(hashlib.sha256(body).digest()).decode()
        kind = (
            "application/gzip" if key.endswith(".gz") else "application/json" if key.endswith(".json") else "text/plain"
        )
        try:
            answer = self._call(
                "PutObject", Key=self._prefix + key, Body=body, ChecksumSHA256=sum_, ContentType=kind, **condition
            )
        except AwsError as e:
            if e.code in _OTHER or (if_match and e.code in _ABSENT):
                raise ConflictError(f"somebody else wrote {self.shown}/{key}") from e
            raise self._error(e, f"writing {key}") from e
        return str(answer["ETag"])

    def list(self, prefix: str, after: str = "") -> Iterator[str]:
        """See Keeper.list."""
        more: dict[str, str] = {"StartAfter": self._prefix + after} if after else {}
        while True:
            try:
                page = self._call("ListObjectsV2", Prefix=self._prefix + prefix, **more)
            except AwsError as e:
                raise self._error(e, f"listing {prefix}") from e
            for item in page.get("Contents", ()):
                yield item["Key"].removeprefix(self._prefix)
            if page.get("IsTruncated") is False:
                return
            token = page.get("NextContinuationToken")
            if not token or more.get("ContinuationToken") == token:
                raise StoreError(f"listing {self.shown}/{prefix} broke off: S3 does not say where it goes on")
            more = {"ContinuationToken": token}

    def versioning(self) -> bool:
        """See Keeper.versioning."""
        try:
            return self._call("GetBucketVersioning").get("Status") == "Enabled"
        except AwsError as e:
            raise self._error(e, "asking for its versioning") from e

    def _call(self, operation: str, **params: Any) -> dict[str, Any]:
        try:
            return self._hand.call(
                "s3", operation, Bucket=self._bucket, ExpectedBucketOwner=self._hand.account, **params
            )
        except AwsError:
            raise
        except SourceError as e:  # no answer, or no credentials
            raise StoreError(f"the state in {self.shown} cannot be reached: {e.message}", e.hint) from e

    def _error(self, e: AwsError, doing: str) -> RestorecheckError:
        said = f"the state in {self.shown} failed at {doing}: {e.message}"
        if e.code in _NEVER:
            return RestorecheckError(
                said,
                "is the bucket's name right, and its region? It must be in the service's own account",
                kind="config",
            )
        if e.kind == "permission":
            hint = "docs/state-in-s3.md lists what restorecheck's own identity needs on its bucket"
            return StoreError(said, hint)
        return StoreError(said, e.hint, retryable=e.retryable)


def _version(answer: dict[str, Any]) -> str:
    said = str(answer.get("VersionId") or "")
    return "" if said == "null" else said
