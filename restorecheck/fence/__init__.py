"""The fence: the only way from here to AWS.

`table` says what may be called, `parameters` how, `decision` on what; `guard` stands inside botocore; `sessions`
enters an account, once for all runs, by a `passage`, and gives out a `hand` with the permit of one run; `traffic`
counts what is sent; `answers` gives AWS's errors our names, `described` takes from a description what decides.
"""

from restorecheck.fence.decision import (
    TAG_CHECK,
    TAG_EXPIRES,
    TAG_MANAGED,
    TAG_RESOURCE,
    TAG_RUN,
    Permit,
    ResourceKind,
    Target,
    lease_of,
    why_not,
)
from restorecheck.fence.described import (
    target_of_cluster,
    target_of_cluster_snapshot,
    target_of_instance,
    target_of_snapshot,
)
from restorecheck.fence.guard import Mode, PlannedCall
from restorecheck.fence.hand import Hand
from restorecheck.fence.sessions import Fence
from restorecheck.fence.table import TABLE, Effect, Role
from restorecheck.fence.traffic import Calls, Counted, Outage
from restorecheck.model import Entrance

__all__ = [
    "TABLE",
    "TAG_CHECK",
    "TAG_EXPIRES",
    "TAG_MANAGED",
    "TAG_RESOURCE",
    "TAG_RUN",
    "Calls",
    "Counted",
    "Effect",
    "Entrance",
    "Fence",
    "Hand",
    "Mode",
    "Outage",
    "Permit",
    "PlannedCall",
    "ResourceKind",
    "Role",
    "Target",
    "lease_of",
    "target_of_cluster",
    "target_of_cluster_snapshot",
    "target_of_instance",
    "target_of_snapshot",
    "why_not",
]
