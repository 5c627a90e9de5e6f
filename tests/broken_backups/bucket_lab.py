"""A bucket of objects with a past, and the check of it.

The bucket gets a history: versions, overwrites and delete markers of long ago, as S3 keeps them.
"""

from __future__ import annotations

import base64
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from case import remembered
from demo_world import SCRATCH, SOURCE
from moments import ago
from product import Product
from requirements import need

from restorecheck.model import Report

EXPORTS, LAB = "exports", "restorecheck-lab"
CHECK = "exports"

Write = dict[str, Any]


def put(key: str, body: bytes | str = "x", days: float = 2, **more: Any) -> Write:
    """Return a write so many days ago."""
    content = body.encode() if isinstance(body, str) else body
    return {"key": key, "base64": base64.b64encode(content).decode(), "at": ago(days=days), **more}


def gone(key: str, days: float) -> Write:
    """Return a delete so many days ago: it leaves a marker."""
    return {"key": key, "delete": True, "at": ago(days=days)}


def asks(name: str, sql: str, **expect: object) -> dict[str, object]:
    """Return a question to the objects."""
    return {"name": name, "sql": sql, "expect": expect}


def counted(number: int) -> dict[str, object]:
    """Return the question how many objects there are."""
    return asks("count", "select count(*) from objects", equals=number)


KEYS = "select key from objects"
ORDERS: dict[str, object] = {
    "name": "orders",
    "sql": "select count(*) from orders",
    "files": {"orders": "orders/*.parquet"},
    "expect": {"at_least": 100},
}


class Lab:
    """restorecheck with one check of the bucket `exports`, and those who own the buckets on either side."""

    def __init__(self, product: Product, *writes: Mapping[str, Any]) -> None:
        self.product, self.world = product, product.world
        self.s3: Any = self.world.bucket(EXPORTS)
        self.world.readable(EXPORTS)
        self.scratch: Any = self.world.bucket(LAB, SCRATCH, versioning="")
        product.configure(bucket=LAB)
        self.wrote(*writes)

    def wrote(self, *writes: Mapping[str, Any]) -> list[str]:
        return self.world.aws.history(SOURCE, EXPORTS, writes) if writes else []

    def put(self, key: str, body: bytes = b"x", days: float = 2, **more: Any) -> None:
        """Write as a client does, with encryption perhaps, so many days ago."""
        version = str(self.s3.put_object(Bucket=EXPORTS, Key=key, Body=body, **more)["VersionId"])
        self.world.aws.backdate(SOURCE, EXPORTS, key, version, ago(days=days))

    def declare(self, *asserts: Mapping[str, object], **source: object) -> None:
        self.product.declare(CHECK, {"type": "s3-objects", "bucket": EXPORTS} | source, asserts, rpo="400d")

    def ran(self, *asserts: Mapping[str, object], **source: object) -> Report:
        """Run the check once, without a memory."""
        self.declare(*asserts, **source)
        return self.product.verify(CHECK)

    def followed(self, *later: Sequence[Write]) -> Report:
        """Run the declared check, and once more after each of these writes; return what the last run says.

        All before it must be in order.
        """
        report = remembered(self.product, CHECK)
        for writes in later:
            learning = report.failure is None or report.failure.kind == "learning"
            assert learning, f"the run before was not in order: {report.failure}"
            self.wrote(*writes)
            report = remembered(self.product, CHECK)
        return report


def two_volumes() -> list[Write]:
    return [put(f"{volume}/{n:02}", f"{volume} {n}") for volume in ("data", "media") for n in range(20)]


@cache
def parquet(rows: int) -> bytes:
    try:
        import duckdb  # noqa: PLC0415 - belongs to an extra
    except ImportError:
        need(condition=False, reason="DuckDB is not installed")
        raise
    with tempfile.TemporaryDirectory(prefix="restorecheck-parquet-") as name, duckdb.connect() as connection:
        path = Path(name) / "orders.parquet"
        connection.execute(
            f"copy (select i as id, i * 2 as total from range({rows}) t(i)) to '{path}' (format parquet)"
        )
        return path.read_bytes()
