"""Dumps that restore, and lack something: each in a way that was seen in the field.

What is lacking was lost by the options of `pg_dump`, as it is lost where they were chosen wrongly.
"""

from __future__ import annotations

import re
from functools import cache

from case import case
from demo_world import BASE, SOURCE
from dump_nights import (
    CHECK,
    COUNT,
    COUNTS,
    EVENT,
    FUNCTION,
    PARTED,
    READER,
    ROUTINES,
    SCHEMA,
    SHOP,
    TRIGGER,
    WITH_TYPE,
    Nights,
    changed,
    custom,
    of_mariadb,
    only,
    probes,
    shop,
    telling,
)
from moments import ago
from postgres_server import PASSWORD, SUPERUSER
from product import Product

from restorecheck.model import Report, Verdict

BOOKS, PICTURES = "shop-references", "shop-pictures"
_PLAIN = tuple(s for s in SHOP if not s.startswith(("CREATE TRIGGER", "CREATE FUNCTION")))
_LATER = ("CREATE TABLE invoices (id int PRIMARY KEY)", "INSERT INTO invoices VALUES (1)")
_LIST = ("-t", "public.users", "-t", "public.orders", "-t", "public.busiest")


@cache
def _list_of_tables() -> tuple[bytes, bytes]:
    """A shop that got a new table, dumped whole, and dumped with the list of tables of old."""
    with shop(*_LATER, base=_PLAIN) as source:
        return source.dump("-Fc"), source.dump("-Fc", *_LIST)


@case("K14", "a table is lost from one night to the next: its definition", Verdict.BROKEN, "assertion-failed", "schema")
def _table_lost(product: Product) -> Report:
    whole, listed = _list_of_tables()
    report = Nights(product).followed({"shop/1.dump": whole}, {"shop/2.dump": listed}, COUNT, SCHEMA)
    return telling(report, "schema", "table public.invoices")


@case("K14", "a table is lost from one night to the next: its rows", Verdict.BROKEN, "assertion-failed", "row-counts")
def _rows_lost(product: Product) -> Report:
    whole, listed = _list_of_tables()
    report = Nights(product).followed({"shop/1.dump": whole}, {"shop/2.dump": listed}, COUNT, COUNTS)
    return telling(report, "row-counts", "public.invoices is gone")


@case("K14", "a table that never joined the list, against what was recorded at the source",
      Verdict.BROKEN, "reference-differs", "recorded")  # fmt: skip
def _table_never_listed(product: Product) -> Report:
    nights = Nights(product)
    nights.world.bucket(BOOKS)
    role = nights.world.aws.role(SOURCE, "recorder", trusted=[BASE])
    reference = f'[reference.live]\nbucket = "{BOOKS}"\nobject = "shop/*.json"\n'
    recorded = {"name": "recorded", "probe": "row_counts", "expect": {"same_as": "live"}}
    nights.declare(COUNT, recorded, more=reference)
    with shop(*_LATER, base=_PLAIN) as source:
        url = f"postgresql://{SUPERUSER}@127.0.0.1:{source.running.port}/shop"
        arguments = ("record", CHECK, "--reference", "live", "--from", url, "--role", role)
        process = product.popen(*arguments, RESTORECHECK_RECORD_PASSWORD=PASSWORD)
        out, err = process.communicate(timeout=300)
        assert process.returncode == 0, (out, err)
        nights.wrote({"shop/1.dump": source.dump("-Fc", *_LIST)}, hours=0)
    report = product.verify(CHECK)
    return telling(report, "recorded", "public.invoices")


@case("K16", "the extension was not dumped: a table that needs it is lost", Verdict.BROKEN, "dump-errors",
      "dump-restored")  # fmt: skip
def _extension_left_out(product: Product) -> Report:
    with shop(*WITH_TYPE) as source:
        return only(product, source.dump("-Fc", "-n", "public"))


@case("K16", "the extension is not to be had where it is restored", Verdict.UNPROVEN, "environment", "dump-restored")
def _extension_not_here(product: Product) -> Report:
    return only(product, _with_a_type_of_nobody())


@case("K16", "a table is asked whose extension is not to be had where it is restored",
      Verdict.UNPROVEN, "environment", "names")  # fmt: skip
def _extension_not_here_and_asked(product: Product) -> Report:
    names = {"name": "names", "sql": "select count(*) from names", "expect": {"equals": 2}}
    return only(product, _with_a_type_of_nobody(), COUNT, names)


@case("K16", "a row is there twice, in a table whose name is a word of the server's messages", Verdict.BROKEN,
      "dump-errors", "dump-restored")  # fmt: skip
def _twice_in_a_table_of_that_name(product: Product) -> Report:
    with shop("CREATE TABLE subscriptions (id int PRIMARY KEY)", "INSERT INTO subscriptions VALUES (7)") as source:
        body = source.dump()
    rows = b"COPY public.subscriptions (id) FROM stdin;\n7\n"
    return only(product, changed(rows, rows + b"7\n", body))


