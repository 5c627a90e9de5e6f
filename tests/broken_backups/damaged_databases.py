"""Databases whose snapshots are there and are damaged: K26, K27, and a server that breaks off."""

from __future__ import annotations

from pathlib import Path

from case import case
from demo_world import SCRATCH, SOURCE, connect, instance_of
from postgres_damage import heap_of
from product import Product
from rooted import as_root
from shop import PRESENT, ask, built, change, equipped, plain, taken

from restorecheck.model import Report, Verdict

PAGE = 8192
RESTORE = "RestoreDBInstanceFromDBSnapshot"
ANSWERS = (
    "create table answer (id bigint primary key, code text not null, body text)",
    "insert into answer select g, 'a' || g, repeat(md5(g::text), 3) from generate_series(1, 5000) g",
    "create index answer_code on answer (code)",
    "create table scan (id int primary key, long text)",
    "alter table scan alter long set storage external",
    "insert into scan select g, repeat(md5(g::text), 400) from generate_series(1, 30) g",
    "vacuum (freeze, analyze)",
)
PHYSICAL = [{"name": name, "probe": name} for name in ("readable", "counts_agree", "visibility", "amcheck")]

# --- sorted otherwise (K26) -------------------------------------------------------------------------------------------


@case(
    "K26", "the recorded version of a collation is not this server's", Verdict.BROKEN, "assertion-failed", "collations"
)
def other_version(product: Product) -> Report:
    built(product, "create collation german (locale = 'C.utf8')", "create table wort (w text collate german)")
    as_root(
        product.world,
        "shop",
        "update pg_collation set collcollate = 'de_DE', collversion = '0.1' where collname = 'german'",
    )
    return ask(product, PRESENT, {"name": "collations", "probe": "collations"})


def sorted_otherwise(product: Product, probe: str) -> Report:
    """A text index is built in one order and read in another, as after an upgrade of the C library."""
    built(product, *ANSWERS)
    equipped(product)
    order = "update pg_index set indoption = '3' where indexrelid = 'answer_code'::regclass"  # descending, nulls first
    as_root(product.world, "shop", order)
    return ask(product, PRESENT, {"name": probe, "probe": probe})


@case("K26", "a text index is sorted by other rules: amcheck", Verdict.BROKEN, "data-damaged", "amcheck")
def order_by_amcheck(product: Product) -> Report:
    return sorted_otherwise(product, "amcheck")


def duplicated(product: Product, probe: str) -> Report:
    """A row that a unique index does not know, beside the same value: lookups find one of two."""
    built(product, *ANSWERS)
    equipped(product)
    ready = "update pg_index set indisready = {} where indexrelid = 'customer_email_key'::regclass"
    twice = "insert into customer (name, email) select name, email from customer where id = 7"
    as_root(product.world, "shop", ready.format("false"), twice, ready.format("true"), "vacuum customer")
    return ask(product, PRESENT, {"name": probe, "probe": probe})


@case("K26", "duplicates in a unique index: counts_agree", Verdict.BROKEN, "data-damaged", "counts_agree")
def duplicates_by_counts(product: Product) -> Report:
    return duplicated(product, "counts_agree")


@case("K26", "duplicates in a unique index: amcheck", Verdict.BROKEN, "data-damaged", "amcheck")
def duplicates_by_amcheck(product: Product) -> Report:
    return duplicated(product, "amcheck")


# --- the restore fails (K27) ------------------------------------------------------------------------------------------


def ends(product: Product, status: str) -> Report:
    built(product)
    taken(product)
    product.world.aws.fault(RESTORE, instance_status=status)
    return plain(product)


@case("K27", "AWS says available, and then incompatible-restore", Verdict.BROKEN, "incompatible-restore")
def incompatible(product: Product) -> Report:
    return ends(product, "incompatible-restore")


@case("K27", "the restore ends in a failed database", Verdict.BROKEN, "restore-failed")
def failed(product: Product) -> Report:
    return ends(product, "restore-error")


@case("K27", "the restored database has no free storage", Verdict.BROKEN, "storage-full")
def full(product: Product) -> Report:
    return ends(product, "storage-full")


@case("K27", "the server dies whenever it reads one table", Verdict.BROKEN, "connection-lost")
def dies(product: Product) -> Report:
    built(product)
    taken(product)
    product.world.aws.fault(kill_query="FETCH FORWARD", times=None, account=SCRATCH, crash=True)
    sql = "select count(a.id || b.at::text || c::text) from purchase a, purchase b, generate_series(1, 2000) c"
    product.check(asserts=[{"name": "slow", "sql": sql, "expect": {"at_least": 1}}])
    return product.verify()


