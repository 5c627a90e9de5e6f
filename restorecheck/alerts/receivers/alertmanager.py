"""Every replica of an Alertmanager, told by its API v2. It keeps an alert until its end, so the end lies far ahead.

An alert that fires ends when the next run should have said otherwise (`Notice.hold`): should this process die, nobody
is told that all is well. Ends nothing but alerts that we reported of the very same trouble.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from restorecheck.alerts.http import Http, name_of
from restorecheck.alerts.receivers.interface import DeliveryError, Sent, text_of
from restorecheck.alerts.receivers.labels import IDENTITY, NOTICE, annotations_of, identity_of, labels_of, stamp
from restorecheck.config import receivers
from restorecheck.model import Notice, Turn

ONCE = timedelta(hours=1)
"""How long something stands that is told once."""

ENOUGH = 25.0
"""Seconds for all replicas of one notice: what is told later was claimed by another replica of ours meanwhile."""

_LISTED = 4 * 1024 * 1024
"""Bytes of a list of alerts. One that is longer is not looked at."""

_HOLDS = frozenset({Turn.FIRING, Turn.REPEATED})
AT_ONCE = 50
"""Alerts in one request: less than the megabyte that a proxy lets through."""

_SLOW = frozenset({"timeout", "refused", "rate-limited"})
_TEMPORARY = ("timeout", "rate-limited", "server-error", "refused")

Labels = Mapping[str, str]


class Alertmanager:
    """One receiver: all replicas are told, and one that takes it is enough."""

    def __init__(self, declared: receivers.Alertmanager, http: Http, now: Callable[[], datetime]) -> None:
        self._declared, self._http, self._now = declared, http, now

    def send(self, notice: Notice) -> Sent:
        """Tell every replica. Acknowledged: one of them shows the alert, or shows that it is over. See Receiver."""
        if notice.turn in {Turn.BEGAN, Turn.PASSED}:
            return Sent(acknowledged=False, said="it is told of troubles only")
        return self._told([notice])

    def resend(self, notices: Sequence[Notice]) -> Sent:
        """Tell every replica all that stands, some at a time: what is between us may not take it all. See Standing."""
        if not notices:
            return Sent(acknowledged=False)
        sent: list[Sent] = []
        failed: list[DeliveryError] = []
        for first in range(0, len(notices), AT_ONCE):
            try:
                sent.append(self._told(notices[first : first + AT_ONCE]))
            except DeliveryError as e:
                failed.append(e)
                if e.reason in _SLOW:  # it would be so for each of them
                    break
        if failed:
            raise worst(failed)
        said = dict.fromkeys(one.said for one in sent if one.said)
        return Sent(acknowledged=all(one.acknowledged for one in sent), said="; ".join(said))

    def _told(self, notices: Sequence[Notice]) -> Sent:
        failed: list[DeliveryError] = []
        shown = False
        began = time.monotonic()
        for url in self._declared.urls:
            if time.monotonic() - began > ENOUGH:
                failed.append(DeliveryError("timeout", f"{name_of(url)} was not asked: the others took too long"))
                continue
            try:
                shown |= self._tell(url, notices)
            except DeliveryError as e:
                failed.append(e)
        if len(failed) == len(self._declared.urls):
            raise worst(failed)
        return Sent(acknowledged=shown, said="; ".join(e.message for e in failed))

    def _tell(self, url: str, notices: Sequence[Notice]) -> bool:
        """Tell one replica; say whether it shows every notice."""
        now = self._now()
        self._post(url, [alert_of(notice, now) for notice in notices])
        held = self._held(url, notices)
        if held is None:
            return False
        if old := ended(notices, held, now):
            with suppress(DeliveryError):  # the notice itself has arrived; the next time that it is told ends them too
                self._post(url, old)
        return all(shows(notice, held) for notice in notices)

    def _post(self, url: str, alerts: Sequence[Mapping[str, Any]]) -> None:
        body = json.dumps(alerts).encode()
        self._http.post(f"{url.rstrip('/')}/api/v2/alerts", body, {"Content-Type": "application/json", **self._login()})

    def _held(self, url: str, notices: Sequence[Notice]) -> list[dict[str, Any]] | None:
        """Return our alerts that a replica holds now, or None if it does not say."""
        query = urlencode([("filter", matcher) for matcher in matchers(notices)])
        try:
            address = f"{url.rstrip('/')}/api/v2/alerts?{query}"
            found = json.loads(self._http.get(address, self._login(), largest=_LISTED).body)
        except (DeliveryError, ValueError, RecursionError):  # the last: brackets in brackets
            return None
        well = isinstance(found, list) and all(_is_alert(one) for one in found)
        return found if well else None

    def _login(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {text_of(self._declared.token)}"} if self._declared.token else {}


def alert_of(notice: Notice, now: datetime) -> dict[str, Any]:
    """Return a notice as API v2 takes it."""
    ends = now + notice.hold
    if notice.turn is Turn.RESOLVED:
        ends = _over(notice, now)
    elif notice.turn is Turn.TOLD:
        ends = now + ONCE
    alert: dict[str, Any] = {
        "labels": labels_of(notice),
        "annotations": annotations_of(notice),
        "startsAt": stamp(notice.since),
        "endsAt": stamp(max(ends, notice.since)),  # an end before the start is no alert
    }
    if notice.link:
        alert["generatorURL"] = notice.link
    return alert


def _over(notice: Notice, now: datetime) -> datetime:
    """Return when something ended.

    It is the same time whenever we say it again, so that an Alertmanager whose clock is behind comes to believe it.
    """
    return min(now, notice.at)


def matchers(notices: Sequence[Notice]) -> list[str]:
    """Return what finds our alerts of these notices: those of the one, or all of ours."""
    wanted = identity_of(notices[0]) if len(notices) == 1 else {"reporter": identity_of(notices[0])["reporter"]}
    return [f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in wanted.items()]


def ended(notices: Iterable[Notice], held: Iterable[Mapping[str, Any]], now: datetime) -> list[dict[str, Any]]:
    """Return what must be said to end what is held of these troubles under other labels than now.

    A trouble whose verdict changed is another alert to Alertmanager, and would stand beside the new one until its end.
    """
    telling = {_identity(identity_of(notice)): notice for notice in notices}
    over: list[dict[str, Any]] = []
    for alert in held:
        labels: Labels = alert["labels"]
        notice = telling.get(_identity(labels))
        if notice is None or not _is_ours(labels, notice):
            continue
        if notice.turn is Turn.TOLD or labels == labels_of(notice) or _is_newer(alert, notice):
            continue
        over.append({"labels": dict(labels), "endsAt": stamp(_over(notice, now))})
    return over


def shows(notice: Notice, held: Iterable[Mapping[str, Any]]) -> bool:
    """Whether what an Alertmanager holds proves that it has a notice: the alert, or that it is gone if it is over."""
    mine = [alert for alert in held if alert["labels"] == labels_of(notice)]
    if notice.turn is Turn.RESOLVED:
        return not mine
    wanted = annotations_of(notice)[NOTICE]
    return any((alert.get("annotations") or {}).get(NOTICE) == wanted for alert in mine)


def worst(failed: Sequence[DeliveryError]) -> DeliveryError:
    """Return the one error of several replicas: a reason that may go away by itself counts more."""
    reason = next((r for r in _TEMPORARY if any(e.reason == r for e in failed)), failed[0].reason)
    first = next(e for e in failed if e.reason == reason)
    waits = [e.retry_after for e in failed if e.retry_after is not None]
    patience = min(waits) if len(waits) == len(failed) else None  # some replica may take it sooner
    return DeliveryError(reason, "; ".join(e.message for e in failed), first.hint, retry_after=patience)


def _identity(labels: Labels) -> tuple[str, ...]:
    return tuple(labels.get(name, "") for name in IDENTITY)


def _is_newer(alert: Mapping[str, Any], notice: Notice) -> bool:
    """Whether an alert tells more than a notice: another replica of ours was quicker, and ours is of a moment ago."""
    try:
        if notice.turn is Turn.RESOLVED:
            return datetime.fromisoformat(alert["startsAt"]) > notice.at
        return int((alert.get("annotations") or {})["count"]) > notice.count
    except (KeyError, ValueError, TypeError):
        return False


def _is_ours(labels: Labels, notice: Notice) -> bool:
    """Whether an alert has no label that we never set: a rule of somebody may say that it is by us."""
    return set(labels) <= {*labels_of(notice), *IDENTITY, "verdict", "severity", "owner"}


def _is_alert(found: object) -> bool:
    if not isinstance(found, dict) or not _is_labels(found.get("labels")):
        return False
    return found.get("annotations") is None or isinstance(found["annotations"], dict)


def _is_labels(found: object) -> bool:
    return isinstance(found, dict) and all(isinstance(value, str) for value in found.values())
