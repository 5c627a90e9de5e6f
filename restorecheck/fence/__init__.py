"""The fence: the only way from here to AWS.

`table` says what may be called, `parameters` how, `decision` on what; `guard` stands inside botocore; `sessions`
enters an account and gives out a `hand`; `answers` gives AWS's errors our names.
"""

from restorecheck.fence.decision import (
    TAG_CHECK,
    TAG_EXPIRES,
    TAG_MANAGED,
    TAG_RESOURCE,
    TAG_RUN,
    Permit,
    Target,
    lease_of,
    why_not,
)
from restorecheck.fence.guard import Mode, PlannedCall
from restorecheck.fence.hand import Hand, target_of_instance, target_of_snapshot
from restorecheck.fence.sessions import Entrance, Fence
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
    "lease_of",
    "target_of_instance",
    "target_of_snapshot",
    "why_not",
]
