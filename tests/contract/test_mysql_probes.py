"""The probes on a real MariaDB: every healthy shape without a false alarm, everything read, every difference seen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pymysql
import pytest
from mariadb_server import Server, mariadb
from mariadb_shapes import HEALTHY, TABLES
from severing import severing

from restorecheck.databases.interface import Beside, Login
from restorecheck.databases.mysql import MySQL
from restorecheck.databases.mysql_connection import connect
from restorecheck.databases.mysql_probes import reading
from restorecheck.databases.mysql_probes.inventory import texts
from restorecheck.databases.mysql_role import prober_of
from restorecheck.databases.mysql_server import ONLY_LOOKING
from restorecheck.errors import QueryError
from restorecheck.model import Answer, Assertion, Cell, Examined, Expectation, Probe

NONE = Expectation(equals=Cell("number", "0"))


@pytest.fixture(scope="module")
def running() -> Iterator[Server]:
    with mariadb() as made:
        for statement in HEALTHY.split(";\n"):
            if statement.strip():
                made.run(statement)
        yield made


@pytest.fixture(scope="module")
def reader(running: Server) -> Login:
    login = running.login(database="healthy")
    MySQL().prepare(running.master(), login, {"healthy": ()})
    return login


def ask(reader: Login, probe: Probe, *, timeout: float = 30, tell: list[str] | None = None) -> Answer:
    assertion = Assertion("one", "", NONE, timeout=timedelta(seconds=timeout), probe=probe)
    beside = Beside(tell=(tell if tell is not None else []).append)
    [answer] = MySQL(patience=timedelta(0)).ask(reader, [assertion], "salt", timedelta(seconds=60), beside)
    return answer


def look(reader: Login, name: str, **keys: tuple[str, ...]) -> Examined:
    answer = ask(reader, Probe(name, **keys))  # type: ignore[arg-type]
    assert answer.error == ""
    assert answer.examined is not None
    return answer.examined


@pytest.mark.parametrize(
    ("name", "count"), [("readable", TABLES), ("row_counts", TABLES), ("check_table", TABLES - 1), ("foreign_keys", 4)]
)
def test_a_healthy_database_of_every_shape_has_no_flaw(reader: Login, name: str, count: int) -> None:
    examined = look(reader, name)
    assert (examined.flaws, examined.flawed, examined.owed) == ((), 0, 0)
    assert examined.count == count


def test_what_cannot_be_checked_is_told_and_not_owed(reader: Login) -> None:
    [unseen] = look(reader, "check_table").unseen
    assert (unseen.object, unseen.owed) == ("healthy.mem", False)


def test_every_row_is_counted_those_of_the_past_included(reader: Login) -> None:
    rows = {one.object: one.rows for one in look(reader, "row_counts").measures}
    assert rows["healthy.versioned"] == 2
    assert rows["healthy.nokey"] == 3
    assert rows["healthy.mem"] == 0
    assert rows["healthy.`Tän.zahl ``x`"] == 1
    read = look(reader, "readable")
    assert {one.object: one.rows for one in read.measures} == rows
    assert read.rows == sum(count or 0 for count in rows.values())


def test_the_rows_are_read_and_not_an_index(reader: Login) -> None:
    with connect(reader) as connection:
        count = texts(connection, "EXPLAIN SELECT COUNT(*) FROM nokey")
        assert count[0][5] == "b"  # the trap: what a plain count reads
        for query in (
            "SELECT COALESCE(SUM(1), 0) FROM `healthy`.`nokey` USE INDEX ()",
            "SELECT COUNT(`from`) FROM `healthy`.`order` USE INDEX ()",
        ):
            plan = texts(connection, f"EXPLAIN {query}")
            assert (plan[0][3], plan[0][5]) == ("ALL", "")


def test_patterns_choose_and_what_they_leave_out_is_counted(reader: Login) -> None:
    chosen = look(reader, "readable", tables=("healthy.p*", "versioned"), exclude=("healthy.parent",))
    assert [one.object for one in chosen.measures] == ["healthy.parts", "healthy.versioned"]
    assert (chosen.count, chosen.left_out) == (2, TABLES - 2)
    idle = look(reader, "row_counts", exclude=("gone.*",))
    assert idle.remarks == ("no table is called like 'gone.*', which is to be left out",)


@pytest.mark.parametrize("pattern", ["refunds", "shop.orders", "h*"])
def test_a_pattern_that_names_nothing_is_an_error(reader: Login, pattern: str) -> None:
    answer = ask(reader, Probe("readable", tables=("parts", pattern)))
    assert (answer.kind, answer.error) == ("question", f"no table is called like {pattern!r}")


def test_a_database_without_a_table_is_examined_as_none(running: Server, reader: Login) -> None:
    assert look(replace(reader, database="other"), "readable").count == 0
    assert look(replace(reader, database="odd-ñame"), "readable").count == 1


def fingerprints(reader: Login, table: str) -> str:
    [measure] = look(reader, "readable", tables=(table,)).measures
    return measure.fingerprint


def test_a_fingerprint_is_of_the_rows_and_not_of_their_order_or_place(running: Server, reader: Login) -> None:
    definition = "(id INT PRIMARY KEY, a VARCHAR(9), b VARCHAR(9), f FLOAT, KEY (a))"
    running.run(f"CREATE TABLE healthy.one_way {definition}")
    running.run(f"CREATE TABLE healthy.other_way {definition} PARTITION BY HASH (id) PARTITIONS 3")
    try:
        running.run("INSERT INTO healthy.one_way VALUES (1, 'x', NULL, 0.1), (2, '', 'y', NULL)")
        running.run("INSERT INTO healthy.other_way VALUES (2, '', 'y', NULL), (1, 'x', NULL, 0.1)")
        same = fingerprints(reader, "one_way")
        assert fingerprints(reader, "other_way") == same
        for change in ("a = 'z'", "a = ''", "b = ''", "a = NULL, b = 'x'", "f = 0.10001", "id = 3"):
            running.run(f"UPDATE healthy.other_way SET {change} WHERE id = 1")
            assert fingerprints(reader, "other_way") != same, change
            running.run("REPLACE INTO healthy.other_way VALUES (1, 'x', NULL, 0.1)")
            running.run("DELETE FROM healthy.other_way WHERE id = 3")
        assert fingerprints(reader, "other_way") == same
        running.run("INSERT INTO healthy.other_way VALUES (4, NULL, NULL, NULL), (5, NULL, NULL, NULL)")
        assert fingerprints(reader, "other_way") != same
    finally:
        running.run("DROP TABLE healthy.one_way, healthy.other_way")


CHANGES = {
    "d DOUBLE": ("0.1", "0.1 + 1.4e-17"),
    "f FLOAT": ("0.1", "0.10000001"),
    "bt BIT(64)": ("b'1'", "1 << 63"),
    "big BIGINT UNSIGNED": ("18446744073709551615", "18446744073709551614"),
    "small BIGINT": ("-9223372036854775808", "-9223372036854775807"),
    "de DECIMAL(40,20)": ("1", "1.00000000000000000001"),
    "tm TIME(6)": ("'-01:02:03'", "'-01:02:03.000001'"),
    "dt DATETIME(6)": ("'2026-01-01'", "'2026-01-01 00:00:00.000001'"),
    "ts TIMESTAMP(6)": ("'2026-01-01'", "'2026-01-01 00:00:00.000001'"),
    "da DATE": ("'0000-00-00'", "'2026-00-00'"),
    "y YEAR": ("2026", "2027"),
    "e ENUM('a', 'b')": ("'a'", "'b'"),
    "s SET('a', 'b')": ("'a'", "'a,b'"),
    "c CHAR(5)": ("'a'", "'A'"),
    "v VARCHAR(5)": ("'a'", "'a '"),
    "vb VARBINARY(5)": ("x'00'", "x'0000'"),
    "t TEXT": ("'é'", "'e'"),
    "bl MEDIUMBLOB": ("x'ff'", "x'fe'"),
    "j JSON": ("'[1]'", "'[1 ]'"),
    "p POINT": ("POINT(1, 2)", "POINT(1, 2.0000000000000004)"),
    "i INET6": ("'::1'", "'::2'"),
    "u UUID": ("'123e4567-e89b-12d3-a456-426655440000'", "'123e4567-e89b-12d3-a456-426655440001'"),
    "n INT AS (1) VIRTUAL": ("DEFAULT", ""),
}
"""Of each type a value, and another one as near to it as can be."""


def test_the_smallest_change_of_any_type_changes_the_fingerprint(running: Server, reader: Login) -> None:
    named = {definition.split()[0]: (definition, *values) for definition, values in CHANGES.items()}
    with connect(running.master()) as connection, connection.cursor() as cursor:
        cursor.execute("USE healthy")
        cursor.execute("SET sql_mode = ''")
        cursor.execute(f"CREATE TABLE types ({', '.join(CHANGES)}) CHARSET utf8mb4")
        try:
            cursor.execute(f"INSERT INTO types VALUES ({', '.join(value for _, value, _ in named.values())})")
            before = fingerprints(reader, "types")
            for name, (_, value, other) in named.items():
                for changed in (other, "NULL") if other else ():
                    cursor.execute(f"UPDATE types SET `{name}` = {changed}")
                    assert fingerprints(reader, "types") != before, (name, changed)
                cursor.execute(f"UPDATE types SET `{name}` = {value}")
                assert fingerprints(reader, "types") == before, name
        finally:
            cursor.execute("DROP TABLE types")


def test_a_long_value_is_part_of_the_fingerprint(running: Server, reader: Login) -> None:
    running.run("CREATE TABLE healthy.tall (id INT PRIMARY KEY, b LONGTEXT)")
    try:
        running.run("INSERT INTO healthy.tall VALUES (1, REPEAT('é', 1000000))")
        seen = set()
        for change in ("id = 1", "b = INSERT(b, 900000, 1, 'e')"):
            running.run("SET GLOBAL max_allowed_packet = 16777216")
            running.run(f"UPDATE healthy.tall SET {change}")
            running.run("SET GLOBAL max_allowed_packet = 1048576")  # shorter than the value: a cast of it is NULL
            seen.add(fingerprints(reader, "tall"))
            assert look(reader, "readable", tables=("tall",)).flaws == ()
        assert len(seen) == 2
    finally:
        running.run("SET GLOBAL max_allowed_packet = 16777216")
        running.run("DROP TABLE healthy.tall")


def test_a_large_table_is_read_in_ranges_of_its_key(
    running: Server, reader: Login, monkeypatch: pytest.MonkeyPatch
) -> None:
    running.run("CREATE TABLE healthy.large (id INT, n INT, t TEXT, PRIMARY KEY (id, n), KEY (n))")
    try:
        running.run(
            "INSERT INTO healthy.large SELECT CAST(seq AS SIGNED) * 7 - 9000, seq, REPEAT('x', 300) FROM seq_1_to_3000"
        )
        running.run("ANALYZE TABLE healthy.large")
        whole = fingerprints(reader, "large")
        monkeypatch.setattr(reading, "CHUNK", 100_000)
        told: list[str] = []
        answer = ask(reader, Probe("readable", tables=("large",)), tell=told)
        assert answer.examined is not None
        assert answer.examined.measures[0].fingerprint == whole
        with connect(reader) as connection:
            [condition, *_] = reading.ranges("id", -9000, 12000, 1_000_000)
            plan = texts(connection, f"EXPLAIN SELECT COUNT(t) FROM large FORCE INDEX (PRIMARY) WHERE {condition}")
        assert (plan[0][3], plan[0][5]) == ("range", "PRIMARY")
    finally:
        running.run("DROP TABLE healthy.large")


def test_bytes_that_are_no_text_are_damage(running: Server, reader: Login) -> None:
    running.run("CREATE TABLE healthy.garbled (id INT PRIMARY KEY, t VARCHAR(20) CHARACTER SET latin1)")
    running.run("INSERT INTO healthy.garbled VALUES (1, 'fine'), (2, x'61ff62')")
    try:
        assert look(reader, "readable", tables=("garbled",)).flaws == ()
        with connect(replace(running.master(), database="healthy")) as connection, connection.cursor() as cursor:
            cursor.execute("ALTER TABLE garbled MODIFY t VARBINARY(20)")
            cursor.execute("ALTER TABLE garbled ENGINE=MyISAM")
            cursor.execute("FLUSH TABLES")
            cursor.execute("CREATE TABLE as_text (id INT PRIMARY KEY, t VARCHAR(5)) ENGINE=MyISAM CHARSET=utf8mb4")
            cursor.execute("FLUSH TABLES")
        data = running.directory / "data" / "healthy"  # the same rows, under a definition that says text
        (data / "as_text.MYD").write_bytes((data / "garbled.MYD").read_bytes())
        (data / "as_text.MYI").write_bytes((data / "garbled.MYI").read_bytes())
        running.run("FLUSH TABLES")
        [flaw] = look(reader, "readable", tables=("as_text",)).flaws
        assert (flaw.object, flaw.kind) == ("healthy.as_text", "data-damaged")
        assert flaw.message == "column 't' holds bytes that are no utf8mb4, in 1 row"
    finally:
        running.run("DROP TABLE IF EXISTS healthy.garbled, healthy.as_text")


def test_json_that_is_none_is_damage(running: Server, reader: Login) -> None:
    unchecked(
        running,
        "SET check_constraint_checks = 0",
        "CREATE TABLE documents (id INT PRIMARY KEY, `j``n` JSON)",
        """INSERT INTO documents VALUES (1, '{"a": 1}'), (2, NULL), (3, '{"a":'), (4, '')""",
    )
    try:
        [flaw] = look(reader, "readable", tables=("documents",)).flaws
    finally:
        running.run("DROP TABLE healthy.documents")
    assert (flaw.kind, flaw.message) == ("data-damaged", "column 'j`n' holds values that are no JSON, in 2 rows")


def unchecked(running: Server, *statements: str) -> None:
    with connect(replace(running.master(), database="healthy")) as connection, connection.cursor() as cursor:
        for statement in ("SET FOREIGN_KEY_CHECKS = 0", *statements):
            cursor.execute(statement)


def test_orphans_are_counted(running: Server, reader: Login) -> None:
    unchecked(
        running,
        "INSERT INTO child VALUES (7, 99, 'none', 1, 9, 7), (8, 99, NULL, NULL, NULL, NULL)",
        "CREATE TABLE lonely (id INT PRIMARY KEY, g INT, CONSTRAINT lost FOREIGN KEY (g) REFERENCES gone (id))",
    )
    try:
        examined = look(reader, "foreign_keys")
        assert {flaw.object: flaw.message for flaw in examined.flaws} == {
            "healthy.child.by_id": "2 rows reference no row of healthy.parent",
            "healthy.child.by_code": "1 row references no row of healthy.parent",
            "healthy.child.by `both": "1 row references no row of healthy.parent",
            "healthy.lonely.lost": "references healthy.gone, which is not there",
        }
        assert (examined.flawed, examined.count) == (5, 5)
    finally:
        unchecked(running, "DROP TABLE lonely", "DELETE FROM child WHERE id IN (7, 8)")


def test_a_schema_is_lines_that_a_restore_does_not_change(running: Server, reader: Login) -> None:
    before = look(reader, "schema")
    assert before.count == len(before.lines)
    for line in (
        "column healthy.parts.note: varchar(20) DEFAULT NULL",
        "columns healthy.parts: id, region, note",
        "index healthy.order.key: KEY (`from`)",
        "constraint healthy.child.by_id: FOREIGN KEY (`p`) REFERENCES `parent` (`id`)",
        "view healthy.seen: NONE DEFINER master@% select `healthy`.`aria`.`n` AS `n` from `healthy`.`aria`",
    ):
        assert line in before.lines
    names = [line.split(":")[0] for line in before.lines]
    assert "function healthy.twice(IN n int(11))" in names
    assert "event healthy.nightly" in names
    assert "sequence healthy.numbers" in names
    running.run("INSERT INTO healthy.parts VALUES (4, 4, 'd')")
    running.run("ALTER TABLE healthy.isam AUTO_INCREMENT = 99 ROW_FORMAT=DYNAMIC")
    running.run("SELECT NEXTVAL(healthy.numbers)")
    assert look(reader, "schema").lines == before.lines
    running.run("DELETE FROM healthy.parts WHERE id = 4")
    running.run("ALTER TABLE healthy.nokey DROP KEY b")
    try:
        assert set(before.lines) - set(look(reader, "schema").lines) == {"index healthy.nokey.b: KEY (`b`)"}
    finally:
        running.run("ALTER TABLE healthy.nokey ADD KEY b (b)")


STAMP = "CREATE TRIGGER healthy.stamp BEFORE INSERT ON healthy.nokey FOR EACH ROW SET NEW.a = 1"


def told(reader: Login, *kinds: str, **keys: tuple[str, ...]) -> set[str]:
    """Return the lines of these kinds; nothing of the schema may be unseen."""
    examined = look(reader, "schema", **keys)
    assert (examined.unseen, examined.owed, examined.flaws) == ((), 0, ())
    return {line for line in examined.lines if line.startswith(kinds)}


def test_triggers_and_events_that_were_lost_or_changed_are_seen(running: Server, reader: Login) -> None:
    assert told(reader, "trigger ") == set()
    [nightly] = told(reader, "event ")
    assert nightly.startswith("event healthy.nightly: RECURRING 1 DAY NOT PRESERVE ")
    running.run(STAMP)
    try:
        [line] = told(reader, "trigger ")
        assert line.startswith("trigger healthy.stamp: BEFORE INSERT on nokey, ")
        assert "master@%, md5 " in line
        assert told(reader, "trigger ", "event ", tables=("nokey",)) == {line}
        assert told(reader, "trigger ", tables=("parts",)) == set()
        running.run(STAMP.replace("CREATE", "CREATE OR REPLACE").replace("= 1", "= 2"))
        assert told(reader, "trigger ") not in (set(), {line})
    finally:
        running.run("DROP TRIGGER healthy.stamp")
    running.run("DROP EVENT healthy.nightly")
    try:
        assert told(reader, "trigger ", "event ") == set()
    finally:
        running.run("CREATE EVENT healthy.nightly ON SCHEDULE EVERY 1 DAY DO SELECT 1")
    assert told(reader, "event ") == {nightly}


def test_the_prober_sees_definitions_and_can_neither_read_nor_change_anything(running: Server, reader: Login) -> None:
    prober = prober_of(reader)
    running.run(STAMP)
    try:
        with connect(prober) as connection:
            assert [name for name, *_ in texts(connection, "SHOW TRIGGERS")] == ["stamp"]
            for sql in (
                "SELECT * FROM nokey", "SELECT n FROM seen", "SHOW CREATE VIEW seen", "SELECT * FROM mysql.user",
                "INSERT INTO nokey VALUES (1, 'x')", "SELECT twice(1)", "DROP TABLE nokey", "CREATE TABLE x (n INT)",
            ):  # fmt: skip
                with pytest.raises(pymysql.MySQLError) as refused:
                    texts(connection, sql)
                assert refused.value.args[0] in (1142, 1370), sql
            texts(connection, ONLY_LOOKING)
            for sql in (
                "CREATE TRIGGER other BEFORE INSERT ON parts FOR EACH ROW SET NEW.note = 'x'", "DROP TRIGGER stamp",
                "CREATE EVENT other ON SCHEDULE EVERY 1 DAY DO SELECT 1", "DROP EVENT nightly",
            ):  # fmt: skip
                with pytest.raises(pymysql.MySQLError) as refused:
                    texts(connection, sql)
                assert refused.value.args[0] == 1792, sql
    finally:
        running.run("DROP TRIGGER healthy.stamp")


def test_only_our_own_queries_run_as_the_prober(running: Server, reader: Login) -> None:
    prober = prober_of(reader).user
    running.run("SET GLOBAL log_output = 'TABLE'")
    running.run("SET GLOBAL general_log = 1")
    try:
        asked = [
            Assertion(name, "", NONE, probe=Probe(name))
            for name in ("readable", "row_counts", "check_table", "foreign_keys", "databases", "schema")
        ]
        asked.append(Assertion("own", "select count(*) from trigger_log_marker", NONE))
        asked.append(Assertion("other", "select count(*) from information_schema.triggers", NONE))
        MySQL(patience=timedelta(0)).ask(reader, asked, "salt", timedelta(seconds=60))
        rows = running.run(
            f"SELECT argument, thread_id FROM mysql.general_log WHERE command_type = 'Query' AND thread_id IN "
            f"(SELECT thread_id FROM mysql.general_log WHERE command_type = 'Connect' AND argument LIKE '{prober}@%')"
        )
    finally:
        running.run("SET GLOBAL general_log = 0")
        running.run("TRUNCATE mysql.general_log")
    said = {bytes(text).decode() if isinstance(text, bytes) else text for text, _ in rows}
    ours = ("SET ", "START TRANSACTION", "SELECT VERSION()", "SHOW GRANTS", "ROLLBACK")
    own = {sql for sql in said if not sql.startswith(ours)}
    assert {sql.split("information_schema.")[1].split()[0] for sql in own} == {"triggers", "events"}
    assert ONLY_LOOKING in said
    assert len({thread for _, thread in rows}) == 2


def test_what_the_master_may_not_give_was_not_looked_at(running: Server, reader: Login) -> None:
    running.run("CREATE USER 'lesser'@'%' IDENTIFIED BY 'only-for-tests'")
    running.run("GRANT SELECT, SHOW VIEW, CREATE USER, EVENT ON *.* TO 'lesser'@'%' WITH GRANT OPTION")
    running.run("GRANT SELECT, UPDATE, INSERT, DELETE ON mysql.* TO 'lesser'@'%'")
    second = replace(reader, user="restorecheck_reader_less")
    try:
        MySQL().prepare(replace(running.master(), user="lesser"), second)
        examined = look(second, "schema")
        [unseen] = examined.unseen
        assert (unseen.object, unseen.owed, examined.owed) == ("triggers", True, 1)
        assert unseen.reason == "to see them all, the privilege TRIGGER on healthy.* is needed"
        assert any(line.startswith("event healthy.nightly") for line in examined.lines)
    finally:
        running.run(f"DROP USER 'lesser'@'%', '{second.user}'@'%', '{prober_of(second).user}'@'%'")


def test_somebody_who_records_is_told_which_privilege_is_missing(running: Server, reader: Login) -> None:
    recorder = replace(reader, user="somebody")
    running.run(f"CREATE USER 'somebody'@'%' IDENTIFIED BY '{reader.password}'")
    try:
        running.run("GRANT SELECT, SHOW VIEW ON healthy.* TO 'somebody'@'%'")
        assert {one.object: one.reason for one in look(recorder, "schema").unseen if one.owed} == {
            "routines": "to see them all, the privilege SELECT on *.* is needed",
            "triggers": "to see them all, the privilege TRIGGER on healthy.* is needed",
            "events": "to see them all, the privilege EVENT on healthy.* is needed",
        }
        running.run("GRANT TRIGGER, EVENT ON healthy.* TO 'somebody'@'%'")
        running.run("GRANT SELECT ON *.* TO 'somebody'@'%'")
        needed = "the privileges SELECT and SHOW VIEW are needed, both on *.* or both on healthy.*"
        assert {one.object: one.reason for one in look(recorder, "schema").unseen if one.owed} == dict.fromkeys(
            ("view healthy.seen", "view healthy.rotten"), f"to see its definition, {needed}"
        )
        running.run("GRANT SHOW VIEW ON *.* TO 'somebody'@'%'")
        assert look(recorder, "schema") == look(reader, "schema")
    finally:
        running.run("DROP USER 'somebody'@'%'")


@pytest.mark.parametrize("more", ["GRANT SELECT ON healthy.* TO {}", "GRANT USAGE ON *.* TO {} WITH GRANT OPTION"])
def test_a_prober_that_came_with_the_backup_is_not_adopted(running: Server, reader: Login, more: str) -> None:
    second = replace(reader, user="restorecheck_reader_came")
    name = f"'{prober_of(second).user}'@'%'"
    MySQL().prepare(running.master(), second)
    try:
        MySQL().prepare(running.master(), second)  # what an earlier attempt made is adopted
        running.run(more.format(name))
        with pytest.raises(QueryError, match="may do more than see triggers and events") as taken:
            MySQL().prepare(running.master(), second)
        assert taken.value.kind == "taken"
    finally:
        running.run(f"DROP USER '{second.user}'@'%', {name}")


def test_a_schema_of_chosen_tables_holds_no_routine(reader: Login) -> None:
    lines = look(reader, "schema", tables=("parts", "seen")).lines
    assert {line.split(":")[0].split(".")[1].split(":")[0] for line in lines} == {"parts", "seen"}


def test_databases_that_are_required_must_be_there_and_hold_tables(reader: Login) -> None:
    examined = look(reader, "databases", required=("shop", "gone", "other"))
    assert examined.lines == ("healthy", "odd-ñame", "other", "shop")
    assert {flaw.object: flaw.message for flaw in examined.flaws} == {
        "gone": "this database is not there",
        "other": "this database holds no table",
    }
    assert examined.flawed == 2


def test_a_probe_of_another_engine_is_a_question_that_cannot_be_answered(reader: Login) -> None:
    assert ask(reader, Probe("amcheck")).kind == "question"


def test_a_probe_of_a_database_that_is_not_there_says_so(reader: Login) -> None:
    assert ask(replace(reader, database="nope"), Probe("readable")).kind == "missing-object"


def test_a_server_that_breaks_off_alone_too_is_damage(running: Server, reader: Login) -> None:
    with severing(running.port, b"`healthy`.`parts` PARTITION (`high`)") as port:
        examined = look(replace(reader, port=port), "readable")
    [flaw] = examined.flaws
    assert (flaw.object, flaw.kind) == ("healthy.parts", "connection-lost")
    assert flaw.message == "the server broke off while it read healthy.parts, twice"
    assert (examined.count, examined.owed) == (TABLES, 0)
    assert "healthy.parts" not in {one.object for one in examined.measures}


def test_the_time_of_a_probe_is_over_when_it_is_over(running: Server, reader: Login) -> None:
    with connect(running.master()) as connection, connection.cursor() as cursor:
        cursor.execute("LOCK TABLES healthy.nokey WRITE")  # whoever reads it waits
        answer = ask(reader, Probe("readable", tables=("nokey", "aria")), timeout=2.0)  # enough for the other one
    assert answer.examined is not None
    [unseen] = answer.examined.unseen
    assert (unseen.object, unseen.reason) == ("healthy.nokey", "the time allowed for this probe was over")
    assert (answer.examined.count, answer.examined.owed) == (1, 1)
    assert answer.seconds < 30
