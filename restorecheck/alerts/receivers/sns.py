"""A topic of Amazon SNS. The fence lets one call through, to a topic that is configured, and nothing else."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

from restorecheck.alerts import wording
from restorecheck.alerts.receivers.interface import DeliveryError, Sent, cut, cut_bytes
from restorecheck.config import receivers
from restorecheck.errors import AwsError, RestorecheckError
from restorecheck.fence import Fence
from restorecheck.model import Notice, Turn

SUBJECT = 99
"""Characters: SNS takes less than 100, of ASCII and on one line. [SNS API, Publish]"""

LARGEST = 200 * 1024
"""Bytes of a message; SNS takes 256 KiB with its attributes. [SNS API, Publish]"""

_OF_KINDS = {
    "throttled": "rate-limited",
    "aws-unavailable": "server-error",
    "credentials": "configuration",
    "refused": "configuration",
    "config": "configuration",
    "settings": "configuration",
}
"""Failure kind → why a try failed. Whatever else AWS answers is a rejection."""


class Sns:
    """One topic."""

    def __init__(self, declared: receivers.Sns, fence: Callable[[], Fence]) -> None:
        self._topic, self._fence = declared.topic, fence

    def send(self, notice: Notice) -> Sent:
        """Publish one notice. Acknowledged: SNS gave it an id of its own. See Receiver."""
        if notice.turn in {Turn.BEGAN, Turn.PASSED}:
            return Sent(acknowledged=False, said="it is told of troubles only")
        try:
            answer = self._fence().notifier(self._topic).call("sns", "Publish", **message_of(notice, self._topic))
        except RestorecheckError as e:
            raise _failed(e) from e
        return Sent(acknowledged=bool(answer.get("MessageId")))


def message_of(notice: Notice, topic: str) -> dict[str, Any]:
    """Return the parameters of Publish. A topic that is a queue (`.fifo`) keeps the order of each trouble."""
    attributes = {
        "check": notice.check,
        "verdict": notice.verdict or "",
        "severity": notice.severity,
        "turn": notice.turn.value,
    }
    message: dict[str, Any] = {
        "TopicArn": topic,
        "Subject": cut(wording.subject(notice).encode("ascii", "replace").decode().strip(), SUBJECT + 1)[:SUBJECT],
        "Message": cut_bytes(wording.text(notice), LARGEST).decode(),
        "MessageAttributes": {
            name: {"DataType": "String", "StringValue": cut(value, 256)} for name, value in attributes.items() if value
        },
    }
    if topic.endswith(".fifo"):
        message["MessageGroupId"] = hashlib.sha256(notice.key.encode()).hexdigest()
        message["MessageDeduplicationId"] = hashlib.sha256(notice.id.encode()).hexdigest()
    return message


def _failed(error: RestorecheckError) -> DeliveryError:
    reason = _OF_KINDS.get(error.kind, "rejected")
    if reason == "server-error" and not isinstance(error, AwsError):  # nobody answered
        reason = "refused"
    said = f"SNS answered {error.code}" if isinstance(error, AwsError) else _WITHOUT_ANSWER.get(reason, "not sent")
    if error.kind == "permission":
        said += "; who runs this lacks sns:Publish on the topic"
    return DeliveryError(reason, said, error.hint)


_WITHOUT_ANSWER = {
    "refused": "SNS could not be reached",
    "configuration": "SNS was not asked: the fence refused, or there are no credentials",
}
