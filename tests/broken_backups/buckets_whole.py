"""Whole buckets, of several shapes: a run must call nothing about them wrong."""

from __future__ import annotations

import gzip
import json
import random

from bucket_lab import EXPORTS, KEYS, ORDERS, Lab, Write, asks, counted, gone, parquet, put, two_volumes
from case import HEALTHY, case
from demo_world import SOURCE
from moments import ago
from product import Product

from restorecheck.model import Report

ZOO = (
    "a//b", "../x", "dir/", "x", "x/y", "x/y/", "käse/größe/日本", "a b+c%20?&='\"", "..", "/", "l/" + "x" * 1022,
    "\U0001f600", "-", "a\\b", "*", "%", "~", "  ", "'; drop table objects; --",
)  # fmt: skip


@case(HEALTHY, "a bucket of every kind of key")
def _zoo(product: Product) -> Report:
    lab = Lab(product, *(put(key, key) for key in ZOO))
    return lab.ran(counted(len(ZOO)), asks("keys", KEYS, set=list(ZOO)), at="1d", read="all")


@case(HEALTHY, "a bucket of many versions and markers, at a time in between")
def _many_versions(product: Product) -> Report:
    lab = Lab(product)
    chance = random.Random(51)
    there: dict[str, int] = {}
    writes: list[Write] = []
    for day in range(40, 0, -1):
        for key in (f"k{n:02}" for n in range(25)):
            die = chance.random()
            if die < 0.3:
                writes.append(gone(key, day))
            elif die < 0.6:
                writes.append(put(key, "x" * (day + 1), day))
            else:
                continue
            if day > 20:
                there = {k: v for k, v in there.items() if k != key} | ({} if die < 0.3 else {key: day + 1})
    lab.wrote(*writes)
    pairs = [f"{key}:{size}" for key, size in there.items()]
    assert 3 < len(pairs) < 25
    return lab.ran(asks("sizes", "select key || ':' || size from objects", set=pairs), at="20d12h", read="all")


@case(HEALTHY, "a bucket of files in every format, which are joined")
def _formats(product: Product) -> Report:
    people = "".join(json.dumps({"id": n, "name": f"näme {n}"}) + "\n" for n in range(100)).encode()
    rates = "day;rate\n2026-01-01;1.5\n2026-01-02;\n"
    lab = Lab(product, put("orders/1.parquet", parquet(100)), put("people.jsonl.gz", gzip.compress(people)))
    lab.wrote(put("rates.csv", rates), put("empty.bin", ""))
    joined = {
        "name": "joined",
        "sql": "select count(*) from people p join orders o on o.id = p.id",
        "files": {"people": "people.jsonl.gz", "orders": "orders/*.parquet"},
        "expect": {"equals": 100},
    }
    rated = {
        "name": "rated",
        "sql": "select count(rate) from rates",
        "files": {"rates": {"path": "rates.csv", "columns": {"day": "DATE", "rate": "DOUBLE"}}},
        "expect": {"equals": 1},
    }
    return lab.ran(counted(4), ORDERS, joined, rated, read="all")


@case(HEALTHY, "a bucket whose objects came in parts, and some of them empty, streamed")
def _parts(product: Product) -> Report:
    lab = Lab(product, put("empty", ""))
    upload = lab.s3.create_multipart_upload(Bucket=EXPORTS, Key="large")["UploadId"]
    parts = []
    for number, body in enumerate((b"x" * 5 * 1024 * 1024, b"the rest"), 1):
        sent = lab.s3.upload_part(Bucket=EXPORTS, Key="large", UploadId=upload, PartNumber=number, Body=body)
        parts.append({"PartNumber": number, "ETag": sent["ETag"]})
    made = lab.s3.complete_multipart_upload(
        Bucket=EXPORTS, Key="large", UploadId=upload, MultipartUpload={"Parts": parts}
    )
    lab.world.aws.backdate(SOURCE, EXPORTS, "large", made["VersionId"], ago(days=2))
    return lab.ran(counted(2), transfer="stream", read="all")


@case(HEALTHY, "a bucket that has as much as the run before, and a little more")
def _grown(product: Product) -> Report:
    lab = Lab(product, *two_volumes())
    hold = asks("hold", "select count(*) from objects", at_least=0.9, at_most=1.2, of="previous")
    lab.declare(hold, asks("bytes", "select sum(size)::bigint from objects", at_least=0.9, of="max(90d)"))
    return lab.followed([put("media/new", days=0.001)])
