"""The buckets of the demo: uploads of students that somebody cleared away this morning, and two nightly dumps.

Built with plain boto3 and pg_dump, as anybody would. Knows nothing of restorecheck's code.
"""

from __future__ import annotations

import gzip
import json
import subprocess
from datetime import UTC, datetime, timedelta
from typing import Any

from restorecheck.demo.aws.process import DemoAws
from restorecheck.demo.declared import UPLOADS

UPLOADED, DUMPED, SCRATCH = "courses-uploads", "nightly-dumps", "restorecheck-lab"

WIKI = """
create table page (id int primary key, title text not null, body text not null);
insert into page select g, 'page ' || g, repeat(md5(g::text), 20) from generate_series(1, 4000) g;
"""
FORUM = """
create table post (id int primary key, author text not null, body text not null);
insert into post select g, 'student ' || g % 97, repeat(md5(g::text), 8) from generate_series(1, 4000) g;
"""


class Buckets:
    """The buckets of the production account, and the empty one of the lab."""

    def __init__(self, aws: DemoAws, production: str, lab: str, reader: str) -> None:
        """`reader` is the ARN of the scratch role, which the bucket of uploads lets read."""
        self._aws, self._production, self._lab, self._reader = aws, production, lab, reader
        self._s3 = aws.client("s3", production)

    def build(self) -> None:
        """Make the buckets and what is in them but the dumps."""
        for bucket in (UPLOADED, DUMPED):
            self._made(self._s3, bucket)
            self._s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        self._made(self._aws.client("s3", self._lab), SCRATCH)
        self._s3.put_bucket_policy(Bucket=UPLOADED, Policy=json.dumps(self._policy()))
        self._upload()

    @staticmethod
    def _made(s3: Any, bucket: str) -> None:
        s3.create_bucket(Bucket=bucket)

    def _policy(self) -> dict[str, Any]:
        reads = ["s3:GetObjectVersion", "s3:GetObject"]
        arn = f"arn:aws:s3:::{UPLOADED}"
        statement = {"Effect": "Allow", "Principal": {"AWS": self._reader}, "Action": reads, "Resource": f"{arn}/*"}
        return {"Version": "2012-10-17", "Statement": [statement]}

    def _upload(self) -> None:
        """Write what was there two days ago; this morning a script removed most of it and spoiled the rest."""
        now = datetime.now(UTC).replace(microsecond=0)
        then, morning = (now - timedelta(days=2)).isoformat(), (now - timedelta(hours=1)).isoformat()
        keys = [f"uploads/essays/{n:04}.txt" for n in range(UPLOADS - 2)]
        grades = [f"uploads/grades/{term}.csv" for term in ("autumn", "spring")]
        rows = "".join(f"{n},{n % 101}\n" for n in range(500))
        writes: list[dict[str, Any]] = [{"key": key, "body": f"essay {key}\n" * 40, "at": then} for key in keys]
        writes += [{"key": key, "body": f"student,score\n{rows}", "at": then} for key in grades]
        writes += [{"key": key, "delete": True, "at": morning} for key in keys[:200]]
        writes += [{"key": key, "body": "", "at": morning} for key in grades]
        self._aws.history(self._production, UPLOADED, writes)

    def dump(self, server: dict[str, Any], bin_directory: str) -> None:
        """Dump both databases of a server, as a nightly job does; of the wiki's dump the end never arrived."""
        forum = self._dumped(server, bin_directory, "forum", "custom")
        self._s3.put_object(Bucket=DUMPED, Key="forum/2026-11-21.dump", Body=forum)
        wiki = gzip.compress(self._dumped(server, bin_directory, "wiki", "plain"))
        self._s3.put_object(Bucket=DUMPED, Key="wiki/2026-11-20.sql.gz", Body=wiki)
        self._s3.put_object(Bucket=DUMPED, Key="wiki/2026-11-21.sql.gz", Body=wiki[: len(wiki) * 9 // 10])

    @staticmethod
    def _dumped(server: dict[str, Any], bin_directory: str, database: str, form: str) -> bytes:
        return subprocess.run(
            [f"{bin_directory}/pg_dump", "--format", form, "--dbname", database],
            env={"PGHOST": server["host"], "PGPORT": str(server["port"]), "PGUSER": server["user"]}
            | {"PGPASSWORD": server["password"], "LC_ALL": "C"},
            capture_output=True,
            check=True,
        ).stdout
