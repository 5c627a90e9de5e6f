"""Dumps of MySQL and MariaDB, restored into a real MariaDB that is started for them and gone afterwards."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from requirements import need

from restorecheck.databases.interface import Login
from restorecheck.databases.mysql import MySQL
from restorecheck.dumps.loader import Wanted
from restorecheck.dumps.mysql_loader import MysqlLoader
from restorecheck.dumps.mysql_programs import programs_here
from restorecheck.errors import SourceError
from restorecheck.model import Assertion, Expectation, Observation

PASSWORD = "OnlyForTests1"
HOUR = timedelta(hours=1)
HEAD = """/*M!999999\\- enable the sandbox mode */
-- MariaDB dump 10.19-11.4.2  Distrib 10.11.6-MariaDB, for debian-linux-gnu (x86_64)
--
-- Host: localhost    Database: orders
-- ------------------------------------------------------
-- Server version\t10.11.6-MariaDB

/*!40101 SET NAMES utf8mb4 */;
/*!40014 SET @OLD_FOREIGN_KEY_CHECKS=@@FOREIGN_KEY_CHECKS, FOREIGN_KEY_CHECKS=0 */;
DROP TABLE IF EXISTS `t`;
CREATE TABLE `t` (`n` int(11) NOT NULL, `word` varchar(40) DEFAULT NULL, PRIMARY KEY (`n`)) ENGINE=InnoDB;
LOCK TABLES `t` WRITE;
INSERT INTO `t` VALUES (1,'it''s'),(2,'two; words'),(3,'\\\\! touch /tmp/never');
UNLOCK TABLES;
"""
VIEW = """/*!50001 CREATE ALGORITHM=UNDEFINED */
/*!50013 DEFINER=`root`@`localhost` SQL SECURITY DEFINER */
/*!50001 VIEW `v` AS select `t`.`n` AS `n` from `t` */;
"""
END = "-- Dump completed on 2026-11-21  3:00:00\n"
GOOD = HEAD + END


@pytest.fixture(autouse=True)
def _mariadb() -> None:
    need(any(p.flavour == "MariaDB" for p in programs_here()), "no MariaDB (Debian: mariadb-server-core)")


@pytest.fixture
def loader(tmp_path: Path) -> Iterator[MysqlLoader]:
    found = MysqlLoader(Wanted("orders"), tmp_path / "work")
    yield found
    found.close()
    assert not list((tmp_path / "work").glob("server/restorecheck-scratch-*"))


def load(loader: MysqlLoader, tmp_path: Path, text: str | bytes) -> tuple[Login, dict[str, Observation]]:
    file = tmp_path / "dump"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    loader.inspect([file], HOUR, lambda: False)
    loaded = loader.load(PASSWORD, HOUR, lambda: False)
    return loaded.login, {o.name: o for o in loaded.observations}


def test_a_dump_is_restored_and_asked_by_a_reader(loader: MysqlLoader, tmp_path: Path):
    (tmp_path / "dump.gz").write_bytes(gzip.compress((HEAD + VIEW + END).encode()))
    described = loader.inspect([tmp_path / "dump.gz"], HOUR, lambda: False)
    assert (described.database, described.form) == ("orders", "script of MariaDB 10.11.6-MariaDB, in gzip")
    loaded = loader.load(PASSWORD, HOUR, lambda: False)
    assert [(o.name, o.kind) for o in loaded.observations] == [("dump-restored", ""), ("dump-complete", "")]
    reader = Login("127.0.0.1", loaded.login.port, "restorecheck_r", "Reader0fTests", "orders")
    database = MySQL()
    database.prepare(loaded.login, reader)
    assert database.knock(reader).startswith(loaded.server_version.split(".")[0])
    asked = [
        Assertion("rows", "SELECT count(*) FROM v", Expectation()),
        Assertion("t", "SELECT n FROM t WHERE n > 3", Expectation()),
    ]
    answers = database.ask(reader, asked, "salt", HOUR)
    assert [(a.error, a.rows) for a in answers] == [("", 1), ("", 0)]
    assert not Path("/tmp/never").exists()


@pytest.mark.parametrize(
    ("more", "kind", "says"),
    [
        ("INSERT INTO t VALUES (1,'secret');\n", "dump-errors", "a key that is there twice (1062) at line"),
        pytest.param(
            "INSERT INTO t VALUES ('secret');\n", "dump-errors", "another number of values", marks=pytest.mark.long
        ),
        (
            "CREATE TABLE u (a text COLLATE utf8mb4_9999_ai_ci);\nINSERT INTO u VALUES (1);\n",
            "environment",
            "utf8mb4_9999",
        ),
        pytest.param(
            "INSERT INTO lost VALUES ('secret');\n", "dump-errors", "a table that is not there", marks=pytest.mark.long
        ),
        pytest.param(
            "INSRT INTO t VALUES ('secret');\n", "dump-damaged", "a statement that is none", marks=pytest.mark.long
        ),
        ("INSERT INTO t VALUES (7,'open;\n", "dump-damaged", "has no end"),
        ("SELECT 1 INTO OUTFILE '/tmp/restorecheck-outside';\n", "unknown-answer", "error 1290"),
        pytest.param(
            "system touch /tmp/restorecheck-outside;\n",
            "dump-damaged",
            "a statement that is none",
            marks=pytest.mark.long,
        ),
        ("\\! touch /tmp/restorecheck-outside\n;\n", "dump-damaged", "a statement that is none"),
    ],
)
def test_every_error_of_a_restore_is_heard_and_none_tells_a_value(
    loader: MysqlLoader, tmp_path: Path, more: str, kind: str, says: str
):
    _, seen = load(loader, tmp_path, HEAD + more + END)
    found = seen["dump-restored"]
    assert found.kind == kind, found.message
    assert says in found.message
    assert "secret" not in found.message
    assert not Path("/tmp/restorecheck-outside").exists()


@pytest.mark.parametrize("share", [50, *(pytest.param(n, marks=pytest.mark.long) for n in (10, 90))])
def test_a_script_that_is_cut_off_is_damaged(loader: MysqlLoader, tmp_path: Path, share: int):
    with pytest.raises(SourceError) as e:
        load(loader, tmp_path, GOOD[: len(GOOD) * share // 100])
    assert e.value.kind == "dump-damaged"


def test_a_dump_of_a_newer_release_is_not_blamed_for_what_is_here(loader: MysqlLoader, tmp_path: Path):
    newer = GOOD.replace("10.11.6-MariaDB", "99.1.6-MariaDB")
    with pytest.raises(SourceError, match=r"the dump is of MariaDB 99\.1\.6.*; here is MariaDB 10") as e:
        load(loader, tmp_path, newer)
    assert e.value.kind == "environment"


def test_a_dump_of_mysql_is_tried_in_mariadb_and_what_is_not_understood_is_unproven(
    loader: MysqlLoader, tmp_path: Path
):
    of_mysql = GOOD.replace("/*M!999999\\- enable the sandbox mode */\n", "").replace(
        "-- MariaDB dump", "-- MySQL dump"
    )
    of_mysql = of_mysql.replace("10.11.6-MariaDB", "8.0.36")
    _, seen = load(loader, tmp_path, of_mysql)
    assert not seen["dump-restored"].kind
    loader.close()


@pytest.mark.long
@pytest.mark.parametrize(
    ("of_mysql", "says"),
    [
        ("CREATE TABLE `i` (`n` int, KEY `k` ((`n` + 1)));\nINSERT INTO `i` VALUES (1);\n", "does not understand"),
        (f"CREATE TABLE `j` (`n` json);\nINSERT INTO `j` VALUES ('{'[' * 40}{']' * 40}');\n", "breaks a check"),
    ],
)
def test_what_only_the_other_flavour_can_do_is_not_held_against_its_dump(
    loader: MysqlLoader, tmp_path: Path, of_mysql: str, says: str
):
    head = "-- MySQL dump 10.13  Distrib 8.0.36\n-- Host: h    Database: orders\n-- Server version\t8.0.36\n"
    _, seen = load(loader, tmp_path, head + of_mysql + END)
    found = seen["dump-restored"]
    assert (found.kind, found.partial) == ("environment", True)
    assert says in found.message


def test_a_dump_of_postgresql_is_of_another_database(loader: MysqlLoader, tmp_path: Path):
    with pytest.raises(SourceError) as e:
        load(loader, tmp_path, "--\n-- PostgreSQL database dump\n--\n\n-- Dumped from database version 18.1\n")
    assert e.value.kind == "wrong-database"


def test_a_run_that_is_not_wanted_any_more_ends(loader: MysqlLoader, tmp_path: Path):
    (tmp_path / "dump").write_text(GOOD)
    loader.inspect([tmp_path / "dump"], HOUR, lambda: False)
    with pytest.raises(SourceError) as e:
        loader.load(PASSWORD, HOUR, lambda: True)
    assert e.value.kind == "cancelled"
    loader.close()
    with pytest.raises(SourceError) as e:
        loader.load(PASSWORD, HOUR, lambda: False)
    assert e.value.kind == "cancelled"


def test_nothing_is_loaded_that_was_not_looked_at(loader: MysqlLoader):
    with pytest.raises(SourceError) as e:
        loader.load(PASSWORD, HOUR, lambda: False)
    assert e.value.kind == "internal"
