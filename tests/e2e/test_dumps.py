"""Database dumps from a bucket to a verdict and back to nothing, on the demo AWS and this machine's PostgreSQL."""

from __future__ import annotations

import base64
import glob
import hashlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from demo_world import SOURCE, World, until
from dump_forms import Forms, forms
from postgres_server import embedded
from product import Product, Ran, processes_of

from restorecheck.model import Report, RunState, SnapshotKind, Verdict

NIGHTLY = "nightly-dumps"
CANARY = "@example.org"
ROWS: dict[str, object] = {"name": "rows", "sql": "select count(*) from orders", "expect": {"equals": 3000}}
END = b"-- PostgreSQL database dump complete"


def ago(**delta: float) -> datetime:
    """A time of whole seconds before now: S3 keeps no fractions."""
    return (datetime.now(UTC) - timedelta(**delta)).replace(microsecond=0)


@pytest.fixture(scope="module")
def dumped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forms]:
    """Dumps of the database `shop`, whose tables belong in part to the role `app`."""
    yield from forms(embedded(), tmp_path_factory.mktemp("dumps"))


@dataclass
class Nights:
    """restorecheck with one check of the bucket of dumps, and who writes that bucket."""

    product: Product
    s3: Any
    dumped: Forms

    @property
    def world(self) -> World:
        return self.product.world

    @property
    def custom(self) -> bytes:
        return self.dumped["custom-gzip"].read_bytes()

    @property
    def script(self) -> bytes:
        return self.dumped["plain"].read_bytes()

    def wrote(self, files: Mapping[str, bytes], hours: float = 5) -> list[str]:
        """Write objects so many hours ago, and return their versions."""
        at = ago(hours=hours)
        writes = [{"key": k, "base64": base64.b64encode(b).decode(), "at": at} for k, b in files.items()]
        return self.world.aws.history(SOURCE, NIGHTLY, writes)

    def declare(self, *asserts: Mapping[str, object], **more: object) -> None:
        source = {"type": "s3-dump", "bucket": NIGHTLY, "object": "shop/*", "database": "shop", "roles": ["app"]} | more
        self.product.declare("shop-dump", source, asserts or (ROWS,))

    def verify(self, **source: object) -> Report:
        self.declare(**source)
        report = self.product.verify("shop-dump")
        assert report.leaked == ()
        return report

    def servers(self) -> list[str]:
        """The database processes that work below this product's directory."""
        return [told for told in processes_of(self.product.work).values() if "postgres" in told]

    def data(self) -> list[Path]:
        """The data directories of servers that are there."""
        # not pathlib's: this one bears with directories that go while it looks
        return [Path(found) for found in glob.glob(f"{self.product.work}/*/*/*/data/PG_VERSION")]


@pytest.fixture
def nights(world: World, tmp_path: Path, dumped: Forms) -> Iterator[Nights]:
    # pytest's own directories let nobody in, and under root a server that is started is somebody else
    work = Path(tempfile.mkdtemp(prefix="restorecheck-e2e-", dir="/tmp"))
    work.chmod(0o711)
    made = Product(world, tmp_path, top={"workplace": str(work)})
    made.configure()
    yield Nights(made, world.bucket(NIGHTLY), dumped)
    shutil.rmtree(work)


def kind(report: Report) -> str:
    return report.failure.kind if report.failure else ""


def told(report: Report) -> str:
    assert report.failure is not None
    return f"{report.failure.message} ({report.failure.hint})"


def passed(report: Report) -> bool:
    assert (report.verdict, kind(report)) == (Verdict.PASSED, ""), report
    return True


def outcome(report: Report) -> tuple[Verdict, str]:
    return report.verdict, kind(report)


# --- every form ----------------------------------------------------------------------------------------------------


def test_an_archive_is_restored_asked_and_leaves_nothing(nights: Nights):
    nights.wrote({"shop/1.dump": nights.custom})
    nights.world.aws.clear_calls()
    report = nights.verify()
    assert passed(report)
    assert report.point is not None
    assert (report.point.kind, report.point.objects) == (SnapshotKind.DUMP, 1)
    found = {f.name: f.outcome.value for f in report.findings}
    assert set(found) >= {"rows", "dump-size", "dump-checksum", "dump-database", "dump-restored", "dump-complete"}
    calls = [c for c in nights.world.aws.calls() if c["service"] in {"s3", "rds"} and c["role"] != "administrator"]
    assert {c["account"] for c in calls} == {SOURCE}
    assert all(c["operation"].startswith(("Get", "Head", "List", "Describe")) for c in calls)


@pytest.mark.long
def test_a_directory_is_restored(nights: Nights):
    files = {f"shop/1/{p.name}": p.read_bytes() for p in nights.dumped["directory-gzip"].iterdir()}
    nights.wrote(files)
    assert passed(nights.verify(form="directory", object="shop/*/toc.dat"))


