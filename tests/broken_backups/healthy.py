"""Healthy backups of many shapes: every probe there is looks at each, twice, and must not say a word.

A shape is a database of its own; many lie in one instance, so that one restore serves them all. Between the two runs
everything is written anew (VACUUM FULL) and another snapshot is taken: what is compared must not depend on where the
rows lie.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import psycopg
from case import case, healthy, remembered
from demo_world import SOURCE, connect, instance_of, until
from product import Product
from psycopg import sql
from rooted import as_root
from shapes import FURNITURE, Shape, of_group
from shop import EXTENSIONS

from restorecheck.model import Outcome, Report, Verdict

Asserts = list[Mapping[str, object]]

PREVIOUS = {"same_as": "previous"}
EXACTLY = {"between": [1, 1], "of": "previous"}
READABLE_BY_APP = ["public.customer", "public.purchase"]


ON_ROWS = ("readable", "row_counts", "counts_agree", "foreign_keys", "sequences")
"""Probes that read rows, and so cannot look where row security hides them."""


def probes(shape: str, database: str, exclude: Sequence[str] = ()) -> Asserts:
    """Return every probe that PostgreSQL has, of one database, under names that begin with the shape's."""

    def one(probe: str, name: str = "", **more: object) -> dict[str, object]:
        left_out = {"exclude": list(exclude)} if exclude and probe in ON_ROWS else {}
        return {"name": f"{shape}-{name or probe}", "probe": probe, "database": database} | left_out | more

    return [
        one("readable", expect=PREVIOUS),
        one("row_counts", expect=PREVIOUS),
        one("row_counts", "row_ratios", expect=EXACTLY),
        *(one(probe) for probe in ("counts_agree", "visibility", "amcheck", "foreign_keys", "sequences", "indexes")),
        *(one(probe) for probe in ("constraints", "collations")),
        one("schema", expect=PREVIOUS),
        one("extensions", expect=PREVIOUS),
        one("databases", required=[database], expect=PREVIOUS),
        one("roles", role="app", required=READABLE_BY_APP),
    ]


def asked(shape: Shape) -> Asserts:
    """Return every probe, and the question of a shape."""
    rows = {"name": f"{shape.name}-rows", "sql": "select * from public.customer", "expect": PREVIOUS}
    question = {"name": f"{shape.name}-question", "sql": shape.question, "expect": {"equals": shape.answer}}
    return [
        *probes(shape.name, shape.database, shape.exclude),
        *({**one, "database": shape.database} for one in (question, rows)),
    ]


@dataclass(frozen=True)
class Place:
    """An instance in the making."""

    product: Product
    instance: str
    described: dict[str, object]

    def do(self, database: str, who: str, steps: Sequence[str]) -> None:
        """Run statements in a database as `master` or `root`."""
        told = [one.replace("{database}", f'"{database}"') for one in steps]
        if who == "root":
            as_root(self.product.world, self.instance, *told, database=database)
            return
        with connect(self.described, database=database) as connection:
            for statement in told:
                connection.execute(statement.encode())


def made(product: Product, instance: str, of: Sequence[Shape]) -> None:
    """Make an instance with one database for each shape."""
    described = product.world.database(instance, "create role app login password 'of-the-application'")
    place = Place(product, instance, described)
    place.do("shop", "master", ["create database furnished"])
    place.do("furnished", "master", FURNITURE)
    place.do("furnished", "root", EXTENSIONS)
    for shape in of:
        how = sql.SQL(shape.made_as or "template furnished")
        with connect(described) as connection:
            connection.execute(sql.SQL("create database {} {}").format(sql.Identifier(shape.database), how))
        own = (("master", FURNITURE), ("root", EXTENSIONS)) if shape.made_as else ()
        for who, steps in (*own, *shape.steps):
            try:
                place.do(shape.database, who, steps)
            except psycopg.Error as e:
                raise AssertionError(f"{shape.name}: {e}") from e


def rewritten(product: Product, instance: str, databases: Sequence[str]) -> None:
    """Write every table of these databases anew: other places of the rows, other files, other trees."""
    for database in databases:
        as_root(product.world, instance, "vacuum (full)", database=database)


def twice(product: Product, instance: str, asserts: Asserts, databases: Sequence[str]) -> Report:
    """Run, write everything anew, and run again. Returns the second proof, or the first if that was not in order."""
    product.limits["examine"] = "10m"
    product.configure()
    product.check(instance=instance, asserts=asserts, source={"database": databases[0]})
    product.world.snapshot(instance, "first")
    first = remembered(product)
    if first.failure or any(f.outcome not in {Outcome.PASS, Outcome.LEARNING} for f in first.findings):
        return first
    rewritten(product, instance, databases)
    product.world.snapshot(instance, "second")
    return remembered(product)


def shaped(product: Product, of: Sequence[Shape]) -> Report:
    """Build shapes into one instance, and run."""
    made(product, "many", of)
    return twice(product, "many", [a for shape in of for a in asked(shape)], [s.database for s in of])


