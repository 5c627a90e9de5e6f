"""Whole configurations: the examples are right, and each wrong one says exactly what is expected of it."""

import difflib
import shutil
import subprocess
import sys
import tomllib
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import cache
from itertools import islice, product
from pathlib import Path

import jsonschema
import pytest

from restorecheck import config
from restorecheck.config import Programs, Service, State, loading, wording
from restorecheck.config.check_shape import CheckFile
from restorecheck.config.document import Document
from restorecheck.config.shape import ConfigFile
from restorecheck.config.source_shape import Source
from restorecheck.config.table import Shape, _inside
from restorecheck.errors import ConfigError, RestorecheckError
from restorecheck.model import (
    OBJECTIVES,
    OBSERVATIONS,
    Assertion,
    AuroraSource,
    Cell,
    Expectation,
    FileView,
    Limits,
    Placement,
    Portion,
    RdsSource,
    S3DumpSource,
    S3ObjectsSource,
    Samples,
    SnapshotKind,
)

ROOT = Path(__file__).parents[2]
BAD = Path(__file__).parent / "bad_config"
CASES = sorted(path.name for path in BAD.iterdir() if path.name != "base")

STRUCTURAL = {
    "account-ids",
    "bounds",
    "budget",
    "choices",
    "durations",
    "empty-files",
    "endpoint",
    "files",
    "keys",
    "missing-keys",
    "names",
    "placement",
    "placements-of-kinds",
    "prices",
    "prices-of-classes",
    "receivers",
    "receivers-of-kinds",
    "receivers-types",
    "regions",
    "roles",
    "service",
    "service-types",
    "baselines",
    "probes",
    "recorded",
    "source-keys",
    "source-values",
    "state-names-no-database",
    "state-not-escaped",
    "state-names-no-prefix",
    "state-not-postgresql",
    "unknown-keys",
    "wrong-types",
    "snapshots",
}  # fmt: skip
"""Cases that an editor with our JSON Schema shows, too: types, keys and patterns."""


