"""The fence: the only way from here to AWS.

`table` says what may be called, `decision` whether this one may, `guard` stands inside botocore, `sessions` enters.
"""

from restorecheck.fence.decision import (
    TAG_CHECK,
    TAG_EXPIRES,
    TAG_MANAGED,
    TAG_RESOURCE,
    TAG_RUN,
    Permit,
    Target,
    why_not,
)
from restorecheck.fence.guard import Mode, PlannedCall
from restorecheck.fence.sessions import Entrance, Fence, Hand, target_of_instance, target_of_snapshot
from restorecheck.fence.table import TABLE, Effect, Role

__all__ = [
    "TABLE",
    "TAG_CHECK",
    "TAG_EXPIRES",
    "TAG_MANAGED",
    "TAG_RESOURCE",
    "TAG_RUN",
    "Effect",
    "Entrance",
    "Fence",
    "Hand",
    "Mode",
    "Permit",
    "PlannedCall",
    "Role",
    "Target",
    "target_of_instance",
    "target_of_snapshot",
    "why_not",
]