@pytest.mark.long
def test_parts_are_put_together_and_a_gap_is_damage(nights: Nights):
    whole, third = nights.custom, len(nights.custom) // 3 + 1
    parts = {f"shop/1.dump.a{c}": whole[n * third : (n + 1) * third] for n, c in enumerate("abc")}
    nights.wrote(parts)
    asked: dict[str, object] = {"form": "parts", "object": "shop/*.dump.*"}
    assert passed(nights.verify(**asked))
    nights.s3.delete_object(Bucket=NIGHTLY, Key="shop/1.dump.ab")
    report = nights.verify(**asked)
    assert outcome(report) == (Verdict.BROKEN, "dump-damaged")
    assert "a part is missing" in told(report)


@pytest.mark.long
def test_a_compressed_script_that_is_encrypted_goes_through_its_command(nights: Nights, tmp_path: Path):
    program = tmp_path / "unlock.py"
    program.write_text("import sys; sys.stdout.buffer.write(bytes(b ^ 0x5A for b in sys.stdin.buffer.read()))\n")
    packed = nights.dumped["plain-gz"].read_bytes()
    nights.wrote({"shop/1.sql.gz.sealed": bytes(b ^ 0x5A for b in packed)})
    assert passed(nights.verify(decrypt=[sys.executable, str(program)]))
    report = nights.verify(decrypt=[sys.executable, str(tmp_path / "not-there.py")])
    assert report.verdict is Verdict.UNPROVEN
    assert "unlock" not in told(report)


# --- damage --------------------------------------------------------------------------------------------------------


@pytest.mark.long
def test_a_checksum_beside_the_dump_counts(nights: Nights):
    right = f"{hashlib.sha256(nights.custom).hexdigest()}  1.dump\n".encode()
    nights.wrote({"shop/1.dump": nights.custom, "shop/1.dump.sha256": right})
    asked: dict[str, object] = {"checksum": ".sha256", "object": "shop/*.dump"}
    report = nights.verify(**asked)
    assert passed(report)
    assert "sha" in "\n".join(report.proven).lower()
    nights.wrote({"shop/1.dump.sha256": f"{'0' * 64}  1.dump\n".encode()}, hours=4)
    report = nights.verify(**asked)
    assert outcome(report) == (Verdict.BROKEN, "object-damaged")
    nights.s3.delete_object(Bucket=NIGHTLY, Key="shop/1.dump.sha256")
    assert nights.verify(**asked).verdict is Verdict.UNPROVEN


@pytest.mark.parametrize("share", [0.9, *(pytest.param(share, marks=pytest.mark.long) for share in (0.01, 0))])
def test_a_newest_dump_that_is_cut_off_is_the_finding_and_the_one_before_is_named(nights: Nights, share: float):
    nights.wrote({"shop/1.dump": nights.custom}, hours=29)
    nights.wrote({"shop/2.dump": nights.custom[: int(len(nights.custom) * share)]})
    report = nights.verify()
    assert outcome(report) == (Verdict.BROKEN, "dump-damaged")
    assert "shop/2.dump" in told(report) + str(report.point)
    assert "shop/1.dump" in told(report) + "\n".join(report.proven), report


@pytest.mark.long
@pytest.mark.parametrize("form", ["plain", "custom"])
def test_rotten_bytes_are_never_green(nights: Nights, form: str):
    body = nights.custom if form == "custom" else nights.script
    [version] = nights.wrote({"shop/1": body})
    place = body.index(CANARY.encode()) if form == "plain" else len(body) // 2
    nights.world.aws.rot(SOURCE, NIGHTLY, "shop/1", version, offset=place, length=1)
    assert outcome(nights.verify()) == (Verdict.BROKEN, "object-damaged")


@pytest.mark.long
def test_the_dump_of_another_database_is_not_this_one_s_backup(nights: Nights):
    nights.wrote({"shop/1.dump": nights.custom})
    report = nights.verify(database="ledger")
    assert outcome(report) == (Verdict.BROKEN, "wrong-database")
    assert "'shop'" in told(report)


# --- what this machine lacks ---------------------------------------------------------------------------------------


@pytest.mark.long
def test_a_role_that_nobody_declared_is_unproven_and_named(nights: Nights):
    nights.wrote({"shop/1.dump": nights.custom})
    report = nights.verify(roles=[])
    assert outcome(report) == (Verdict.UNPROVEN, "environment")
    assert "app" in told(report)
    assert "roles" in told(report)


@pytest.mark.parametrize("form", ["custom", pytest.param("plain", marks=pytest.mark.long)])
def test_a_dump_of_a_newer_server_is_unproven(nights: Nights, form: str):
    if form == "plain":
        body = re.sub(rb"(Dumped (from database|by pg_dump) version )\d+", rb"\g<1>99", nights.script)
    else:
        head, rest = nights.custom[:400], nights.custom[400:]
        body = re.sub(rb"18(\.\d+)", rb"99\1", head) + rest
    assert body not in {nights.custom, nights.script}
    nights.wrote({"shop/1": body})
    report = nights.verify()
    assert outcome(report) == (Verdict.UNPROVEN, "environment")
    assert "99" in told(report)


