"""The users of one restored MySQL or MariaDB: made once by the master user, and all that a run writes there.

The reader reads every table; the prober sees triggers and events, and reads no table. A user of the same name that does
not look exactly as we make it came with the backup, and is refused.
"""

from __future__ import annotations

import re
from dataclasses import replace
from hashlib import sha256
from typing import Any

import pymysql
from pymysql import Connection
from pymysql.converters import escape_string

from restorecheck.databases.interface import Login
from restorecheck.errors import QueryError

_TAIL = r"\*\.\* TO [^ ]+( IDENTIFIED (BY PASSWORD ('[^']*'|<secret>)|(VIA|WITH) \S+( (USING|AS) '[^']*')?))?"
"""No GRANT OPTION, no limits, no role."""
_READER = re.compile(rf"GRANT (USAGE|SELECT, SHOW VIEW) ON {_TAIL}".encode())
_PROBER = re.compile(rf"GRANT (USAGE|EVENT|TRIGGER|EVENT, TRIGGER) ON {_TAIL}".encode())
_PLAIN = re.compile(r"[a-z0-9_]{1,32}", re.ASCII)  # MySQL keeps 32 letters of a name

DENIED = (1044, 1045, 1142, 1227, 1410)
"""Numbers of errors that say: who asks may not."""


def prober_of(reader: Login) -> Login:
    """Return the user beside a reader that sees triggers and events, and reads no table; the password is the same."""
    return replace(reader, user=f"restorecheck_prober_{sha256(reader.user.encode()).hexdigest()[:12]}")


def make_reader(connection: Connection[Any], reader: Login) -> None:
    """Make the user `reader.user`, or adopt it if it is what an earlier attempt made.

    It may read every table and see the definition of views: `SELECT, SHOW VIEW ON *.*`. No FILE, no EXECUTE, nothing
    that writes. Raises QueryError `taken` and `config`, pymysql.MySQLError.
    """
    name = _made(connection, reader, _READER, "it is more than a reader")
    with connection.cursor() as cursor:
        cursor.execute(f"GRANT SELECT, SHOW VIEW ON *.* TO {name}")


def make_prober(connection: Connection[Any], prober: Login) -> None:
    """Make the user `prober.user`, or adopt it if it is what an earlier attempt made.

    Only who may change triggers and events can see them: `TRIGGER, EVENT ON *.*`, each if the master user may give it.
    What it may not is no error: the probe says that it could not look. It reads no row. Raises QueryError `taken` and
    `config`, pymysql.MySQLError.
    """
    name = _made(connection, prober, _PROBER, "it may do more than see triggers and events")
    with connection.cursor() as cursor:
        for privilege in ("TRIGGER", "EVENT"):
            try:
                cursor.execute(f"GRANT {privilege} ON *.* TO {name}")
            except pymysql.MySQLError as e:
                if not e.args or e.args[0] not in DENIED:
                    raise


def _made(connection: Connection[Any], login: Login, ours: re.Pattern[bytes], strange: str) -> str:
    """Make or adopt a user that may nothing yet, with the login's password; return its name as SQL."""
    if not _PLAIN.fullmatch(login.user):
        raise QueryError(f"{login.user!r} cannot be the name of a user here", kind="config")
    name = f"'{login.user}'@'%'"
    password = escape_string(login.password)
    with connection.cursor() as cursor:
        cursor.execute("SET SESSION sql_mode = ''")
        cursor.execute(f"SELECT Host FROM mysql.user WHERE User = '{login.user}'")  # noqa: S608 - a plain word
        hosts = [host for (host,) in cursor.fetchall()]
        if hosts:
            grants: list[bytes] = []
            if hosts == [b"%"]:
                cursor.execute(f"SHOW GRANTS FOR {name}")
                grants = [grant for (grant,) in cursor.fetchall()]
            if not grants or not all(ours.fullmatch(grant) for grant in grants):
                raise QueryError(
                    f"a user named {login.user!r} came with the backup, and {strange}",
                    "drop or rename that user at the source",
                    kind="taken",
                )
        else:
            cursor.execute(f"CREATE USER {name} IDENTIFIED BY '{password}'")
        cursor.execute(f"ALTER USER {name} IDENTIFIED BY '{password}'")
    return name
