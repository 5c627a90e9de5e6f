"""The hook inside botocore that every call of every client passes: default deny, decided from the table and a permit.

It runs in `before-parameter-build`, before anything is serialised, signed or sent, so it also covers `resource()`
objects, paginators, waiters and presigned URLs. Whatever it changes or deletes is described freshly, right here and
never from a list, so that no caller can vouch for a target.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from restorecheck.errors import PlannedError, RefusedError
from restorecheck.fence.decision import (
    Permit,
    ResourceKind,
    Target,
    why_not,
    why_not_borrow,
    why_not_create,
    why_not_params,
)
from restorecheck.fence.table import Effect, Role, effect_of

Describe = Callable[[ResourceKind, str], Target]


class Mode(StrEnum):
    """Whether writes are sent."""

    ACT = "act"
    PLAN = "plan"  # reads pass, writes are noted instead of sent


@dataclass(frozen=True, slots=True)
class PlannedCall:
    """A write that plan mode noted; secrets are left out."""

    account: str
    region: str
    service: str
    operation: str
    params: Mapping[str, Any]


class Guard:
    """Decides every call of one role in one account and region."""

    def __init__(self, role: Role, account: str, region: str, permit: Permit | None, describe: Describe) -> None:
        self.role, self.account, self.region = role, account, region
        self.permit, self.describe = permit, describe
        self.mode = Mode.ACT
        self.planned: list[PlannedCall] = []

    def __call__(self, params: Mapping[str, Any], model: Any, context: Mapping[str, Any], **_: object) -> None:
        """Return if the call may be sent; raise RefusedError (or, in plan mode, PlannedError) if not."""
        service, operation = model.service_model.service_name, model.name
        effect = effect_of(self.role, service, operation)
        if effect is None:
            raise RefusedError(f"the {self.role} role may not call {service}:{operation}")
        if effect is Effect.READ:
            return
        reason = self._why_not(effect, operation, params, context.get("client_region"))
        if reason:
            raise RefusedError(f"{service}:{operation} in account {self.account} was not sent: {reason}")
        if self.mode is Mode.PLAN:
            shown = {k: "(secret)" if "Password" in k else v for k, v in params.items()}
            self.planned.append(PlannedCall(self.account, self.region, service, operation, shown))
            raise PlannedError(f"{service}:{operation} was noted, not sent")

    def _why_not(self, effect: Effect, operation: str, params: Mapping[str, Any], region: object) -> str | None:
        permit = self.permit
        if permit is None:
            return "no permit was given: this session may only read"
        if region != permit.region or self.region != permit.region:
            return f"the permit is for {permit.region}, the call is for {region}"
        if effect is Effect.CREATE:
            return why_not_create(operation, params, self.role, permit)
        if reason := why_not_params(operation, params, permit):
            return reason
        if self.mode is Mode.PLAN:  # nothing exists yet that could be described
            return None
        target = self._target(params)
        if operation == "ModifyDBSnapshotAttribute" and why_not_borrow(target, permit) is None:
            return None
        return why_not(target, permit)

    def _target(self, params: Mapping[str, Any]) -> Target:
        if name := params.get("DBInstanceIdentifier"):
            return self.describe("db", str(name))
        return self.describe("snapshot", str(params.get("DBSnapshotIdentifier", "")))
