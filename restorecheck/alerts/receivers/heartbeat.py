"""A dead man's switch that speaks as healthchecks.io does: it pages when nothing comes, and so needs every run.

A success is sent for a run that passed and for nothing else: not for what was resolved, told or tested.
"""

from __future__ import annotations

import uuid
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

from restorecheck.alerts import wording
from restorecheck.alerts.http import Http, name_of
from restorecheck.alerts.receivers.interface import DeliveryError, Sent, cut_bytes, text_of
from restorecheck.config import receivers
from restorecheck.model import About, Notice, Turn

LARGEST = 10_000
"""Bytes of a body that healthchecks.io keeps (it says so in `Ping-Body-Limit`)."""

CHECK = "{check}"
"""What stands for the check's name in an address."""

_PINGS = {Turn.BEGAN: "/start", Turn.PASSED: "", Turn.FIRING: "/fail", Turn.REPEATED: "/fail"}


class Heartbeat:
    """One address, or one for each check."""

    def __init__(self, declared: receivers.Heartbeat, http: Http) -> None:
        self._declared, self._http = declared, http

    def send(self, notice: Notice) -> Sent:
        """Ping. Acknowledged by the answer `OK`. See Receiver."""
        ping = _PINGS.get(notice.turn)
        if ping is None or notice.about is About.TEST:
            return Sent(acknowledged=False, said="it is told of runs only")
        url = address_of(text_of(self._declared.url), notice, ping)
        body = cut_bytes(wording.text(notice), LARGEST) if ping == "/fail" else b""
        answer = self._http.post(url, body, {"Content-Type": "text/plain; charset=utf-8"})
        said = answer.body.strip().lower()
        if b"not found" in said:  # older servers say so with a 200
            raise DeliveryError("rejected", f"{name_of(url)} does not know this check", "create the check there")
        if b"rate limited" in said:
            raise DeliveryError("rate-limited", f"{name_of(url)} took too many pings at once")
        return Sent(acknowledged=said == b"ok")


def address_of(url: str, notice: Notice, ping: str) -> str:
    """Return where to ping; what the address asks for already (`?create=1`) is kept. Raises DeliveryError."""
    if CHECK in url:
        if not notice.check:
            hint = "give the service a heartbeat of its own"
            raise DeliveryError("configuration", "the address has {check}, and this is told of no check", hint)
        url = url.replace(CHECK, quote(notice.check, safe=""))
    try:
        place = urlsplit(url)
    except ValueError as e:
        raise DeliveryError("configuration", "the address is no URL") from e
    run = {"rid": str(run_uuid(notice.run_id))} if notice.run_id else {}
    query = "&".join(part for part in (place.query, urlencode(run)) if part)
    return urlunsplit((place.scheme, place.netloc, place.path.rstrip("/") + ping, query, ""))


def run_uuid(run_id: str) -> uuid.UUID:
    """Return the UUID by which a heartbeat pairs the start of a run with its end."""
    return uuid.uuid5(uuid.NAMESPACE_URL, f"restorecheck:run:{run_id}")
