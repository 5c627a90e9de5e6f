"""Whether somebody's grants, as SHOW GRANTS tells them, give a privilege on a whole database. Pure.

What is not understood gives nothing. Grants on single tables are not added up.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_GRANT = re.compile(r"(GRANT|REVOKE|DENY) ([A-Z_ ,]+) ON (\*|`(?:[^`]|``)*`)\.\* (?:TO|FROM) ")
_ESCAPED = re.compile(r"\\([_%\\])")


def holds(grants: Iterable[str], privilege: str, schema: str) -> bool:
    r"""Say whether a privilege is held on everything in a database; an empty `schema`: only if it is held everywhere.

    MySQL 8 tells partial revokes as lines of their own. Of several grants on one database that are spelled differently
    (`a_b`, `a\_b`), the server heeds one: then all must give it.
    """
    everywhere = False
    spelled: dict[str, bool] = {}
    for grant in grants:
        found = _GRANT.match(grant)
        if found is None:
            continue
        verb, privileges, place = found.groups()
        gives = not {privilege, "ALL PRIVILEGES"}.isdisjoint(privileges.split(", "))
        name = _ESCAPED.sub(r"\1", place[1:-1].replace("``", "`"))
        if verb != "GRANT":
            if gives and (place == "*" or not schema or name == schema):
                return False
        elif place == "*":
            everywhere = everywhere or gives
        elif schema and name == schema:
            spelled[place] = spelled.get(place, False) or gives
    return everywhere or (bool(spelled) and all(spelled.values()))
