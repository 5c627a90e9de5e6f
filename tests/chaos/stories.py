"""Databases on the demo AWS and checks over them whose right verdict is known before anybody runs them.

Built with plain boto3 and psycopg. What goes into a verdict is all here; the service is told nothing of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from demo_world import SOURCE, World
from postgres_damage import heap_of
from product import Product

ROWS = 200
ORDERS = (
    "create table orders (id int primary key, customer text not null)",
    f"insert into orders select g, 'customer ' || g from generate_series(1, {ROWS}) g",
)
SLOW = "select count(*) from orders a, orders b, orders c where c.id <= 100 and a.id + b.id > c.id"
"""Four million rows: long enough to be killed in."""
ZERO = f"select 1 / (count(*) - {ROWS}) from orders"
NIGHTLY = ("courses", "ledger")
"""These get an automated snapshot every night, as AWS makes it."""

AT = "0 3 * * *"
HOUR = 3


@dataclass(frozen=True)
class Story:
    """One kind of check: what it asks of which database, and what must come of it."""

    name: str
    instance: str
    sql: str = "select count(*) from orders"
    expect: Mapping[str, object] = field(default_factory=lambda: {"equals": ROWS})
    verdict: str = "passed"
    kind: str = ""
    rpo: str = "350d"
    shared: bool = False  # its owner shares its snapshots


STORIES = (
    Story("courses", "courses", rpo="25h"),  # encrypted, automated: exported, shared, imported
    Story("shop", "shop"),  # encrypted, manual: borrowed, imported
    Story("blog-short", "blog", expect={"at_least": 10**6}, verdict="broken", kind="assertion-failed", shared=True),
    Story("bare", "bare", verdict="broken", kind="no-recovery-point"),
    Story("vault-zero", "vault", ZERO, verdict="unproven", kind="question", shared=True),
    Story("ledger", "ledger", SLOW, {"at_least": 1}, rpo="25h"),  # plain, automated: exported
    Story("forum", "forum", "select max(id) from orders"),  # plain, manual: borrowed
    Story("blog", "blog", shared=True),  # plain, shared by its owner
    Story("torn", "torn", "select count(customer) from orders", verdict="broken", kind="data-damaged", shared=True),
    Story("vault", "vault", "select id from orders where customer = ''", {"no_rows": True}, shared=True),
    Story("late", "late", verdict="broken", kind="stale", rpo="25h"),
    Story("courses-sum", "courses", "select sum(id) from orders", {"equals": ROWS * (ROWS + 1) // 2}, rpo="25h"),
    Story("vault-slow", "vault", SLOW, {"at_least": 1}, shared=True),
    Story("blog-lost", "blog", "select count(*) from invoices", verdict="broken", kind="missing-object", shared=True),
    Story("blog-least", "blog", expect={"at_least": 1}, shared=True),
    Story("ledger-max", "ledger", "select max(id) from orders", rpo="25h"),
    Story("forum-read", "forum", "select count(customer) from orders"),
    Story("shop-none", "shop", "select id from orders where id < 0", {"no_rows": True}),
    Story("vault-min", "vault", "select min(id) from orders", {"equals": 1}, shared=True),
    Story("blog-none", "blog", "select id from orders where id < 0", {"no_rows": True}, shared=True),
)  # fmt: skip
"""In this order, again and again, until there are as many checks as are wanted."""


@dataclass(frozen=True)
class Known:
    """A check, and what every run of it must come to."""

    check: str
    verdict: str
    kind: str


def of_checks(count: int) -> list[tuple[str, Story]]:
    """Return so many checks, by name."""
    return [(f"{STORIES[n % len(STORIES)].name}-{n:02}", STORIES[n % len(STORIES)]) for n in range(count)]


def build(product: Product, count: int, now: datetime) -> list[Known]:
    """Make the databases and backups that so many checks need, and write the checks; returns what must come of them."""
    checks = of_checks(count)
    needed = {story.instance for _, story in checks}
    for instance in sorted(needed):
        _database(product.world, instance, now)
    for name, story in checks:
        _declare(product, name, story)
    return [Known(name, story.verdict, story.kind) for name, story in checks]


def _database(world: World, instance: str, now: datetime) -> None:
    encrypted = (
        {"StorageEncrypted": True, "KmsKeyId": world.source_key} if instance in {"courses", "shop", "vault"} else {}
    )
    world.database(instance, *ORDERS, **encrypted)
    if instance in NIGHTLY:
        world.aws.automated_snapshot(SOURCE, instance)
    elif instance == "late":
        world.aws.automated_snapshot(SOURCE, instance, at=now - timedelta(days=10))
    elif instance != "bare":
        world.snapshot(instance, f"{instance}-weekly")
    if instance == "torn":
        _damage(world)
    if instance in {story.instance for story in STORIES if story.shared}:
        world.share(f"{instance}-weekly")


def _damage(world: World) -> None:
    """Overwrite the middle of the table's first page: its checksum does not hold any more."""
    heap = heap_of(world, "torn", "orders", world.aws.snapshot_directory(SOURCE, "torn-weekly"))
    with heap.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xde\xad\xbe\xef" * 16)


def _declare(product: Product, name: str, story: Story) -> None:
    product.check(
        name,
        story.instance,
        [{"name": "asked", "sql": story.sql, "expect": dict(story.expect)}],
        {"snapshots": ["shared"]} if story.shared else {},
        rpo=story.rpo,
        schedule=AT,
        timezone="UTC",
    )


def nightly(world: World, instances: set[str]) -> None:
    """Take the automated snapshots of a night."""
    for instance in NIGHTLY:
        if instance in instances:
            world.aws.automated_snapshot(SOURCE, instance)