@pytest.fixture
def base(tmp_path, monkeypatch):
    """A small configuration without problems, in the current directory."""
    shutil.copytree(BAD / "base", tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def problems(path: str = "config.toml") -> str:
    with pytest.raises(ConfigError) as caught:
        config.load(Path(path))
    assert caught.value.hint == "docs/configuration.md describes every key"
    return f"{caught.value}\n"


# --- what is right ----------------------------------------------------------------------------------------------


def test_the_examples_load():
    loaded = config.load(ROOT / "config.example.toml")

    assert [check.name for check in loaded.checks] == [
        "billing-db",
        "blog-dump",
        "catalog-db",
        "crm-dump",
        "documents-db",
        "exports",
        "ledger-db",
        "orders-db",
        "photos",
        "shop-cluster",
        "wiki-db",
    ]
    assert loaded.programs == Programs()
    assert loaded.state == State(ROOT / "state", None, ROOT / "state/service.key")
    assert loaded.service == Service()
    assert loaded.endpoint_url is None
    assert loaded.source_accounts[0].share_keys["eu-central-1"].startswith("arn:aws:kms:eu-central-1:111111111111:")
    scratch = loaded.scratch_accounts[0]
    assert (scratch.name, scratch.instances, scratch.regions) == ("lab", 5, ("eu-central-1",))


def test_a_check_is_resolved(base):
    (check,) = config.load(Path("config.toml")).checks

    assert check.source == RdsSource(
        account="111111111111", region="eu-central-1", instance="orders-prod", database="orders"
    )
    assert check.placement == Placement(
        account="222222222222",
        region="eu-central-1",
        subnet_group="restorecheck",
        security_groups=("sg-0123456789abcdef0",),
        key="arn:aws:kms:eu-central-1:222222222222:key/1234abcd-12ab-34cd-56ef-1234567890ab",
        instance_class="db.t4g.medium",
    )
    assert check.assertions == (
        Assertion("orders-present", "select count(*) from orders", Expectation(at_least=Cell("number", "1"))),
    )
    assert (check.limits, check.rpo, check.rto) == (Limits(), timedelta(hours=25), timedelta(hours=2))
    assert (check.schedule, check.timezone, check.restores, check.description, check.runbook) == (
        None,
        "UTC",
        False,
        "",
        "",
    )


def test_the_example_checks_show_what_can_be_said():
    loaded = config.load(ROOT / "config.example.toml")
    orders, billing, wiki = loaded.check("orders-db"), loaded.check("billing-db"), loaded.check("wiki-db")

    assert orders.assertions[1].expect == Expectation(at_most=Cell("duration", "900"), before="backup")
    assert orders.assertions[3].expect.members == (Cell("text", "CZ"), Cell("text", "DE"), Cell("text", "SK"))
    assert orders.assertions[2].sql.startswith("select line.id\n")
    assert billing.source.snapshots == (SnapshotKind.AUTOMATED, SnapshotKind.MANUAL, SnapshotKind.AWSBACKUP)
    assert (billing.placement.instance_class, billing.placement.parameter_group) == (
        "db.r6g.xlarge",
        "restorecheck-postgres16",
    )
    assert billing.limits == Limits(
        copy=timedelta(hours=8), restore=timedelta(hours=6), examine=timedelta(hours=3), run=timedelta(hours=15)
    )
    assert billing.assertions[2].database == "archive"
    assert billing.assertions[2].expect == Expectation(at_most=Cell("date", "2015-01-01"))
    assert (billing.catch_up, billing.jitter, orders.catch_up) == (False, timedelta(hours=2), True)
    assert orders.jitter == wiki.jitter == timedelta(minutes=15)
    assert (orders.paused_until, wiki.paused_until) == (None, datetime(2026, 1, 31, 23, tzinfo=UTC))
    assert (wiki.restores, wiki.assertions, wiki.schedule, wiki.rpo) == (True, (), "0 3 * * *", timedelta(hours=26))


def test_the_example_of_a_cluster():
    check = config.load(ROOT / "config.example.toml").check("shop-cluster")
    assert check.source == AuroraSource(
        account="111111111111",
        region="eu-central-1",
        cluster="shop-prod",
        share_key="arn:aws:kms:eu-central-1:111111111111:key/1234abcd-12ab-34cd-56ef-1234567890ab",
    )
    place = check.placement
    assert (place.instance_class, place.capacity) == ("db.serverless", (0.5, 4.0))
    assert (place.cluster_parameter_group, place.parameter_group) == ("restorecheck-aurora-postgresql16", None)
    assert (place.option_group, place.bucket, place.subnet_group) == (None, "", "restorecheck")
    assert [assertion.database for assertion in check.assertions] == ["shop", "customers", "shop", "customers"]


def test_the_example_of_objects():
    check = config.load(ROOT / "config.example.toml").check("exports")
    assert check.source == S3ObjectsSource(
        account="111111111111",
        region="eu-central-1",
        bucket="shop-exports",
        prefix="exports/",
        at=timedelta(hours=1),
        read=Portion(count=1000),
        most_objects=1_000_000,
        most_bytes=500 * 2**30,
    )
    sample = config.load(ROOT / "config.example.toml").check("photos").source
    assert (sample.restore, sample.read) == (Portion(share=0.01), Portion())
    assert check.placement == Placement("222222222222", "eu-central-1", bucket="restorecheck-lab-222222222222")
    assert [assertion.files for assertion in check.assertions] == [
        (),
        (FileView("fx", "fx/*.csv", (("day", "DATE"), ("currency", "VARCHAR"), ("rate", "DOUBLE"))),),
        (FileView("orders", "orders/*.parquet"), FileView("refunds", "refunds/**.jsonl.gz")),
    ]


def test_the_example_of_a_dump():
    check = config.load(ROOT / "config.example.toml").check("crm-dump")
    assert check.source == S3DumpSource(
        account="111111111111",
        region="eu-central-1",
        bucket="shop-dumps",
        object="crm/crm-*.dump.age",
        database="crm",
        checksum=".sha256",
        decrypt=("age", "-d", "-i", "/etc/restorecheck/age.key"),
        jobs=4,
        roles=("crm_owner", "crm_reader"),
        most_bytes=200_000_000_000,
    )
    assert check.placement == Placement("222222222222", "eu-central-1")  # nothing of AWS but an account


def source_of(base: Path, text: str, **more: str) -> config.Config:
    """Load the configuration with another source, and no question unless `asserts` says one."""
    (base / "checks/orders-db.toml").write_text(
        f'[check]\nname = "orders-db"\nrpo = "25h"\nrto = "2h"\nrestores = true\n'
        f'[source]\naccount = "production"\nregion = "eu-central-1"\n{text}\n{more.get("after", "")}'
    )
    return config.load(Path("config.toml"))


def test_what_a_source_in_s3_leaves_out_is_as_the_model_says(base):
    with (base / "config.toml").open("a") as file:
        file.write('bucket = "restorecheck-lab"\n')
    place = {"account": "111111111111", "region": "eu-central-1", "bucket": "shop-backups"}
    (check,) = source_of(base, 'type = "s3-objects"\nbucket = "shop-backups"\nat = "now"').checks
    assert check.source == S3ObjectsSource(**place)
    (check,) = source_of(base, 'type = "s3-dump"\nbucket = "shop-backups"\nobject = "x"\ndatabase = "x"').checks
    assert check.source == S3DumpSource(**place, object="x", database="x")
    (check,) = source_of(
        base, 'type = "s3-objects"\nbucket = "shop-backups"\nmode = "all"\nread = "all"\nat = 2026-11-21T03:00:00+01:00'
    ).checks
    assert (check.source.restore.all, check.source.read.all) == (True, True)
    assert check.source.at == datetime(2026, 11, 21, 2, tzinfo=UTC)
    assert check.source.at.tzinfo is UTC


def test_a_dump_needs_a_scratch_account_and_no_place_in_it(base):
    text = (base / "config.toml").read_text()
    (base / "config.toml").write_text(text[: text.index("[scratch_accounts.lab.regions")])
    (check,) = source_of(base, 'type = "s3-dump"\nbucket = "shop-dumps"\nobject = "x"\ndatabase = "x"').checks
    assert check.placement == Placement("222222222222", "eu-central-1")
    assert config.load(Path("config.toml")).scratch_account("222222222222").regions == ()
    with pytest.raises(ConfigError, match="eu-central-1 has no place in the scratch account lab"):
        source_of(base, 'type = "s3-objects"\nbucket = "shop-dumps"')


def test_what_one_kind_of_source_has_no_use_for_is_not_in_its_placement(base):
    edit(base / "config.toml", 'instance_class = "db.t4g.medium"', 'instance_class = "db.serverless"')
    with (base / "config.toml").open("a") as file:
        file.write(
            'capacity = [0, 2.5]\nbucket = "restorecheck-lab"\nparameter_group = "mine"\noption_group = "mine"\n'
        )
        file.write('cluster_parameter_group = "our-cluster"\n')
    cluster = 'type = "aurora"\ncluster = "shop"\ndatabase = "shop"'
    (check,) = source_of(base, cluster).checks
    assert (check.placement.capacity, check.placement.cluster_parameter_group) == ((0.0, 2.5), "our-cluster")
    assert (check.placement.parameter_group, check.placement.option_group, check.placement.bucket) == (None, None, "")
    own = '[scratch]\ninstance_class = "db.r6g.large"\nparameter_group = "for-aurora"'
    (check,) = source_of(base, cluster, after=own).checks
    assert (check.placement.capacity, check.placement.parameter_group) == (None, "for-aurora")
    instance = 'type = "rds"\ninstance = "shop"\ndatabase = "shop"'
    for own, paid in (("true", True), ("false", False)):
        (check,) = source_of(
            base, instance, after=f'[scratch]\nextended_support = {own}\ninstance_class = "db.t4g.small"'
        ).checks
        assert check.placement.extended_support is paid
    (check,) = source_of(base, instance, after='[scratch]\ninstance_class = "db.t4g.small"').checks
    assert check.placement == Placement(
        account="222222222222",
        region="eu-central-1",
        subnet_group="restorecheck",
        security_groups=("sg-0123456789abcdef0",),
        key="arn:aws:kms:eu-central-1:222222222222:key/1234abcd-12ab-34cd-56ef-1234567890ab",
        instance_class="db.t4g.small",
        parameter_group="mine",
        option_group="mine",
    )
    with pytest.raises(ConfigError, match="which only Aurora knows"):
        source_of(base, instance)


def test_the_programs_of_dumps_are_found_beside_the_configuration(base):
    (base / "pg/bin").mkdir(parents=True)
    with (base / "config.toml").open("a") as file:
        file.write(f'[programs]\npostgresql = ["pg/bin", "{base}/pg/bin"]\n')
    assert config.load(Path("config.toml")).programs == Programs((base / "pg/bin", base / "pg/bin"))


def test_the_workplace_is_beside_the_state_unless_it_is_named(base):
    assert config.load(Path("config.toml")).workplace == base / "state/work"
    edit(base / "config.toml", "[defaults]", 'workplace = "room"\n[defaults]')
    assert config.load(Path("config.toml")).workplace == base / "room"
    (base / "room").write_text("a file")
    with pytest.raises(ConfigError, match=r"workplace: room is not a directory"):
        config.load(Path("config.toml"))


def test_evidence_is_kept_where_the_file_says_and_nowhere_unless_it_does(base):
    loaded = config.load(Path("config.toml"))
    assert (loaded.evidence, loaded.service.evidence_keep) == (None, timedelta(days=30))
    edit(base / "config.toml", "[defaults]", 'evidence = "room"\nservice.evidence_keep = "7d"\n[defaults]')
    loaded = config.load(Path("config.toml"))
    assert (loaded.evidence, loaded.service.evidence_keep) == (base / "room", timedelta(days=7))
    (base / "room").write_text("a file")
    with pytest.raises(ConfigError, match=r"evidence: room is not a directory"):
        config.load(Path("config.toml"))


@pytest.mark.parametrize(("said", "limit"), [("", 5), (", limit = 100", 100)])
def test_keys_of_rows_that_should_not_be_there_are_evidence(base, said, limit):
    edit(base / "config.toml", "[defaults]", 'evidence = "room"\n[defaults]')
    edit(base / "checks/orders-db.toml", "expect = { at_least = 1 }", "expect = { no_rows = true }")
    with (base / "checks/orders-db.toml").open("a") as file:
        file.write(f'\nsamples = {{ keys = ["ID", "count"]{said} }}\n')
    edit(base / "checks/orders-db.toml", "select count(*) from orders", "select id, count(*) from orders group by id")
    (check,) = config.load(Path("config.toml")).checks
    assert check.assertions[0].samples == Samples(("ID", "count"), limit)


def test_restores_and_assertions_together_are_fine(base):
    edit(base / "checks/orders-db.toml", 'rpo = "25h"', 'rpo = "25h"\nrestores = true')
    assert config.load(Path("config.toml")).check("orders-db").restores


def test_an_aws_on_this_machine_may_be_asked_more_often(base):
    edit(base / "config.toml", "[defaults]", 'endpoint_url = "http://127.0.0.1:5555"\n[defaults]')
    edit(base / "checks/orders-db.toml", "[[assert]]", '[scratch.limits]\npoll = "0.05s"\n[[assert]]')
    loaded = config.load(Path("config.toml"))
    assert loaded.endpoint_url == "http://127.0.0.1:5555"
    assert loaded.check("orders-db").limits.poll == timedelta(milliseconds=50)


def test_prices_are_exact_and_what_is_left_out_is_unknown(base):
    assert config.load(Path("config.toml")).prices is None
    right = (base / "config.toml").read_text()

    def load(table: str):
        (base / "config.toml").write_text(right + table)
        return config.load(Path("config.toml")).prices

    assert load("[prices]\n") == config.Prices("USD", None, None, {})
    assert load(
        '[prices]\ncurrency = "EUR"\nstorage_gib_month = 0.1150\nsnapshot_gib_month = 0\n'
        'instance_hour = { "db.t4g.medium" = 0.065, "db.r6g.large" = 1 }\n'
    ) == config.Prices(
        "EUR", Decimal("0.115"), Decimal(0), {"db.t4g.medium": Decimal("0.065"), "db.r6g.large": Decimal(1)}
    )


def test_the_directories_may_be_anywhere_and_editors_own_files_are_left_alone(base, tmp_path):
    (base / "checks").rename(base / "mine")
    (base / "mine/.#orders-db.toml").symlink_to("nobody@nowhere")
    (base / "mine/README.md").write_text("not a check")
    (base / "var").mkdir()
    edit(base / "config.toml", "[defaults]", f'state = "var"\nchecks = "{base}/mine"\n[defaults]')
    loaded = config.load(Path("config.toml"))
    assert (loaded.state.directory, loaded.path) == ((base / "var").resolve(), base / "config.toml")
    assert [check.name for check in loaded.checks] == ["orders-db"]


def test_the_state_may_be_a_database(base):
    edit(
        base / "config.toml",
        "[defaults]",
        'state = "postgres://u:hunter2@db/r?sslmode=require"\nservice_key = "own.key"\n[defaults]',
    )
    state = config.load(Path("config.toml")).state
    url = "postgresql://u:hunter2@db/r?sslmode=require"
    assert (state.directory, state.shared, state.store_url, state.runs_url) == (None, True, url, url)
    assert (state.key, state.shown) == (base / "own.key", "postgresql://u:***@db/r?sslmode=require")
    assert "hunter2" not in f"{state} {state!r}"


def test_a_directory_holds_the_store_the_runs_and_the_key(base):
    state = config.load(Path("config.toml")).state
    home = (base / "state").resolve()
    assert (state.directory, state.shared, state.shown) == (home, False, str(home))
    assert (state.store_url, state.runs_url) == (
        f"sqlite:///{home}/restorecheck.sqlite",
        f"sqlite:///{home}/runs.sqlite",
    )
    assert state.store_url.startswith("sqlite:////")
    assert state.key == home / "service.key"


def test_the_service_is_as_the_file_says(base):
    file = base / "config.toml"
    file.write_text(
        file.read_text() + '[service]\nruns = 3\nlate = "1h"\nsweep_share = 1\nlisten = "[::1]:0"\nreload = true\n'
    )
    service = config.load(file).service
    assert service == Service(runs=3, late=timedelta(hours=1), sweep_share=1.0, listen="[::1]:0", reload=True)
    assert (service.host, service.port) == ("::1", 0)
    assert (Service().host, Service().port) == ("127.0.0.1", 9780)


def test_days_may_be_short_with_an_aws_on_this_machine(base):
    short = '[service]\nlate = "1s"\nheartbeat = "0.2s"\ntakeover = "1s"\nsweep = "0.5s"\nkeep = "1m"\n'
    (base / "config.toml").write_text(
        'endpoint_url = "http://127.0.0.1:5555"\n' + (base / "config.toml").read_text() + short
    )
    assert config.load(Path("config.toml")).service.takeover == timedelta(seconds=1)


@pytest.mark.parametrize(
    ("said", "zone", "until"),
    [
        ("2026-12-24", "Europe/Berlin", datetime(2026, 12, 23, 23, tzinfo=UTC)),
        ("2026-07-01T12:00:00", "Europe/Berlin", datetime(2026, 7, 1, 10, tzinfo=UTC)),
        ("2026-07-01T12:00:00+05:00", "Europe/Berlin", datetime(2026, 7, 1, 7, tzinfo=UTC)),
        ("2026-07-01T12:00:00Z", "UTC", datetime(2026, 7, 1, 12, tzinfo=UTC)),
    ],
)
def test_a_pause_is_meant_in_the_zone_of_its_check(base, said, zone, until):
    edit(base / "checks/orders-db.toml", 'rpo = "25h"', f'rpo = "25h"\npaused_until = {said}\ntimezone = "{zone}"')
    (check,) = config.load(Path("config.toml")).checks
    assert check.paused_until == until
    assert check.paused_until.tzinfo is UTC


def test_what_a_check_says_of_its_times_outweighs_the_defaults(base):
    edit(base / "config.toml", "[defaults]", '[defaults]\ncatch_up = false\njitter = "1h"')
    (check,) = config.load(Path("config.toml")).checks
    assert (check.catch_up, check.jitter) == (False, timedelta(hours=1))
    edit(base / "checks/orders-db.toml", 'rpo = "25h"', 'rpo = "25h"\ncatch_up = true\njitter = "0s"')
    (check,) = config.load(Path("config.toml")).checks
    assert (check.catch_up, check.jitter) == (True, timedelta())


def test_no_message_of_a_wrong_configuration_holds_a_password():
    cases = [
        case for case in CASES if b"hunter2" in b"".join(f.read_bytes() for f in (BAD / case).rglob("*") if f.is_file())
    ]
    assert len(cases) >= 9
    assert not any("hunter2" in (BAD / case / "expected.txt").read_text() for case in cases)


def test_looking_things_up(base):
    loaded = config.load(Path("config.toml"))
    assert loaded.check("orders-db").name == "orders-db"
    assert loaded.source_account("111111111111").name == "production"
    assert loaded.scratch_account("222222222222").name == "lab"


@pytest.mark.parametrize(
    ("ask", "message", "hint"),
    [
        (lambda c: c.check("order-db"), "there is no check named order-db", "did you mean orders-db?"),
        (lambda c: c.check("xyz"), "there is no check named xyz", "the checks are orders-db"),
        (
            lambda c: c.source_account("222222222222"),
            "the configuration has no source account 222222222222",
            "add it to [source_accounts.…] again",
        ),
        (
            lambda c: c.scratch_account("111111111111"),
            "the configuration has no scratch account 111111111111",
            "add it to [scratch_accounts.…] again",
        ),
    ],
)
def test_what_is_not_there(base, ask, message, hint):
    with pytest.raises(RestorecheckError) as caught:
        ask(config.load(Path("config.toml")))
    assert (caught.value.kind, caught.value.message, caught.value.hint) == ("config", message, hint)


# --- what is wrong ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", CASES)
def test_a_wrong_configuration_says_what_is_wrong(case, base):
    shutil.copytree(BAD / case, base, dirs_exist_ok=True)
    expected, said = (BAD / case / "expected.txt").read_text(), problems()
    difference = "\n".join(
        difflib.unified_diff(expected.splitlines(), said.splitlines(), "expected", "said", lineterm="", n=0)
    )
    assert not difference, f"{case}:\n{difference}"


def test_there_are_enough_of_them_and_each_is_complete():
    assert len(CASES) >= 20
    for case in CASES:
        for line in (BAD / case / "expected.txt").read_text().splitlines():
            place, _, sentence = line.partition(": ")
            assert place.rpartition(":")[2].isdigit(), line
            assert ";" in sentence or ": write" in sentence, f"{line}: it does not say what would be right"


def test_files_are_named_as_the_operator_named_the_first(base, monkeypatch):
    edit(base / "checks/orders-db.toml", 'rto = "2h"', "rto = 2")
    edit(base / "config.toml", 'scratch = "lab"', 'scratch = "labs"')
    assert [line.split(":")[0] for line in problems().splitlines()] == ["config.toml", "checks/orders-db.toml"]
    whole = [line.split(":")[0] for line in problems(f"{base}/config.toml").splitlines()]
    assert whole == [f"{base}/config.toml", f"{base}/checks/orders-db.toml"]
    monkeypatch.chdir(base / "checks")
    relative = [line.split(":")[0] for line in problems("../config.toml").splitlines()]
    assert relative == ["../config.toml", "../checks/orders-db.toml"]


@pytest.mark.parametrize(("name", "why"), [("nowhere.toml", "No such file or directory"), ("checks", "Is a directory")])
def test_where_there_is_no_config_it_is_said_how_one_is_named(base, name, why):
    with pytest.raises(ConfigError) as caught:
        config.load(Path(name))
    can = "see that it exists and that you may read it"
    assert caught.value.message == f"{name}:1: the file cannot be read ({why}); {can}"
    assert "RESTORECHECK_CONFIG" in caught.value.hint


def test_a_check_in_the_place_of_the_config_is_one_problem_and_not_six(base):
    with pytest.raises(ConfigError) as caught:
        config.load(Path("checks/orders-db.toml"))
    line = (base / "checks/orders-db.toml").read_text().split("[check]")[0].count("\n") + 1
    complaint = "check: is what a check has; name the config.toml to which it belongs"
    assert caught.value.message == f"checks/orders-db.toml:{line}: {complaint}"
    assert "RESTORECHECK_CONFIG" in caught.value.hint


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda text: text.encode("utf-8-sig"), "1: the file begins with a byte order mark; save it as UTF-8 without"),
        (lambda text: text.encode("utf-16"), "1: the file is not UTF-8 text; save it as UTF-8"),
        (lambda text: text.encode("utf-16-le"), "1: the file is not UTF-8 text; save it as UTF-8"),
        (
            lambda text: b"x = \xe2\x80\x9clab\xe2\x80\x9d",
            '1: the file is not TOML: its quotes must be straight; write "…"',
        ),
        (
            lambda text: b'\nx = "lab\xe2\x80\x9d\r\ny = 1',
            '2: the file is not TOML: its quotes must be straight; write "…"',
        ),
        (
            lambda text: b"x = lab  # \xe2\x80\x9clab\xe2\x80\x9d",
            "1: the file is not TOML: invalid value in column 5; texts",
        ),
    ],
)
def test_what_an_editor_did_to_a_file_is_said(base, change, complaint):
    file = base / "checks/orders-db.toml"
    file.write_bytes(change(file.read_text()))
    assert problems().startswith(f"checks/orders-db.toml:{complaint}")


