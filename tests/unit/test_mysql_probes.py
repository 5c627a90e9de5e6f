"""The pure parts of the probes of MySQL and MariaDB: which tables, which SQL, and what an answer means."""

from __future__ import annotations

import contextlib
from typing import Any

import pymysql
import pytest

from restorecheck.databases.crew import Done
from restorecheck.databases.mysql_probes import foreign_keys, looks, readable, schema
from restorecheck.databases.mysql_probes.check_table import understood
from restorecheck.databases.mysql_probes.foreign_keys import Key, keys_of, orphans
from restorecheck.databases.mysql_probes.inventory import Column, Inventory, Table, chosen, quoted, shown
from restorecheck.databases.mysql_probes.readable import Piece, judged
from restorecheck.databases.mysql_probes.reading import MOST_CHUNKS, checks, ranges, select, splits
from restorecheck.databases.mysql_probes.schema_text import of_table
from restorecheck.databases.mysql_probes.sight import GaveUpError, Task, some
from restorecheck.model import Flaw, Probe, Unseen
from restorecheck.model.probes import PROBES

LOST = pymysql.OperationalError(2013, "Lost connection")
DAMAGE = pymysql.OperationalError(1034, "Index for table 'a' is corrupt; try to repair it")

# --- which tables ---------------------------------------------------------------------------------------------------


def table(name: str, **keys: Any) -> Table:
    return Table("shop", name, keys.pop("engine", "innodb"), keys.pop("bytes", 100), **keys)


def test_rows_that_are_elsewhere_are_not_fetched() -> None:
    found = chosen(
        Probe("readable"), "shop", [table("a"), table("far", engine="federated"), table("x", engine="blackhole")]
    )
    assert [one.name for one in found.tables] == ["a"]
    assert [(one.object, one.owed) for one in found.unseen] == [("shop.far", False), ("shop.x", False)]


def test_a_pattern_without_a_dot_is_one_of_tables() -> None:
    tables = [table("orders"), table("sales"), table("v1.orders")]

    def names(*patterns: str, exclude: tuple[str, ...] = ()) -> list[str]:
        return [one.name for one in chosen(Probe("readable", patterns, exclude), "shop", tables).tables]

    assert names("s*") == ["sales"]
    assert names("shop.s*") == ["sales"]
    assert names("v1.*") == ["v1.orders"]
    assert names(exclude=("shop.*",)) == []
    with pytest.raises(GaveUpError):
        names("shop")


def test_names_are_quoted_for_the_server_and_plain_for_people() -> None:
    assert quoted("a`b", "c") == "`a``b`.`c`"
    assert shown("shop", "orders") == "shop.orders"
    assert shown("shop", "a.b`c\n") == "shop.`a.b``c\\x0a`"


# --- how they are read ----------------------------------------------------------------------------------------------


