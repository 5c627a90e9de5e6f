"""Whether a KMS key can do what a run asks of it, as far as DescribeKey tells."""

from __future__ import annotations

from restorecheck.doctor.diagnosis import Described, Hand, Ill, said


def described(hand: Hand, key: str) -> Described:
    """Return the metadata of a key. Raises AwsError."""
    found: Described = said(hand.call("kms", "DescribeKey", KeyId=key), "KeyMetadata", key)
    return found


def enabled(metadata: Described, key: str) -> None:
    """Raise Ill unless the key is enabled and made for encryption."""
    state = said(metadata, "KeyState", key)
    if state == "PendingDeletion":
        raise Ill(f"{key} is about to be deleted", "cancel its deletion now: backups under it die with it")
    if state != "Enabled":
        raise Ill(f"{key} is in state {state}", "enable the key")
    if said(metadata, "KeySpec", key) != "SYMMETRIC_DEFAULT":  # that spec can do nothing but encrypt [KMS, KeySpec]
        raise Ill(f"{key} is a key of the kind {metadata['KeySpec']}", "take a symmetric encryption key")


def is_default(metadata: Described, key: str) -> bool:
    """Say whether a key is AWS's own, which cannot be shared."""
    return bool(said(metadata, "KeyManager", key) != "CUSTOMER")


def own(hand: Hand, key: str, account: str) -> str:
    """Look at a key that is configured for an account: enabled, customer managed, and of that account."""
    metadata = described(hand, key)
    enabled(metadata, key)
    if is_default(metadata, key):
        raise Ill(f"{key} is managed by AWS and cannot be shared", "make a customer managed key and name that")
    owner = said(metadata, "AWSAccountId", key)
    if owner != account:
        raise Ill(f"{key} belongs to account {owner}, not to {account}", f"name a key of account {account}")
    return f"{key} is enabled and customer managed"
