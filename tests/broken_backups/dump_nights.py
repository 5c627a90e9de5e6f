"""A shop that is dumped night after night into a bucket, and the check of these dumps."""

from __future__ import annotations

import base64
import hashlib
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from case import remembered
from demo_world import SOURCE
from moments import ago
from postgres_server import PASSWORD, SUPERUSER, Server, embedded, server
from product import Product
from requirements import need

from restorecheck.dumps.mysql_programs import programs_here
from restorecheck.model import Report

NIGHTLY = "nightly-dumps"
CHECK = "shop-dump"
ROWS = 3000
SHOP = (
    "CREATE ROLE app LOGIN",
    "CREATE TABLE users (id serial PRIMARY KEY, email text NOT NULL UNIQUE)",
    "INSERT INTO users (email) SELECT 'u' || g || '@example.org' FROM generate_series(1, 300) g",
    "CREATE TABLE orders (id bigserial PRIMARY KEY, user_id int REFERENCES users, body text, made timestamptz)",
    f"""INSERT INTO orders (user_id, body, made) SELECT 1 + g % 300, md5(g::text) || md5((g * 7)::text),
        now() - interval '6 hours' - g * interval '1 minute' FROM generate_series(1, {ROWS}) g""",
    "CREATE FUNCTION total(int) RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM public.orders WHERE user_id = $1'",
    """CREATE FUNCTION stamped() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN NEW.made := coalesce(NEW.made, now()); RETURN NEW; END'""",
    "CREATE TRIGGER stamp BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION stamped()",
    "CREATE MATERIALIZED VIEW busiest AS SELECT user_id, count(*) AS orders FROM orders GROUP BY user_id",
    "GRANT SELECT ON ALL TABLES IN SCHEMA public TO app",
)
"""A small shop. Its newest order is six hours old."""

WITH_TYPE = ("CREATE EXTENSION citext", "CREATE TABLE names (name citext)", "INSERT INTO names VALUES ('a'), ('B')")
"""A table whose type is of an extension."""
PARTED = (
    "CREATE TABLE events (at date NOT NULL, n int) PARTITION BY RANGE (at)",
    "CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2026-07-01')",
    "CREATE TABLE events_2 PARTITION OF events FOR VALUES FROM ('2026-07-01') TO ('2027-01-01')",
    "INSERT INTO events SELECT '2026-01-01'::date + g, g FROM generate_series(0, 300) g",
)
"""A partitioned table."""

COUNT: dict[str, object] = {
    "name": "rows",
    "sql": "select count(*) from orders",
    "expect": {"equals": ROWS},
}
SCHEMA: dict[str, object] = {"name": "schema", "probe": "schema", "expect": {"same_as": "previous"}}
COUNTS: dict[str, object] = {
    "name": "row-counts",
    "probe": "row_counts",
    "expect": {"at_least": 0.9, "of": "previous"},
}


def probes(*names: str) -> tuple[dict[str, object], ...]:
    """Return assertions that want no violation of these probes."""
    taken = {"databases": "each-database"}  # a source has a finding of that name
    return tuple({"name": taken.get(name, name.replace("_", "-")), "probe": name} for name in names)


READER: dict[str, object] = {"name": "roles", "probe": "roles", "role": "app", "required": ["public.*"]}


# --- what is dumped ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Source:
    """A database `shop`, and who dumps it."""

    running: Server

    def pg_dump(self, *options: str) -> None:
        environment = {
            "PGHOST": "127.0.0.1", "PGPORT": str(self.running.port), "PGUSER": SUPERUSER, "PGPASSWORD": PASSWORD,
        }  # fmt: skip
        command = [str(self.running.binaries / "pg_dump"), *options, "shop"]
        subprocess.run(command, check=True, env=environment, capture_output=True)

    def dump(self, *options: str) -> bytes:
        """Dump into one file: a script, or what `-F` says."""
        with tempfile.TemporaryDirectory(prefix="restorecheck-dump-") as name:
            path = Path(name) / "dump"
            self.pg_dump(*options, "-f", str(path))
            return path.read_bytes()

    def directory(self, *options: str) -> dict[str, bytes]:
        """Dump into a directory."""
        with tempfile.TemporaryDirectory(prefix="restorecheck-dump-") as name:
            path = Path(name) / "dump"
            self.pg_dump("-Fd", *options, "-f", str(path))
            return {one.name: one.read_bytes() for one in sorted(path.iterdir())}


@contextmanager
def shop(*sql: str, base: Sequence[str] = SHOP) -> Iterator[Source]:
    """Run a server with the database `shop`, filled."""
    with server(embedded()) as running:
        with running.superuser() as connection:
            connection.execute("CREATE DATABASE shop")
        with running.superuser("shop") as connection:
            for statement in (*base, *sql):
                connection.execute(statement)
        yield Source(running)


@cache
def _whole() -> tuple[bytes, bytes]:
    with shop() as source:
        return source.dump("-Fc"), source.dump()


def custom() -> bytes:
    """Return the shop, dumped as most do it."""
    return _whole()[0]


def script() -> bytes:
    """Return the shop as a script."""
    return _whole()[1]


# --- where it goes ----------------------------------------------------------------------------------------------------


