"""The shop whose backups are broken: its database, changes to it, its snapshots and its check."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

from case import remembered
from demo_world import SOURCE, connect, instance_of
from product import Product
from rooted import as_root
from shapes import FURNITURE

from restorecheck.model import Report, Verdict

Assert = Mapping[str, object]

EXTENSIONS = (
    "create extension amcheck",
    "create extension pg_visibility",
    """do $$ declare f regprocedure; begin
        for f in select d.objid::regprocedure from pg_depend d join pg_extension e on e.oid = d.refobjid
            where d.classid = 'pg_proc'::regclass and d.deptype = 'e' and e.extname in ('amcheck', 'pg_visibility')
        loop execute format('grant execute on function %s to rds_superuser with grant option', f); end loop; end $$""",
)
"""In the demo AWS, unlike in RDS, the master user may not make these, nor let others run them."""

PREVIOUS = {"same_as": "previous"}
PRESENT: Assert = {"name": "present", "sql": "select count(*) from purchase", "expect": {"at_least": 500}}


def built(product: Product, *sql: str, **settings: object) -> None:
    """Make the instance `shop` with the furniture and the role `app`, and run statements in its database."""
    product.world.database("shop", "create role app login password 'of-the-application'", *FURNITURE, *sql, **settings)


def equipped(product: Product) -> None:
    """Make the extensions of the physical probes there."""
    as_root(product.world, "shop", *EXTENSIONS)


def change(product: Product, *sql: str) -> None:
    """Run statements as the master user of the shop."""
    instance = instance_of(product.world.source_rds, "shop")
    assert instance is not None
    with connect(instance) as connection:
        for statement in sql:
            connection.execute(statement.encode())


def taken(product: Product, name: str = "nightly", *, days: float = 0) -> str:
    """Take a snapshot of the shop, as of so many days ago, and return its name."""
    if days:
        at = datetime.now(UTC) - timedelta(days=days)
        return product.world.aws.automated_snapshot(SOURCE, "shop", at=at)
    product.world.snapshot("shop", name)
    return name


def plain(product: Product, **check: object) -> Report:
    """Run a check that asks for the purchases alone, of whatever snapshot is there."""
    product.check(asserts=[PRESENT], **check)
    return product.verify()


def ask(product: Product, *asserts: Assert, **check: object) -> Report:
    """Take a snapshot, and run a check with these assertions."""
    taken(product)
    product.check(asserts=asserts, **check)
    return product.verify()


def nights(product: Product, *asserts: Assert, then: Callable[[int], bool]) -> Report:
    """Run the check night after night, each with a snapshot of its own, until `then` has nothing more to change.

    `then` is called with the number of the nights so far. Every run but the last must be in order, or learn.
    """
    product.check(asserts=asserts)
    night = 0
    while True:
        taken(product, f"night-{night}")
        report = remembered(product)
        if not then(night + 1):
            return report
        assert report.verdict is Verdict.PASSED or (report.failure and report.failure.kind == "learning"), report
        night += 1


def before_and_after(product: Product, *asserts: Assert, sql: tuple[str, ...]) -> Report:
    """Run the check, change the shop, and run it again."""

    def then(night: int) -> bool:
        if night == 1:
            change(product, *sql)
        return night == 1

    return nights(product, PRESENT, *asserts, then=then)