def _with_a_type_of_nobody() -> bytes:
    with shop(*WITH_TYPE) as source:
        return re.sub(rb"citext", rb"geometries", source.dump())


@case("K16", "the source had lost the tables in a restore of its own", Verdict.BROKEN, "assertion-failed", "extensions")
def _extension_lost_before(product: Product) -> Report:
    wanted = {"name": "extensions", "probe": "extensions", "required": ["citext"]}
    report = only(product, custom(), COUNT, wanted)
    return telling(report, "extensions", "citext")


@case("K17", "a sequence was left out, and the restore says so in passing", Verdict.BROKEN, "dump-errors",
      "dump-restored")  # fmt: skip
def _sequence_left_out(product: Product) -> Report:
    numbered = (
        "CREATE SEQUENCE numbers",
        "CREATE TABLE tickets (n bigint DEFAULT nextval('numbers'))",
        "INSERT INTO tickets SELECT FROM generate_series(1, 9)",
    )
    with shop(*numbered) as source:
        return only(product, source.dump("-Fc", "-T", "public.numbers"))


@case("K17", "the sequences begin again at 1, and nothing says so", Verdict.BROKEN, "assertion-failed", "sequences")
def _sequences_reset(product: Product) -> Report:
    with shop() as source:
        body = source.dump("-Fc", "--exclude-table-data=public.*_seq")
    report = only(product, body, COUNT, *probes("sequences"))
    return telling(report, "sequences", "public.orders_id_seq")


@cache
def _without_grants() -> bytes:
    with shop() as source:
        return source.dump("-Fc", "-O", "-x")


@case("K18", "dumped without owners and grants: the application reads nothing", Verdict.BROKEN, "assertion-failed",
      "roles")  # fmt: skip
def _grants_left_out(product: Product) -> Report:
    report = only(product, _without_grants(), COUNT, READER)
    return telling(report, "roles", "no SELECT")


@case("K18", "the role itself is in no dump", Verdict.BROKEN, "assertion-failed", "roles")
def _role_not_there(product: Product) -> Report:
    report = only(product, _without_grants(), COUNT, READER, roles=["somebody"])
    return telling(report, "roles", "there is no such role")


@case("K19", "triggers, keys and indexes were left out: a section was forgotten", Verdict.BROKEN, "assertion-failed",
      "schema")  # fmt: skip
def _section_left_out(product: Product) -> Report:
    with shop() as source:
        parts = source.dump("-Fc", "--section=pre-data", "--section=data")
    report = Nights(product).followed({"shop/1.dump": custom()}, {"shop/2.dump": parts}, COUNT, SCHEMA)
    return telling(report, "schema", "trigger public.orders.stamp")


@case("K19", "routines were left out: only tables were asked for", Verdict.BROKEN, "assertion-failed", "schema")
def _routines_left_out(product: Product) -> Report:
    plain = tuple(s for s in SHOP if not s.startswith("CREATE TRIGGER"))
    with shop(base=plain) as source:
        whole, tables = source.dump("-Fc"), source.dump("-Fc", "-t", "public.*")
    report = Nights(product).followed({"shop/1.dump": whole}, {"shop/2.dump": tables}, COUNT, SCHEMA)
    return telling(report, "schema", "function public.total")


@case("K19", "mariadb-dump without --routines", Verdict.BROKEN, "assertion-failed", "schema")
def _mariadb_routines(product: Product) -> Report:
    return telling(_of_mariadb(product, TRIGGER + EVENT), "schema", "total")


@case("K19", "mariadb-dump with --skip-triggers", Verdict.BROKEN, "assertion-failed", "schema")
def _mariadb_triggers(product: Product) -> Report:
    return telling(_of_mariadb(product, FUNCTION + EVENT), "schema", "stamp")


@case("K19", "mariadb-dump without --events", Verdict.BROKEN, "assertion-failed", "schema")
def _mariadb_events(product: Product) -> Report:
    return telling(_of_mariadb(product, FUNCTION + TRIGGER), "schema", "tidy")


def _of_mariadb(product: Product, routines: str) -> Report:
    """Run a check on a night with all routines, and return what it says of one with these."""
    rows = COUNT | {"expect": {"equals": 3}}
    whole, later = of_mariadb(ROUTINES), of_mariadb(routines)
    return Nights(product).followed({"shop/1.sql": whole}, {"shop/2.sql": later}, rows, SCHEMA, engine="mysql")


@case("K20", "an index of a partitioned table whose parts were never attached", Verdict.BROKEN, "assertion-failed",
      "indexes")  # fmt: skip
def _never_attached(product: Product) -> Report:
    loose = ("CREATE INDEX by_day ON ONLY events (at)", "CREATE INDEX by_day_1 ON events_1 (at)",
             "CREATE INDEX by_day_2 ON events_2 (at)")  # fmt: skip
    with shop(*PARTED, *loose) as source:
        report = only(product, source.dump("-Fc"), COUNT, *probes("indexes"))
        return telling(report, "indexes", "public.by_day")


