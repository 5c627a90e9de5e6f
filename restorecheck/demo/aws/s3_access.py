"""Who may do what in a bucket: its owner's account everything that its policy does not deny, others what that allows.

What a caller's own role allows him is not looked at here; `authorising` does, if it was turned on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from moto.s3.models import s3_backends

from restorecheck.demo.aws import keys, trust
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


def default_key(name: str) -> str | None:
    """Return the ARN of the KMS key that new objects of a bucket go under if they name none; None if there is none."""
    bucket = bucket_of(name)
    said = bucket.encryption if bucket is not None else None
    rule = said["Rule"]["ApplyServerSideEncryptionByDefault"] if said else {}
    if not str(rule.get("SSEAlgorithm", "")).startswith("aws:kms") or not rule.get("KMSMasterKeyID"):
        return None
    return keys.arn_of(bucket.account_id, bucket.region_name, rule["KMSMasterKeyID"])


def refusal(who: Identity, request: S3Request, environ: Mapping[str, Any]) -> str | None:
    """Return why S3 answers AccessDenied, or None if the caller may go on. Buckets that are not there are for moto."""
    if why_not := not_the_owner(request, environ):
        return why_not
    for need in request.needs():
        if not _may(who, need):
            return f"User: {who.arn} is not authorized to perform: {need.action} on resource: {need.resource}"
    return hidden(request, lambda bucket: _may(who, Need(bucket, "s3:ListBucket", f"arn:aws:s3:::{bucket}")))


def not_the_owner(request: S3Request, environ: Mapping[str, Any]) -> str | None:
    """Return that a bucket is somebody else's than the caller expects, or None."""
    expected = [(request.place.bucket, "HTTP_X_AMZ_EXPECTED_BUCKET_OWNER")]
    if request.source:
        expected.append((request.source.bucket, "HTTP_X_AMZ_SOURCE_EXPECTED_BUCKET_OWNER"))
    for bucket, header in expected:
        owner = owner_of(bucket)
        if owner and environ.get(header) not in {None, owner}:
            return f"the bucket {bucket} does not belong to the expected account"
    return None


def _may(who: Identity, need: Need) -> bool:
    bucket = bucket_of(need.bucket)
    if bucket is None:
        return True
    caller = trust.Caller(who.account, who.arn)
    said = trust.decide(bucket.policy, caller, need.action, need.resource) if bucket.policy else None
    return said == "allow" or (said is None and who.account == bucket.account_id)


def hidden(request: S3Request, may_list: Callable[[str], bool]) -> str | None:
    """Return a refusal in place of the news that a key is not there: S3 tells that only to who may list the bucket."""
    looked_at = [request.source] if request.source else []
    if request.operation in {"GetObject", "HeadObject"}:
        looked_at.append(request.place)
    for place in looked_at:
        bucket = bucket_of(place.bucket)
        if bucket is not None and place.key not in bucket.keys and not may_list(place.bucket):
            return "Access Denied"
    return None
