"""What AWS can answer, and what every answer means: verdict, failure kind, and that nothing is left."""

import pytest
from demo_world import SCRATCH, SOURCE
from postgres_damage import heap_of
from product import Product

from restorecheck.failures import AWS_ERRORS, INSTANCE_STATUSES, KINDS
from restorecheck.model import Report, Verdict

RESTORE = "RestoreDBInstanceFromDBSnapshot"
COPY_IN, COPY_OUT = {"account": SCRATCH}, {"account": SOURCE}

# Of every error that the API model names for each call; see tests/unit/test_failures.py for their completeness.
FEW = [
    (RESTORE, {}, "InstanceQuotaExceeded"),
    pytest.param(RESTORE, {}, "InvalidParameterCombination", marks=pytest.mark.long),
    ("CopyDBSnapshot", COPY_IN, "KMSKeyNotAccessibleFault"),
    pytest.param("CopyDBSnapshot", COPY_OUT, "SnapshotQuotaExceeded", marks=pytest.mark.long),
    ("ModifyDBSnapshotAttribute", {}, "AccessDenied"),
    pytest.param("DescribeDBSnapshots", {"role": "restorecheck-source"}, "AccessDenied", marks=pytest.mark.long),
    (RESTORE, {}, "SomethingNobodyEverHeardOf"),
]
MANY = [
    (operation, where, code)
    for operation, where in ((RESTORE, {}), ("CopyDBSnapshot", COPY_IN), ("CopyDBSnapshot", COPY_OUT))
    for code in sorted(AWS_ERRORS)
    if KINDS[AWS_ERRORS[code]].verdict is Verdict.UNPROVEN
    and code
    not in {"DBInstanceAlreadyExists", "DBSnapshotAlreadyExists"}  # these are adopted, or refused, by their tags
    and AWS_ERRORS[code] not in {"throttled", "aws-unavailable", "capacity"}  # these are tried again, see below
    and code != "DBSnapshotNotFound"
]


def expected(code: str) -> str:
    return AWS_ERRORS.get(code, "unknown-answer")


def refused(product: Product, operation: str, where: dict[str, str], code: str) -> Report:
    product.world.aws.automated_snapshot(SOURCE, "shop")
    product.world.aws.fault(operation, code=code, times=None, **where)
    return product.verify()


@pytest.mark.parametrize(("operation", "where", "code"), FEW)
def test_an_error_of_a_call_is_what_the_table_says(product: Product, operation: str, where: dict[str, str], code: str):
    report = refused(product, operation, where, code)
    assert (report.verdict, report.failure.kind) == (Verdict.UNPROVEN, expected(code))
    assert code in report.failure.message
    assert report.leaked == ()


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("operation", sorted({(o, tuple(w.items())) for o, w, _ in MANY}))
def test_every_error_of_the_table_on_every_write(product: Product, operation: tuple[str, tuple[tuple[str, str], ...]]):
    name, where = operation
    product.world.aws.automated_snapshot(SOURCE, "shop")
    for code in [c for o, w, c in MANY if (o, tuple(w.items())) == operation]:
        fault = product.world.aws.fault(name, code=code, times=None, **dict(where))
        report = product.verify()
        product.world.aws.clear_faults(fault)
        assert (report.verdict, report.failure.kind) == (Verdict.UNPROVEN, expected(code)), code
        assert report.leaked == (), code


STATUSES_FEW = [
    "incompatible-restore",
    *(pytest.param(one, marks=pytest.mark.long) for one in ("storage-full", "insufficient-capacity")),
]


def ends(product: Product, status: str) -> Report:
    product.world.aws.fault(RESTORE, instance_status=status)
    return product.verify()


@pytest.mark.parametrize("status", STATUSES_FEW)
def test_a_terminal_status_is_what_the_table_says_and_is_torn_down(product: Product, status: str):
    product.world.snapshot("shop", "weekly")
    report = ends(product, status)
    kind = INSTANCE_STATUSES[status]
    assert (report.verdict, report.failure.kind) == (KINDS[kind].verdict, kind)
    assert status in report.failure.message


@pytest.mark.long
@pytest.mark.timeout(600)
def test_every_terminal_status_of_the_table(product: Product):
    product.world.snapshot("shop", "weekly")
    for status, kind in INSTANCE_STATUSES.items():
        if status in {"deleting", "delete-precheck"}:
            continue  # told of an instance that somebody deletes, see below
        report = ends(product, status)
        assert (report.verdict, report.failure.kind) == (KINDS[kind].verdict, kind), status


@pytest.mark.long
def test_stuck_in_creating_is_given_up_at_the_limit(product: Product):
    product.limits["restore"] = "3s"
    product.configure()
    product.world.snapshot("shop", "weekly")
    report = ends(product, "creating")
    assert (report.verdict, report.failure.kind, report.failure.phase) == (Verdict.UNPROVEN, "deadline", "restore")
    assert "creating" in report.failure.message


@pytest.mark.long
@pytest.mark.parametrize("code", ["Throttling", "ServiceUnavailable", "InternalFailure"])
def test_weather_is_ridden_out(product: Product, code: str):
    product.world.snapshot("shop", "weekly")
    product.world.aws.fault("DescribeDBInstances", code=code, times=2)
    product.world.aws.fault(RESTORE, code=code, times=1)
    assert product.verify().verdict is Verdict.PASSED


