"""How the one call of a starter must be made: the function of its permit, one run, by the name of that run. Pure.

A starter enters no role and no account of ours need be known to it, so no other clause of the fence holds for it: these
must be enough. An execution is named after its run, so that to start a run twice starts nothing. [Lambda API, Invoke]
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from restorecheck.fence.decision import Permit
from restorecheck.schedule import check_of, time_of

ALLOWED = frozenset({"DurableExecutionName", "FunctionName", "InvocationType", "Payload"})
"""Every parameter that it may carry. No ClientContext, no LogType, no Qualifier beside the one in the name."""

_FUNCTION = re.compile(
    r"arn:(aws(?:-[a-z]+)*):lambda:([a-z]{2}(?:-[a-z]+)+-[0-9]{1,2}):([0-9]{12}):function:[A-Za-z0-9_-]{1,64}"
    r":(?:\$LATEST|[A-Za-z0-9_-]{1,128})"
)


class FunctionPlace(NamedTuple):
    """Where a function is, as its ARN says."""

    partition: str
    region: str
    account: str


def place_of(function: object) -> FunctionPlace | None:
    """Return where a function is, or None if this is not its ARN with a version or an alias at the end."""
    found = _FUNCTION.fullmatch(function) if isinstance(function, str) else None
    return FunctionPlace(*found.groups()) if found else None


def why_not_start(
    operation: str, params: Mapping[str, Any], permit: Permit, account: str, region: object
) -> str | None:
    """Return why a starter's call may not be sent as it is, or None."""
    if operation != "Invoke":
        return "a starter calls Invoke alone"
    place = place_of(permit.function)
    if place is None or permit.run_id or permit.manifest or permit.topic or permit.kept:
        return "the permit is for no function"
    if more := set(params) - ALLOWED:
        return f"its parameters {', '.join(sorted(more))} are not among those that it may carry"
    if params.get("FunctionName") != permit.function:
        return "it would start another function than that of its permit"
    if (account, region) != (place.account, place.region) or permit.region != place.region:
        return "the function is in another account or region"
    if params.get("InvocationType") != "Event":
        return "it would wait for the end of the run"
    run = params.get("DurableExecutionName")
    if not isinstance(run, str) or check_of(run) is None or time_of(run) is None:
        return "it is not named after a run"
    if params.get("Payload") != json.dumps({"run": run}).encode():
        return "it does not start the run that it is named after"
    return None
