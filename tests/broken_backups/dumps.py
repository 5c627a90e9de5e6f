"""Dumps that are not there, old, or damaged, each in a way that was seen in the field.

Every dump is one that `pg_dump` wrote, and what happened to it happens to its bytes.
"""

from __future__ import annotations

import gzip
import random
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache

import dumps_lacking  # noqa: F401 - they add their cases
import dumps_whole  # noqa: F401
from case import case
from dump_nights import (
    CHECK,
    COUNT,
    DONE,
    NIGHTLY,
    Nights,
    changed,
    custom,
    of_mariadb,
    only,
    probes,
    script,
    shop,
    unlocked,
)
from product import Product

from restorecheck.model import Report, Verdict

# --- it is not there, or old ------------------------------------------------------------------------------------------


@case("K1", "the error of a pg_dump that is too old, where a dump should be", Verdict.BROKEN, "dump-damaged")
def _error_text(product: Product) -> Report:
    words = (
        b"pg_dump: error: aborting because of server version mismatch\n"
        b"pg_dump: detail: server version: 18.1; pg_dump version: 9.6.24\n"
    )
    return only(product, words)


@case("K1", "an archive of a pg_dump that is newer than everything here", Verdict.UNPROVEN, "environment")
def _newer_archive(product: Product) -> Report:
    body = custom()
    return only(product, re.sub(rb"18(\.\d+)", rb"99\1", body[:400]) + body[400:])


@case("K1", "the error of a mariadb-dump that was not let in, where a dump should be", Verdict.BROKEN, "dump-damaged")
def _error_text_of_mariadb(product: Product) -> Report:
    words = b"mariadb-dump: Got error: 1045: \"Access denied for user 'backup'@'localhost'\" when trying to connect\n"
    return only(product, words, engine="mysql")


@case("K3", "a dump of 0 bytes", Verdict.BROKEN, "dump-damaged")
def _no_bytes(product: Product) -> Report:
    return only(product, b"")


@case("K3", "a dump of 0 bytes in gzip, with the whole one of the night before", Verdict.BROKEN, "dump-damaged")
def _nothing_in_gzip(product: Product) -> Report:
    nights = Nights(product)
    nights.wrote({"shop/1.dump": custom()}, hours=29)
    nights.wrote({"shop/2.dump": b"\x1f\x8b\x08\0\0\0\0\0\0\x03\x03\0\0\0\0\0\0\0\0\0"})
    return nights.ran()


@cache
def _of_nothing() -> bytes:
    with shop(base=()) as source:
        return source.dump()


@case("K4", "a valid dump of an empty database, with a question", Verdict.BROKEN, "missing-object", "rows")
def _nothing_asked(product: Product) -> Report:
    return only(product, _of_nothing())


@case("K4", "a valid dump of an empty database, of which no more was asked than that it restores",
      Verdict.UNPROVEN, "empty-database", "databases")  # fmt: skip
def _nothing_restored(product: Product) -> Report:
    nights = Nights(product)
    nights.wrote({"shop/1.dump": _of_nothing()})
    place = {"type": "s3-dump", "bucket": NIGHTLY, "object": "shop/*", "database": "shop"}
    product.declare(CHECK, place)
    return product.verify(CHECK)


@case("K4", "a valid dump of an empty database, and every probe", Verdict.UNPROVEN, "nothing-examined")
def _nothing_examined(product: Product) -> Report:
    return only(product, _of_nothing(), *probes("readable", "foreign_keys", "sequences", "indexes"))


@case("K10", "an archive of years ago, uploaded again tonight", Verdict.BROKEN, "stale", "dump-age")
def _old_archive(product: Product) -> Report:
    body = custom()
    year = datetime.now(UTC).year - 1900
    return only(product, changed(_number(year), _number(year - 4), body[:64]) + body[64:])


def _number(value: int) -> bytes:
    """Return a number as an archive of pg_dump holds it."""
    return b"\0" + value.to_bytes(4, "little")


@case("K10", "an old script, uploaded again tonight", Verdict.BROKEN, "assertion-failed", "fresh")
def _old_script(product: Product) -> Report:
    fresh = {
        "name": "fresh",
        "sql": "select max(made) from orders",
        "expect": {"at_most": "2h", "before": "backup"},
    }
    nights = Nights(product)
    nights.wrote({"shop/1.sql": script()}, hours=1)
    return nights.ran(COUNT, fresh)


