"""Which IAM actions a call needs, by the role that makes it. What no policy can grant is named. Pure.

The policies are made from the table of calls and from this: an action that no row of the table comes to is granted to
nobody. AWS authorises some calls by more than one action, and S3 by another one when a version is named.
"""

from __future__ import annotations

from restorecheck.fence.table import Role, effect_of

_RDS_AND_EC2 = frozenset({"rds", "ec2", "kms", "sns", "sts"})
"""Services whose actions are called as their operations are."""

_S3: dict[str, tuple[str, ...]] = {
    "AbortMultipartUpload": ("s3:AbortMultipartUpload",),
    "CompleteMultipartUpload": ("s3:PutObject",),
    "CopyObject": ("s3:PutObject", "s3:GetObjectVersion"),  # one principal reads there and writes here
    "CreateMultipartUpload": ("s3:PutObject",),
    "DeleteObjects": ("s3:DeleteObject", "s3:DeleteObjectVersion"),
    "GetBucketLocation": ("s3:GetBucketLocation",),
    "GetBucketVersioning": ("s3:GetBucketVersioning",),
    "GetObject": ("s3:GetObject",),
    "GetObjectLockConfiguration": ("s3:GetBucketObjectLockConfiguration",),
    "HeadBucket": ("s3:ListBucket",),
    "HeadObject": ("s3:GetObject",),
    "ListBuckets": ("s3:ListAllMyBuckets",),
    "ListMultipartUploads": ("s3:ListBucketMultipartUploads",),
    "ListObjectVersions": ("s3:ListBucketVersions",),
    "ListObjectsV2": ("s3:ListBucket",),
    "PutObject": ("s3:PutObject",),
    "UploadPart": ("s3:PutObject",),
    "UploadPartCopy": ("s3:PutObject", "s3:GetObjectVersion"),
}
_LAMBDA = {
    "GetDurableExecution": ("lambda:GetDurableExecution",),
    "Invoke": ("lambda:InvokeFunction",),
    "ListDurableExecutionsByFunction": ("lambda:ListDurableExecutionsByFunction",),
}
_BY_ROLE: dict[tuple[Role, str], tuple[str, ...]] = {
    # Objects of a backup are read as versions: with the id of one, S3 asks for another permission. [S3 API, GetObject]
    (Role.SOURCE, "GetObject"): ("s3:GetObjectVersion",),
    (Role.SOURCE, "HeadObject"): ("s3:GetObjectVersion",),
    (Role.SCRATCH, "HeadObject"): ("s3:GetObject", "s3:GetObjectVersion"),  # of what was restored, and of the backup
}

UNGRANTED: dict[str, str] = {
    "sts:GetCallerIdentity": "AWS answers it whatever the policies say",
    "signin:CreateOAuth2Token": "a person's login, before there is an identity",
    "sso:GetRoleCredentials": "a person's login, before there is an identity",
    "sso-oidc:CreateToken": "a person's login, before there is an identity",
}
"""Calls that no policy grants, and why none can."""


def actions_of(role: Role, service: str, operation: str) -> tuple[str, ...]:
    """Return the IAM actions that a role needs for a call; none for what no policy grants.

    Raises KeyError for a call of which nobody has said it.
    """
    if f"{service}:{operation}" in UNGRANTED:
        return ()
    if service == "s3":
        return _BY_ROLE.get((role, operation)) or _S3[operation]
    if service == "lambda":
        return _LAMBDA[operation]
    if service not in _RDS_AND_EC2:
        raise KeyError(f"{service}:{operation}")
    return (f"{service}:{operation}",)


def granted(role: Role, service: str, *operations: str) -> tuple[str, ...]:
    """Return the actions that a role needs for those of these calls that the table lets it make, each once."""
    made = (actions_of(role, service, name) for name in operations if effect_of(role, service, name))
    return tuple(dict.fromkeys(action for actions in made for action in actions))
