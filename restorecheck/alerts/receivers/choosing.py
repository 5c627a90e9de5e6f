"""A declared receiver → what sends to it. Nothing is opened, read or sent here."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from restorecheck.alerts.http import Http
from restorecheck.alerts.receivers.alertmanager import Alertmanager
from restorecheck.alerts.receivers.apprise import Apprise
from restorecheck.alerts.receivers.heartbeat import Heartbeat
from restorecheck.alerts.receivers.interface import Receiver
from restorecheck.alerts.receivers.sns import Sns
from restorecheck.alerts.receivers.webhook import Webhook
from restorecheck.config import receivers
from restorecheck.fence import Fence


def receiver_of(
    declared: receivers.AnyReceiver,
    fence: Callable[[], Fence],
    *,
    http: Http | None = None,
    now: Callable[[], datetime],
) -> Receiver:
    """Return who sends to a receiver; `fence` is asked when something is sent to a topic."""
    client = http or Http(now=now)
    if isinstance(declared, receivers.Alertmanager):
        return Alertmanager(declared, client, now)
    if isinstance(declared, receivers.Webhook):
        return Webhook(declared, client)
    if isinstance(declared, receivers.Heartbeat):
        return Heartbeat(declared, client)
    if isinstance(declared, receivers.Sns):
        return Sns(declared, fence)
    return Apprise(declared)
