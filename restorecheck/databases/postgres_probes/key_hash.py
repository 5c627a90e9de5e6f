"""Sums over the keys of an index that are the same from the table and from the index: SQL as text, nothing is run here.

A sum of hashes over all rows does not depend on their order. Of each type the cheapest hash that PostgreSQL has is
taken; equal values have equal hashes even where their bytes differ, as 1.0 and 1.00 do. Measured with PostgreSQL 18: a
function of the type itself takes half the time of a record's hash.
"""

from __future__ import annotations

from dataclasses import dataclass

from psycopg import sql

_DIRECT = {
    "int2": "hashint2extended",
    "int4": "hashint4extended",
    "int8": "hashint8extended",
    "oid": "hashoidextended",
    "numeric": "hash_numeric_extended",
    "float4": "hashfloat4extended",
    "float8": "hashfloat8extended",
    "uuid": "uuid_hash_extended",
    "name": "hashnameextended",
    "bpchar": "hashbpcharextended",
    "timestamp": "timestamp_hash_extended",
    "time": "time_hash_extended",
    "interval": "interval_hash_extended",
}
"""Types of pg_catalog, and the function of pg_catalog that hashes them with a seed (PostgreSQL 11 and later)."""

_TEXTS = frozenset({"text", "varchar"})

_AS_RECORD = frozenset({"bool", "bytea", "char", "date", "timestamptz", "timetz", "inet", "cidr", "macaddr", "xid8"})
"""Types with a hash that SQL cannot call by name in every version: a record of one column calls it."""


@dataclass(frozen=True, slots=True)
class Key:
    """One column of an index."""

    column: str
    base: str  # the name of its type, below all domains, if that is in pg_catalog; else empty


def total(keys: tuple[Key, ...], names: tuple[str, ...]) -> sql.Composed:
    """Return the sum of the hashes of all rows, as text; `names` are the columns in the query at hand."""
    hashes = [_hash(key, name, seed) for seed, (key, name) in enumerate(zip(keys, names, strict=True), 1)]
    return sql.SQL("sum({})").format(sql.SQL(" # ").join(hashes))


def _hash(key: Key, name: str, seed: int) -> sql.Composed:
    """Return the hash of one column as a bigint that is never NULL. `seed` tells one column from another."""
    column, number = sql.Identifier(name), sql.SQL(str(seed))
    if (function := _DIRECT.get(key.base)) is not None:
        return sql.SQL("COALESCE({}({}, {}), {})").format(
            sql.Identifier("pg_catalog", function), column, number, number
        )
    if key.base in _AS_RECORD:
        return sql.SQL("pg_catalog.hash_record_extended(ROW({}), {})").format(column, number)
    written = column if key.base in _TEXTS else sql.SQL("{}::pg_catalog.text").format(column)
    return sql.SQL('COALESCE(pg_catalog.hashtextextended({} COLLATE pg_catalog."C", {}), {})').format(
        written, number, number
    )
