"""The hook inside botocore that every call of every client passes: default deny, decided from the table and a permit.

It runs in `before-parameter-build`, before anything is serialised, signed or sent, so it also covers `resource()`
objects, paginators, waiters and presigned URLs. Whatever it changes or deletes is described freshly, right here and
never from a list, so that no caller can vouch for a target. `seal` runs again in `before-call` and lets nothing
through that was not judged, or that another handler changed after it was; `stale` runs before every try to send and
lets no write through that was judged too long ago.

Sessions and clients are shared by all runs of an account, permits never are: a permit comes with one call (`allow`),
is taken by the judgement of that call, and is gone when the call ends, however it ends.
"""

from __future__ import annotations

import copy
import io
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import botocore.serialize

from restorecheck.errors import PlannedError, RefusedError, SourceError
from restorecheck.fence.decision import (
    Permit,
    ResourceKind,
    Target,
    why_not,
    why_not_destroy,
    why_not_place,
    why_not_share,
)
from restorecheck.fence.function_parameters import why_not_start
from restorecheck.fence.manifest_parameters import why_not_record
from restorecheck.fence.object_parameters import ALLOWED as OBJECT_WRITES
from restorecheck.fence.object_parameters import why_not_object
from restorecheck.fence.parameters import SHARES, TARGETS, target_of, why_not_create, why_not_params
from restorecheck.fence.state_parameters import why_not_keep
from restorecheck.fence.table import Effect, Role, effect_of
from restorecheck.fence.topic_parameters import why_not_publish

Describe = Callable[[ResourceKind, str], Target]

FRESH = 300.0
"""Seconds for which a description of a target is believed. botocore tries again, and waits its turn when AWS throttles,
so a write could otherwise be sent long after its target was described. AWS takes a signature for as long."""

_JUDGED = "restorecheck-judged"
_JUDGED_AT = "restorecheck-judged-at"
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


@dataclass(eq=False, slots=True)
class _Leave:
    """One permit for one call: of this guard, for this operation, in the thread that makes it, until it is taken."""

    guard: Guard
    service: str
    operation: str
    permit: Permit | None
    thread: int
    valid: bool = True


_LEAVE: ContextVar[_Leave | None] = ContextVar("restorecheck-leave", default=None)
"""The leave of the call that is being made. A context can be copied into a task or a thread that outlives the call, so
being found here is not enough: a leave also knows its thread, and is void once it was taken or the call has ended."""