@pytest.mark.parametrize("change", [lambda text: text.replace("\n", "\r\n"), lambda text: text.replace(" = ", "\t=\t")])
def test_line_ends_and_tabs_are_as_one_likes(base, change):
    for file in (base / "config.toml", base / "checks/orders-db.toml"):
        file.write_bytes(change(file.read_text()).encode())
    config.load(Path("config.toml"))


def test_a_check_that_cannot_be_read(base):
    (base / "checks/folder.toml").mkdir()
    assert problems() == (
        "checks/folder.toml:1: the file cannot be read (Is a directory); see that it exists and that you may read it\n"
    )


def test_a_check_is_never_lost_in_silence():
    with pytest.raises(AssertionError, match="nothing was said about it"):
        loading._whole(None)


def places(value, at=()):
    """Every place in a parsed file but its root."""
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield (*at, key)
        yield from places(value[key], (*at, key))


CRITICAL = 'receivers = ["pager", "each"]\ncritical = true\nowner = "me"\nretention = "35d"\nschedule = "0 3 * * *"\n'
STRANGE = [0, -1, 1.5, True, "", "x", "15m", "default", [], [1], ["x", "x"], [{}], {}, {"x": 1}, None]


def tried(file: Path, every: int = 1) -> tuple[int, int]:
    """Let each place of a file in turn hold a value of every type, or nothing; count what was accepted and refused.

    With `every` = n only one in n of these is tried, which are other values at every place.
    """
    accepted = refused = 0
    right = file.read_text()
    for place, value in islice(product(places(tomllib.loads(right)), STRANGE), 0, None, every):
        raw = tomllib.loads(right)
        holder = raw
        for part in place[:-1]:
            holder = holder[part]
        if value is None:
            del holder[place[-1]]
        else:
            holder[place[-1]] = value
        file.write_text("".join(f"{key} = {wording.toml(inner)}\n" for key, inner in raw.items()))
        try:
            accepted += len(config.load(Path("config.toml")).checks)
        except ConfigError as e:
            refused += bool(e.problems)
    file.write_text(right)
    return accepted, refused


