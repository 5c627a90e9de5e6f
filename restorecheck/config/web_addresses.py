"""Addresses of the web to which something is sent or that people follow. Pure.

Such an address may hold a secret (a key in its path, a password before its host): no sentence here repeats one.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

from restorecheck.config import names

PLAIN = r"^https?://[^\s/?#@]+(/[^\s?#]*)?$"
APPRISE = r"^[a-z][a-z0-9+.-]*://[^\s]+$"
CHECK = "{check}"
"""What stands for a check's name in the address of a heartbeat."""

_PLACE = re.compile(r"\{[^{}]*\}")
_HOUSE = (".home.arpa", ".internal", ".lan", ".local", ".localhost", ".svc")


def why_not_secret(kind: str, text: str) -> str | None:
    """Return what is wrong with the address of a receiver of this kind, and what would be right, or None."""
    if kind == "apprise":
        right = 'write one as apprise reads it, for example "slack://…"'
        return None if re.match(APPRISE, text) and text.isprintable() else f"is not an address; {right}"
    if not _read(text):
        return f'is not a web address; write it in full, for example "{_EXAMPLES[kind]}"'
    if kind == "heartbeat" and any(place != CHECK for place in _PLACE.findall(text)):
        return f"has something in {{ }} that stands for nothing; only {CHECK} does, for the name of the check"
    return None


_EXAMPLES = {"webhook": "https://hooks.example.org/backups", "heartbeat": "https://hc-ping.com/KEY/{check}"}


def in_the_clear(text: str) -> bool:
    """Return whether what is sent to a web address can be read on its way: no TLS, and a host that is not ours."""
    parts = _read(text)
    return bool(parts and parts.scheme == "http" and not _at_home(parts.hostname or ""))


def _at_home(host: str) -> bool:
    """Return whether a host is this machine, or has an address or a name that only a private network knows."""
    try:
        return not ip_address(host).is_global
    except ValueError:
        return "." not in host or host.endswith(_HOUSE)


def _read(text: str) -> SplitResult | None:
    """Return the parts of a web address, or None if it is none."""
    if not re.match(names.URL, text) or not text.isprintable():
        return None
    try:
        parts = urlsplit(text)
        _ = parts.port  # which is read only when it is asked for
    except ValueError:
        return None
    return parts if parts.hostname else None


def _plain(example: str, beyond: str = r"(?!)", where: str = "") -> Callable[[str], str]:
    """Return a reader of addresses that are shown and appended to: no password, no query, and no slash at the end.

    `beyond` is what we append to the path ourselves.
    """

    def read(text: str) -> str:
        parts = _read(text)
        if not parts:
            raise ValueError(f'is not a web address; write it in full, for example "{example}"')
        if "@" in parts.netloc:
            raise ValueError(f"has a user or a password in it, which logs would show; leave them out{where}")
        if "?" in text or "#" in text:
            raise ValueError(f'has a ? or #, and could not be appended to; write it without, for example "{example}"')
        if re.search(beyond, parts.path):
            raise ValueError(f'goes on to what is appended anyway; write it without, for example "{example}"')
        return text.rstrip("/")

    return read


alertmanager = _plain("http://am-0:9093", r"/api(/|$)", ", and put a token into token_file")
pushgateway = _plain("http://pushgateway:9091", r"/metrics(/|$)")
page = _plain("https://restorecheck.example.org")