def test_every_key_is_in_exactly_one_range() -> None:
    for least, most, size in [(-100, 1000, 64 * 2**20 * 5), (1, 2, 10**12), (0, 2**64 - 1, 10**12), (7, 7, 10**12)]:
        conditions = ranges("id", least, most, size)
        assert len(conditions) <= MOST_CHUNKS
        for key in {least - 5, least, (least + most) // 2, most, most + 5}:
            held = [c for c in conditions if eval(c.replace("`", "").replace("AND", "and"), {"id": key})]
            assert len(held) == (1 if conditions else 0), (key, conditions)
    assert ranges("id", 1, 1000, 100) == []


def test_only_large_tables_with_a_number_as_their_key_are_split() -> None:
    big = {"bytes": 10**9, "key": ("id", "x")}
    assert splits(table("a", **big), {"id": "bigint"}) == "id"
    assert splits(table("a", **big), {"id": "varchar"}) == ""
    assert splits(table("a", bytes=10, key=("id",)), {"id": "int"}) == ""
    assert splits(table("a", bytes=10**9), {}) == ""
    assert splits(table("a", partitions=(("p", 10**9),), **big), {"id": "int"}) == ""


def test_every_column_is_part_of_the_hash_and_texts_are_checked() -> None:
    columns = (
        Column("id", "int", ""), Column("t", "text", "utf8mb4"), Column("v", "varchar", "ascii"),
        Column("l", "varchar", "latin1"), Column("e", "enum", "utf8mb4"), Column("j", "longtext", "utf8mb4", json=True),
    )  # fmt: skip
    one = table("a`b", columns=columns, versioned=True)
    query = select(one, partition="p")
    assert all(f"`{column.name}`" in query for column in columns)
    assert [(check.column, check.what) for check in checks(one)] == [
        ("t", "utf8mb4"), ("v", "ascii"), ("j", "utf8mb4"), ("j", "JSON"),
    ]  # fmt: skip
    assert query.endswith("FROM `shop`.`a``b` PARTITION (`p`) FOR SYSTEM_TIME ALL USE INDEX ()")


def test_a_table_is_measured_only_if_all_of_it_was_read() -> None:
    columns = (Column("id", "int", ""),)
    tables = (table("a", columns=columns), table("b", columns=columns), table("c", columns=columns), table("d"))
    task: Task[Piece] = Task("x", lambda _: Piece(0, 0, ()))
    good = Done(task, value=Piece(2, 255, ()))
    results = {
        "a": [good, good],
        "b": [good, Done(task, flaw=Flaw("shop.b", "it is damaged", "data-damaged"))],
        "c": [good, Done(task, unseen=Unseen("shop.c", "no time"))],
        "d": [good],
    }
    examined = judged(Inventory("shop", tables), results)
    assert [(one.object, one.rows, one.fingerprint) for one in examined.measures] == [("shop.a", 4, "mysql1:4:1fe")]
    assert (examined.count, examined.flawed, examined.owed, examined.rows) == (2, 1, 2, 10)
    assert [one.object for one in examined.unseen] == ["shop.c", "shop.d"]


def test_what_is_owed_is_told_first() -> None:
    known = [Unseen(f"k{n}", "a limit", owed=False) for n in range(30)]
    kept = some([*known, Unseen("x", "no time")])
    assert (len(kept), kept[0].object) == (20, "x")


# --- what the server says of its tables -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([("status", "OK")], None),
        ([("warning", "1 client is using or hasn't closed the table properly"), ("status", "OK")], None),
        ([("status", "Table is already up to date")], None),
        ([("note", "The storage engine for the table doesn't support check")], "limit"),
        ([("Error", "Query execution was interrupted"), ("error", "Corrupt")], "owed"),
        ([("Error", "Lock wait timeout exceeded"), ("status", "Operation failed")], "owed"),
        ([("error", 'Table upgrade required. Please do "REPAIR TABLE `a`"')], "owed"),
        ([], "owed"),
        ([("Error", "Table 'shop.a' doesn't exist"), ("status", "Operation failed")], "damaged"),
        ([("error", "Corrupt")], "damaged"),
    ],
)
def test_the_last_line_of_a_check_decides(rows: list[tuple[str, str]], expected: str | None) -> None:
    said = understood("shop.a", rows)
    if isinstance(said, Unseen):
        assert expected == ("owed" if said.owed else "limit")
    else:
        assert expected == (said and "damaged")


def test_what_a_check_says_is_repeated_without_values() -> None:
    said = understood(
        "shop.a",
        [
            ("Warning", "InnoDB: The B-tree of index cust is corrupted."),
            ("Warning", "InnoDB: Index 'cust' contains 4999 entries, should be 5000."),
            ("Warning", "Duplicate entry 'Grace Hopper' for key"),
            ("error", "Corrupt"),
        ],
    )
    assert isinstance(said, Flaw)
    assert "index cust is corrupted" in said.message
    assert "an index holds 4,999 entries, the table 5,000" in said.message
    assert "Grace" not in said.message


# --- foreign keys, schema, names ------------------------------------------------------------------------------------


def test_a_key_of_several_columns_is_one_key() -> None:
    rows = [("c", "k", "a", "shop", "p", "x"), ("c", "k", "b", "shop", "p", "y"), ("c", "l", "a", "hr", "p", "id")]
    one, other = keys_of("shop", rows)
    assert one == Key("shop", "c", "k", ("a", "b"), "shop", "p", ("x", "y"))
    assert (other.parent_schema, other.shown) == ("hr", "shop.c.l")
    assert "FORCE INDEX (PRIMARY)" in orphans(one, ("x", "y", "z"))
    assert "FORCE INDEX" not in orphans(one, ("y", "x"))


class Scripted:
    """A connection that answers each query by the first word of a script that stands in it; an error is raised."""

    def __init__(self, script: dict[str, list[tuple[bytes, ...]] | Exception]) -> None:
        self.script = script
        self.rows: list[tuple[bytes, ...]] = []

    def cursor(self) -> contextlib.AbstractContextManager[Scripted]:
        return contextlib.nullcontext(self)

    def execute(self, query: str) -> None:
        answer = next((found for word, found in self.script.items() if word in query), [])
        if isinstance(answer, Exception):
            raise answer
        self.rows = answer

    def fetchall(self) -> list[tuple[bytes, ...]]:
        return self.rows