@pytest.mark.parametrize(
    "operation",
    [
        RESTORE,
        pytest.param("DeleteDBInstance", marks=pytest.mark.long),
        pytest.param("CopyDBSnapshot", marks=pytest.mark.long),
        pytest.param("DeleteDBSnapshot", marks=pytest.mark.long),
    ],
)
def test_an_answer_that_got_lost_makes_nothing_twice(product: Product, operation: str):
    """The call was carried out, its answer was an error: the next try meets what the first made, or finds it gone."""
    product.world.aws.automated_snapshot(SOURCE, "shop")
    product.world.aws.fault(operation, code="InternalFailure", carried_out=True)
    report = product.verify()
    assert report.verdict is Verdict.PASSED
    assert report.leaked == ()


@pytest.mark.long
def test_an_instance_that_takes_no_connections_is_unproven(product: Product):
    product.limits["open"] = "4s"
    product.configure()
    product.world.snapshot("shop", "weekly")
    product.world.aws.fault(RESTORE, connection="refuse")
    report = product.verify()
    assert (report.verdict, report.failure.phase) == (Verdict.UNPROVEN, "open")
    assert report.failure.kind in {"deadline", "database-unreachable"}


@pytest.mark.long
def test_a_slow_boot_is_waited_for(product: Product):
    product.world.snapshot("shop", "weekly")
    product.world.aws.fault(RESTORE, slow_boot=2.0)
    report = product.verify()
    assert report.verdict is Verdict.PASSED
    assert report.restore_seconds > 2


# The question itself is a cursor: while it runs, the server shows the FETCH.
def slow_question(factor: int) -> dict[str, object]:
    product = f"orders a, orders b, generate_series(1, {factor}) c(id)"
    sql = f"select count(a.customer || b.customer || c.id) from {product}"
    return {"name": "slow", "sql": sql, "expect": {"at_least": 1}}


@pytest.mark.long
def test_a_session_ended_once_is_asked_again(product: Product):
    product.world.snapshot("shop", "weekly")
    product.check(asserts=[slow_question(5)])
    fault = product.world.aws.fault(kill_query="FETCH FORWARD", times=1, account=SCRATCH)
    report = product.verify()
    assert (report.verdict, report.failure) == (Verdict.PASSED, None)
    [struck] = [f["struck"] for f in product.world.aws.faults() if f["id"] == fault]
    assert struck == 1


@pytest.mark.parametrize(
    ("crash", "expected"), [(True, (Verdict.BROKEN, "connection-lost")), (False, (Verdict.UNPROVEN, "interfered"))]
)
def test_a_crash_that_comes_back_is_damage_and_an_administrator_who_comes_back_is_not(
    product: Product, crash: bool, expected: tuple[Verdict, str]
):
    product.world.snapshot("shop", "weekly")
    product.check(asserts=[slow_question(400)])  # long enough to be killed again after a recovery
    product.world.aws.fault(kill_query="FETCH FORWARD", times=None, account=SCRATCH, crash=crash)
    report = product.verify()
    assert (report.verdict, report.failure.kind) == expected


@pytest.mark.parametrize(
    "place",
    [
        ("DeleteDBInstance", {}),
        pytest.param(("DeleteDBSnapshot", COPY_IN), marks=pytest.mark.long),
        pytest.param(("DeleteDBSnapshot", COPY_OUT), marks=pytest.mark.long),
    ],
)
def test_what_may_not_be_deleted_is_leaked_and_reported(product: Product, place: tuple[str, dict[str, str]]):
    operation, where = place
    product.world.aws.automated_snapshot(SOURCE, "shop")
    product.world.aws.fault(operation, code="AccessDenied", times=None, **where)
    report = product.verify(left=True)
    assert report.verdict is Verdict.PASSED  # the backup is good; what is left is told beside it
    [left] = report.leaked
    assert left.arn.split(":")[4] == where.get("account", SCRATCH)


@pytest.mark.long
def test_nobody_may_look_for_leftovers_so_it_is_not_passed(product: Product):
    product.world.snapshot("shop", "weekly")
    product.world.aws.fault(
        "DescribeDBSnapshots", role="restorecheck-scratch", code="AccessDenied", times=None, after=6
    )
    report = product.verify(left=True)
    assert report.verdict is not Verdict.PASSED


@pytest.mark.long
def test_a_wrong_external_id_is_a_matter_of_credentials(product: Product):
    config = product.home / "config.toml"
    config.write_text(config.read_text().replace("restorecheck-demo", "another-id"))
    report = product.verify()
    assert (report.verdict, report.failure.kind) == (Verdict.UNPROVEN, "credentials")


@pytest.mark.long
def test_a_placement_that_is_not_there_is_no_fault_of_the_backup(product: Product):
    product.world.snapshot("shop", "weekly")
    product.configure(subnet_group="not-there")
    report = product.verify()
    assert (report.verdict, report.failure.kind) == (Verdict.UNPROVEN, "placement")


def test_a_damaged_table_is_damage_and_not_a_bad_question(product: Product):
    """Every heap page of the table gets its middle overwritten in the snapshot: checksums are on."""
    product.world.snapshot("shop", "weekly")
    directory = product.world.aws.snapshot_directory(SOURCE, "weekly")
    heap = heap_of(product.world, "shop", "orders", directory)
    with heap.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xde\xad\xbe\xef" * 16)
    product.check(asserts=[{"name": "read", "sql": "select count(customer) from orders", "expect": {"at_least": 1000}}])
    report = product.verify()
    assert (report.verdict, report.failure.kind) == (Verdict.BROKEN, "data-damaged")
