"""A healthy source for each example in checks/, on the demo AWS, and how to spoil the data that it asks about."""

from __future__ import annotations

import base64
import contextlib
import gzip
import hashlib
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
from demo_world import MASTER, PASSWORD, SOURCE, World, connect, instance_in

HOUR = timedelta(hours=1)


@dataclass
class Databases:
    """Databases of one server, and how the next backup of it is made."""

    world: World
    server: str
    cluster: bool = False

    def made(self, engine: str = "postgres") -> Databases:
        """Make the server, with a database `shop` that nobody asks."""
        settings = {"StorageEncrypted": True, "KmsKeyId": self.world.source_key}
        if self.cluster:
            self.world.cluster(self.server, **settings)
        else:
            self.world.database(self.server, Engine=engine, **settings)
        return self

    @property
    def instance(self) -> dict[str, Any]:
        return instance_in(self.world.source_rds, f"{self.server}-1" if self.cluster else self.server)

    def sql(self, database: str, *statements: str) -> None:
        with connect(self.instance, database=database) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def create(self, database: str, *statements: str) -> None:
        self.sql("shop", f"create database {database}")
        self.sql(database, *statements)

    def mysql(self, database: str, *statements: str) -> None:
        import pymysql  # noqa: PLC0415 - belongs to an extra

        where = self.instance["Endpoint"]
        login = {"host": where["Address"], "port": where["Port"], "user": MASTER, "password": PASSWORD}
        connection = pymysql.connect(**login, database=database, autocommit=True)
        with contextlib.closing(connection), connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)

    def backup(self) -> None:
        """Take the next snapshot; the ones before it are gone then, as after their time."""
        before = [one["DBSnapshotIdentifier"] for one in self.world.source_rds.describe_db_snapshots()["DBSnapshots"]]
        name = f"{self.server}-{datetime.now(UTC):%H%M%S%f}"
        if self.cluster:
            self.world.cluster_snapshot(self.server, name)
        else:
            self.world.snapshot(self.server, name)
        for one in before:
            self.world.source_rds.delete_db_snapshot(DBSnapshotIdentifier=one)

    def dump(self, database: str) -> bytes:
        """Dump a database in pg_dump's custom format."""
        where = self.instance["Endpoint"]
        place = {"PGHOST": where["Address"], "PGPORT": str(where["Port"]), "PGUSER": MASTER, "PGDATABASE": database}
        command = [f"{self.world.aws.state()['postgres_bin']}/pg_dump", "--format", "custom"]
        environment = {**place, "PGPASSWORD": PASSWORD, "LC_ALL": "C"}
        return subprocess.run(command, env=environment, capture_output=True, check=True).stdout


# --- orders-db --------------------------------------------------------------------------------------------------------


def orders(world: World) -> Databases:
    made = Databases(world, "orders-prod").made()
    made.create(
        "orders",
        "create table orders (id int primary key, created_at timestamptz not null)",
        "insert into orders select g, now() - (g || ' seconds')::interval from generate_series(0, 1000000) g",
        "create table order_line (id int primary key, order_id int)",
        "insert into order_line select g, g from generate_series(0, 2000) g",
        "create table country (code text primary key)",
        "insert into country values ('CZ'), ('DE'), ('SK')",
    )
    made.backup()
    return made


def orders_spoiled(made: Databases) -> None:
    made.sql("orders", "delete from orders where id = 7")
    made.backup()


# --- billing-db: several databases of one server ----------------------------------------------------------------------


def billing(world: World) -> Databases:
    made = Databases(world, "billing-prod").made()
    made.create(
        "billing",
        "create table ledger (id int primary key, debit numeric not null, credit numeric not null)",
        "insert into ledger select g, g, g from generate_series(1, 500) g",
        "create table invoice (id int primary key, paid_on date)",
        "insert into invoice select g, case when g > 10 then current_date end from generate_series(1, 500) g",
    )
    made.create(
        "archive",
        "create table invoice (id int primary key, issued_on date not null)",
        "insert into invoice select g, date '2012-01-01' + g from generate_series(1, 3000) g",
    )
    made.backup()
    return made


def billing_spoiled(made: Databases) -> None:
    made.sql("archive", "delete from invoice where issued_on < date '2018-01-01'")
    made.backup()


# --- shop-cluster -----------------------------------------------------------------------------------------------------


def cluster(world: World) -> Databases:
    made = Databases(world, "shop-prod", cluster=True).made()
    made.sql(
        "shop",
        "create table basket (id int primary key, created_at timestamptz not null)",
        "insert into basket select g, now() - (g || ' seconds')::interval from generate_series(0, 500) g",
    )
    made.create(
        "customers",
        "create table customer (id int primary key)",
        "insert into customer select generate_series(1, 120000)",
    )
    made.backup()
    return made


def cluster_spoiled(made: Databases) -> None:
    made.sql("customers", "delete from customer where id > 5")
    made.backup()


# --- ledger-db: everything, and a reference ---------------------------------------------------------------------------


