"""The pure parts of the probes of MySQL and MariaDB: which tables, which SQL, and what an answer means."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import Any

import pymysql
import pytest

from restorecheck.databases.crew import Done
from restorecheck.databases.mysql_probes import foreign_keys, looks, readable, schema, triggers
from restorecheck.databases.mysql_probes.check_table import understood
from restorecheck.databases.mysql_probes.foreign_keys import Key, keys_of, orphans
from restorecheck.databases.mysql_probes.grants import holds
from restorecheck.databases.mysql_probes.inventory import Column, Inventory, Table, chosen, quoted, shown
from restorecheck.databases.mysql_probes.readable import Piece, judged
from restorecheck.databases.mysql_probes.reading import MOST_CHUNKS, checks, ranges, select, splits
from restorecheck.databases.mysql_probes.schema_text import of_table
from restorecheck.databases.mysql_probes.sight import GaveUpError, Sight, Task, some
from restorecheck.errors import QueryError
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

    def rollback(self) -> None:
        """End a snapshot."""

    def close(self) -> None:
        """End the session."""


def test_where_bodies_or_routines_are_hidden_that_is_told() -> None:
    found = Inventory("shop", (table("orders"),))
    routines = [(b"f", b"FUNCTION", b"int", b"YES", b"", b"", b"", b"a@%", b"")]

    def hidden(grant: bytes) -> list[tuple[str, bool]]:
        connection: Any = Scripted({"SHOW GRANTS": [(grant,)], "information_schema.routines": routines})
        lines, unseen = schema._rest(connection, found, tables_only=False)
        assert lines[0].startswith("function shop.f(): int YES a@%, md5 ")
        return [(one.object, one.owed) for one in unseen]

    assert hidden(b"GRANT SELECT, SHOW VIEW ON *.* TO `u`@`%`") == [("function shop.f", False)]
    assert hidden(b"GRANT SHOW_ROUTINE ON *.* TO `u`@`%`") == [("function shop.f", False)]
    assert hidden(b"GRANT SELECT ON `shop`.* TO `u`@`%`") == [("routines", True), ("function shop.f", False)]


@pytest.mark.parametrize(
    ("grants", "expected"),
    [
        (["GRANT USAGE ON *.* TO `u`@`%`", "GRANT SELECT, TRIGGER ON `a_b`.* TO `u`@`%`"], True),
        (["GRANT ALL PRIVILEGES ON *.* TO `u`@`%` IDENTIFIED BY PASSWORD '*0' WITH GRANT OPTION"], True),
        (["GRANT SELECT ON `a_b`.* TO `u`@`%`", "GRANT ALL PRIVILEGES ON `a_b`.* TO `role`"], True),
        ([r"GRANT EVENT, TRIGGER ON `a\_b`.* TO `u`@`%`"], True),
        (["GRANT SELECT, EVENT ON *.* TO `u`@`%`"], False),
        (["GRANT TRIGGER ON `a_c`.* TO `u`@`%`"], False),
        (["GRANT TRIGGER ON `a%`.* TO `u`@`%`"], False),
        (["GRANT TRIGGER ON `a_b`.`orders` TO `u`@`%`"], False),
        ([r"GRANT SELECT ON `a\_b`.* TO `u`@`%`", "GRANT TRIGGER ON `a_b`.* TO `u`@`%`"], False),
        (["GRANT TRIGGER ON *.* TO `u`@`%`", "REVOKE TRIGGER ON `a_b`.* FROM `u`@`%`"], False),
        (["GRANT TRIGGER ON *.* TO `u`@`%`", "REVOKE TRIGGER ON `other`.* FROM `u`@`%`"], True),
        (["GRANT SELECT (`x`, `TRIGGER ON *.* TO `) ON `a_b`.`t` TO `u`@`%`"], False),
        (["GRANT PROXY ON ''@'%' TO 'u'@'%'", "GRANT `TRIGGER` TO `u`@`%`"], False),
        ([], False),
    ],
)
def test_a_privilege_is_held_only_if_it_is_held_on_the_whole_database(grants: list[str], expected: bool) -> None:
    assert holds(grants, "TRIGGER", "a_b") is expected


class Sights:
    """A reader's sight and a prober's, each with what its server answers."""

    def __init__(self, reader: dict[str, Any], prober: dict[str, Any] | QueryError | None) -> None:
        self.prober = None if prober is None else self.sight(prober, "restorecheck_prober_x")
        self.reader = replace(self.sight(reader, "reader"), prober=self.prober)

    @staticmethod
    def sight(answers: dict[str, Any] | QueryError, user: str) -> Sight:
        def connect() -> Any:
            if isinstance(answers, QueryError):
                raise answers
            return Scripted(answers)

        def guard(_connection: Any, _seconds: float) -> contextlib.AbstractContextManager[Any]:
            return contextlib.nullcontext(Idle())

        return Sight(Probe("schema"), 60.0, lambda: 0.0, connect, guard, lambda: (), lambda _: None, 1, user)


class Idle:
    """A watchdog that never bites."""

    bit = False


ONLY_READS = [(b"GRANT SELECT, SHOW VIEW ON *.* TO `reader`@`%`",)]
STAMP = [(b"tr", b"orders", b"BEFORE", b"INSERT", b"", b"a@%", b"SET NEW.x = 1")]
SHOP = Inventory("shop", (table("orders"),))


def test_who_sees_triggers_looks_and_else_nobody_does() -> None:
    none: dict[str, Any] = {"SHOW GRANTS": ONLY_READS}
    prober: dict[str, Any] = {"SHOW GRANTS": [(b"GRANT TRIGGER ON *.* TO `p`@`%`",)], "triggers": STAMP}
    seen = triggers.look(Sights(none | {"mysql.user": [(b"Y", b"N")]}, prober).reader, SHOP)
    [line] = seen.lines
    assert line.startswith("trigger shop.tr: BEFORE INSERT on orders, a@%, md5 ")
    [events] = seen.unseen
    assert (events.object, events.owed) == ("events", True)
    assert events.reason == "to see them all, the privilege EVENT on shop.* is needed"
    kept_from = prober["SHOW GRANTS"] + [(b"REVOKE TRIGGER ON `shop`.* FROM `p`@`%`",)]
    revoked = Sights(none | {"mysql.user": [(b"Y", b"N")]}, prober | {"SHOW GRANTS": kept_from}).reader
    assert [(one.object, one.owed) for one in triggers.look(revoked, SHOP).unseen] == [
        ("triggers", True),
        ("events", True),
    ]
    own = {"SHOW GRANTS": [(b"GRANT EVENT, TRIGGER ON `shop`.* TO `u`@`%`",)], "triggers": STAMP}
    assert triggers.look(Sights(own, None).reader, SHOP) == triggers.Seen([line])
    denied = none | {"mysql.user": pymysql.OperationalError(1142, "SELECT command denied")}
    for unknown in (none, denied):
        seen = triggers.look(Sights(unknown, QueryError("nobody logs in as this")).reader, SHOP)
        assert [(one.object, one.owed) for one in seen.unseen] == [("triggers", True), ("events", True)]
    assert [one.object for one in triggers.look(Sights(none, None).reader, SHOP).unseen] == ["triggers", "events"]


def test_a_prober_who_is_not_let_in_saw_nothing() -> None:
    reader = {"SHOW GRANTS": ONLY_READS, "mysql.user": [(b"Y", b"Y")]}
    refused = triggers.look(Sights(reader, QueryError("not let in", kind="login-failed")).reader, SHOP)
    assert [(one.object, one.reason, one.owed) for one in refused.unseen] == [
        ("triggers", "not let in", True), ("events", "not let in", True),
    ]  # fmt: skip
    with pytest.raises(QueryError):
        triggers.look(Sights(reader, QueryError("gone", kind="database-unreachable")).reader, SHOP)
    granted: dict[str, Any] = {"SHOW GRANTS": [(b"GRANT EVENT, TRIGGER ON *.* TO `p`@`%`",)]}
    damaged = triggers.look(
        Sights(reader, granted | {"triggers": DAMAGE, "events": pymysql.OperationalError(1, "no")}).reader, SHOP
    )
    assert [(one.object, one.kind) for one in damaged.flaws] == [("triggers", "data-damaged")]
    assert [(one.object, one.owed) for one in damaged.unseen] == [("events", True)]
    with pytest.raises(GaveUpError):
        triggers.look(Sights(reader | {"mysql.user": pymysql.OperationalError(1, "no")}, {}).reader, SHOP)


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