@pytest.mark.parametrize("every", [pytest.param(1, marks=pytest.mark.long), 7])
def test_whatever_stands_anywhere_is_accepted_or_complained_about(base, every):
    """Never a crash, never a lost check."""
    priced = '[prices]\ncurrency = "EUR"\nstorage_gib_month = 0.115\ninstance_hour = { "db.t4g.medium" = 0.065 }\n'
    telling = (
        '[receivers.pager]\ntype = "alertmanager"\nurls = ["http://am-0:9093"]\ntoken_file = "token"\n'
        '[receivers.each]\ntype = "heartbeat"\nurl = "https://hc-ping.com/KEY/{check}"\n'
        '[receivers.own]\ntype = "heartbeat"\nurl_file = "own"\n'
        '[notify]\nrepeat = "4h"\nescalate_to = ["pager"]\nservice = ["pager"]\nheartbeat = "own"\ntest = "1d"\n'
        '[metrics]\nevery = "1m"\ntextfile = "x.prom"\npushgateway = "http://push:9091"\nemf = "restorecheck"\n'
    )
    (base / "token").write_text("hunter2")
    (base / "own").write_text("https://hc-ping.com/own")
    (base / "config.toml").write_text((base / "config.toml").read_text() + priced + telling)
    edit(base / "checks/orders-db.toml", "[source]", f"{CRITICAL}[source]")
    counts = [tried(file, every) for file in (base / "config.toml", base / "checks/orders-db.toml")]
    assert sum(refused for _, refused in counts) > 800 // every
    assert 10 / every < sum(accepted for accepted, _ in counts) < 150 / every


