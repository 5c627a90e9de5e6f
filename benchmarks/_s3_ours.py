"""The product's side of `s3.py`, as a process of its own: reconstruct a bucket at a time, and read or copy all of it.

    _s3_ours.py read|copy URL BUCKET TIME OUT

`read` writes key → MD5 to OUT; credentials come from the environment.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import botocore.session

from restorecheck.fence.courier import Courier
from restorecheck.fence.decision import Permit
from restorecheck.fence.passage import Passage
from restorecheck.fence.table import Role
from restorecheck.model import ObjectVersion
from restorecheck.schedule import scratch_name
from restorecheck.sources.versions.history import Tally, current
from restorecheck.sources.versions.interface import Copy, Place, Read
from restorecheck.sources.versions.listing import entries

SOURCE, SCRATCH, RUN = "111111111111", "222222222222", "bench-20261121t0300z"


def main(how: str, url: str, bucket: str, at: str, out: str) -> int:
    now = datetime.now(UTC)
    permit = Permit(
        source_accounts=frozenset({SOURCE}),
        scratch_accounts=frozenset({SCRATCH}),
        source_account=SOURCE,
        scratch_account=SCRATCH,
        region="us-east-1",
        began=now,
        expires=now + timedelta(days=1),
        run_id=RUN,
        check="bench",
        bucket="target",
        source_bucket=bucket,
    )
    passage = Passage(botocore.session.Session(), Role.SCRATCH, SCRATCH, "us-east-1", endpoint_url=url)
    courier = Courier(passage, permit)

    def versions() -> Iterator[ObjectVersion]:
        return current(entries(courier.pages(bucket, SOURCE, "")), datetime.fromisoformat(at), Tally(now))

    failed = 0
    if how == "copy":
        prefix = scratch_name(RUN)
        jobs = (
            Copy(
                Place(bucket, v.key, SOURCE, v.version), Place("target", f"{prefix}/k/{v.key}", SCRATCH), v.size, v.etag
            )
            for v in versions()
        )
        for seen in courier.copy(jobs, 32):
            failed += seen.error is not None
        return 1 if failed else 0
    with Path(out).open("w") as file:  # written as it comes: a list of all would be memory of the benchmark's own
        file.write("{")
        comma = ""
        reads = (Read(Place(bucket, v.key, SOURCE, v.version), digests=frozenset({"md5"})) for v in versions())
        for seen in courier.read(reads, 32):
            failed += seen.error is not None
            file.write(f"{comma}{json.dumps(seen.place.key)}:{json.dumps(seen.digests.get('md5', ''))}")
            comma = ","
        file.write("}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
