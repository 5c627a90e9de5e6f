"""What `plan` and `show` say of each kind of source: what would be restored, what it costs, how far a proof goes."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from rich.console import Console
from workflow.scripted import NOW, POINT, RUN, check

from restorecheck.cli import holding, human, planning, proofs
from restorecheck.config import Prices
from restorecheck.fence import PlannedCall
from restorecheck.model import (
    Assertion,
    AuroraSource,
    Expectation,
    Failure,
    Finding,
    Outcome,
    Placement,
    Plan,
    Portion,
    Report,
    S3DumpSource,
    S3ObjectsSource,
    SnapshotKind,
    Verdict,
)

SOURCE, SCRATCH, REGION = "111111111111", "222222222222", "eu-central-1"
CLUSTER = check(
    source=AuroraSource(SOURCE, REGION, "shop"),
    placement=Placement(SCRATCH, REGION, "rc", ("sg-1",), "key", "db.serverless", capacity=(0.5, 4.0)),
    assertions=(
        Assertion("a", "select 1", Expectation(no_rows=True), database="shop"),
        Assertion("b", "select 1", Expectation(no_rows=True), database="crm"),
    ),
)
OBJECTS = check(
    source=S3ObjectsSource(SOURCE, REGION, "exports", "daily/", restore=Portion(share=0.01)),
    placement=Placement(SCRATCH, REGION, bucket="restorecheck-lab"),
)
DUMP = check(source=S3DumpSource(SOURCE, REGION, "dumps", "x", "crm"), placement=Placement(SCRATCH, REGION))

VERSIONS = replace(
    POINT,
    id="s3://exports/daily/@2026-11-21T02:00:00Z",
    kind=SnapshotKind.VERSIONS,
    engine="s3",
    engine_version="",
    objects=120_000,
    bytes=310 * 2**30,
    picked=1_200,
    picked_bytes=3 * 2**30,
    remarks=("41 objects were uploaded in parts",),
)
DUMPED = replace(
    POINT,
    id="s3://dumps/x?versionId=1",
    kind=SnapshotKind.DUMP,
    engine="postgres",
    engine_version="",
    objects=1,
    bytes=5 * 2**20,
)


def call(operation: str, service: str = "rds", **params: object) -> PlannedCall:
    return PlannedCall(SCRATCH, REGION, service, operation, params)


def said(declared, point, calls=(), prices=None, capsys=None) -> str:
    made = Plan(RUN, declared, NOW)
    held = holding.held(made, point, calls, prices, timedelta(hours=1))
    planning._print(made, point, list(calls), held)
    return capsys.readouterr().out


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "0.977 KiB"),
        (1536, "1.5 KiB"),
        (310 * 2**30, "310 GiB"),
        (5000 * 2**50, "5e+03 PiB"),
    ],
)
def test_sizes_are_for_people(count: int, text: str):
    assert human.size(count) == text


def test_a_plan_of_an_instance(capsys):
    text = said(
        check(), replace(POINT, size_gib=20), [call("CopyDBSnapshot", TargetDBSnapshotIdentifier="x")], None, capsys
    )
    assert "orders-db: would restore rds:orders-2026-11-21 (automated, 1 h old, postgres 18.6, 20 GiB)" in text
    assert "in account 222222222222, eu-central-1, db.t4g.micro, subnet group rc" in text
    assert "and ask 1 question of database orders" in text
    assert "one db.t4g.micro with 20 GiB (billed by the second, ten minutes at least), 1 snapshot copy of up" in text
    assert "rds:CopyDBSnapshot" in text
    assert "nothing was written" in text


def test_provisioned_iops_are_said_not_to_be_priced(capsys):
    text = said(check(), replace(POINT, storage_type="io1", iops=3000), (), None, capsys)
    assert "an unknown amount of storage and 3000 provisioned IOPS" in text
    assert "(not priced: provisioned IOPS)" in text


def test_a_plan_of_a_cluster_says_that_its_storage_is_not_priced(capsys):
    prices = Prices("USD", None, None, {"db.serverless": Decimal("0.12")})
    text = said(CLUSTER, replace(POINT, size_gib=7), (), prices, capsys)
    assert "db.serverless of 0.5 to 4 ACU" in text
    assert "and ask 2 questions of databases crm, shop" in text
    assert "one db.serverless (billed by the second, ten minutes at least), no snapshot copy:" in text
    assert "about 0.48 USD an hour" in text  # 4 ACU
    assert "(not priced: storage and I/O of the cluster)" in text


def test_what_a_cluster_costs_for_a_program():
    made = Plan(RUN, CLUSTER, NOW)
    copies = [call("CopyDBClusterSnapshot"), call("RestoreDBClusterFromSnapshot")]
    cost = holding.plain(holding.held(made, replace(POINT, size_gib=7), copies, None, timedelta(hours=2)))
    assert (cost["storage_gib"], cost["copies"], cost["copy_gib"], cost["hours"]) == (0, 1, 7, "2.000000")
    assert cost["unpriced"] == ['prices.instance_hour."db.serverless"', "prices.snapshot_gib_month"]
    assert cost["not_counted"] == ["storage and I/O of the cluster"]
    assert cost["total"] is None
    without = Prices("USD", None, None, {})
    unknown = holding.plain(holding.held(made, POINT, [], without, timedelta(hours=2)))
    assert unknown["unpriced"] == ['prices.instance_hour."db.serverless"']


def test_a_cluster_whose_checks_name_no_database(capsys):
    assert "and ask 0 questions of no database by name" in said(
        replace(CLUSTER, assertions=()), POINT, (), None, capsys
    )


def test_a_plan_of_objects_counts_them_and_prices_nothing(capsys):
    put = call("PutObject", "s3", Bucket="restorecheck-lab", Key="restorecheck-x/.restorecheck-lease", Body="(bytes)")
    text = said(OBJECTS, VERSIONS, [put], Prices("USD"), capsys)
    assert "would restore 1,200 of 120,000 objects (3 GiB of 310 GiB)," in text
    assert "as they were at 2026-11-21 02:00 UTC in s3://exports/daily/@2026-11-21T02:00:00Z" in text
    assert f"to s3://restorecheck-lab/restorecheck-{RUN}/ in account {SCRATCH}" in text
    assert "note: 41 objects were uploaded in parts" in text
    assert "s3:PutObject" in text
    assert "restorecheck-lab/restorecheck-x/.restorecheck-lease" in text
    assert "requests to S3" in text
    assert holding.held(Plan(RUN, OBJECTS, NOW), VERSIONS, [put], Prices("USD"), timedelta(hours=1)) is None


def test_a_plan_of_a_dump_says_where_it_is_restored(capsys):
    text = said(DUMP, DUMPED, (), None, capsys)
    assert "would restore s3://dumps/x?versionId=1 (dump, 1 h old, postgres, 1 object, 5 MiB)" in text
    assert "into a server that is started on this machine" in text
    assert "and ask 1 question of database crm" in text
    elsewhere = replace(DUMP, source=replace(DUMP.source, server="postgresql://me@db/postgres"))
    assert "into postgresql://me@db/postgres restorecheck-" in said(elsewhere, DUMPED, (), None, capsys)


# --- proofs -----------------------------------------------------------------------------------------------------

AT = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
SEEN = Finding("objects", Outcome.PASS, "1,200 objects", "1,200 objects", by="source")
ASKED = Finding("orders-present", Outcome.PASS, "at least 1", "2")
REPORT = Report(
    RUN,
    "exports",
    Verdict.PASSED,
    AT,
    AT,
    point=VERSIONS,
    findings=(ASKED, SEEN),
    proven=("1,200 of 120,000 objects were compared", "no byte of the others was read"),
)


def shown(report: Report) -> str:
    console = Console(width=118, record=True, quiet=False, file=None)
    with console.capture() as captured:
        proofs.show(console, report)
    return captured.get()


def test_a_proof_that_shows_nothing_says_so():
    failure = Failure("quota", "restore", "no instance more", "raise it")
    text = shown(replace(REPORT, verdict=Verdict.UNPROVEN, failure=failure, proven=()))
    assert "proven          nothing" in text
    assert "proven          1,200 of 120,000" in shown(REPORT)


def test_a_proof_tells_how_far_it_goes_and_what_was_seen_unasked_apart_from_what_was_asked():
    text = shown(REPORT)
    assert "1,200 of 120,000 objects (3 GiB of 310 GiB)" in text
    assert "                41 objects were uploaded in parts" in text
    assert "proven          1,200 of 120,000 objects were compared" in text
    assert "                no byte of the others was read" in text
    asked, unasked = text.index("assertion "), text.index("seen unasked")
    assert asked < text.index("orders-present") < unasked < text.rindex("objects ")


def test_a_proof_of_a_dump_and_of_a_snapshot():
    text = shown(replace(REPORT, point=DUMPED, findings=(ASKED,), proven=()))
    assert "postgres, 1 object, 5 MiB" in text
    assert "seen unasked" not in text
    assert "proven" not in text
    assert "postgres 18.6, 20 GiB" in shown(replace(REPORT, point=replace(POINT, size_gib=20)))
    whole = replace(VERSIONS, picked=VERSIONS.objects, picked_bytes=VERSIONS.bytes)
    assert "120,000 objects (310 GiB)" in shown(replace(REPORT, point=whole))
    assert "recovery point" not in shown(replace(REPORT, point=None))


def test_only_green_runs_say_what_they_prove(capsys):
    console = Console(width=118)
    proofs.proven(console, [REPORT, replace(REPORT, verdict=Verdict.BROKEN), replace(REPORT, proven=())])
    text = capsys.readouterr().out
    assert text.count("exports: proven:") == 1
    assert "  no byte of the others was read" in text
