"""Which probes there are: what each looks at, in which engines, and which keys and expectations it takes.

A table of words only. How a probe looks is in `databases`, what becomes of it in `assertions`; the configuration and
the documentation are held to this table by tests.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Engine = Literal["postgresql", "mysql"]
"""MariaDB counts as mysql."""

BOTH: tuple[Engine, ...] = ("postgresql", "mysql")
POSTGRESQL: tuple[Engine, ...] = ("postgresql",)


@dataclass(frozen=True, slots=True)
class ProbeKind:
    """One kind of probe."""

    engines: tuple[Engine, ...]
    unit: str  # what it counts as examined, in the singular
    meaning: str  # what it looks at, as a sentence without its subject
    keys: tuple[Literal["tables", "exclude", "required", "role"], ...] = ()
    needs: tuple[Literal["required", "role"], ...] = ()  # of the keys: one that must be there
    violations: bool = True  # may be asked for a number of violations; without `expect`, there must be none
    compares: bool = False  # takes `same_as`
    counts: bool = False  # takes bounds with `of`, for the rows of each table
    extensions: tuple[str, ...] = ()  # that it needs in the restored database
    physical: bool = False  # says nothing about a logical backup, whose files and indexes are all new


_TABLES: tuple[Literal["tables", "exclude"], ...] = ("tables", "exclude")

PROBES: dict[str, ProbeKind] = {
    "readable": ProbeKind(
        BOTH, "table", "reads every column of every row, long values included, and fingerprints them", _TABLES,
        compares=True,
    ),
    "row_counts": ProbeKind(
        BOTH, "table", "counts the rows of every table, each against its own baseline", _TABLES, violations=False,
        compares=True, counts=True,
    ),
    "counts_agree": ProbeKind(
        POSTGRESQL, "index", "compares what a table holds with what each of its indexes holds", _TABLES, physical=True
    ),
    "visibility": ProbeKind(
        POSTGRESQL, "table", "looks for rows that the visibility map hides or shows wrongly", _TABLES,
        extensions=("pg_visibility",), physical=True,
    ),
    "amcheck": ProbeKind(
        POSTGRESQL, "relation", "verifies the structure of tables and B-tree indexes", _TABLES,
        extensions=("amcheck",), physical=True,
    ),
    "check_table": ProbeKind(("mysql",), "table", "lets the server check its tables", _TABLES, physical=True),
    "schema": ProbeKind(
        BOTH, "object", "fingerprints the definition of everything that users made", _TABLES, violations=False,
        compares=True,
    ),
    "foreign_keys": ProbeKind(BOTH, "foreign key", "looks for rows that reference nothing", _TABLES),
    "sequences": ProbeKind(POSTGRESQL, "sequence", "compares each sequence with the column that it feeds", _TABLES),
    "indexes": ProbeKind(POSTGRESQL, "index", "looks for indexes that are not valid, ready or attached", _TABLES),
    "constraints": ProbeKind(
        POSTGRESQL, "constraint", "looks for constraints that are not validated or not enforced", _TABLES
    ),
    "collations": ProbeKind(
        POSTGRESQL, "collation", "compares the version of each collation with the one that data was sorted by",
        physical=True,
    ),
    "extensions": ProbeKind(
        POSTGRESQL, "extension", "looks whether each extension, and each that is required, is there and can be used",
        ("required",), compares=True,
    ),
    "roles": ProbeKind(
        POSTGRESQL, "privilege", "looks whether the application's role may log in and read what it must",
        ("role", "required"), ("role",),
    ),
    "databases": ProbeKind(
        BOTH, "database", "looks whether each database, and each that is required, is there and holds tables",
        ("required",), compares=True,
    ),
}  # fmt: skip
"""Every probe by its name."""
