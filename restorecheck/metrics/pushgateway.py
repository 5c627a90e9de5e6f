"""Figures to a Pushgateway, in one request: the group `job="restorecheck"` holds everything.

One group, because a PUT replaces all that a group holds: a check that left the configuration is gone with the next
one, also when nobody was there to see it go, and nothing is ever looked for or deleted that another may have put there.
What was read from the store is whole, so a failed run erases no earlier success. When the store could not be read,
what we have is not whole: then it is a POST, which leaves alone whatever it does not name.

The counters of one process alone are left out: several replicas push to the same group, and would take turns.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from urllib.parse import urlsplit

import prometheus_client
import urllib3

from restorecheck.errors import RestorecheckError
from restorecheck.metrics.exposition import registry
from restorecheck.metrics.figures import Figures

JOB = "restorecheck"
"""The name of the group."""

TIMEOUT = 10.0
"""Seconds for the connection, and for every silence after it."""

OF_A_PROCESS = frozenset({"aws_api_requests", "aws_api_request_failures"})
"""Counters that each process has for itself."""

_MOST = 300  # characters of an answer that are repeated


def push(url: str, figures: Figures, *, timeout: float = TIMEOUT) -> None:
    """Send the figures to the gateway at `url` (http://host:9091). Raises RestorecheckError `config`.

    That is `retryable` if the gateway cannot be reached, does not answer in time or has trouble of its own.
    """
    shown = _checked(url)
    kept = Figures()
    for metric, values in figures:
        if metric.name not in OF_A_PROCESS:
            for labels, value in values.items():
                kept.put(metric.name, value, *labels)
    whole = figures.of("store_up").get(()) == 1.0
    send = prometheus_client.push_to_gateway if whole else prometheus_client.pushadd_to_gateway
    send(url, JOB, registry(kept), timeout=timeout, handler=partial(_handler, shown))


def _checked(url: str) -> str:
    """Return what the gateway is called in messages. Raises RestorecheckError `config` for an address that is none."""
    try:
        found = urlsplit(url)
        port = f":{found.port}" if found.port else ""
    except ValueError as e:
        raise RestorecheckError("the address of the Pushgateway is none", kind="config") from e
    if "@" in found.netloc:  # and so in the list of processes; urllib3 would not send it either
        raise RestorecheckError("the address of the Pushgateway has a user or a password in it", kind="config")
    if found.scheme not in {"http", "https"} or not found.hostname:
        raise RestorecheckError("the address of the Pushgateway is none", "write it as http://host:9091", kind="config")
    host = f"[{found.hostname}]" if ":" in found.hostname else found.hostname
    return f"the Pushgateway at {host}{port}"


def _handler(
    shown: str,
    *,
    url: str,
    method: str,
    timeout: float | None,
    headers: list[tuple[str, str]],
    data: bytes,
) -> Callable[[], None]:
    """Return what prometheus_client calls to send a request: its own follows redirects and forgets what was said."""

    def send() -> None:
        try:
            with urllib3.PoolManager(retries=False, timeout=urllib3.Timeout(connect=timeout, read=timeout)) as pool:
                answer = pool.request(method, url, body=data, headers=dict(headers))
        except urllib3.exceptions.HTTPError as e:
            raise RestorecheckError(f"{shown} did not answer: {_why(e)}", kind="config", retryable=True) from e
        if answer.status not in {200, 202}:  # 202: it was told not to look whether what it gets fits
            raise _error(shown, answer.status, answer.data)

    return send


def _error(shown: str, status: int, body: bytes) -> RestorecheckError:
    said = " ".join(body.decode("utf-8", "replace").split())[:_MOST]
    said = "".join(c if c.isprintable() else "?" for c in said)
    hints = {
        400: "does something else push to the same group, or another version of restorecheck?",
        401: "it must let us in without a password: put a proxy between that has one",
        403: "it must let us in without a password: put a proxy between that has one",
        404: "is it a Pushgateway? its address ends where /metrics begins",
    }
    again = status >= 500 or status == 429
    message = f"{shown} answered {status}: {said}".rstrip(": ")
    return RestorecheckError(message, hints.get(status, ""), kind="config", retryable=again)


def _why(error: urllib3.exceptions.HTTPError) -> str:
    """Return what went wrong without the address: urllib3 repeats all of it."""
    if isinstance(error.__cause__, OSError) and error.__cause__.strerror:
        return error.__cause__.strerror
    return "no answer in time" if isinstance(error, urllib3.exceptions.TimeoutError) else type(error).__name__
