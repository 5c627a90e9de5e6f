"""Databases whose snapshots are old, are not there, or lack something: K6 to K21, and K32."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from case import case
from demo_world import SOURCE, gone
from product import Product
from rooted import as_root
from shapes import FURNITURE
from shop import PRESENT, PREVIOUS, ask, before_and_after, built, change, nights, plain, taken

from restorecheck.model import Report, Verdict

# --- not there, or old ------------------------------------------------------------------------------------------------


def old(product: Product, days: float) -> Report:
    built(product)
    taken(product, days=days)
    return plain(product)


@case("K6", "the schedule vanished: the newest snapshot is 44 days old", Verdict.BROKEN, "stale", "rpo")
def schedule_gone(product: Product) -> Report:
    return old(product, 44)


@case("K6", "backups go on, but of another kind than the check names", Verdict.BROKEN, "stale", "rpo")
def other_kind(product: Product) -> Report:
    built(product)
    taken(product, days=44)
    taken(product, "by-hand-today")
    return plain(product, source={"snapshots": ["automated"]})


@case("K7", "a job that exits with an error since three days", Verdict.BROKEN, "stale", "rpo")
def guard_without_secret(product: Product) -> Report:
    return old(product, 3)


@case("K8", "29 failed nights in a row, of AWS Backup", Verdict.BROKEN, "stale", "rpo")
def unwatched(product: Product) -> Report:
    built(product)
    at = datetime.now(UTC) - timedelta(days=29)
    product.world.aws.automated_snapshot(SOURCE, "shop", at=at, kind="awsbackup")
    return plain(product, source={"snapshots": ["awsbackup"]})


@case("K9", "the last snapshot of a cluster is 400 days old", Verdict.BROKEN, "stale", "rpo")
def more_than_a_year(product: Product) -> Report:
    product.world.cluster("orders", *FURNITURE[:2])
    at = datetime.now(UTC) - timedelta(days=400)
    product.world.aws.automated_cluster_snapshot(SOURCE, "orders", at=at)
    product.configure(instance_class="db.r6g.large")
    sql = "select count(*) from customer"
    asked = {"name": "present", "sql": sql, "expect": {"at_least": 1}}
    product.declare("shop-db", {"type": "aurora", "cluster": "orders", "database": "shop"}, [asked])
    return product.verify()


@case("K9", "there was never a snapshot", Verdict.BROKEN, "no-recovery-point")
def never(product: Product) -> Report:
    built(product)
    return plain(product)


FRESH = {"name": "fresh", "sql": "select max(at) from purchase", "expect": {"at_most": "1d", "before": "backup"}}


@case(
    "K10",
    "today's snapshot of an instance that was restored from an old one",
    Verdict.BROKEN,
    "assertion-failed",
    "fresh",
)
def copied_again(product: Product) -> Report:
    built(product, "update purchase set at = at - interval '44 days'")
    return ask(product, FRESH)


@case(
    "K11", "today's snapshot of a replica that stopped six hours ago", Verdict.BROKEN, "assertion-failed", "heartbeat"
)
def stopped_replica(product: Product) -> Report:
    built(
        product, "create table heartbeat (at timestamptz)", "insert into heartbeat values (now() - interval '6 hours')"
    )
    sql = "select max(at) from heartbeat"
    beat = {"name": "heartbeat", "sql": sql, "expect": {"at_most": "15m", "before": "backup"}}
    return ask(product, PRESENT, beat)


@case("K11", "a snapshot that is newer in its data than it says", Verdict.BROKEN, "assertion-failed", "fresh")
def from_the_future(product: Product) -> Report:
    built(product)
    taken(product, days=0.5)
    product.check(asserts=[FRESH])
    return product.verify()


@case("K13", "the automated snapshots went with their instance", Verdict.BROKEN, "no-recovery-point")
def gone_with_the_instance(product: Product) -> Report:
    built(product, BackupRetentionPeriod=7)
    taken(product, days=0.1)
    product.world.source_rds.delete_db_instance(
        DBInstanceIdentifier="shop", SkipFinalSnapshot=True, DeleteAutomatedBackups=True
    )
    gone(product.world.source_rds, "shop")
    return plain(product)


@case("healthy", "an instance that is gone, and its final snapshot is there")
def final_snapshot(product: Product) -> Report:
    built(product)
    product.world.source_rds.delete_db_instance(DBInstanceIdentifier="shop", FinalDBSnapshotIdentifier="the-last")
    gone(product.world.source_rds, "shop")
    return plain(product)


# --- not whole --------------------------------------------------------------------------------------------------------

INVOICE = (
    "create table invoice (id serial primary key, purchase int references purchase)",
    "insert into invoice (purchase) select id from purchase",
)


@case("K14", "a table that was there the night before is gone: its rows", Verdict.BROKEN, "assertion-failed", "rows")
def table_gone_by_rows(product: Product) -> Report:
    built(product, *INVOICE)
    rows = {"name": "rows", "probe": "row_counts", "expect": {"at_least": 0.9, "of": "previous"}}
    return before_and_after(product, rows, sql=("drop table invoice",))


@case(
    "K14",
    "a table that was there the night before is gone: its definition",
    Verdict.BROKEN,
    "assertion-failed",
    "schema",
)
def table_gone_by_schema(product: Product) -> Report:
    built(product, *INVOICE)
    schema = {"name": "schema", "probe": "schema", "expect": PREVIOUS}
    return before_and_after(product, schema, sql=("drop table invoice",))


@case("K14", "a table that a query names is not in the backup", Verdict.BROKEN, "missing-object", "invoices")
def table_never_there(product: Product) -> Report:
    built(product)
    asked = {"name": "invoices", "sql": "select count(*) from invoice", "expect": {"at_least": 1}}
    return ask(product, PRESENT, asked)


@case("K14", "one column of one table is gone", Verdict.BROKEN, "assertion-failed", "schema")
def column_gone(product: Product) -> Report:
    built(product, *INVOICE)
    schema = {"name": "schema", "probe": "schema", "expect": PREVIOUS}
    return before_and_after(product, schema, sql=("alter table customer drop column email",))


@case("K14", "a table is there, and is empty", Verdict.BROKEN, "assertion-failed", "rows")
def table_emptied(product: Product) -> Report:
    built(product, *INVOICE)
    rows = {"name": "rows", "probe": "row_counts", "expect": {"at_least": 0.9, "of": "previous"}}
    return before_and_after(product, rows, sql=("truncate invoice",))


@case("K15", "a database that nobody knew is not there", Verdict.BROKEN, "assertion-failed", "which")
def database_missing(product: Product) -> Report:
    built(product)
    return ask(product, PRESENT, {"name": "which", "probe": "databases", "required": ["shop", "billing"]})


@case("K15", "a database is there, and holds nothing", Verdict.BROKEN, "assertion-failed", "which")
def database_empty(product: Product) -> Report:
    built(product, "create database billing")
    return ask(product, PRESENT, {"name": "which", "probe": "databases", "required": ["shop", "billing"]})


@case("K15", "a database was dropped since the night before", Verdict.BROKEN, "assertion-failed", "which")
def database_dropped(product: Product) -> Report:
    built(product, "create database billing")
    which = {"name": "which", "probe": "databases", "expect": PREVIOUS}
    return before_and_after(product, which, sql=("drop database billing",))


@case("K15", "a server made anew after a loss, of which a check asks only that it restores", Verdict.UNPROVEN,
      "empty-database", "databases")  # fmt: skip
def made_anew(product: Product) -> Report:
    product.world.database("shop")
    taken(product)
    product.declare("shop-db", {"type": "rds", "instance": "shop", "database": "shop"})
    return product.verify()


@case("K15", "a question reads from another server, to which no way leads from the copy", Verdict.UNPROVEN, "question",
      "priced")  # fmt: skip
def elsewhere_asked(product: Product) -> Report:
    built(product)
    far = (
        "create extension postgres_fdw",
        "create server far foreign data wrapper postgres_fdw options (host '127.0.0.1', port '1', dbname 'rates')",
        "create user mapping for public server far options (user 'shop', password 'only-for-tests')",
        "create foreign table rate (percent int) server far",
        "create view priced as select percent from rate",
    )
    as_root(product.world, "shop", "; ".join(far))
    return ask(product, {"name": "priced", "sql": "select count(*) from priced", "expect": {"at_least": 1}})


@case("K15", "the check asks a database that holds no table", Verdict.UNPROVEN, "empty-database")
def empty_database_asked(product: Product) -> Report:
    built(product, "create database billing")
    asked = {"name": "one", "sql": "select 1", "expect": {"equals": 1}, "database": "billing"}
    return ask(product, asked)


ROLES = {"name": "roles", "probe": "roles", "role": "app", "required": ["public.customer", "public.purchase"]}


@case("K18", "the application's role is not there", Verdict.BROKEN, "assertion-failed", "roles")
def role_absent(product: Product) -> Report:
    built(product)
    as_root(product.world, "shop", "drop owned by app; drop role app")
    return ask(product, PRESENT, ROLES)


@case("K18", "the role is there, and its grant on one table is not", Verdict.BROKEN, "assertion-failed", "roles")
def grant_absent(product: Product) -> Report:
    built(product, "revoke select on customer from app")
    return ask(product, PRESENT, ROLES)


@case("K18", "the role may read, and may not log in", Verdict.BROKEN, "assertion-failed", "roles")
def login_absent(product: Product) -> Report:
    built(product, "alter role app nologin")
    return ask(product, PRESENT, ROLES)


@case("K18", "row security hides every row from the role", Verdict.BROKEN, "assertion-failed", "roles")
def policy_absent(product: Product) -> Report:
    built(product, "alter table customer enable row level security")
    return ask(product, PRESENT, ROLES)


CODE = (
    "create function total(int) returns bigint language sql as 'select sum(cents) from purchase where customer = $1'",
    "create function stamp() returns trigger language plpgsql as $$ begin new.at := now(); return new; end $$",
    "create trigger stamp before insert on purchase for each row execute function stamp()",
    "create procedure tidy() language sql as 'delete from purchase where false'",
)
SCHEMA = {"name": "schema", "probe": "schema", "expect": PREVIOUS}


@case("K19", "a function is gone", Verdict.BROKEN, "assertion-failed", "schema")
def function_gone(product: Product) -> Report:
    built(product, *CODE)
    return before_and_after(product, SCHEMA, sql=("drop function total(int)",))


@case("K19", "a trigger is gone, its function is there", Verdict.BROKEN, "assertion-failed", "schema")
def trigger_gone(product: Product) -> Report:
    built(product, *CODE)
    return before_and_after(product, SCHEMA, sql=("drop trigger stamp on purchase",))


@case("K19", "a procedure has another body", Verdict.BROKEN, "assertion-failed", "schema")
def procedure_differs(product: Product) -> Report:
    built(product, *CODE)
    other = "create or replace procedure tidy() language sql as 'delete from purchase'"
    return before_and_after(product, SCHEMA, sql=(other,))


PARTITIONED = (
    "create table event (id int, at date) partition by range (at)",
    "create table event_2025 partition of event for values from ('2025-01-01') to ('2026-01-01')",
    "create table event_2026 partition of event for values from ('2026-01-01') to ('2027-01-01')",
    "insert into event select g, date '2025-01-01' + g from generate_series(1, 500) g",
)
INDEXES = {"name": "indexes", "probe": "indexes"}


@case("K20", "a partitioned index whose parts were never attached", Verdict.BROKEN, "assertion-failed", "indexes")
def index_not_attached(product: Product) -> Report:
    built(product, *PARTITIONED, "create index event_id on only event (id)", "create index on event_2025 (id)")
    return ask(product, PRESENT, INDEXES)


@case("K20", "a unique index that was never finished", Verdict.BROKEN, "assertion-failed", "indexes")
def index_not_valid(product: Product) -> Report:
    built(product)
    with pytest.raises(psycopg.errors.UniqueViolation):
        change(product, "create unique index concurrently once on purchase (customer)")
    return ask(product, PRESENT, INDEXES)


TOTALS = "create materialized view totals as select customer, sum(cents) as cents from purchase group by 1"


@case("K21", "a materialized view without its rows", Verdict.BROKEN, "assertion-failed", "constraints")
def view_not_filled(product: Product) -> Report:
    built(product, f"{TOTALS} with no data")
    return ask(product, PRESENT, {"name": "constraints", "probe": "constraints"})


@case(
    "K21", "a materialized view of a snapshot that holds nothing any more", Verdict.BROKEN, "assertion-failed", "rows"
)
def view_emptied(product: Product) -> Report:
    built(product, TOTALS)
    rows = {"name": "rows", "probe": "row_counts", "expect": {"at_least": 0.9, "of": "previous"}}
    return before_and_after(product, rows, sql=("refresh materialized view totals with no data",))


# --- lost slowly, or at once ------------------------------------------------------------------------------------------


@case("K32", "five percent of the rows vanish every night", Verdict.BROKEN, "assertion-failed", "hold")
def slowly(product: Product) -> Report:
    """Against the night before each loss is small enough; against the most of 90 days their sum is not."""
    built(product)
    ratio = {"name": "growth", "sql": "select count(*) from purchase", "expect": {"at_least": 0.9, "of": "previous"}}
    hold = {"name": "hold", "sql": "select count(*) from purchase", "expect": {"at_least": 0.9, "of": "max(90d)"}}

    def then(night: int) -> bool:
        if night < 4:
            change(product, "delete from purchase where id in (select id from purchase order by id limit 24)")
        return night < 4

    return nights(product, {**PRESENT, "expect": {"at_least": 1}}, ratio, hold, then=then)


@case("K32", "half of the rows of one table vanish in one night", Verdict.BROKEN, "assertion-failed", "rows")
def at_once(product: Product) -> Report:
    built(product, *INVOICE)
    rows = {"name": "rows", "probe": "row_counts", "expect": {"at_least": 0.9, "of": "median(7)"}}
    return before_and_after(product, rows, sql=("delete from invoice where id % 2 = 0",))


@case("K32", "every row is there, and some have other values", Verdict.BROKEN, "assertion-failed", "settled")
def changed(product: Product) -> Report:
    built(product)
    settled = {"name": "settled", "sql": "select id, customer, cents from purchase", "expect": PREVIOUS}
    return before_and_after(product, settled, sql=("update purchase set cents = 0 where id = 77",))


@case("K32", "rows whose parents were deleted past the constraint", Verdict.BROKEN, "assertion-failed", "orphans")
def orphans(product: Product) -> Report:
    built(product)
    as_root(product.world, "shop", "set session_replication_role = replica; delete from customer where id < 10")
    return ask(product, PRESENT, {"name": "orphans", "probe": "foreign_keys"})
