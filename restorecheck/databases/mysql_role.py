"""The read-only user of one restored MySQL or MariaDB: made once by the master user, and all that a run writes there.

A user of the same name that does not look exactly as we make it came with the backup, and is refused.
"""

from __future__ import annotations

import re
from typing import Any

from pymysql import Connection
from pymysql.converters import escape_string

from restorecheck.databases.interface import Login
from restorecheck.errors import QueryError

_OURS = re.compile(
    rb"GRANT (USAGE|SELECT, SHOW VIEW) ON \*\.\* TO [^ ]+( IDENTIFIED (BY PASSWORD|WITH) .*)?", re.DOTALL
)
_PLAIN = re.compile(r"[a-z0-9_]{1,32}", re.ASCII)


def make_reader(connection: Connection[Any], reader: Login) -> None:
    """Make the user `reader.user`, or adopt it if it is what an earlier attempt made.

    It may read every table and see the definition of views: `SELECT, SHOW VIEW ON *.*`. No FILE, no EXECUTE, nothing
    that writes. Raises QueryError `taken` and `config`, pymysql.MySQLError.
    """
    if not _PLAIN.fullmatch(reader.user):
        raise QueryError(f"{reader.user!r} cannot be the name of a user here", kind="config")
    name = f"'{reader.user}'@'%'"
    password = escape_string(reader.password)
    with connection.cursor() as cursor:
        cursor.execute("SET SESSION sql_mode = ''")
        cursor.execute(f"SELECT Host FROM mysql.user WHERE User = '{reader.user}'")  # noqa: S608 - a plain word
        hosts = [host for (host,) in cursor.fetchall()]
        if hosts:
            grants: list[bytes] = []
            if hosts == [b"%"]:
                cursor.execute(f"SHOW GRANTS FOR {name}")
                grants = [grant for (grant,) in cursor.fetchall()]
            if not grants or not all(_OURS.fullmatch(grant) for grant in grants):
                raise QueryError(
                    f"a user named {reader.user!r} came with the backup, and it is more than a reader",
                    "drop or rename that user at the source",
                    kind="taken",
                )
        else:
            cursor.execute(f"CREATE USER {name} IDENTIFIED BY '{password}'")
        cursor.execute(f"ALTER USER {name} IDENTIFIED BY '{password}'")
        cursor.execute(f"GRANT SELECT, SHOW VIEW ON *.* TO {name}")