def ledger(world: World) -> Databases:
    made = Databases(world, "ledger-prod").made()
    made.create(
        "ledger",
        "create extension pg_visibility",
        "create extension amcheck",
        "create table account (id int primary key)",
        "insert into account select generate_series(1, 100)",
        "create table booking (id bigserial primary key, account int not null references account, cents int not null,"
        " booked_on date not null)",
        "insert into booking (account, cents, booked_on)"
        " select 1 + g % 100, g, current_date - (g % 400) from generate_series(1, 5000) g",
        "create schema closed",
        "create table closed.year (id int primary key, balance numeric not null)",
        "insert into closed.year select g, g * 10 from generate_series(2000, 2020) g",
        "create schema audit",
        "create table audit.line (id int primary key)",
        "create role ledger_app login",
        "grant usage on schema public to ledger_app",
        "grant select on account, booking to ledger_app",
        "analyze",
    )
    made.sql("ledger", "vacuum analyze")
    made.world.bucket("shop-references")
    return made


def ledger_spoiled(made: Databases) -> None:
    made.sql("ledger", "update closed.year set balance = balance + 1 where id = 2010")
    made.backup()


# --- documents-db: rows and objects -----------------------------------------------------------------------------------


class Documents:
    """Rows that name objects, written two hours ago; and backups of the night, long before anybody looks."""

    def __init__(self, world: World) -> None:
        self.world, self.server = world, Databases(world, "documents-prod").made()
        self.server.create(
            "documents",
            "create table document (id int primary key, object_key text not null, deleted_at timestamptz)",
            "insert into document select g, g || '.pdf' from generate_series(1, 200) g",
        )
        world.bucket("shop-documents")
        self.write(*({"key": f"documents/{n}.pdf", "body": "%PDF"} for n in range(1, 201)), age=2 * HOUR)
        self.backup(HOUR)

    def write(self, *writes: dict[str, Any], age: timedelta) -> None:
        at = (datetime.now(UTC) - age).isoformat()
        self.world.aws.history(SOURCE, "shop-documents", [one | {"at": at} for one in writes])

    def backup(self, age: timedelta) -> None:
        self.world.aws.automated_snapshot(SOURCE, "documents-prod", at=datetime.now(UTC) - age)


def documents_spoiled(made: Documents) -> None:
    made.write({"key": "documents/17.pdf", "delete": True}, age=HOUR * 3 / 4)
    made.backup(HOUR / 2)


# --- wiki-db: that it restores ----------------------------------------------------------------------------------------


def wiki(world: World) -> Databases:
    made = Databases(world, "wiki-prod").made()
    made.create("wiki", "create table page (id int primary key)", "insert into page select generate_series(1, 9)")
    made.backup()
    return made


def wiki_spoiled(made: Databases) -> None:
    made.sql("shop", "drop database wiki")
    made.backup()


# --- catalog-db: MySQL ------------------------------------------------------------------------------------------------


def catalog(world: World) -> Databases:
    made = Databases(world, "catalog-prod").made("mariadb")
    made.mysql("shop", "create database catalog")
    made.mysql(
        "catalog",
        "create table product (id int primary key, name varchar(40) not null)",
        "insert into product select seq, concat('product ', seq) from seq_1_to_6000",
        "create table price (product_id int primary key, cents int not null, imported_at datetime not null,"
        " foreign key (product_id) references product (id))",
        "insert into price select id, 100 + id, utc_timestamp() from product",
        "create table session (id int primary key)",
        "insert into session select seq from seq_1_to_50",
    )
    made.backup()
    return made


def catalog_spoiled(made: Databases) -> None:
    made.mysql("catalog", "update price set cents = 0 where product_id = 3", "delete from session")
    made.backup()


# --- crm-dump and blog-dump -------------------------------------------------------------------------------------------


class Crm:
    """A nightly dump of PostgreSQL, locked by a stand-in for age, with its checksum beside it."""

    def __init__(self, world: World) -> None:
        self.server = Databases(world, "crm-prod").made()
        self.server.create(
            "crm",
            "create role crm_owner",
            "create role crm_reader",
            "grant crm_owner to current_user",
            "grant create on schema public to crm_owner",
            "set role crm_owner",
            "create table account (id int primary key)",
            "insert into account select generate_series(1, 100)",
            "create table contact (id int primary key, account int references account)",
            "insert into contact select g, 1 + g % 100 from generate_series(1, 60000) g",
        )
        self.s3 = world.bucket("shop-dumps")
        self.upload("20")

    def upload(self, day: str) -> None:
        body = base64.b64encode(self.server.dump("crm"))
        key = f"crm/crm-2026-11-{day}.dump.age"
        line = f"{hashlib.sha256(body).hexdigest()}  {key.rpartition('/')[2]}\n"
        self.s3.put_object(Bucket="shop-dumps", Key=f"{key}.sha256", Body=line.encode())
        self.s3.put_object(Bucket="shop-dumps", Key=key, Body=body)


def crm_spoiled(made: Crm) -> None:
    made.server.sql("crm", "delete from contact where id > 100")
    made.upload("21")