@pytest.mark.parametrize("example", ["shop-cluster", "exports", "crm-dump"])
@pytest.mark.long
def test_whatever_stands_in_a_check_of_another_kind_is_accepted_or_complained_about(example, base):
    shutil.copytree(ROOT / "checks", base / "checks", dirs_exist_ok=True)
    shutil.copy(ROOT / "config.example.toml", base / "config.toml")
    for other in (base / "checks").glob("*.toml"):
        if other.stem != example:
            other.unlink()
    accepted, refused = tried(base / "checks" / f"{example}.toml")
    assert refused > 100
    assert 10 < accepted < refused


@pytest.mark.long
def test_whatever_stands_in_the_tables_of_comparisons_is_accepted_or_complained_about(base):
    (base / "checks/orders-db.toml").write_text(
        '[check]\nname = "orders-db"\nrpo = "25h"\nrto = "2h"\n'
        '[source]\ntype = "rds"\naccount = "production"\nregion = "eu-central-1"\ninstance = "x"\ndatabase = "x"\n'
        '[reference.replica]\nbucket = "shop-references"\nobject = "*.json"\naccount = "production"\nwithin = "2h"\n'
        '[objects.files]\nbucket = "shop-files"\nprefix = "files/"\nregion = "eu-central-1"\ndelay = "0s"\n'
        '[[assert]]\nname = "a"\nprobe = "roles"\nrole = "app"\nrequired = ["a.b", "b.*"]\nexpect = { at_most = 1 }\n'
        '[[assert]]\nname = "b"\nprobe = "row_counts"\ntables = ["a.*"]\nexclude = ["a.b"]\n'
        'expect = { between = [0.5, 2], of = "median(7)" }\n'
        '[[assert]]\nname = "c"\nsql = "select a from b"\nexpect = { same_as = "replica" }\n'
        '[[assert]]\nname = "d"\nsql = "select a from b"\nexpect = { exist_in = "files" }\n'
    )
    accepted, refused = tried(base / "checks/orders-db.toml")
    assert refused > 400
    assert 10 < accepted < refused


