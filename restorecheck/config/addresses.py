"""Addresses in the configuration: of the store's database or bucket, and of our own web server. Pure.

A database's address may hold a password. No message, table or proof may show it: `masked` is how it is shown, and it
hides too much rather than too little.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from restorecheck.config.values import shown

_FOLDER = r"[A-Za-z0-9][A-Za-z0-9_.-]*"
BUCKET = rf"s3://([a-z0-9][a-z0-9.-]{{1,61}}[a-z0-9])/({_FOLDER}(?:/{_FOLDER})*)/?(?:\?region=([a-z]{{2}}[a-z0-9-]*-[0-9]+))?"
STATE = rf"^({BUCKET}|postgres(ql)?://[^/#\s]*/[^/?#@\s]+(\?[^#\s]*)?|(?!.*://|s3:|postgres(ql)?:).*\S.*)$"
SERVER = r"^postgres(ql)?://[^:/?#@\s]+@[^/?#@\s]+(/[^/?#@\s]*)?(\?[^#\s]*)?$"
LISTEN = r"^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+):[0-9]{1,5}$"

_PASSWORD = re.compile(r"(?<=://)([^:@]*):.*@", re.DOTALL)  # to the last @: one in a password should be escaped
_SECRET = re.compile(r"((?:^|&)[^=&]*password[^=&]*=)[^&]*", re.IGNORECASE)
_LARGEST_PORT = 65_535


def masked(url: str) -> str:
    """Return the address of a database with *** in place of its passwords."""
    head, mark, query = url.partition("?")
    if "@" not in head and "@" in query:  # the ? may stand in a password
        return f"{url.partition('://')[0]}://***"
    return _PASSWORD.sub(r"\1:***@", head) + mark + _SECRET.sub(r"\1***", query)


def state(text: str) -> str:
    """Read where the state is: a directory or a bucket as it is, a PostgreSQL database as `postgresql://…`."""
    if not text.strip():
        raise ValueError("is empty; write something, or leave the key out")
    if text.lower().startswith("s3://"):
        if bucket(text) is None:
            raise ValueError(
                f"{shown(text)} does not name a bucket and a prefix in it; write for example "
                '"s3://restorecheck-state/prod", and its region behind it if need be, "?region=eu-central-1"'
            )
        return text
    if "://" not in text:
        if text.startswith(("s3:", "postgres:", "postgresql:")):  # not shown: a password may stand in it
            raise ValueError('lacks a slash, and would be a directory; write "s3://…" or "postgresql://…"')
        if "?" in text:
            raise ValueError("has a ?, which no address of a store can hold; write another name")
        return text
    scheme, _, rest = text.partition("://")
    said = shown(masked(text))
    if scheme.lower() not in ("postgresql", "postgres"):
        raise ValueError(
            f"{said} is neither a directory nor a PostgreSQL database nor a bucket; "
            'write state = "state", or for example state = "postgresql://restorecheck@db.example.org/restorecheck"'
        )
    if why := _why_not_database(f"postgresql://{rest}"):
        raise ValueError(
            f"{said} {why}; write it as PostgreSQL does, for example "
            '"postgresql://restorecheck@db.example.org:5432/restorecheck?sslmode=verify-full"'
        )
    return f"postgresql://{rest}"


def bucket(text: str) -> tuple[str, str, str | None] | None:
    """Return the bucket, the prefix (which ends in `/`) and the region of `s3://…`; None: it is not so written."""
    found = re.fullmatch(BUCKET, text)
    return (found[1], f"{found[2]}/", found[3]) if found else None


def _why_not_database(url: str) -> str | None:
    if re.search(r"\s", url):
        return "has a space or a line break, which an address writes as %20 or %0A"
    try:
        parts = urlsplit(url)
        _ = parts.port  # which is read only when it is asked for
    except ValueError:  # its own message may hold what it could not read
        return "cannot be read as an address; in a user's name and a password, / : @ # ? % are written as %2F %3A …"
    if parts.fragment or "#" in url or "@" in parts.path:
        return "has a # or @ where none can stand; in a user's name and a password, they are written as %23 and %40"
    name = parts.path.removeprefix("/")
    return "does not name one database" if not name or "/" in name else None


def server(text: str) -> str:
    """Read the address of a server that dumps are restored into: with a user, and never with a password."""
    said = shown(masked(text))
    if masked(text) != text or re.match(r"[^:]+://[^@/]*:[^@]*@", text):
        raise ValueError(
            f"{said} holds a password; leave it out, and put it into the file that PGPASSFILE names, or into PGPASSWORD"
        )
    if not re.match(SERVER, text) or text.endswith("\n"):
        raise ValueError(
            f"{said} is not the address of a server; write its scheme, a user and a host, for example "
            '"postgresql://restorecheck@scratch.example.org:5432/postgres"'
        )
    try:
        _ = urlsplit(text).port
    except ValueError:
        raise ValueError(f"{said} has no port that can be; write a number up to {_LARGEST_PORT}") from None
    return text


def listen(text: str) -> str:
    """Read where the web server listens: a host and a port."""
    host, _, port = text.rpartition(":")
    if not re.match(LISTEN, text) or text.endswith("\n") or int(port) > _LARGEST_PORT:
        right = f'"{host or "127.0.0.1"}:9780"' if re.fullmatch(r"[A-Za-z0-9.-]*", host) else '"127.0.0.1:9780"'
        raise ValueError(
            f"{shown(text)} is not a host and a port; write for example {right} (an IPv6 address in brackets)"
        )
    return text
