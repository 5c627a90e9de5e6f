"""One call to RDS: who makes it, its parameters, its pages. moto parses and serialises, from botocore's model."""

from __future__ import annotations

from typing import Any

from moto.core.common_types import TYPE_RESPONSE
from moto.core.responses import ActionResult
from moto.rds.responses import RDSResponse

from restorecheck.demo.aws import access, wire
from restorecheck.demo.aws.errors import AwsError
from restorecheck.demo.aws.estate import Estate
from restorecheck.demo.aws.scope import Scope

Wire = dict[str, Any]


class RdsCall(RDSResponse):  # type: ignore[misc, unused-ignore]  # moto is typed only in part
    """One call to RDS."""

    estate: Estate
    scope: Scope

    def call_action(self) -> TYPE_RESPONSE:
        """Answer under the estate's lock, then wait outside it for what the answer promises."""
        self.scope = self._scope()
        with self.estate.lock:
            try:
                answer = super().call_action()
            except NotImplementedError:
                error = AwsError("InvalidAction", f"The demo AWS does not know the operation {self._get_action()}.")
                answer = self.serialized(ActionResult(error))
        for work in self.scope.wait_for:
            work.exception()
        return answer

    def _scope(self) -> Scope:
        asked = {key: value for key, value in self.asked().items() if isinstance(value, str)}
        who = access.identify(self.access_key)
        call = wire.call("rds", self._get_action(), self.current_account, who.role if who else "unknown", asked)
        return Scope(self.estate, self.current_account, self.region, call)

    def asked(self) -> Wire:
        """Return the parameters of the call as the API names them, without those that are not given."""
        given = self.params.original_dict() if hasattr(self.params, "original_dict") else dict(self.params)
        return {key: value for key, value in given.items() if value is not None}

    def pages(self, name: str, key: str, found: list[Wire]) -> ActionResult:
        """Answer one page, in the order of `key`; the marker is the last key of the page before."""
        most, marker = self.asked().get("MaxRecords", 100), self.asked().get("Marker")
        if not 20 <= most <= 100:
            message = f"Invalid value {most} for MaxRecords. Must be between 20 and 100"
            raise AwsError("InvalidParameterValue", message)
        rest = sorted((item for item in found if marker is None or item[key] > marker), key=lambda item: str(item[key]))
        page = rest[:most]
        return ActionResult({name: page, "Marker": page[-1][key] if len(rest) > most else None})