class Guard:
    """Decides every call of one role in one account and region, for all who share its session."""

    def __init__(
        self,
        role: Role,
        account: str,
        region: str,
        describe: Describe,
        *,
        mode: Mode = Mode.ACT,
        planned: list[PlannedCall] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        refused: Callable[[str, str], None] | None = None,
    ) -> None:
        self.role, self.account, self.region = role, account, region
        self.describe, self.mode, self._monotonic = describe, mode, monotonic
        self._refused = refused  # is told the service and the operation of what was not let through
        self.planned: list[PlannedCall] = [] if planned is None else planned

    def hang(self, events: Any) -> None:
        """Stand in an event emitter of botocore, behind every handler that is there now."""
        events.register_last("before-parameter-build", self)
        events.register_last("before-call", self.seal)
        events.register_first("request-created", self.stale)

    @contextmanager
    def allow(self, service: str, operation: str, permit: Permit | None) -> Iterator[None]:
        """Give a permit to the one call that is made inside. Whatever else is called meanwhile has none."""
        leave = _Leave(self, service, operation, permit, threading.get_ident())
        token = _LEAVE.set(leave)
        try:
            yield
        finally:
            leave.valid = False  # first: a copy of this context, wherever it is, holds nothing from here on
            _LEAVE.reset(token)

    def _taken(self, service: str, operation: str) -> Permit | None:
        """Take the permit that was given to this very call. It cannot be taken twice."""
        leave = _LEAVE.get()
        if (
            leave is None
            or leave.guard is not self
            or leave.thread != threading.get_ident()
            or (leave.service, leave.operation) != (service, operation)
            or not leave.valid
        ):
            return None
        leave.valid = False
        return leave.permit

    def __call__(self, params: Mapping[str, Any], model: Any, context: dict[str, Any], **_: object) -> None:
        """Return if the call may be sent; raise RefusedError (or, in plan mode, PlannedError) if not."""
        service, operation = model.service_model.service_name, model.name
        with self._counting(service, operation):
            self._judge_call(service, operation, params, context)

    def _judge_call(self, service: str, operation: str, params: Mapping[str, Any], context: dict[str, Any]) -> None:
        effect = self._effect(service, operation)
        if context.get("is_presign_request"):
            raise RefusedError(f"{service}:{operation} may not be presigned: whoever holds the URL could call it")
        if effect is not Effect.READ:
            permit, context[_JUDGED_AT] = self._taken(service, operation), self._monotonic()
            self._decide((service, operation), params, permit, context.get("client_region"))
        context[_JUDGED] = copy.deepcopy(dict(params))

    def judge(self, service: str, operation: str, params: Mapping[str, Any], permit: Permit | None) -> None:
        """Judge a call that is sent by another way than botocore; raises what a call by botocore would raise.

        Whoever asks must build the request from these very parameters, at once, and ask again before each try. What
        changes or deletes goes through botocore alone.
        """
        with self._counting(service, operation):
            effect = self._effect(service, operation)
            if effect is not Effect.READ and not (effect is Effect.CREATE and operation in OBJECT_WRITES):
                raise RefusedError(f"{service}:{operation} may be sent through botocore alone")
            if effect is Effect.CREATE:
                self._decide((service, operation), params, permit, self.region)

    @contextmanager
    def _counting(self, service: str, operation: str) -> Iterator[None]:
        """Tell of a refusal, and let it out as it is: nothing is decided here."""
        try:
            yield
        except RefusedError:
            if self._refused is not None:
                with suppress(Exception):
                    self._refused(service, operation)
            raise

    def _effect(self, service: str, operation: str) -> Effect:
        effect = effect_of(self.role, service, operation)
        if effect is None:
            raise RefusedError(f"the {self.role} role may not call {service}:{operation}")
        return effect

    def _decide(self, call: tuple[str, str], params: Mapping[str, Any], permit: Permit | None, region: object) -> None:
        service, operation = call
        reason = self._why_not(self._effect(service, operation), operation, params, permit, region)
        if reason:
            raise RefusedError(f"{service}:{operation} in account {self.account} was not sent: {reason}")
        if self.mode is Mode.PLAN:
            shown = {k: "(secret)" if "Password" in k or k == "Body" else v for k, v in params.items()}
            self.planned.append(PlannedCall(self.account, self.region, service, operation, shown))
            raise PlannedError(f"{service}:{operation} was noted, not sent")

    def _why_not(
        self, effect: Effect, operation: str, params: Mapping[str, Any], permit: Permit | None, region: object
    ) -> str | None:
        if permit is None:
            return "no permit was given: this call may only read"
        if self.role is Role.NOTIFIER:
            return why_not_publish(operation, params, permit, self.account, region)
        if self.role is Role.KEEPER:
            return why_not_keep(operation, params, permit, self.account, region)
        if self.role is Role.STARTER:
            return why_not_start(operation, params, permit, self.account, region)
        if reason := why_not_place(self.role, self.account, region, permit):
            return reason
        if self.role is Role.RECORDER:
            return why_not_record(operation, params, permit)
        return self._why_not_of_run(effect, operation, params, permit)

    def _why_not_of_run(self, effect: Effect, operation: str, params: Mapping[str, Any], permit: Permit) -> str | None:
        if operation in OBJECT_WRITES and (reason := why_not_object(operation, params, permit)):
            return reason
        if effect is Effect.CREATE and operation in OBJECT_WRITES:
            return None
        if effect is Effect.CREATE:
            reason = why_not_create(operation, params, self.role, permit)
            if reason or operation not in TARGETS:  # what it is made inside of is described, as what is changed
                return reason
        elif operation not in OBJECT_WRITES and (reason := why_not_params(operation, params, permit)):
            return reason
        asked = target_of(operation, params)
        if asked is None:
            return "it does not name what it changes"
        if self.mode is Mode.PLAN:  # nothing exists yet that could be described
            return None
        target = self.describe(*asked)
        if (target.kind, target.name) != asked:
            return f"AWS described {target.name or 'something'} when it was asked for {asked[1]}"
        if operation in SHARES:
            return why_not_share(target, permit)
        return why_not(target, permit) or (why_not_destroy(target) if effect is Effect.DESTROY else None)

    def seal(self, params: Mapping[str, Any], model: Any, context: Mapping[str, Any], **_: object) -> None:
        """Raise RefusedError unless exactly this request was judged. Changing the parameters later does not help."""
        with self._counting(model.service_model.service_name, model.name):
            self._seal_call(params, model, context)

    @staticmethod
    def _seal_call(params: Mapping[str, Any], model: Any, context: Mapping[str, Any]) -> None:
        judged = context.get(_JUDGED)
        call = f"{model.service_model.service_name}:{model.name}"
        if judged is None:
            raise RefusedError(f"{call} was not sent: it came past the fence without being judged")
        serializer = botocore.serialize.create_serializer(model.service_model.resolved_protocol)
        expected = serializer.serialize_to_request(judged, model)
        same_headers = all(params["headers"].get(name) == value for name, value in expected["headers"].items())
        if not same_headers or not all(_same(expected.get(part), params.get(part)) for part in _SENT):
            raise RefusedError(f"{call} was not sent: it was changed after it was judged")
        if "s3_redirect" in context:
            # A bucket that is in another region is not the one that was meant: botocore would follow it there.
            context["s3_redirect"]["redirected"] = True

    def stale(self, request: Any, operation_name: str, **_: object) -> None:
        """Raise SourceError before a try to send a write whose target was described too long ago. May be asked again.

        botocore emits `request-created` for each try, before it is sent, and lets what is raised here out unchanged.
        """
        judged_at = request.context.get(_JUDGED_AT)
        if judged_at is not None and (old := self._monotonic() - judged_at) > FRESH:
            call = f"{operation_name} in account {self.account}"
            message = f"{call} was not sent: it was judged {old:.0f} s ago, and what it changes may have changed since"
            raise SourceError(message, kind="aws-unavailable", retryable=True)


def _same(judged: object, sent: object) -> bool:
    """Whether a part of a request is the one that was judged.

    botocore puts the bytes of an object that is written into a stream of its own. A stream of any other kind could hold
    something else each time it is read: it is never the same.
    """
    if type(judged) is io.BytesIO and type(sent) is io.BytesIO:
        return judged.tell() == sent.tell() and judged.getvalue() == sent.getvalue()
    return judged == sent
