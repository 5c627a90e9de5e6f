"""The probe `check_table`: the server checks its own tables, each index against the rows.

CHECK TABLE changes nothing but the server's own mark that a table is damaged. It ends a transaction, which is why it
needs none; the right to read is enough for it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from pymysql import Connection

from restorecheck.databases.mysql_probes import crew, inventory
from restorecheck.databases.mysql_probes.inventory import Table, quoted, texts
from restorecheck.databases.mysql_probes.sight import Sight, Task, first, some
from restorecheck.databases.postgres_errors import repeatable
from restorecheck.model import Examined, Flaw, Unseen

_WORDS = "InnoDB B-tree contains entries should marked as corrupted Corrupt record found upgrade rebuild last clustered"
_ENTRIES = re.compile(r"contains (\d+) entries, should be (\d+)", re.ASCII)
_CANNOT = re.compile(r"doesn't support|not support|isn't supported|does not support", re.IGNORECASE)
_NOT_NOW = re.compile(r"interrupted|timeout exceeded|denied|upgrade required|rebuild required", re.IGNORECASE)
_FINE = ("ok", "table is already up to date")


def look(sight: Sight) -> Examined:
    """Let the server check its tables. Raises GaveUpError, QueryError."""
    found = inventory.taken(sight)
    dones = crew.run(sight, [Task(table.shown, _checks(table), max(table.bytes, 1)) for table in found.tables])
    flaws: list[Flaw] = []
    unseen = list(found.unseen)
    for done in dones:
        for said in (done.flaw, done.unseen, done.value):
            if isinstance(said, Flaw):
                flaws.append(said)
            elif isinstance(said, Unseen):
                unseen.append(said)
    seen = [t for t, done in zip(found.tables, dones, strict=True) if not isinstance(done.value or done.unseen, Unseen)]
    return Examined(
        "table", len(seen), len(flaws), first(flaws), some(unseen), len(unseen), sum(one.owed for one in unseen),
        found.left_out, bytes=sum(table.bytes for table in seen), remarks=found.remarks,
    )  # fmt: skip


def understood(table: str, rows: Sequence[tuple[str, str]]) -> Flaw | Unseen | None:
    """Return what the server's lines (kind and text) say about a table; None: it is in order. Pure.

    The last line decides, as the manual of CHECK TABLE says; those before it tell why.
    """
    if not rows:
        return Unseen(table, "the server said nothing")
    kind, text = rows[-1]
    if kind.lower() == "status" and text.lower() in _FINE:
        return None
    if any(_CANNOT.search(line) for _, line in rows):
        return Unseen(table, "its storage engine cannot be checked", owed=False)
    told = [_repeated(line, table) for one, line in rows if one.lower() in ("error", "warning")]
    message = "; ".join(dict.fromkeys(one for one in told if one)) or "it is damaged"
    if any(_NOT_NOW.search(line) for _, line in rows):
        return Unseen(table, f"the server did not check it: {message}")
    return Flaw(table, f"the server's check says: {message}", "data-damaged")


def _checks(table: Table) -> Callable[[Connection[Any]], Flaw | Unseen | None]:
    def check(connection: Connection[Any]) -> Flaw | Unseen | None:
        rows = texts(connection, f"CHECK TABLE {quoted(table.schema, table.name)} EXTENDED")
        return understood(table.shown, [(row[2], row[3]) for row in rows])

    return check


def _repeated(text: str, table: str) -> str:
    """Return what of a line may be repeated: words of the server, names, and how many entries an index has."""
    text = text.replace("doesn't", "does not")
    if found := _ENTRIES.search(text):
        return f"an index holds {int(found[1]):,} entries, the table {int(found[2]):,}"
    name = re.search(r"[Ii]ndex '?`?([A-Za-z0-9_$]{1,64})\b", text)  # of an index: a definition's word, no row's
    return repeatable(text, f"{_WORDS} {table} {name[1] if name else ''}").strip(" .")
