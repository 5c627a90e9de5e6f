"""What the probes that read PostgreSQL's catalogue have in common: what counts as users', and how a result is put.

Nothing here talks to a server. Every condition is made for a session whose `search_path` is pg_catalog, as the crew's
are: the restored database is hostile input, and may hold tables, functions and operators that are named as these are.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar, cast

from restorecheck.databases.postgres_probes.sight import Done
from restorecheck.model import Examined, Flaw, Unseen

K = TypeVar("K")
T = TypeVar("T")

FIRST = 20
"""So many flaws, and so many of what was not seen, are told one by one."""

OF_USERS = (
    "n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast', 'restorecheck_probes')"
    " AND n.nspname !~ '^pg_(toast_)?temp_'"
)
"""A condition on `pg_namespace n`: neither the server's own, nor what a run made for its probes."""


def no_member(catalogue: str, oid: str, types: str = "e") -> str:
    """Return a condition: the object `oid` of `catalogue` came with no extension. All three are our own constants.

    `types` are the kinds of dependency that are meant: with `ei`, also what another object brought along.
    """
    listed = ", ".join(f"'{one}'" for one in types)
    return (
        "NOT EXISTS (SELECT FROM pg_catalog.pg_depend e"
        f" WHERE e.classid = 'pg_catalog.{catalogue}'::pg_catalog.regclass AND e.objid = {oid} AND e.objsubid = 0"
        f" AND e.deptype IN ({listed}))"
    )


def sorted_out(keys: Sequence[K], done: Sequence[Done[T]]) -> tuple[list[tuple[K, T]], list[Flaw], list[Unseen]]:
    """Return what tasks came to, each with its key; the damage that they met; and what they did not look at."""
    values = [
        (key, cast("T", one.value)) for key, one in zip(keys, done, strict=True) if not one.flaw and not one.unseen
    ]
    return values, [one.flaw for one in done if one.flaw], [one.unseen for one in done if one.unseen]


def examined(
    unit: str,
    count: int,
    flaws: Sequence[Flaw] = (),
    unseen: Iterable[Unseen] = (),
    *,
    flawed: int | None = None,
    left_out: int = 0,
    lines: Sequence[str] = (),
    rows: int = 0,
    remarks: Sequence[str] = (),
) -> Examined:
    """Put together what a probe found. `flawed` is how many violations, if that is not how many flaws.

    Of many, what damage means is told first, and what should have been seen before what never can be.
    """
    found = sorted(flaws, key=lambda one: one.kind == "assertion-failed")
    missed = sorted(unseen, key=lambda one: not one.owed)
    return Examined(
        unit,
        count,
        flawed=len(found) if flawed is None else flawed,
        flaws=tuple(found[:FIRST]),
        unseen=tuple(missed[:FIRST]),
        unseen_count=len(missed),
        owed=sum(one.owed for one in missed),
        left_out=left_out,
        lines=tuple(lines),
        rows=rows,
        remarks=tuple(remarks),
    )