@case("K12", "the disk was full: a script that breaks off", Verdict.BROKEN, "dump-damaged")
def _script_cut(product: Product) -> Report:
    return only(product, script()[: len(script()) * 6 // 10])


@case("K12", "the disk was full: an archive that breaks off in its last byte", Verdict.BROKEN, "dump-damaged")
def _archive_cut(product: Product) -> Report:
    return only(product, custom()[:-1])


@case("K12", "the disk was full: a script of MariaDB that breaks off after a table", Verdict.BROKEN, "dump-damaged")
def _script_of_mariadb_cut(product: Product) -> Report:
    return only(product, of_mariadb().removesuffix(DONE.encode()), COUNT | {"expect": {"equals": 3}}, engine="mysql")


@case("K12", "a valid dump, and next to nothing against those before it", Verdict.BROKEN, "dump-damaged", "dump-size")
def _tiny(product: Product) -> Report:
    nights = Nights(product)
    nights.wrote({"shop/1.sql": script()}, hours=53)
    nights.wrote({"shop/2.sql": script()}, hours=29)
    with shop(base=("CREATE TABLE orders (id int)", "INSERT INTO orders VALUES (1)")) as source:
        nights.wrote({"shop/3.sql": source.dump()})
    present = {"name": "present", "sql": "select count(*) from orders", "expect": {"at_least": 1}}
    return nights.ran(present)


# --- it is damaged ----------------------------------------------------------------------------------------------------


def _parts(body: bytes) -> dict[str, bytes]:
    size = len(body) // 4 + 1
    return {f"shop/1.dump.a{c}": body[n * size : (n + 1) * size] for n, c in enumerate("abcd")}


def _in_parts(product: Product, parts: Mapping[str, bytes]) -> Report:
    nights = Nights(product)
    nights.wrote(parts)
    return nights.ran(form="parts", object="shop/*.dump.*")


@case("K25", "of an upload in parts, one in the middle is missing", Verdict.BROKEN, "dump-damaged")
def _part_missing(product: Product) -> Report:
    parts = _parts(custom())
    del parts["shop/1.dump.ab"]
    return _in_parts(product, parts)


@case("K25", "of an upload in parts, the last is missing", Verdict.BROKEN, "dump-damaged")
def _last_part_missing(product: Product) -> Report:
    parts = _parts(custom())
    del parts["shop/1.dump.ad"]
    return _in_parts(product, parts)


@case("K25", "of an upload in parts, one is short by a few bytes", Verdict.BROKEN, "dump-damaged")
def _part_short(product: Product) -> Report:
    parts = _parts(gzip.compress(script()))
    parts["shop/1.dump.ac"] = parts["shop/1.dump.ac"][:-512]
    return _in_parts(product, parts)


def _directory(product: Product, gone: str) -> Report:
    """Run a check of a dump in a directory, of which the first file that ends so was lost."""
    with shop() as source:
        files = source.directory()
    lost = next(name for name in files if name.endswith(gone))
    nights = Nights(product)
    nights.wrote({f"shop/1/{name}": body for name, body in files.items() if name != lost})
    return nights.ran(form="directory", object="shop/*/toc.dat")


@case("K29", "a directory whose table of contents names a file that is gone", Verdict.BROKEN, "dump-damaged")
def _file_gone(product: Product) -> Report:
    return _directory(product, ".dat.gz")


@case("K29", "a directory whose table of contents is gone", Verdict.BROKEN, "dump-damaged")
def _contents_gone(product: Product) -> Report:
    return _directory(product, "toc.dat")


@case("K30", "tonight's dump is what ransomware left of it", Verdict.BROKEN, "dump-damaged")
def _ransomed(product: Product) -> Report:
    nights = Nights(product)
    nights.wrote({"shop/1.dump": custom()}, hours=29)
    nights.wrote({"shop/2.dump": b"LOCKED\0\x07" + random.Random(30).randbytes(len(custom()))})
    return nights.ran()


@case("K30", "tonight's dump was encrypted in the form of OpenSSL", Verdict.UNPROVEN, "environment")
def _sealed(product: Product) -> Report:
    return only(product, b"Salted__" + random.Random(30).randbytes(len(custom())))


@case("K30", "the rows were encrypted before the dump: it restores, and rules do not hold", Verdict.BROKEN,
      "assertion-failed", "addresses")  # fmt: skip
def _rows_ransomed(product: Product) -> Report:
    addresses = {
        "name": "addresses",
        "sql": "select id from users where email !~ '^[^@]+@[^@]+$'",
        "expect": {"no_rows": True},
    }
    with shop("UPDATE users SET email = md5(email || 'theirs')") as source:
        return only(product, source.dump("-Fc"), COUNT, addresses)


@case("K42", "the key that is kept is not the one that the dump is under", Verdict.UNPROVEN, "environment")
def _wrong_key(product: Product) -> Report:
    return unlocked(product, custom(), "wrong", "checked")


@case(
    "K42", "the wrong key, and a program that notices it at the end, as openssl does", Verdict.UNPROVEN, "environment"
)
def _wrong_key_noticed_late(product: Product) -> Report:
    return unlocked(product, custom(), "wrong", "at the end")


@case("K42", "the wrong key, and a program that does not notice", Verdict.BROKEN, "dump-damaged")
def _wrong_key_unnoticed(product: Product) -> Report:
    return unlocked(product, custom(), "wrong", "unchecked")
