"""The probe `amcheck`: the structure of every table and B-tree index, and whether each index knows every row.

The functions of the extension run as a role that reads no table. What they say is made of names and numbers; of that,
names that the catalogue knows and words of ours are repeated, and no number but a block's, for a damaged length or
transaction id may be four bytes of somebody's row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import psycopg
from psycopg import errors, sql

from restorecheck.databases import postgres_errors
from restorecheck.databases.postgres_probes import crew, inventory
from restorecheck.databases.postgres_probes.catalogue import examined
from restorecheck.databases.postgres_probes.extension import Functions, functions
from restorecheck.databases.postgres_probes.relations import Heap, Index, relations
from restorecheck.databases.postgres_probes.sight import Done, Sight, Task
from restorecheck.model import Examined, Flaw, Unseen

WORDS = """
actual aligned allequalimage allocated anyway attribute attributes belongs between beyond bits btree but chain child
chunk cluster columns compressed consistent contains corrupted count covered cross cross-page cyclic dead deduplication
deleted depth differ disagree downlink duplicate entirely entry equal equals exceeds extends external fingerprint first
flag fork freeze future has heap high hint horizon hot id ids image inconsistent incorrect inserted invariant inverse
invalidly item items its keeping key keys lacks lack last leaf leftmost less line linked live maximum maxalign metapage
might minimum misaligned missing most multi multitransaction multixact natts newer next nonpivot nor normal not null
oldest only orphaned other parent pivot placed plain points posting precedes predecessor previous produces produced
progress read redirect redirected refind relfrozenxid relminmxid rightmost root same self set shared should sibling
size snapshot split start started storage store successor swapped target tid tids than then threshold tid too toasted
total tree unused update updated valid versions violated visible were xact xid xmax xmin xmins
"""
"""Of the messages of amcheck and its access methods: what is worth repeating, beside PostgreSQL's common words."""

LOCK_WAIT = "2s"
"""How long the stronger lock of a parent check is waited for, before the check that needs none is made instead."""

_PAGE = 8192  # bytes; where a server was built with larger pages, a large table cannot be shared out: that is owed
_PAGES = 32_768  # of one call of verify_heapam: 256 MiB; a table of more is shared out between sessions


@dataclass(frozen=True, slots=True)
class _Checked:
    """What became of one relation, or of a range of its pages."""

    flawed: int = 0
    message: str = ""
    unseen: Unseen | None = None  # what was not checked of it all the same


def look(sight: Sight) -> Examined:
    """Verify what the probe is asked for, and the whole catalogue if it is asked for no table by name.

    Raises GaveUpError, QueryError.
    """
    taken = inventory.taken(sight)
    known = functions(sight, "amcheck")
    tables, system = [t.oid for t in taken.tables], not sight.probe.tables
    heaps, indexes = crew.one(sight, "the list of relations", partial(relations, tables=tables, system=system))
    tasks: list[Task[_Checked]] = []
    skipped: list[Unseen] = []
    for made in (*(_of_heap(heap, known) for heap in heaps), *(_of_index(index, known) for index in indexes)):
        if isinstance(made, Unseen):
            skipped.append(made)
        else:
            tasks += made
    done = crew.run(sight, tasks)
    return _told(done, skipped, heaps, indexes, taken)


# --- what is to be done -----------------------------------------------------------------------------------------------


