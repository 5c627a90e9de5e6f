"""Whether what roles may do is enforced, and the service control policies of accounts: what a control call orders."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from restorecheck.demo.aws import policies
from restorecheck.demo.aws.conditions import PolicyError
from restorecheck.demo.aws.errors import ControlError
from restorecheck.demo.aws.policies import Policy


@dataclass(slots=True)
class Enforcement:
    """Whether policies count, and the service control policies of accounts."""

    on: bool = False
    limits: dict[str, tuple[Policy, ...]] = field(default_factory=dict)

    def set(self, order: Mapping[str, Any]) -> None:
        """Follow a control call: `{"on": true, "scps": {account: [document, …]}}`. Raises ControlError."""
        if unknown := sorted(set(order) - {"on", "scps"}):
            raise ControlError(f"iam: unknown field {unknown[0]!r}; known are on, scps")
        on, scps = order.get("on"), order.get("scps") or {}
        if not isinstance(on, bool):
            raise ControlError(f"on is {on!r}; would be right: true, false")
        if not isinstance(scps, dict) or not all(isinstance(documents, list) for documents in scps.values()):
            raise ControlError('scps: would be right: lists of documents by account, {"222222222222": [{…}]}')
        try:
            self.limits = {
                account: tuple(policies.read(f"scp {n}", json.dumps(one)) for n, one in enumerate(documents))
                for account, documents in scps.items()
            }
        except PolicyError as e:
            raise ControlError(str(e)) from e
        self.on = on

    def describe(self) -> dict[str, Any]:
        """Return what is in force."""
        return {"on": self.on, "scps": {account: len(limits) for account, limits in self.limits.items()}}