def test_a_complaint_is_made_once_and_the_same_place_may_have_two():
    document = Document("x.toml", ConfigFile())
    for message in ("one", "one", "two"):
        document.wrong(("state",), message)
    assert [str(problem) for problem in document.problems()] == ["x.toml:1: state: one", "x.toml:1: state: two"]


# --- JSON Schema and documentation ------------------------------------------------------------------------------


def as_json(value):
    """TOML as an editor hands it to a JSON Schema: dates and times are text."""
    if isinstance(value, dict):
        return {key: as_json(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [as_json(inner) for inner in value]
    return value.isoformat() if isinstance(value, date | datetime | time) else value


@cache
def validator(which):
    schema = config.json_schema(which)
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def errors(directory: Path) -> list[str]:
    found = []
    for file in [*directory.glob("config*.toml"), *directory.glob("checks/*.toml")]:
        which = "check" if file.parent.name == "checks" else "config"
        found += [e.message for e in validator(which).iter_errors(as_json(tomllib.loads(file.read_text())))]
    return found


def test_the_examples_fit_the_json_schema():
    assert errors(ROOT) == []
    assert errors(BAD / "base") == []


def test_an_editor_is_told_which_keys_each_kind_of_source_has():
    kinds = {one["properties"]["type"]["const"]: one for one in config.json_schema("check")["$defs"]["Source"]["oneOf"]}
    assert set(kinds) == {"rds", "aurora", "s3-objects", "s3-dump"}
    assert kinds["aurora"]["required"] == ["type", "cluster"]
    assert "instance" not in kinds["aurora"]["properties"]
    assert set().union(*(one["properties"] for one in kinds.values())) == set(Source.keys())


@pytest.mark.parametrize("case", sorted(STRUCTURAL))
def test_structural_mistakes_do_not_fit_the_json_schema(case):
    assert errors(BAD / case)


def test_every_key_is_described_in_the_json_schema_and_no_table_is_open():
    for which in ("config", "check"):
        schema = config.json_schema(which)
        assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
        found = [schema, *schema["$defs"].values()]
        for table in (inner for outer in found for inner in outer.get("oneOf", [outer])):
            assert table["additionalProperties"] is False
            assert all(key.get("description") for key in table["properties"].values())
        assert "'null'" not in str(schema)
        assert "'default'" not in str(schema)


def keys(shape: type[Shape]):
    for key, field in shape.keys().items():
        yield key
        if inner := _inside(field.annotation)[1]:
            yield from keys(inner)


@pytest.mark.parametrize("shape", [ConfigFile, CheckFile])
def test_every_key_is_documented_and_shown(shape):
    page = (ROOT / "docs/configuration.md").read_text()
    shown = (ROOT / "config.example.toml").read_text() + "".join(
        f.read_text() for f in (ROOT / "checks").glob("*.toml")
    )
    for key in keys(shape):
        assert f"`{key}`" in page or f".{key}]" in page or f"[{key}]" in page, f"{key} is not in docs/configuration.md"
        assert key in shown, f"{key} is not in the examples"


def test_every_name_that_no_assertion_may_have_is_documented():
    page = (ROOT / "docs/configuration.md").read_text()
    assert [name for name in (*OBJECTIVES, *OBSERVATIONS) if f"`{name}`" not in page] == []


def test_the_examples_of_keys_are_right():
    """What a message recommends must itself be accepted."""
    for shape in (ConfigFile, CheckFile):
        for table in {shape, *tables_in(shape)}:
            for key, field in table.keys().items():
                for example in field.examples or ():
                    value = tomllib.loads(f"x = {wording.toml(example)}", parse_float=Decimal)["x"]
                    table.model_validate({key: value})


def tables_in(shape: type[Shape]):
    for field in shape.keys().values():
        if inner := _inside(field.annotation)[1]:
            yield inner
            yield from tables_in(inner)


def test_importing_is_light():
    code = "import sys, restorecheck.config; print(*sorted(m for m in sys.modules if '.' not in m))"
    modules = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    ).stdout.split()
    heavy = {"pydantic", "sqlglot", "apscheduler", "tree_sitter", "boto3", "sqlalchemy"}
    assert not heavy & set(modules)


def test_a_right_configuration_needs_no_parser_for_positions():
    code = "import sys; from pathlib import Path; from restorecheck import config;"
    code += "config.load(Path('config.example.toml')); print(*sys.modules)"
    modules = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    ).stdout.split()
    assert "sqlglot" in modules
    assert "tree_sitter" not in modules


def test_certificates_of_ones_own_are_found_beside_the_configuration(base):
    path = base / "config.toml"
    path.write_text('ca_bundle = "own.pem"\n' + path.read_text())
    (base / "own.pem").write_text("-----BEGIN CERTIFICATE-----\n")
    assert config.load(path).ca_bundle == base.absolute() / "own.pem"