@case("K20", "the lines that attach were lost from the script", Verdict.BROKEN, "assertion-failed", "indexes")
def _attached_no_more(product: Product) -> Report:
    with shop(*PARTED, "CREATE INDEX by_day ON events (at)") as source:
        body = source.dump()
    lost = re.sub(rb"ALTER INDEX \S+ ATTACH PARTITION \S+;\n", b"", body)
    assert lost != body
    report = only(product, lost, COUNT, *probes("indexes"))
    return telling(report, "indexes", "public.by_day")


@case("K21", "a materialized view that was dumped WITH NO DATA", Verdict.BROKEN, "assertion-failed", "constraints")
def _never_filled(product: Product) -> Report:
    with shop("REFRESH MATERIALIZED VIEW busiest WITH NO DATA") as source:
        report = only(product, source.dump("-Fc"), COUNT, *probes("constraints"))
        return telling(report, "constraints", "public.busiest")


@case("K21", "a materialized view that lost its rows since the night before", Verdict.BROKEN, "assertion-failed",
      "row-counts")  # fmt: skip
def _emptied_view(product: Product) -> Report:
    with shop("REFRESH MATERIALIZED VIEW busiest WITH NO DATA") as source:
        empty = source.dump("-Fc")
    report = Nights(product).followed({"shop/1.dump": custom()}, {"shop/2.dump": empty}, COUNT, COUNTS)
    return telling(report, "row-counts", "public.busiest")


@case("K21", "a materialized view that cannot be filled again where it is restored", Verdict.BROKEN, "dump-errors",
      "dump-restored")  # fmt: skip
def _refresh_fails(product: Product) -> Report:
    body = "'BEGIN RETURN (SELECT count(*) FROM {}); END'"
    many = f"CREATE OR REPLACE FUNCTION many() RETURNS bigint LANGUAGE plpgsql AS {body}"
    loose = (
        many.format("public.orders"),
        "CREATE MATERIALIZED VIEW sums AS SELECT public.many() AS n",
        many.format("orders"),  # found by the search path, which a restore does not have
    )
    with shop(*loose) as source:
        return only(product, source.dump("-Fc"))


@case("K24", "a filter removed the rows of a table: a count against the night before", Verdict.BROKEN,
      "assertion-failed", "row-counts")  # fmt: skip
def _rows_filtered(product: Product) -> Report:
    with shop("CREATE TABLE audit AS SELECT g FROM generate_series(1, 50) g") as source:
        whole, filtered = source.dump("-Fc"), source.dump("-Fc", "--exclude-table-data=public.audit")
    report = Nights(product).followed({"shop/1.dump": whole}, {"shop/2.dump": filtered}, COUNT, COUNTS)
    return telling(report, "row-counts", "public.audit has 0 rows")


@case("K24", "a filter removed the rows of a table that others name", Verdict.BROKEN, "dump-errors", "dump-restored")
def _referenced_rows_filtered(product: Product) -> Report:
    with shop() as source:
        return only(product, source.dump("-Fc", "--exclude-table-data=public.users"))


@case("K24", "a filter removed the rows of a table: a number that is known", Verdict.BROKEN, "assertion-failed", "rows")
def _known_rows_filtered(product: Product) -> Report:
    with shop() as source:
        return only(product, source.dump("-Fc", "--exclude-table-data=public.orders"))


@case("K53", "rows of a dump name objects, and one was deleted before the dump", Verdict.BROKEN, "assertion-failed",
      "rows-have-objects")  # fmt: skip
def _row_without_object(product: Product) -> Report:
    return telling(_pictured(product, deleted=9), "rows-have-objects", "1 of 5")


@case("K53", "rows of a dump name objects, and one was deleted after the dump")
def _row_with_object_of_its_time(product: Product) -> Report:
    return _pictured(product, deleted=1)


def _pictured(product: Product, deleted: float) -> Report:
    """Run a check of a dump five hours old, of rows that name objects; one of these was deleted so many hours ago."""
    nights = Nights(product)
    nights.world.bucket(PICTURES)
    writes = [{"key": f"up/{n}.png", "body": "x", "at": ago(days=9)} for n in range(1, 6)]
    gone = {"key": "up/3.png", "delete": True, "at": ago(hours=deleted)}
    nights.world.aws.history(SOURCE, PICTURES, [*writes, gone])
    nights.wrote({"shop/1.dump": custom()})
    named = {
        "name": "rows-have-objects",
        "sql": "select id || '.png' from orders where id <= 5",
        "expect": {"exist_in": "pictures"},
    }
    nights.declare(COUNT, named, more=f'[objects.pictures]\nbucket = "{PICTURES}"\nprefix = "up/"\n')
    return product.verify(CHECK)
