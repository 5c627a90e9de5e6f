"""Under which conditions a statement holds, and the actions that no row of the table names but other calls need.

Each condition stands where AWS has its key: of the request where something is made, of the resource where something is.
"""

from __future__ import annotations

from collections.abc import Iterable

from restorecheck.fence import TAG_CHECK, TAG_EXPIRES, TAG_MANAGED, TAG_RESOURCE, TAG_RUN
from restorecheck.iam.document import Conditions
from restorecheck.schedule import PREFIX

OURS = f"{PREFIX}*"
"""Names of everything that a run makes."""

EVERYWHERE = ("*",)

_TAGS = (TAG_MANAGED, TAG_RUN, TAG_CHECK, TAG_RESOURCE, TAG_EXPIRES)

MADE_BY_US: Conditions = {"StringEquals": {f"aws:RequestTag/{TAG_MANAGED}": "true"}}
"""The call puts our tag on what it makes."""

ONLY_OUR_TAGS: Conditions = {**MADE_BY_US, "ForAllValues:StringEquals": {"aws:TagKeys": _TAGS}}
"""And no others."""

IS_OURS: Conditions = {"StringEquals": {f"aws:ResourceTag/{TAG_MANAGED}": "true"}}
"""What is there carries our tag."""

IS_NOT_OURS: Conditions = {"StringNotEquals": {f"aws:ResourceTag/{TAG_MANAGED}": "true"}}
"""What is there does not carry our tag, or carries none."""

UNTAGGED: Conditions = {"Null": {f"aws:RequestTag/{TAG_MANAGED}": "true"}}
"""The call would make something without our tag."""

NOT_PUBLIC: Conditions = {"Bool": {"rds:PubliclyAccessible": "false"}}
PUBLIC: Conditions = {"BoolIfExists": {"rds:PubliclyAccessible": "true"}}
"""The call asks for an instance that the internet could reach, or leaves it to AWS's default."""

DEPENDENTS: dict[str, str] = {
    "rds:AddTagsToResource": "AWS asks for it when something is made with tags",
    "kms:CreateGrant": "RDS asks for it in the caller's name, to go on using the key when the caller is gone",
    "kms:Decrypt": "RDS and S3 read what is encrypted in the caller's name",
    "kms:Encrypt": "RDS asks for it to copy an encrypted snapshot",
    "kms:GenerateDataKey": "RDS and S3 encrypt in the caller's name",
    "kms:GenerateDataKeyWithoutPlaintext": "RDS asks for it to copy an encrypted snapshot",
    "kms:ReEncryptFrom": "RDS asks for it to copy an encrypted snapshot",
    "kms:ReEncryptTo": "RDS asks for it to copy an encrypted snapshot",
    "lambda:CheckpointDurableExecution": "the durable function writes its own steps, by the SDK and not by the fence",
    "lambda:GetDurableExecutionState": "the durable function reads its own steps, by the SDK and not by the fence",
    "sts:TagSession": "where EKS Pod Identity gives the identity: its sessions carry tags into every role",
}
"""Actions that no row of the fence's table names, and which call needs them all the same."""

USE = (
    "kms:Decrypt",
    "kms:Encrypt",
    "kms:GenerateDataKey",
    "kms:GenerateDataKeyWithoutPlaintext",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
)
"""What copying and restoring under a key takes, beside a grant and a look. [RDS user guide, copying snapshots]"""

READ_OBJECTS = ("kms:Decrypt", "kms:GenerateDataKey")
"""What S3 asks for to read, and to write, what is encrypted under a key. [S3 API, GetObject; S3 user guide, SSE-KMS]"""

TAGS_OF_SESSIONS = ("sts:TagSession",)
"""What AWS asks for besides, where a session carries tags: else no role lets it in. [IAM user guide, session tags]"""

READS = ("kms:Decrypt",)
WRITES = ("kms:GenerateDataKey",)
"""What S3 asks for of who reads only, and of who writes objects of one part only."""


def via(service: str, regions: Iterable[str]) -> Conditions:
    """Return the condition that a key is used by a service of AWS in somebody's name, and not by himself."""
    return {"StringEquals": {"kms:ViaService": tuple(f"{service}.{r}.amazonaws.com" for r in dict.fromkeys(regions))}}


def granting(regions: Iterable[str]) -> Conditions:
    """Return the condition that a grant is for RDS, which uses the key as long as the database lives."""
    return {**via("rds", regions), "Bool": {"kms:GrantIsForAWSResource": "true"}}


def in_regions(regions: Iterable[str]) -> Conditions:
    """Return the condition that a call is for one of these regions: where no ARN can say so."""
    return {"StringEquals": {"aws:RequestedRegion": tuple(dict.fromkeys(regions))}}


def of_account(account: str) -> Conditions:
    """Return the condition that a bucket belongs to an account: the ARN of a bucket does not say whose it is."""
    return {"StringEquals": {"aws:ResourceAccount": account}}


def both(*conditions: Conditions) -> Conditions:
    """Return the condition that all of these hold."""
    merged: dict[str, dict[str, str | tuple[str, ...]]] = {}
    for one in conditions:
        for operator, keys in one.items():
            merged.setdefault(operator, {}).update(keys)
    return merged
