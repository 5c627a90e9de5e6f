"""What AWS's words of a denial say: which permission is missing, on what, and whose policy should give it. Pure.

AWS names the action, mostly the resource, and often the kind of policy. What it does not say is not guessed.
"""

from __future__ import annotations

import re

from restorecheck.fence.permissions import actions_of
from restorecheck.fence.table import Role

_ACTION = re.compile(r"not authorized to perform:? ([a-z0-9-]+:[A-Za-z0-9]+)")
_RESOURCE = re.compile(r"on resource: (\"[^\"]+|[^\s,]+)")  # S3 quotes it: a key may have spaces
_LACKING = re.compile(r"because no ([A-Za-z -]+?) allows")
_FORBIDDING = re.compile(r"with an explicit deny in (an? [A-Za-z -]*?(?:policy|boundary))")
_OTHERS = re.compile(r"session policy|permissions boundary|VPC endpoint policy|service control policy|resource control")
"""Kinds of policies that restorecheck prints none of for this place: somebody else's decision."""

_SERVICE = frozenset({Role.BASE, Role.KEEPER, Role.NOTIFIER, Role.STARTER})
"""Roles that are the service itself: it enters none for them."""

_KEY_ACTIONS = (
    "kms:DescribeKey, kms:CreateGrant, kms:Decrypt, kms:Encrypt, kms:GenerateDataKey,"
    " kms:GenerateDataKeyWithoutPlaintext, kms:ReEncryptFrom and kms:ReEncryptTo"
)


def hint_of(role: Role | None, message: str) -> str:
    """Return which permission is missing by the words of a denial, and what to compare; empty if they do not say."""
    action = _ACTION.search(message)
    if action is None:
        return ""
    resource = _RESOURCE.search(message)
    on = resource[1].strip('".') if resource else ""
    what = f"{action[1]} on {on}" if on else action[1]
    if forbidding := _FORBIDDING.search(message):
        return f"{forbidding[1]} forbids {_who(role)} {what}: find its statement with Deny"
    lacking = _LACKING.search(message)
    if action[1] == "sts:AssumeRole":
        return (
            f"the service lacks {what}: compare its own policy with what `restorecheck iam --only service` prints, and"
            f" who may enter that role, and by which external id, with `restorecheck iam{_only(role)}`"
        )
    if lacking and lacking[1] == "resource-based policy":
        return (
            f"the policy of the key, bucket or topic itself does not give {_who(role)} {what}: compare it with the"
            " documents of keys and buckets that `restorecheck iam` prints"
        )
    if lacking and _OTHERS.search(lacking[1]):
        return f"no {lacking[1]} gives {_who(role)} {what}: ask whoever keeps it"
    return f"{_who(role)} lacks {what}: compare its policy with what `restorecheck iam{_only(role)}` prints"


def hint_of_head(role: Role, operation: str) -> str:
    """Return what is missing where S3 says no more than that something is: its answer to a HEAD has no words."""
    needed = " or ".join(actions_of(role, "s3", operation))
    return (
        f"S3 does not say what {_who(role)} lacks; {operation} takes {needed}, and of what is encrypted kms:Decrypt:"
        f" compare its policy with what `restorecheck iam{_only(role)}` prints"
    )


def hint_of_key(role: Role) -> str:
    """Return what may be missing where RDS says that a key cannot be used in a role's name: it never says what."""
    return (
        f"if the key is enabled, {_who(role)} lacks one of {_KEY_ACTIONS}, through RDS: compare its policy with what"
        f" `restorecheck iam{_only(role)}` prints, and the policy of the key with the documents `.key`"
    )


def _who(role: Role | None) -> str:
    if role is None:
        return "the role"
    return "the service" if role in _SERVICE else f"the {role} role"


def _only(role: Role | None) -> str:
    if role is None:
        return ""
    return f" --only {'service' if role in _SERVICE else role}"