class Nights:
    """restorecheck with one check of a bucket of dumps, and who writes that bucket."""

    def __init__(self, product: Product) -> None:
        self.product, self.world = product, product.world
        self.s3: Any = self.world.bucket(NIGHTLY)
        product.home.chmod(0o711)  # under root, the server that is started is somebody else
        work = product.home / "work"
        work.mkdir()
        work.chmod(0o711)
        product.top["workplace"] = str(work)
        product.configure()

    def wrote(self, files: Mapping[str, bytes], hours: float = 5) -> None:
        """Write objects so many hours ago."""
        at = ago(hours=hours)
        writes = [{"key": k, "base64": base64.b64encode(b).decode(), "at": at} for k, b in files.items()]
        self.world.aws.history(SOURCE, NIGHTLY, writes)

    def declare(self, *asserts: Mapping[str, object], more: str = "", **source: object) -> None:
        """Write the check; `more` is TOML that follows it."""
        place = {"type": "s3-dump", "bucket": NIGHTLY, "object": "shop/*", "database": "shop", "roles": ["app"]}
        self.product.declare(CHECK, place | source, asserts or (COUNT,))
        path = self.product.home / "checks" / f"{CHECK}.toml"
        path.write_text(path.read_text() + more)

    def ran(self, *asserts: Mapping[str, object], **source: object) -> Report:
        """Run the check once, without a memory."""
        self.declare(*asserts, more="", **source)
        return self.product.verify(CHECK)

    def followed(
        self, first: Mapping[str, bytes], second: Mapping[str, bytes], *asserts: Mapping[str, object], **source: object
    ) -> Report:
        """Run the check on a night that is in order, and return what it says of the night after."""
        self.declare(*asserts, more="", **source)
        self.wrote(first, hours=20)
        before = remembered(self.product, CHECK)
        learning = before.failure is None or before.failure.kind == "learning"
        assert learning, f"the night before was not in order: {before.failure}"
        self.wrote(second)
        return remembered(self.product, CHECK)


def only(product: Product, body: bytes, *asserts: Mapping[str, object], **source: object) -> Report:
    """Run a check of a bucket in which one dump is."""
    nights = Nights(product)
    nights.wrote({"shop/1.dump": body})
    return nights.ran(*asserts, **source)


def telling(report: Report, finding: str, words: str) -> Report:
    """Return the report; what was found must be told in these words, so that it is not caught by chance."""
    told = [f.message for f in report.findings if f.name == finding]
    assert any(words in one for one in told), f"{finding} does not say {words!r}: {told}"
    return report


def changed(old: bytes, new: bytes, body: bytes) -> bytes:
    """Return bytes with a part replaced, which must be there."""
    assert old in body, f"there is no {old!r}"
    return body.replace(old, new, 1)


_UNLOCK = """
import hashlib, sys
key, body = sys.argv[1].encode(), sys.stdin.buffer.read()
if body[:32] != hashlib.sha256(key).digest() and sys.argv[2] == "checked":
    sys.exit("wrong key")
sys.stdout.buffer.write(bytes(b ^ key[n % len(key)] for n, b in enumerate(body[32:])))
if body[:32] != hashlib.sha256(key).digest() and sys.argv[2] == "at the end":
    sys.exit("wrong key")
"""


def unlocked(product: Product, dump: bytes, key: str, checked: str) -> Report:
    """Run a check of a dump that is sealed with the key `right`, and unsealed with another, perhaps."""
    program = product.home / "unlock.py"
    program.write_text(_UNLOCK)
    body = hashlib.sha256(b"right").digest() + bytes(b ^ b"right"[n % 5] for n, b in enumerate(dump))
    return only(product, body, decrypt=[sys.executable, str(program), key, checked])


MARIADB = """/*M!999999\\- enable the sandbox mode */
-- MariaDB dump 10.19-10.11.6-MariaDB, for debian-linux-gnu (x86_64)
--
-- Host: localhost    Database: shop
-- ------------------------------------------------------
-- Server version\t10.11.6-MariaDB

/*!40101 SET NAMES utf8mb4 */;
DROP TABLE IF EXISTS `orders`;
CREATE TABLE `orders` (`id` int(11) NOT NULL, `body` varchar(40) DEFAULT NULL, PRIMARY KEY (`id`)) ENGINE=InnoDB;
LOCK TABLES `orders` WRITE;
INSERT INTO `orders` VALUES (1,'one'),(2,'two'),(3,'three');
UNLOCK TABLES;
"""
FUNCTION = """DELIMITER ;;
CREATE DEFINER=`root`@`localhost` FUNCTION `total`() RETURNS int(11) DETERMINISTIC RETURN 7 ;;
DELIMITER ;
"""
TRIGGER = """DELIMITER ;;
CREATE TRIGGER `stamp` BEFORE INSERT ON `orders` FOR EACH ROW SET NEW.body = coalesce(NEW.body, '') ;;
DELIMITER ;
"""
EVENT = """DELIMITER ;;
CREATE EVENT `tidy` ON SCHEDULE EVERY 1 DAY STARTS '2026-01-01 03:00:00' DO DELETE FROM `orders` WHERE `id` < 0 ;;
DELIMITER ;
"""
ROUTINES = FUNCTION + TRIGGER + EVENT
DONE = "-- Dump completed on 2026-11-21  3:00:00\n"


def of_mariadb(routines: str = "") -> bytes:
    """Return a script of MariaDB; skips the case where no MariaDB is installed to restore it."""
    need(any(p.flavour == "MariaDB" for p in programs_here()), "no MariaDB (Debian: mariadb-server-core)")
    return (MARIADB + routines + DONE).encode()