# --- present, and damaged ---------------------------------------------------------------------------------------------


def harmed(product: Product, relation: str) -> tuple[Path, Path]:
    """Make the shop and its snapshot, declare the physical probes; returns a relation's file and the directory."""
    built(product, *ANSWERS)
    equipped(product)
    taken(product)
    directory = product.world.aws.snapshot_directory(SOURCE, "nightly")
    product.check(asserts=[PRESENT, *PHYSICAL])
    return heap_of(product.world, "shop", relation, directory), directory


def overwrite(path: Path, at: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(data)


@case("K27", "damage: a page of a table is garbage", Verdict.BROKEN, "data-damaged", "readable")
def garbage(product: Product) -> Report:
    heap, _ = harmed(product, "answer")
    overwrite(heap, 5 * PAGE + 3000, b"\xde\xad\xbe\xef" * 64)
    return product.verify()


@case(
    "K27",
    "damage: a page of a table is zeros, which has a valid checksum",
    Verdict.BROKEN,
    "data-damaged",
    "counts_agree",
)
def zeros(product: Product) -> Report:
    heap, _ = harmed(product, "answer")
    overwrite(heap, 5 * PAGE, bytes(PAGE))
    return product.verify()


@case("K27", "damage: a table's file is cut off", Verdict.BROKEN, "data-damaged", "counts_agree")
def cut_off(product: Product) -> Report:
    heap, _ = harmed(product, "answer")
    with heap.open("r+b") as file:
        file.truncate(20 * PAGE)
    return product.verify()


@case("K27", "damage: a table's file is empty", Verdict.BROKEN, "data-damaged", "counts_agree")
def emptied(product: Product) -> Report:
    heap, _ = harmed(product, "answer")
    heap.write_bytes(b"")
    return product.verify()


@case("K27", "damage: a table's file is missing", Verdict.BROKEN, "data-damaged", "readable")
def file_missing(product: Product) -> Report:
    heap, _ = harmed(product, "answer")
    heap.unlink()
    return product.verify()


@case("K27", "damage: a leaf of an index is zeros", Verdict.BROKEN, "data-damaged", "amcheck")
def leaf(product: Product) -> Report:
    index, _ = harmed(product, "answer_code")
    overwrite(index, 5 * PAGE, bytes(PAGE))
    return product.verify()


@case("K27", "damage: long values are cut off", Verdict.BROKEN, "data-damaged", "readable")
def toast(product: Product) -> Report:
    _, directory = harmed(product, "scan")
    instance = instance_of(product.world.source_rds, "shop")
    assert instance is not None
    with connect(instance) as connection:
        asked = "select reltoastrelid::regclass::text from pg_class where relname = 'scan'"
        [[name]] = connection.execute(asked.encode()).fetchall()
    file = heap_of(product.world, "shop", name, directory)
    with file.open("r+b") as opened:
        opened.truncate(10 * PAGE)
    return product.verify()


@case("K27", "damage: one page is from an earlier night (a lost write)", Verdict.BROKEN, "data-damaged", "counts_agree")
def lost_write(product: Product) -> Report:
    built(product, *ANSWERS)
    equipped(product)
    taken(product, "earlier")
    change(product, "delete from answer where id between 300 and 330", "vacuum (freeze) answer")
    change(product, "insert into answer select g, 'n' || g, repeat(md5(g::text), 3) from generate_series(9001, 9031) g")
    change(product, "vacuum (freeze) answer")
    taken(product)
    before, now = (
        heap_of(product.world, "shop", "answer", product.world.aws.snapshot_directory(SOURCE, name))
        for name in ("earlier", "nightly")
    )
    old, new = before.read_bytes(), now.read_bytes()
    differing = [at for at in range(0, min(len(old), len(new)), PAGE) if old[at : at + PAGE] != new[at : at + PAGE]]
    overwrite(now, differing[0], old[differing[0] : differing[0] + PAGE])
    product.check(asserts=[PRESENT, *PHYSICAL])
    return product.verify()


@case("K27", "damage: the log of commits is zeros", Verdict.BROKEN, "data-damaged")
def commits(product: Product) -> Report:
    _, directory = harmed(product, "answer")
    log = directory / "pg_xact" / "0000"
    log.write_bytes(bytes(log.stat().st_size))
    return product.verify()


@case("K27", "damage: the server's control file is garbage, and it does not start", Verdict.BROKEN, "restore-failed")
def control_file(product: Product) -> Report:
    _, directory = harmed(product, "answer")
    overwrite(directory / "global" / "pg_control", 0, b"\xff" * 512)
    return product.verify()