for _group, _of in (
    ("tables", "tables, views, names and privileges"),
    ("values", "values of every type"),
    ("indexes", "indexes, keys and extensions"),
    ("settings", "settings that came with a database"),
):
    _shapes = of_group(_group)
    healthy(_of, [s.name for s in _shapes])(partial(shaped, of=_shapes))


# --- instances of their own -------------------------------------------------------------------------------------------


def furnished(product: Product, instance: str = "shop", **settings: object) -> None:
    product.world.database(instance, "create role app login password 'of-the-application'", *FURNITURE, **settings)
    as_root(product.world, instance, *EXTENSIONS)


@case("healthy", "a snapshot taken while rows are written and after a crash")
def crashed(product: Product) -> Report:
    """What was not committed is gone, what was is there, and no page is where the crash left it half written."""
    furnished(product)
    instance = instance_of(product.world.source_rds, "shop")
    assert instance is not None
    busy = threading.Event()

    def write() -> None:
        with connect(instance) as connection, connect(instance) as idle:
            idle.execute("begin")
            idle.execute("insert into before (word) select 'of nobody' from generate_series(1, 500)")
            connection.execute("create temporary table passing (id serial primary key, word text)")
            connection.execute("insert into passing (word) select 'x' from generate_series(1, 500)")
            connection.execute("create table stream (id serial primary key, word text unique)")
            while not busy.is_set():
                for statement in (
                    "insert into stream (word) select md5(random()::text) from generate_series(1, 200)",
                    "update stream set word = md5(random()::text) where id % 5 = 0",
                    "delete from stream where id % 7 = 0",
                ):
                    connection.execute(statement.encode())

    with connect(instance) as connection:
        connection.execute("create table before (id serial primary key, word text)")
        connection.execute("insert into before (word) select md5(g::text) from generate_series(1, 3000) g")
        connection.execute("update before set word = 'x' where id % 3 = 0")
    product.world.aws.crash(SOURCE, "shop")
    instance = _again(product)
    writer = threading.Thread(target=write)
    writer.start()
    try:
        product.world.snapshot("shop", "busy")
    finally:
        busy.set()
        writer.join()
    stateless = [a for a in probes("crashed", "shop") if "expect" not in a]
    product.check(asserts=[*stateless, {"name": "readable", "probe": "readable"}])
    return product.verify()


def _again(product: Product) -> dict[str, object]:
    """Wait until the server answers after its crash."""

    def answers() -> dict[str, object] | None:
        instance = instance_of(product.world.source_rds, "shop")
        try:
            assert instance is not None
            with connect(instance) as connection:
                connection.execute("select 1")
        except psycopg.OperationalError:
            return None
        return instance

    return until(answers)


@case("healthy", "an Aurora cluster")
def cluster(product: Product) -> Report:
    product.world.cluster("orders", "create role app login password 'of-the-application'", *FURNITURE)
    as_root(product.world, "orders", *EXTENSIONS, of="cluster")
    product.configure(instance_class="db.r6g.large")
    asserts = [a for a in probes("cluster", "shop") if "expect" not in a]
    asserts += [{"name": "readable", "probe": "readable", "database": "shop"}]
    product.declare("shop-db", {"type": "aurora", "cluster": "orders"}, asserts)
    product.world.cluster_snapshot("orders", "weekly")
    return product.verify()


@case("healthy", "an encrypted automated snapshot, copied and shared on the way")
def encrypted(product: Product) -> Report:
    furnished(product, StorageEncrypted=True, KmsKeyId=product.world.source_key)
    product.world.aws.automated_snapshot(SOURCE, "shop")
    asserts = [a for a in probes("encrypted", "shop") if "expect" not in a]
    product.check(asserts=[*asserts, {"name": "readable", "probe": "readable"}])
    return product.verify()


@case("healthy", "more rows every night, against the night before, the usual and the most")
def grows(product: Product) -> Report:
    furnished(product)
    asserts: Asserts = [
        {"name": "growth", "probe": "row_counts", "expect": {"between": [0.9, 1.5], "of": "previous"}},
        {"name": "hold", "sql": "select count(*) from purchase", "expect": {"at_least": 0.95, "of": "max(90d)"}},
        {"name": "usual", "sql": "select count(*) from purchase", "expect": {"between": [0.5, 2], "of": "median(7)"}},
        {"name": "settled", "sql": "select * from customer", "expect": PREVIOUS},
    ]
    product.check(asserts=asserts)
    instance = instance_of(product.world.source_rds, "shop")
    assert instance is not None
    report = None
    for night in range(3):
        with connect(instance) as connection:
            connection.execute(
                "insert into purchase (customer, cents) select 1 + g % 200, g from generate_series(1, 40) g"
            )
        product.world.snapshot("shop", f"night-{night}")
        report = remembered(product)
        if report.verdict is not Verdict.PASSED and night:
            break
    assert report is not None
    return report
