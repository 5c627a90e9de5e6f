"""How the one call of a notifier must be made: to the topic in its permit, and to nobody's telephone. Pure.

A notifier enters no role and no account of ours need be known to it, so no other clause of the fence holds for it:
these must be enough. It names its topic in full, so it cannot land in another account or region than was meant.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from restorecheck.fence.decision import Permit

ALLOWED = frozenset({"Message", "MessageAttributes", "MessageDeduplicationId", "MessageGroupId", "Subject", "TopicArn"})
"""Every parameter that it may carry. No PhoneNumber (a text message to anybody), no TargetArn (a device, or a topic by
another name), no MessageStructure (another message for each kind of subscriber)."""

ATTRIBUTES = frozenset({"check", "severity", "turn", "verdict"})
"""Every attribute that a message may carry. Others could be orders to SNS: `AWS.SNS.SMS.SenderID` and the like."""

_TOPIC = re.compile(
    r"arn:(aws(?:-[a-z]+)*):sns:([a-z]{2}(?:-[a-z]+)+-[0-9]{1,2}):([0-9]{12}):[A-Za-z0-9_-]{1,256}(?:\.fifo)?"
)


class TopicPlace(NamedTuple):
    """Where a topic is, as its ARN says."""

    partition: str
    region: str
    account: str


def place_of(topic: object) -> TopicPlace | None:
    """Return where a topic is, or None if this is not the ARN of one."""
    found = _TOPIC.fullmatch(topic) if isinstance(topic, str) else None
    return TopicPlace(*found.groups()) if found else None


def why_not_publish(
    operation: str, params: Mapping[str, Any], permit: Permit, account: str, region: object
) -> str | None:
    """Return why a notifier's call may not be sent as it is, or None."""
    if operation != "Publish":
        return "a notifier calls Publish alone"
    place = place_of(permit.topic)
    if place is None or permit.run_id or permit.manifest is not None:
        return "the permit is for no topic"
    if more := set(params) - ALLOWED:
        return f"its parameters {', '.join(sorted(more))} are not among those that it may carry"
    if params.get("TopicArn") != permit.topic:
        return "it would publish to another topic than that of its permit"
    if (account, region) != (place.account, place.region) or permit.region != place.region:
        return "the topic is in another account or region"
    if not isinstance(params.get("Message"), str):
        return "it says nothing"
    attributes = params.get("MessageAttributes", {})
    if not isinstance(attributes, Mapping) or set(attributes) - ATTRIBUTES:
        return "its attributes are not among those that a message may carry"
    return None