def test_where_events_and_bodies_are_hidden_that_is_told() -> None:
    connection: Any = Scripted(
        {
            "mysql.event": pymysql.ProgrammingError(1146, "Table 'mysql.event' doesn't exist"),
            "information_schema.triggers": [(b"tr", b"orders", b"BEFORE", b"INSERT", b"SET NEW.x = 1")],
            "information_schema.routines": [(b"f", b"FUNCTION", b"int", b"YES", b"", b"", b"", b"a@%", b"")],
        }
    )
    found = Inventory("shop", (table("orders"),))
    lines, hidden = schema._rest(connection, found, tables_only=False)
    assert lines[0].startswith("trigger shop.tr: BEFORE INSERT on orders, md5 ")
    assert lines[1].startswith("function shop.f(): int YES a@%, md5 ")
    assert [(one.object, one.owed) for one in hidden] == [("function shop.f", False), ("events", False)]
    with pytest.raises(pymysql.MySQLError):
        schema._events(Scripted({"mysql.event": pymysql.OperationalError(2013, "lost")}))  # type: ignore[arg-type]


def test_the_ends_of_a_key_that_cannot_be_had_leave_the_table_whole() -> None:
    def ends(answer: list[tuple[bytes, ...]] | Exception) -> object:
        connection: Any = Scripted({"MIN": answer})
        return readable._ends(connection, "SELECT MIN(id), MAX(id) FROM t")

    assert ends([(b"-1", b"7")]) == (-1, 7)
    assert ends([(b"", b"")]) is None
    assert ends(DAMAGE) is None
    with pytest.raises(pymysql.MySQLError):
        ends(LOST)


def test_a_server_that_cannot_hash_a_row_cannot_be_looked_at() -> None:
    def facts(version: bytes, packet: bytes) -> object:
        connection: Any = Scripted({"VERSION": [(version, packet)]})
        return readable._facts(connection)

    assert facts(b"8.0.36", b"67108864") == ()
    assert facts(b"10.11.6-MariaDB", b"16777216") != ()
    with pytest.raises(GaveUpError) as e:
        facts(b"8.0.36", b"1024")
    assert e.value.kind == "could-not-look"


def test_a_referenced_table_that_cannot_be_read_is_not_one_that_is_missing() -> None:
    key = Key("shop", "c", "k", ("a",), "shop", "p", ("x",))

    def count(answer: Exception) -> int:
        connection: Any = Scripted({"`p` LIMIT 0": answer})
        return foreign_keys._counts(key)(connection)

    assert count(pymysql.ProgrammingError(1146, "Table 'shop.p' doesn't exist")) == -1
    with pytest.raises(pymysql.MySQLError):
        count(DAMAGE)


def test_a_table_is_told_by_lines_without_what_a_restore_changes() -> None:
    text = (
        "CREATE TABLE `a``b` (\n"
        "  `id` int(11) NOT NULL AUTO_INCREMENT COMMENT 'AUTO_INCREMENT=1',\n"
        "  `x``y` text DEFAULT NULL,\n"
        "  PRIMARY KEY (`id`),\n"
        "  UNIQUE KEY `u` (`x``y`(10)),\n"
        "  CONSTRAINT `c` CHECK (`id` > 0),\n"
        "  PERIOD FOR `p` (`s`, `e`)\n"
        ") ENGINE=InnoDB AUTO_INCREMENT=77 DEFAULT CHARSET=utf8mb4 ROW_FORMAT=DYNAMIC COMMENT='it''s ROW_FORMAT=x'\n"
        " PARTITION BY HASH (`id`)\nPARTITIONS 3"
    )
    assert of_table("shop.t", text) == [
        "column shop.t.id: int(11) NOT NULL AUTO_INCREMENT COMMENT 'AUTO_INCREMENT=1'",
        "column shop.t.x`y: text DEFAULT NULL",
        "part shop.t: PRIMARY KEY (`id`)",
        "index shop.t.u: UNIQUE KEY (`x``y`(10))",
        "constraint shop.t.c: CHECK (`id` > 0)",
        "part shop.t: PERIOD FOR `p` (`s`, `e`)",
        "columns shop.t: id, x`y",
        (
            "table shop.t: ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COMMENT='it''s ROW_FORMAT=x' "
            "PARTITION BY HASH (`id`) PARTITIONS 3"
        ),
    ]
    assert of_table("shop.t", "CREATE TABLE `t` (\n  `n` int")[-1] == "table shop.t: "


def test_every_probe_that_is_declared_for_mysql_has_a_look() -> None:
    assert set(looks.LOOKS) == {name for name, kind in PROBES.items() if "mysql" in kind.engines}
