"""Anybody who takes what Alertmanager posts to a webhook (version 4): one notice is one group of one alert.

What a server answers is believed only where it names the notice. Nothing of the address is ever shown.
"""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from restorecheck.alerts.http import Http
from restorecheck.alerts.receivers.interface import Sent, cut, text_of
from restorecheck.alerts.receivers.labels import annotations_of, fingerprint_of, identity_of, labels_of, stamp
from restorecheck.config import receivers
from restorecheck.model import Notice, Turn

FOREVER = "0001-01-01T00:00:00Z"
"""What Alertmanager writes for the end of an alert that fires."""

ONCE = timedelta(hours=1)
"""How long something stands that is told once: nothing else tells a server that it is over."""

KEY = "Idempotency-Key"
"""The header that says which notice it is. It is the same when a notice is sent again."""


class Webhook:
    """One address that takes a POST of JSON."""

    def __init__(self, declared: receivers.Webhook, http: Http) -> None:
        self._declared, self._http = declared, http

    def send(self, notice: Notice) -> Sent:
        """Post one notice. Acknowledged by JSON with its id: `{"acknowledged": "…"}`. See Receiver."""
        if notice.turn in {Turn.BEGAN, Turn.PASSED}:
            return Sent(acknowledged=False, said="it is told of troubles only")
        headers = {"Content-Type": "application/json", KEY: _plain(notice.id)}
        if self._declared.token:
            headers["Authorization"] = f"Bearer {text_of(self._declared.token)}"
        body = json.dumps(message_of(notice, self._declared.name)).encode()
        answer = self._http.post(text_of(self._declared.url), body, headers)
        return Sent(acknowledged=_acknowledges(answer.body, notice.id))


def message_of(notice: Notice, receiver: str) -> dict[str, Any]:
    """Return a notice as Alertmanager would post it to a webhook. Times are in UTC."""
    labels, annotations = labels_of(notice), annotations_of(notice)
    identity = {name: value for name, value in identity_of(notice).items() if name != "reporter"}
    over = notice.turn is Turn.RESOLVED
    ends = stamp(notice.at) if over else stamp(notice.at + ONCE) if notice.turn is Turn.TOLD else FOREVER
    alert = {
        "status": "resolved" if over else "firing",
        "labels": labels,
        "annotations": annotations,
        "startsAt": stamp(notice.since),
        "endsAt": ends,
        "generatorURL": notice.link,
        "fingerprint": fingerprint_of(notice),
    }
    group = ", ".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in sorted(identity.items()))
    return {
        "receiver": receiver,
        "status": alert["status"],
        "alerts": [alert],
        "groupLabels": identity,
        "commonLabels": labels,
        "commonAnnotations": annotations,
        "externalURL": notice.link,
        "version": "4",
        "groupKey": f"{{}}:{{{group}}}",
        "truncatedAlerts": 0,
    }


def _acknowledges(body: bytes, notice_id: str) -> bool:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):  # the second: brackets in brackets
        return False
    return isinstance(found, dict) and found.get("acknowledged") == notice_id


def _plain(text: str) -> str:
    """Return a text as a header may hold it."""
    return cut(text, 512).encode("ascii", "replace").decode()
