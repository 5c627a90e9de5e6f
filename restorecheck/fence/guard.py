"""The hook inside botocore that every call of every client passes: default deny, decided from the table and a permit.

It runs in `before-parameter-build`, before anything is serialised, signed or sent, so it also covers `resource()`
objects, paginators, waiters and presigned URLs. Whatever it changes or deletes is described freshly, right here and
never from a list, so that no caller can vouch for a target. `seal` runs again in `before-call` and lets nothing
through that was not judged, or that another handler changed after it was.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import botocore.serialize

from restorecheck.errors import PlannedError, RefusedError
from restorecheck.fence.decision import Permit, ResourceKind, Target, why_not, why_not_place, why_not_share
from restorecheck.fence.parameters import target_of, why_not_create, why_not_params
from restorecheck.fence.table import Effect, Role, effect_of

Describe = Callable[[ResourceKind, str], Target]

_JUDGED = "restorecheck-judged"
_SENT = ("method", "url_path", "query_string", "body")  # and the headers: there JSON protocols name the operation


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

    def hang(self, events: Any) -> None:
        """Stand in an event emitter of botocore, behind every handler that is there now."""
        events.register_last("before-parameter-build", self)
        events.register_last("before-call", self.seal)

    def __call__(self, params: Mapping[str, Any], model: Any, context: dict[str, Any], **_: object) -> None:
        """Return if the call may be sent; raise RefusedError (or, in plan mode, PlannedError) if not."""
        service, operation, mode = model.service_model.service_name, model.name, self.mode
        effect = effect_of(self.role, service, operation)
        if effect is None:
            raise RefusedError(f"the {self.role} role may not call {service}:{operation}")
        if context.get("is_presign_request"):
            raise RefusedError(f"{service}:{operation} may not be presigned: whoever holds the URL could call it")
        if effect is not Effect.READ:
            reason = self._why_not(effect, operation, params, context.get("client_region"), mode)
            if reason:
                raise RefusedError(f"{service}:{operation} in account {self.account} was not sent: {reason}")
            if mode is Mode.PLAN:
                shown = {k: "(secret)" if "Password" in k else v for k, v in params.items()}
                self.planned.append(PlannedCall(self.account, self.region, service, operation, shown))
                raise PlannedError(f"{service}:{operation} was noted, not sent")
        context[_JUDGED] = copy.deepcopy(dict(params))

    def _why_not(
        self, effect: Effect, operation: str, params: Mapping[str, Any], region: object, mode: Mode
    ) -> str | None:
        permit = self.permit
        if permit is None:
            return "no permit was given: this session may only read"
        if reason := why_not_place(self.role, self.account, region, permit):
            return reason
        if effect is Effect.CREATE:
            return why_not_create(operation, params, self.role, permit)
        if reason := why_not_params(operation, params, permit):
            return reason
        asked = target_of(operation, params)
        if asked is None:
            return "it does not name what it changes"
        if mode is Mode.PLAN:  # nothing exists yet that could be described
            return None
        target = self.describe(*asked)
        if (target.kind, target.name) != asked:
            return f"AWS described {target.name or 'something'} when it was asked for {asked[1]}"
        if operation == "ModifyDBSnapshotAttribute":
            return why_not_share(target, permit)
        return why_not(target, permit)

    def seal(self, params: Mapping[str, Any], model: Any, context: Mapping[str, Any], **_: object) -> None:
        """Raise RefusedError unless exactly this request was judged. Changing the parameters later does not help."""
        judged = context.get(_JUDGED)
        call = f"{model.service_model.service_name}:{model.name}"
        if judged is None:
            raise RefusedError(f"{call} was not sent: it came past the fence without being judged")
        serializer = botocore.serialize.create_serializer(model.service_model.resolved_protocol)
        expected = serializer.serialize_to_request(judged, model)
        same_headers = all(params["headers"].get(name) == value for name, value in expected["headers"].items())
        if not same_headers or any(expected.get(part) != params.get(part) for part in _SENT):
            raise RefusedError(f"{call} was not sent: it was changed after it was judged")