BLOG = """/*M!999999\\- enable the sandbox mode */
-- MariaDB dump 10.19-11.4.2  Distrib 10.11.6-MariaDB, for debian-linux-gnu (x86_64)
--
-- Host: localhost    Database: blog
-- ------------------------------------------------------
-- Server version\t10.11.6-MariaDB

/*!40101 SET NAMES utf8mb4 */;
CREATE TABLE `author` (`id` int(11) NOT NULL, PRIMARY KEY (`id`)) ENGINE=InnoDB;
INSERT INTO `author` VALUES (1),(2);
CREATE TABLE `post` (`id` int(11) NOT NULL, `author_id` int(11) NOT NULL, PRIMARY KEY (`id`)) ENGINE=InnoDB;
INSERT INTO `post` VALUES {posts};
-- Dump completed on 2026-11-21  3:00:00
"""


class Blog:
    """What mariadb-dump writes each night."""

    def __init__(self, world: World) -> None:
        self.s3 = world.bucket("shop-dumps")
        self.upload("20", 2)

    def upload(self, day: str, last_author: int) -> None:
        posts = ",".join(f"({n},{1 if n < 150 else last_author})" for n in range(1, 151))
        body = gzip.compress(BLOG.format(posts=posts).encode())
        self.s3.put_object(Bucket="shop-dumps", Key=f"blog/2026-11-{day}.sql.gz", Body=body)


def blog_spoiled(made: Blog) -> None:
    made.upload("21", 9)


# --- exports and photos -----------------------------------------------------------------------------------------------


class Exports:
    """Files of the night, three hours old; what comes later is as if it were two hours old."""

    def __init__(self, world: World) -> None:
        self.world = world
        world.bucket("shop-exports")
        world.readable("shop-exports")
        day, refund = "day,currency,rate\n2026-11-20,EUR,1.0\n2026-11-20,CZK,25.1\n", '{"order_id": 1, "total": 5}\n'
        self.write("fx/20.csv", day.encode(), 3 * HOUR)
        self.write("orders/20.parquet", parquet("select i as order_id, 10.0 as total from range(100) t(i)"), 3 * HOUR)
        self.write("refunds/2026/20.jsonl.gz", gzip.compress(refund.encode()), 3 * HOUR)

    def write(self, key: str, body: bytes, age: timedelta) -> None:
        at = (datetime.now(UTC) - age).isoformat()
        one = {"key": f"exports/{key}", "base64": base64.b64encode(body).decode(), "at": at}
        self.world.aws.history(SOURCE, "shop-exports", [one])


def parquet(query: str) -> bytes:
    with tempfile.TemporaryDirectory() as home, duckdb.connect() as connection:
        connection.execute(f"copy ({query}) to '{home}/x.parquet' (format parquet)")
        return (Path(home) / "x.parquet").read_bytes()


def exports_spoiled(made: Exports) -> None:
    made.write("fx/21.csv", b"day,currency,rate\n2026-11-21,EUR,0\n", 2 * HOUR)


class Photos:
    """Three thousand photos: a hundredth of them is thirty, and fewer than five once in a hundred million runs."""

    def __init__(self, world: World) -> None:
        self.world = world
        world.bucket("shop-photos")
        world.readable("shop-photos")
        self.write("x" * 400, 3 * HOUR)

    def write(self, body: str, age: timedelta) -> None:
        at = (datetime.now(UTC) - age).isoformat()
        found = [{"key": f"{n % 7}/{n}.jpg", "body": body, "at": at} for n in range(3000)]
        self.world.aws.history(SOURCE, "shop-photos", found)


def photos_spoiled(made: Photos) -> None:
    made.write("", 2 * HOUR)


# --- all of them ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Example:
    """How the source of one example is built and spoiled, and which assertions turn red (none, if it has none)."""

    build: Callable[[World], Any]
    spoil: Callable[[Any], None]
    red: tuple[str, ...]
    programs: str = ""  # of MySQL or MariaDB, if it needs them


EXAMPLES = {
    "billing-db": Example(billing, billing_spoiled, ("archive-reaches-back",)),
    "blog-dump": Example(Blog, blog_spoiled, ("authors-known",), "mariadbd"),
    "catalog-db": Example(catalog, catalog_spoiled, ("prices-plausible",), "mariadbd"),
    "crm-dump": Example(Crm, crm_spoiled, ("contacts-present",)),
    "documents-db": Example(Documents, documents_spoiled, ("rows-have-objects",)),
    "exports": Example(Exports, exports_spoiled, ("rates-plausible",)),
    "ledger-db": Example(ledger, ledger_spoiled, ("closed-books",)),
    "orders-db": Example(orders, orders_spoiled, ("orphan-lines",)),
    "photos": Example(Photos, photos_spoiled, ("nothing-empty",)),
    "shop-cluster": Example(cluster, cluster_spoiled, ("customers-present",)),
    "wiki-db": Example(wiki, wiki_spoiled, ()),
}


def told(report: dict[str, Any]) -> str:
    """Return what a report says, for a test that fails."""
    found = [f"{f['name']}: {f['outcome']} {f['kind']} {f['message']}" for f in report["findings"]]
    return "\n".join([report["verdict"], str(report["failure"]), *found])
