"""Probes, baselines, references and sets of objects in a check: what is right, and what is remarked on."""

import json
import re
import shutil
import tomllib
from datetime import timedelta
from pathlib import Path

import jsonschema
import pytest
from typer.testing import CliRunner

from restorecheck import config
from restorecheck.cli import app
from restorecheck.config import wording
from restorecheck.config.assert_shape import Assert
from restorecheck.errors import ConfigError
from restorecheck.model import (
    Against,
    Assertion,
    Cell,
    Check,
    Expectation,
    ObjectSet,
    Probe,
    Reference,
)
from restorecheck.model.probes import PROBES

ROOT = Path(__file__).parents[2]
BASE = Path(__file__).parent / "bad_config" / "base"
NONE = Expectation(equals=Cell("number", "0"))
READABLE = '[[assert]]\nname = "readable"\nprobe = "readable"\n'
COUNT = 'sql = "select count(*) from orders"\n'
REPLICA = '[reference.replica]\nbucket = "shop-references"\nobject = "orders/*.json"\n'
RDS = 'type = "rds"\ninstance = "orders-prod"\ndatabase = "orders"\n'
DUMP = 'type = "s3-dump"\nbucket = "shop-dumps"\nobject = "x"\ndatabase = "orders"\n'


@pytest.fixture
def base(tmp_path, monkeypatch):
    shutil.copytree(BASE, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(base: Path, text: str, source: str = RDS) -> None:
    head = '[check]\nname = "orders-db"\nrpo = "25h"\nrto = "2h"\n'
    place = '[source]\naccount = "production"\nregion = "eu-central-1"\n'
    (base / "checks/orders-db.toml").write_text(f"{head}{place}{source}{text}")


def check_of(base: Path, text: str, source: str = RDS) -> Check:
    write(base, text, source)
    (check,) = config.load(Path("config.toml")).checks
    return check


def remarks_of(base: Path, text: str, source: str = RDS) -> list[str]:
    write(base, text, source)
    _, remarks = config.review(Path("config.toml"))
    return [f"{remark.line}: {remark.key}: {remark.message}" for remark in remarks]


def asked(expect: str, subject: str = COUNT, name: str = "a", **more: str) -> str:
    rest = "".join(f"{key} = {wording.toml(value)}\n" for key, value in more.items())
    return f'[[assert]]\nname = "{name}"\n{subject}expect = {{ {expect} }}\n{rest}'


# --- what is right ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PROBES)
def test_every_probe_can_be_declared_with_the_keys_that_it_takes(base, name):
    kind = PROBES[name]
    said = {"tables": ["public.*"], "exclude": ["*.audit"], "required": ["public.orders"], "role": "shop_app"}
    keys = "".join(f"{key} = {wording.toml(said[key])}\n" for key in kind.keys)
    expect = 'expect = { same_as = "accepted" }\n' if not kind.violations else ""
    engine = 'engine = "mysql"\n' if kind.engines == ("mysql",) else ""
    check = check_of(base, f'[[assert]]\nname = "a"\nprobe = "{name}"\n{keys}{expect}', RDS + engine)
    (assertion,) = check.assertions
    assert assertion.probe == Probe(
        name, **{k: tuple(v) if k != "role" else v for k, v in said.items() if k in kind.keys}
    )
    assert assertion.sql == ""
    assert assertion.expect == (Expectation(same_as=Against("accepted")) if not kind.violations else NONE)
    assert check.source.engine == ("mysql" if engine else "postgresql")


@pytest.mark.parametrize("name", PROBES)
def test_every_probe_takes_the_expectations_of_the_table_and_no_others(base, name):
    kind = PROBES[name]
    taken = {
        "at_most = 3": kind.violations,
        "equals = 0": kind.violations,
        'same_as = "previous"': kind.compares,
        'at_least = 0.9, of = "previous"': kind.counts,
        'at_most = 2, of = "median(7)"': kind.counts,
        'between = [0.9, 1.1], of = "max(90d)"': kind.counts,
        "at_least = 3": False,
        "between = [0, 3]": False,
        "no_rows = true": False,
        "set = [0]": False,
        'exist_in = "documents"': False,
        'covers = "documents"': False,
    }
    needed = 'role = "shop_app"\n' if "role" in kind.keys else ""
    engine = 'engine = "mysql"\n' if kind.engines == ("mysql",) else ""
    objects = '[objects.documents]\nbucket = "shop-documents"\n'
    for expect, right in taken.items():
        text = asked(expect, f'probe = "{name}"\n{needed}') + objects
        if right:
            assert check_of(base, text, RDS + engine).assertions[0].expect != NONE or expect == "equals = 0", expect
        else:
            with pytest.raises(ConfigError):
                check_of(base, text, RDS + engine)


def test_a_probe_may_take_as_long_as_all_assertions_together_unless_it_says_otherwise(base):
    text = (base / "config.toml").read_text()
    (base / "config.toml").write_text(text.replace("[defaults]\n", '[defaults]\ntimeout = "7m"\n'))
    limits = '[scratch.limits]\nexamine = "3h"\n'
    check = check_of(
        base, limits + READABLE + asked("at_least = 1") + READABLE.replace('le"\n', 'le-2"\n', 1) + 'timeout = "1h"\n'
    )
    assert [a.timeout for a in check.assertions] == [timedelta(hours=3), timedelta(minutes=7), timedelta(hours=1)]


@pytest.mark.parametrize(
    ("expect", "means"),
    [
        ('at_least = 0.98, of = "previous"', Expectation(at_least=Cell("number", "0.98"), of=Against("previous"))),
        (
            'between = [0.5, 2], of = "median(7)"',
            Expectation(at_least=Cell("number", "0.5"), at_most=Cell("number", "2"), of=Against("median", runs=7)),
        ),
        (
            'at_least = 1, of = "max(90d)"',
            Expectation(at_least=Cell("number", "1"), of=Against("max", span=timedelta(days=90))),
        ),
        (
            'at_most = 10, of = "replica"',
            Expectation(at_most=Cell("number", "10"), of=Against("reference", reference="replica")),
        ),
        ('same_as = "accepted"', Expectation(same_as=Against("accepted"))),
        ('same_as = "replica"', Expectation(same_as=Against("reference", reference="replica"))),
        ('exist_in = "documents"', Expectation(exist_in="documents")),
        ('covers = "documents"', Expectation(covers="documents")),
    ],
)
def test_what_a_query_may_be_held_against(base, expect, means):
    objects = '[objects.documents]\nbucket = "shop-documents"\n'
    check = check_of(base, REPLICA + objects + asked(expect))
    assert check.assertions == (Assertion("a", "select count(*) from orders", means),)


def test_a_query_whose_columns_cannot_be_counted_is_left_to_the_database(base):
    for sql in ("select * from total", "values (1)", "select orders.* from orders"):
        assert check_of(base, asked('at_least = 0.9, of = "previous"', f'sql = "{sql}"\n')).assertions[0].expect.of


def test_objects_have_earlier_runs_too(base):
    (base / "config.toml").write_text((base / "config.toml").read_text() + 'bucket = "restorecheck-lab"\n')
    text = asked('at_least = 0.9, of = "median(7)"', 'sql = "select count(*) from objects"\n')
    source = 'type = "s3-objects"\nbucket = "shop-exports"\n'
    assert check_of(base, text, source).assertions[0].expect.of == Against("median", runs=7)
    assert remarks_of(base, text, source)[0].startswith("13: assert[a].expect: 10 % less than the last runs")


def test_a_reference_is_where_the_source_is_unless_it_says_otherwise(base):
    text = (base / "config.toml").read_text()
    other = '[source_accounts.archive]\nid = "333333333333"\nregions = ["us-east-1", "eu-west-1"]\n'
    role = 'role = "arn:aws:iam::333333333333:role/restorecheck-source"\n'
    (base / "config.toml").write_text(text + other + role)
    far = 'account = "archive"\nregion = "us-east-1"\n'
    check = check_of(
        base,
        REPLICA
        + REPLICA.replace("replica]", "far]") + far + 'within = "2h"\n'
        + '[objects.near]\nbucket = "shop-documents"\n'
        + f'[objects.far]\nbucket = "shop-documents"\nprefix = "documents/"\ndelay = "0s"\n{far}'
        + READABLE,
    )  # fmt: skip
    where = ("shop-references", "orders/*.json")
    assert check.references == (
        Reference("replica", "111111111111", "eu-central-1", *where),
        Reference("far", "333333333333", "us-east-1", *where, within=timedelta(hours=2)),
    )
    assert check.references[0].within == timedelta(hours=24)
    assert check.objects == (
        ObjectSet("near", "111111111111", "eu-central-1", "shop-documents"),
        ObjectSet("far", "333333333333", "us-east-1", "shop-documents", "documents/"),
    )


def test_a_reference_is_where_the_defaults_are_when_the_source_leaves_that_out(base):
    text = (base / "config.toml").read_text()
    defaults = '[defaults]\naccount = "production"\nregion = "eu-central-1"\n'
    (base / "config.toml").write_text(text.replace("[defaults]\n", defaults))
    write(base, REPLICA + READABLE)
    file = base / "checks/orders-db.toml"
    file.write_text(file.read_text().replace('account = "production"\nregion = "eu-central-1"\n', ""))
    (check,) = config.load(Path("config.toml")).checks
    assert (check.references[0].account, check.references[0].region) == ("111111111111", "eu-central-1")


def test_the_tables_of_mysql_may_be_named_without_their_database(base):
    check = check_of(base, READABLE + 'tables = ["orders"]\n', RDS + 'engine = "mysql"\n')
    assert check.assertions[0].probe.tables == ("orders",)
    with pytest.raises(ConfigError, match='"orders" names no schema'):
        check_of(base, READABLE + 'tables = ["orders"]\n')


def test_a_cluster_of_mysql_is_asked_in_its_own_sql(base):
    cluster = 'type = "aurora"\ncluster = "shop"\ndatabase = "shop"\nengine = "mysql"\n'
    check = check_of(base, asked("at_least = 1", 'sql = "select count(*) from `order`"\n'), cluster)
    assert check.source.engine == "mysql"


def test_the_example_of_every_probe_is_complete():
    check = config.load(ROOT / "config.example.toml").check("ledger-db")
    assert {a.probe.name for a in check.assertions if a.probe} == {
        name for name, kind in PROBES.items() if "postgresql" in kind.engines
    }
    assert [a.expect.of for a in check.assertions if a.name == "bookings-as-many"] == [
        Against("reference", reference="replica")
    ]


def test_the_example_of_two_stores():
    check = config.load(ROOT / "config.example.toml").check("documents-db")
    assert check.objects == (
        ObjectSet("documents", "111111111111", "eu-central-1", "shop-documents", "documents/", timedelta(minutes=10)),
    )
    assert [(a.expect.exist_in, a.expect.covers) for a in check.assertions[1:]] == [
        ("documents", ""),
        ("", "documents"),
    ]


# --- what is remarked on ----------------------------------------------------------------------------------------


def test_the_examples_have_no_remark():
    _, remarks = config.review(ROOT / "config.example.toml")
    assert remarks == []


def test_a_little_less_in_every_run_is_remarked_on(base):
    drifting = asked('at_least = 0.98, of = "previous"')
    (said,) = remarks_of(base, READABLE + drifting)
    assert said == (
        "17: assert[a].expect: 2 % less than the run before, in every run, passes for ever; "
        'add the same with at_least of "max(90d)", or with a number'
    )
    probe = 'probe = "row_counts"\n'
    (said,) = remarks_of(base, READABLE + asked('between = [0.875, 2], of = "previous"', probe))
    assert "12.5 % less" in said


@pytest.mark.parametrize(
    "floor",
    [
        'at_least = 0.5, of = "max(90d)"',
        "at_least = 1000",
        "equals = 7",
        'at_least = 0.9, of = "replica"',
        'same_as = "replica"',
    ],
)
def test_a_floor_that_does_not_sink_is_enough(base, floor):
    drifting = asked('at_least = 0.98, of = "previous"')
    same = asked(floor, 'sql = "select  count(*)\\nfrom orders"\n', "b")
    used = asked('same_as = "replica"', 'sql = "select 1"\n', "c")
    assert remarks_of(base, REPLICA + READABLE + drifting + same + used) == []


@pytest.mark.parametrize(
    "other",
    [
        asked('at_least = 0.5, of = "max(90d)"', 'sql = "select count(*) from customer"\n', "b"),
        asked('at_least = 0.5, of = "max(90d)"', name="b", database="other"),
        asked('at_least = 0.5, of = "median(30)"', name="b"),
        asked('at_most = 1.5, of = "max(90d)"', name="b"),
    ],
)
def test_another_question_or_another_sinking_floor_is_not(base, other):
    drifting = asked('at_least = 0.98, of = "previous"')
    assert "17: assert[a].expect: 2 %" in " ".join(remarks_of(base, READABLE + drifting + other))


@pytest.mark.parametrize("expect", ['at_least = 1, of = "previous"', 'at_most = 1.2, of = "previous"', "at_least = 1"])
def test_what_cannot_sink_is_not_remarked_on(base, expect):
    assert remarks_of(base, READABLE + asked(expect)) == []


def test_a_database_that_nobody_reads_is_remarked_on(base):
    why = 'add one with probe = "readable", or what nobody asks for may be damaged'
    said = f"11: assert: no assertion reads every row of orders; {why}"
    assert remarks_of(base, asked("at_least = 1")) == [said]
    assert remarks_of(base, READABLE + 'tables = ["public.orders"]\n') == [said]
    assert remarks_of(base, READABLE + 'exclude = ["audit.*"]\n') == []
    assert remarks_of(base, asked("at_least = 1"), DUMP) == []  # all of it was read when it was restored
    cluster = 'type = "aurora"\ncluster = "shop"\n'
    others = asked("at_least = 1", name="b", database="shop") + asked("at_least = 1", name="c", database="billing")
    assert remarks_of(base, READABLE + 'database = "shop"\n' + others, cluster) == [
        f"10: assert: no assertion reads every row of billing; {why}"
    ]
    assert "of billing and of shop;" in remarks_of(base, others, cluster)[0]
    file = base / "checks/orders-db.toml"
    write(base, "")
    file.write_text(file.read_text().replace('rto = "2h"', 'rto = "2h"\nrestores = true'))
    assert config.review(Path("config.toml"))[1] == []


def test_more_runs_than_are_kept_are_remarked_on(base):
    ratio = asked('at_most = 2, of = "max(401d)"')
    assert remarks_of(base, READABLE + ratio) == [
        "17: assert[a].expect: finished runs are kept for 400d, so no more of them is known; see service.keep"
    ]
    with (base / "config.toml").open("a") as file:
        file.write('[service]\nkeep = "800d"\n')
    assert remarks_of(base, READABLE + ratio) == []


def test_a_physical_probe_of_a_dump_is_remarked_on(base):
    physical = [name for name, kind in PROBES.items() if kind.physical and "postgresql" in kind.engines]
    text = READABLE + "".join(f'[[assert]]\nname = "{name}"\nprobe = "{name}"\n' for name in physical)
    said = remarks_of(base, text, DUMP)
    assert len(said) == len(physical) == 4
    assert all("proves nothing about a logical backup" in line for line in said)
    assert remarks_of(base, text) == []


def test_a_reference_that_nothing_compares_with_is_remarked_on(base):
    objects = '[objects.documents]\nbucket = "shop-documents"\n'
    assert remarks_of(base, REPLICA + objects + READABLE) == [
        "11: reference.replica: no assertion compares with it; say same_as or of, or leave it out",
        "14: objects.documents: no assertion asks for it; say exist_in or covers, or leave it out",
    ]
    used = asked('covers = "documents"') + asked('at_most = 2, of = "replica"', name="b")
    assert remarks_of(base, REPLICA + objects + READABLE + used) == []


def test_remarks_are_printed_and_stop_nothing(base):
    write(base, asked("at_least = 1"))
    ran = CliRunner().invoke(app, ["check-config"])
    assert ran.exit_code == 0
    first, last = ran.stdout.splitlines()
    assert re.match(r"note: checks/orders-db\.toml:11: assert: no assertion reads every row of orders; ", first)
    assert last == "config.toml: 1 check with 1 assertion, no problem found"
    told = json.loads(CliRunner().invoke(app, ["check-config", "--json"]).stdout)
    assert (told["exit_code"], told["checks"]) == (0, ["orders-db"])
    (remark,) = told["remarks"]
    assert (remark["path"], remark["line"], remark["key"]) == ("checks/orders-db.toml", 11, "assert")


def test_what_is_wrong_is_said_without_remarks(base):
    write(base, asked("at_least = 0"))
    ran = CliRunner().invoke(app, ["check-config"])
    assert ran.exit_code == 2
    assert "note:" not in ran.stdout + ran.stderr


# --- JSON Schema ------------------------------------------------------------------------------------------------


def test_an_editor_is_told_which_keys_each_subject_has():
    schema = config.json_schema("check")
    sql, probe = schema["$defs"]["Assert"]["oneOf"]
    assert set(sql["properties"]) | set(probe["properties"]) == set(Assert.keys())
    assert "files" not in probe["properties"]
    assert "tables" not in sql["properties"]
    assert probe["properties"]["probe"]["enum"] == sorted(PROBES)
    fits = jsonschema.Draft202012Validator({"$ref": "#/$defs/Assert", "$defs": schema["$defs"]}).is_valid
    assert fits({"name": "a", "probe": "readable"})
    assert fits({"name": "a", "sql": "select 1", "expect": {"at_least": 1, "of": "median(7)"}})
    assert not fits({"name": "a"})
    assert not fits({"name": "a", "sql": "select 1"})
    assert not fits({"name": "a", "probe": "readable", "sql": "select 1", "expect": {"at_least": 1}})
    for of in ("accepted", "median", "max", "median(x)", "Replica"):
        assert not fits({"name": "a", "sql": "select 1", "expect": {"at_least": 1, "of": of}})


def test_unknown_keys_are_compared_with_those_of_the_subject():
    assert "files" in Assert.fitting({"sql": "select 1"})
    assert "tables" not in Assert.fitting({"sql": "select 1"})
    assert "tables" in Assert.fitting({"probe": "readable"})
    assert "role" not in Assert.fitting({"probe": "readable"})
    assert "role" in Assert.fitting({"probe": "no such one"})
    assert set(Assert.fitting({})) == set(Assert.keys())


def test_the_examples_in_the_files_are_toml():
    for file in (ROOT / "checks").glob("*.toml"):
        assert tomllib.loads(file.read_text())["check"]["name"] == file.stem
