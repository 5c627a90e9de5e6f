"""Whole dumps, in several forms: a run must call nothing about them wrong."""

from __future__ import annotations

import gzip
import hashlib

import lz4.frame
import zstandard
from case import HEALTHY, case
from dump_nights import (
    COUNT,
    COUNTS,
    PARTED,
    READER,
    ROUTINES,
    SCHEMA,
    WITH_TYPE,
    Nights,
    custom,
    of_mariadb,
    only,
    probes,
    script,
    shop,
    unlocked,
)
from product import Product

from restorecheck.model import Report

_PROBES = (
    "readable", "counts_agree", "visibility", "amcheck", "foreign_keys", "sequences", "indexes", "constraints",
    "collations", "extensions", "databases",
)  # fmt: skip
EVERY = (COUNT, *probes(*_PROBES))


@case(HEALTHY, "an archive of pg_dump, and every probe")
def _archive(product: Product) -> Report:
    return only(product, custom(), *EVERY)


@case(HEALTHY, "an archive of pg_dump, two nights running, compared with the night before")
def _two_nights(product: Product) -> Report:
    with shop("INSERT INTO users (email) VALUES ('new@example.org')") as source:
        more = source.dump("-Fc")
    return Nights(product).followed({"shop/1.dump": custom()}, {"shop/2.dump": more}, COUNT, SCHEMA, COUNTS)


@case(HEALTHY, "an archive with owners and grants, and the role that reads it")
def _granted(product: Product) -> Report:
    return only(product, custom(), COUNT, READER)


@case(HEALTHY, "a script, as it is, and every probe")
def _script(product: Product) -> Report:
    return only(product, script(), *EVERY)


@case(HEALTHY, "a script in gzip, in parts, whose bytes are compared with their SHA-256")
def _packed_parts(product: Product) -> Report:
    body = gzip.compress(script())
    half = len(body) // 2
    nights = Nights(product)
    nights.wrote({
        "shop/1.sql.gz.000": body[:half],
        "shop/1.sql.gz.001": body[half:],
        "shop/1.sql.gz.sha256": f"{hashlib.sha256(body).hexdigest()}  1.sql.gz\n".encode(),
    })  # fmt: skip
    return nights.ran(form="parts", object="shop/*.sql.gz.0*", checksum=".sha256")


@case(HEALTHY, "a script in zstd that goes through a command first")
def _sealed_well(product: Product) -> Report:
    return unlocked(product, zstandard.ZstdCompressor(write_checksum=True).compress(script()), "right", "checked")


@case(HEALTHY, "a script in lz4")
def _lz4(product: Product) -> Report:
    return only(product, lz4.frame.compress(script(), content_checksum=True))


@case(HEALTHY, "a directory of pg_dump, uncompressed, of a partitioned table and a large object")
def _whole_directory(product: Product) -> Report:
    with shop(*PARTED, "CREATE INDEX by_day ON events (at)", "SELECT lo_from_bytea(0, 'large')") as source:
        files = source.directory("-Z", "none")
    nights = Nights(product)
    nights.wrote({f"shop/1/{name}": body for name, body in files.items()})
    return nights.ran(*EVERY, form="directory", object="shop/*/toc.dat", jobs=2)


@case(HEALTHY, "a tar of pg_dump with an extension that is here")
def _tar(product: Product) -> Report:
    with shop(*WITH_TYPE) as source:
        body = source.dump("-Ft")
    return only(product, body, *EVERY, {"name": "wanted", "probe": "extensions", "required": ["citext"]})


@case(HEALTHY, "a dump of MariaDB with routines, and its probes")
def _mariadb(product: Product) -> Report:
    asked = (COUNT | {"expect": {"equals": 3}}, *probes("readable", "check_table", "databases"))
    return only(product, of_mariadb(ROUTINES), *asked, engine="mysql")