def _of_heap(heap: Heap, known: Functions) -> list[Task[_Checked]] | Unseen:
    if heap.method != "heap":
        return Unseen(heap.shown, f"amcheck knows no tables of {heap.method or 'this kind'}", owed=False)
    if (found := known.of("verify_heapam", 6)) is None:
        return Unseen(
            heap.shown, f"amcheck {known.version} cannot verify tables: ALTER EXTENSION amcheck UPDATE at the source"
        )
    pages = heap.bytes // _PAGE
    starts = list(range(0, pages - _PAGES // 2, _PAGES)) or [0]  # no range is very small
    ranges = [(a, b - 1) for a, b in zip(starts, [*starts[1:], pages], strict=True)] if starts[1:] else [(0, -1)]
    verified = partial(_verified, heap=heap, function=found[0])
    return [
        Task(heap.shown, partial(verified, first=first, last=last), heap.bytes // len(ranges), as_prober=True)
        for first, last in ranges
    ]


def _of_index(index: Index, known: Functions) -> list[Task[_Checked]] | Unseen:
    if not index.valid:
        return Unseen(index.shown, "the index is not valid, and nobody reads it", owed=False)
    if index.own_operators:
        return Unseen(index.shown, "it is sorted by functions of the database itself, which are not run", owed=False)
    weight = index.bytes + index.heap.bytes
    if index.method == "gin" and (gin := known.of("gin_index_check", 1)):
        if index.own_expressions:
            return Unseen(index.shown, "it calls functions of the database itself, which are not run", owed=False)
        return [Task(index.shown, partial(_gin, index=index, function=gin[0]), index.bytes, True)]
    if index.method != "btree":
        return Unseen(index.shown, f"amcheck {known.version} knows no index of kind {index.method}", owed=False)
    if (plain := known.of("bt_index_check", 3, 2)) is None:
        return Unseen(index.shown, f"amcheck {known.version} has no bt_index_check that may be run")
    strong = None if index.heap.shared else known.of("bt_index_parent_check", 4, 3)
    return [Task(index.shown, partial(_btree, index=index, plain=plain, strong=strong), weight, True)]


# --- doing it ---------------------------------------------------------------------------------------------------------


def _verified(
    connection: psycopg.Connection[Any], heap: Heap, function: sql.Identifier, first: int, last: int
) -> _Checked:
    """Verify a table, or a range of its pages; `last` < 0: all of it."""
    range_ = (first, last) if last >= 0 else (None, None)
    query = sql.SQL(
        "SELECT count(*) OVER ()::int8, blkno::int8, offnum::int4, attnum::int4, msg::text"
        " FROM {}({}::oid::regclass, false, true, 'none', {}, {}) LIMIT 1"
    ).format(function, sql.Literal(heap.oid), *map(sql.Literal, range_))
    row = connection.execute(query).fetchone()
    if row is None:
        return _Checked()
    count, block, item, column, message = row
    place = f"page {block}" + ("" if item is None else f", item {item}") + ("" if column is None else ", a column")
    more = f"; {count:,} places in all" if count > 1 else ""
    return _Checked(count, f"{place}: {_repeatable(message, heap.names)}{more}")


def _btree(
    connection: psycopg.Connection[Any],
    index: Index,
    plain: tuple[sql.Identifier, int],
    strong: tuple[sql.Identifier, int] | None,
) -> _Checked:
    """Check a B-tree with its parents if nobody writes to its table, and without them otherwise."""
    limited = None
    if index.own_expressions:
        limited = Unseen(
            index.shown,
            "not compared with its table: that would call functions of the database itself",
            owed=False,
        )
    complete = not index.own_expressions
    try:
        if strong is not None and (made := _with_parents(connection, index, strong, complete)):
            return replace(made, unseen=limited)
        function, count = plain
        arguments = [sql.SQL("{}::oid::regclass").format(sql.Literal(index.oid)), sql.Literal(complete)]
        arguments += [sql.Literal(index.doubtful)] if count == 3 else []
        connection.execute(sql.SQL("SELECT {}({})").format(function, sql.SQL(", ").join(arguments)))
    except (errors.IndexCorrupted, errors.DataCorrupted) as e:
        return _Checked(1, _repeatable(e.diag.message_primary or "", index.names), limited)
    return _Checked(unseen=limited)


def _with_parents(
    connection: psycopg.Connection[Any], index: Index, strong: tuple[sql.Identifier, int], complete: bool
) -> _Checked | None:
    """Check with the lock that keeps writers out; None: it was not to be had."""
    function, count = strong
    arguments = [sql.SQL("{}::oid::regclass").format(sql.Literal(index.oid)), sql.Literal(complete), sql.SQL("false")]
    arguments += [sql.Literal(index.doubtful)] if count == 4 else []
    connection.execute(sql.SQL("SET LOCAL lock_timeout = {}").format(sql.Literal(LOCK_WAIT)))
    connection.execute("SAVEPOINT strong")
    try:
        connection.execute(sql.SQL("SELECT {}({})").format(function, sql.SQL(", ").join(arguments)))
    except errors.LockNotAvailable:
        connection.execute("ROLLBACK TO SAVEPOINT strong")
        return None
    return _Checked()


def _gin(connection: psycopg.Connection[Any], index: Index, function: sql.Identifier) -> _Checked:
    try:
        connection.execute(sql.SQL("SELECT {}({}::oid::regclass)").format(function, sql.Literal(index.oid)))
    except (errors.IndexCorrupted, errors.DataCorrupted) as e:
        return _Checked(1, _repeatable(e.diag.message_primary or "", index.names))
    return _Checked()


def _repeatable(message: str, names: Sequence[str]) -> str:
    """Return what may be told of a message of amcheck."""
    known = f"{WORDS} {' '.join(names)}"
    return postgres_errors.repeatable(message, known) or "its structure is damaged"


# --- what it came to --------------------------------------------------------------------------------------------------


def _told(
    done: Sequence[Done[_Checked]],
    skipped: Sequence[Unseen],
    heaps: Sequence[Heap],
    indexes: Sequence[Index],
    taken: inventory.Inventory,
) -> Examined:
    flaws: list[Flaw] = []
    unseen = [*taken.unseen, *skipped]
    flawed = 0
    for one in done:
        if one.flaw is not None:
            flaws.append(one.flaw)
            flawed += 1
        elif one.unseen is not None:
            unseen.append(one.unseen)
        elif one.value is not None:
            if one.value.flawed:
                flaws.append(Flaw(one.task.object, one.value.message, "data-damaged"))
                flawed += one.value.flawed
            if one.value.unseen is not None:
                unseen.append(one.value.unseen)
    seen = {one.task.object for one in done} - {one.task.object for one in done if one.unseen is not None}
    of_users = {r.shown for r in heaps if not r.system} | {i.shown for i in indexes if not i.heap.system}
    catalogue = len(seen - of_users)
    remarks = list(taken.remarks)
    if catalogue:
        remarks.append(f"{catalogue} tables and indexes of the server's own catalogue were verified as well")
    made = examined(
        "relation", len(seen & of_users), flaws, unseen, flawed=flawed, left_out=taken.left_out, remarks=remarks
    )
    size = sum(h.bytes for h in heaps if h.shown in seen) + sum(i.bytes for i in indexes if i.shown in seen)
    return replace(made, bytes=size)
