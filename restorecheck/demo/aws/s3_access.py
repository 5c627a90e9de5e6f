"""Who may do what in a bucket: its owner's account everything that its policy does not deny, others what that allows.

What a caller's own role allows him is not looked at, as everywhere in the demo.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from moto.s3.models import s3_backends

from restorecheck.demo.aws import trust
from restorecheck.demo.aws.access import PARTITION, Identity
from restorecheck.demo.aws.s3_requests import Need, S3Request


def owner_of(bucket: str) -> str | None:
    """Return the account that owns a bucket; None if there is no such bucket."""
    found = s3_backends.bucket_accounts.get(bucket)
    return str(found[1]) if found else None


def bucket_of(name: str) -> Any:
    """Return moto's bucket; None if there is none."""
    owner = owner_of(name)
    return s3_backends[owner][PARTITION].buckets.get(name) if owner else None


def refusal(who: Identity, request: S3Request, environ: Mapping[str, Any]) -> str | None:
    """Return why S3 answers AccessDenied, or None if the caller may go on. Buckets that are not there are for moto."""
    expected = [(request.place.bucket, "HTTP_X_AMZ_EXPECTED_BUCKET_OWNER")]
    if request.source:
        expected.append((request.source.bucket, "HTTP_X_AMZ_SOURCE_EXPECTED_BUCKET_OWNER"))
    for bucket, header in expected:
        owner = owner_of(bucket)
        if owner and environ.get(header) not in {None, owner}:
            return f"the bucket {bucket} does not belong to the expected account"
    for need in request.needs():
        if not _may(who, need):
            return f"User: {who.arn} is not authorized to perform: {need.action} on resource: {need.resource}"
    return None if _may_hear_that_it_is_missing(who, request) else "Access Denied"


def _may(who: Identity, need: Need) -> bool:
    bucket = bucket_of(need.bucket)
    if bucket is None:
        return True
    caller = trust.Caller(who.account, who.arn)
    said = trust.decide(bucket.policy, caller, need.action, need.resource) if bucket.policy else None
    return said == "allow" or (said is None and who.account == bucket.account_id)


def _may_hear_that_it_is_missing(who: Identity, request: S3Request) -> bool:
    """S3 tells only those who may list a bucket that a key is not there."""
    looked_at = [request.source] if request.source else []
    if request.operation in {"GetObject", "HeadObject"}:
        looked_at.append(request.place)
    for place in looked_at:
        bucket = bucket_of(place.bucket)
        lists = Need(place.bucket, "s3:ListBucket", f"arn:aws:s3:::{place.bucket}")
        if bucket is not None and place.key not in bucket.keys and not _may(who, lists):
            return False
    return True
