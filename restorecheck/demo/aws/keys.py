"""KMS keys as RDS sees them: which exist, which are usable, which is the account's default. Reads moto's KMS."""

from __future__ import annotations

from typing import Any

from moto.kms.models import KmsBackend, kms_backends

from restorecheck.demo.aws.errors import AwsError

DEFAULT_ALIAS = "alias/aws/rds"


def inaccessible(key: str) -> AwsError:
    """Return the error of RDS about a key that it cannot use, for whatever reason."""
    message = f"The specified KMS key [{key}] does not exist, is not enabled or you do not have access to it."
    return AwsError("KMSKeyNotAccessibleFault", message)


def usable(account: str, region: str, key_id: str) -> str:
    """Return the ARN of an enabled key of this account, given its id, ARN or alias. Raises KMSKeyNotAccessibleFault."""
    if key_id.startswith("arn:") and key_id.split(":")[3:5] != [region, account]:
        raise inaccessible(key_id)
    key = _key(account, region, key_id)
    if key is None or key.key_state != "Enabled":
        raise inaccessible(key_id)
    return str(key.arn)


def check_enabled(arn: str) -> None:
    """Check that a snapshot's key, in whichever account, can still decrypt it. Raises KMSKeyNotAccessibleFault."""
    _, _, _, region, account, _ = arn.split(":", 5)
    key = _key(account, region, arn)
    if key is None or key.key_state != "Enabled":
        raise inaccessible(arn)


def state(arn: str) -> str | None:
    """Return the state of a key in whichever account, as KMS names it; None if there is no such key."""
    _, _, _, region, account, _ = arn.split(":", 5)
    key = _key(account, region, arn)
    return None if key is None else str(key.key_state)


def arn_of(account: str, region: str, key_id: str) -> str | None:
    """Return the ARN of a key given by id, alias or ARN; None if there is no such key."""
    if key_id.startswith("arn:"):
        _, _, _, region, account, _ = key_id.split(":", 5)
    key = _key(account, region, key_id)
    return None if key is None else str(key.arn)


def owner_of(key_id: str) -> str | None:
    """Return the account that the ARN of a key names; None if it is no ARN."""
    parts = key_id.split(":")
    return parts[4] if key_id.startswith("arn:aws:kms:") and len(parts) == 6 else None


def default(account: str, region: str) -> str:
    """Return the ARN of `alias/aws/rds`, which AWS makes when it is first needed."""
    key = _key(account, region, DEFAULT_ALIAS)
    assert key is not None  # patches.py checks that moto makes the reserved aliases
    return str(key.arn)


def is_default(arn: str) -> bool:
    """Say whether a key is AWS's own in its account."""
    _, _, _, region, account, _ = arn.split(":", 5)
    key = _key(account, region, arn)
    return key is not None and key.key_manager == "AWS"


def _key(account: str, region: str, key_id: str) -> Any:
    backend: KmsBackend = kms_backends[account][region]
    try:
        return backend.keys.get(backend.any_id_to_key_id(key_id))
    except AttributeError:  # an alias that nobody made resolves to None, which moto then takes for text
        return None