# --- killed, cancelled ---------------------------------------------------------------------------------------------


def slow(nights: Nights, seconds: int) -> None:
    """Write a script whose restore takes so many seconds longer."""
    nights.wrote({"shop/1.sql": nights.script.replace(END, b"SELECT pg_sleep(%d);\n\n%s" % (seconds, END))})


@contextmanager
def restoring(nights: Nights) -> Iterator[subprocess.Popen[str]]:
    """Run the check in a process until its server is there; it is killed at the end if it still runs."""
    process = nights.product.popen("run", "shop-dump", "--json")
    try:
        until(lambda: (nights.servers() and nights.data()) or process.poll() is not None, 60)
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.long
def test_killed_during_the_restore_no_server_stays_and_the_next_run_takes_it_up(nights: Nights):
    slow(nights, 4)
    nights.declare()
    before = nights.product.estate()
    with restoring(nights) as process:
        process.send_signal(signal.SIGKILL)
        assert process.wait(20) == -signal.SIGKILL
    until(lambda: not nights.servers() and not nights.data(), 60)
    until(lambda: not processes_of(nights.product.work), 60)
    again = nights.product.popen("run", "shop-dump", "--json")
    out, err = again.communicate(timeout=120)
    ran = Ran(again.returncode, out, err)
    assert (ran.code, ran.report["verdict"], ran.report["leaked"]) == (0, "passed", []), ran
    nights.product.compare(before, left=False, told=out)
    assert len(nights.product.run("history", "--json").json["reports"]) == 1


@pytest.mark.long
def test_a_service_that_is_killed_leaves_no_server_and_its_successor_ends_the_run(nights: Nights):
    slow(nights, 4)
    nights.declare()
    before = nights.product.estate()
    with nights.product.serving() as service, nights.product.store() as store:
        until(lambda: service.ask("/-/ready")[0] == 200)
        asked = nights.product.popen("run", "shop-dump", "--detach")
        out, err = asked.communicate(timeout=60)
        assert asked.returncode == 0, err
        run = out.strip()
        until(nights.servers, 60)
        service.kill()
        until(lambda: not nights.servers() and not nights.data(), 60)

        def ended() -> bool:
            entry = store.ledger.entry(run)
            return entry is not None and entry.state is RunState.ENDED

        with nights.product.serving() as successor:
            until(ended, 90)
            assert store.proofs.run(run).verdict is Verdict.PASSED
            assert successor.end() == 0
    nights.product.compare(before, left=False, told=run)


@pytest.mark.long
def test_an_interrupt_during_the_restore_tears_down(nights: Nights):
    slow(nights, 60)
    nights.declare()
    before = nights.product.estate()
    with restoring(nights) as process:
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=90)
    ran = Ran(process.returncode, out, err)
    assert (ran.code, ran.report["failure"]["kind"], ran.report["leaked"]) == (3, "cancelled", []), ran
    nights.product.compare(before, left=False, told=out)


# --- what is told --------------------------------------------------------------------------------------------------


@pytest.mark.long
def test_no_row_of_a_dump_is_in_anything_that_is_kept_or_said(nights: Nights):
    damaged = nights.script.replace(b"\t299\tName299", b"\tnot-a-number\tName299", 1)
    assert damaged != nights.script
    nights.wrote({"shop/1.sql": damaged})
    emails = {"name": "emails", "sql": "select email from users where id < 4", "expect": {"no_rows": True}}
    cast = {"name": "cast", "sql": "select max(email)::int from users", "expect": {"at_least": 1}}
    nights.declare(ROWS, emails, cast)
    ran = nights.product.run("run", "shop-dump", "--json")
    assert ran.code in {1, 3}
    shown = nights.product.run("show", ran.report["run_id"])
    kept = [p for p in (nights.product.home / "state").rglob("*") if p.is_file() and p.name != "service.key"]
    for text in [ran.out, ran.err, shown.out, *(p.read_bytes().decode("latin-1") for p in kept)]:
        assert CANARY not in text
        assert "not-a-number" not in text
    assert ran.report["verdict"] == "broken", ran.report["failure"]


@pytest.mark.long
def test_an_operator_is_not_given_an_older_dump_for_a_newer_that_was_deleted(nights: Nights):
    nights.wrote({"shop/1.dump": nights.custom}, hours=10)
    nights.wrote({"shop/2.dump": nights.custom}, hours=5)
    nights.s3.delete_object(Bucket=NIGHTLY, Key="shop/2.dump")
    report = nights.verify()
    assert passed(report)
    assert "shop/2.dump" in "\n".join(report.proven)
    assert "had been deleted" in "\n".join(report.proven)
