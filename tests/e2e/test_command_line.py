"""The command line as a person and as a program use it."""

import json
import sqlite3
from pathlib import Path

import pytest
from demo_world import SCRATCH
from product import Product, on_paper
from typer.testing import CliRunner

from restorecheck import cli


@pytest.fixture
def paper(tmp_path: Path) -> Product:
    return on_paper(tmp_path)


@pytest.fixture
def ready(product: Product) -> Product:
    product.world.snapshot("shop", "weekly")
    return product


def test_a_run_and_its_proof(ready: Product):
    ready.world.aws.timings(create=1.5)  # time to be seen, also on a busy machine
    ran = ready.run("run", "shop-db")
    assert ran.code == 0, ran.err
    assert "passed" in ran.out
    assert "restore: creating" in ran.err
    listed = ready.run("history")
    assert "shop-db-2" in listed.out
    run_id = ready.run("history", "--json").json["reports"][0]["run_id"]
    shown = ready.run("show", run_id)
    for word in ("weekly", "at least 1", "1,000", "drop instance", "rpo"):
        assert word in shown.out, word
    assert ready.run("show", run_id, "--json").report == ready.run("history", "--json").report


@pytest.mark.long
def test_several_checks_side_by_side_end_with_the_worst_code(ready: Product):
    ready.check(
        "fussy-db", asserts=[{"name": "more", "sql": "select count(*) from orders", "expect": {"at_least": 5000}}]
    )
    ran = ready.run("run", "shop-db", "fussy-db", "--json")
    assert ran.code == 1
    assert {r["check"]: r["verdict"] for r in ran.json["reports"]} == {"shop-db": "passed", "fussy-db": "broken"}
    assert ready.run("history", "fussy-db", "--json").report["failure"]["kind"] == "assertion-failed"


@pytest.mark.long
def test_a_scratch_account_holds_only_as_many_as_it_is_allowed(ready: Product):
    ready.limits["instances"] = 1  # type: ignore[assignment]
    ready.configure()
    ready.check("second-db")
    ready.world.aws.quota(SCRATCH, instances=1)
    ran = ready.run("run", "--all", "--json")
    assert ran.code == 0, ran.out
    assert len(ran.json["reports"]) == 2


@pytest.mark.long
def test_a_plan_names_every_write_of_the_run_and_sends_none(ready: Product):
    ready.world.aws.clear_calls()
    planned = ready.run("plan", "shop-db", "--json")
    assert planned.code == 0, planned.err

    def writes() -> list[str]:
        calls = ready.world.aws.calls()
        return [
            f"{c['account']} {c['operation']}"
            for c in calls
            if c["service"] == "rds" and c["role"] != "administrator" and not c["operation"].startswith("Describe")
        ]

    assert writes() == []
    assert ready.run("run", "shop-db").code == 0
    assert [f"{c['account']} {c['call'].split(':')[1]}" for c in planned.json["calls"]] == writes()
    assert "Password" not in json.dumps(planned.json["calls"]).replace("MasterUserPassword", "")
    assert "(secret)" in planned.out
    text = ready.run("plan", "shop-db").out
    assert "nothing was written" in text
    assert "db.t4g.micro" in text


@pytest.mark.long
def test_a_plan_says_what_it_costs_to_hold_the_scratch_or_which_price_is_missing(ready: Product):
    text = ready.run("plan", "shop-db").out
    assert 'its price is not configured: set prices.instance_hour."db.t4g.micro", prices.storage_gib_month and' in text
    cost = ready.run("plan", "shop-db", "--json").json["cost"]
    assert (cost["currency"], cost["per_hour"], cost["minimum"], cost["total"]) == (None, None, None, None)
    size, copies = cost["storage_gib"], cost["copies"]
    assert size > 0
    assert copies > 0
    with (ready.home / "config.toml").open("a") as file:
        file.write('[prices]\ncurrency = "EUR"\nstorage_gib_month = 0.73\nsnapshot_gib_month = 7.3\n')
        file.write('instance_hour = { "db.t4g.micro" = 0.6 }\n')
    cost = ready.run("plan", "shop-db", "--json").json["cost"]
    assert float(cost["per_hour"]) == pytest.approx(0.6 + size * 0.001 + copies * size * 0.01, abs=1e-6)
    assert float(cost["minimum"]) == pytest.approx((0.6 + size * 0.001) / 6, abs=1e-6)
    assert float(cost["total"]) > float(cost["minimum"])
    assert cost["unpriced"] == []
    assert "EUR an hour, at least 0.1" in ready.run("plan", "shop-db").out


@pytest.mark.long
def test_no_row_and_no_secret_is_in_anything_that_is_kept_or_said(ready: Product):
    ready.check(
        asserts=[
            {"name": "names", "sql": "select customer from orders limit 3", "expect": {"set": ["a", "b"]}},
            {"name": "one", "sql": "select min(customer) from orders", "expect": {"equals": "somebody"}},
            {"name": "wrong", "sql": "select max(customer)::int from orders", "expect": {"at_least": 1}},
            {"name": "rows", "sql": "select customer from orders", "expect": {"no_rows": True}},
        ]
    )
    ran = ready.run("run", "shop-db", "--json")
    assert ran.code == 1
    shown = ready.run("show", ran.report["run_id"])
    key = (ready.home / "state" / "service.key").read_text().strip()
    everything = [ran.out, ran.err, shown.out]
    kept = [p for p in (ready.home / "state").rglob("*") if p.is_file() and p.name != "service.key"]
    everything += [path.read_bytes().decode("latin-1") for path in kept]
    for text in everything:
        assert "canary-" not in text
        assert key not in text
    with sqlite3.connect(ready.home / "state" / "runs.sqlite") as connection:
        stored = " ".join(str(r) for r in connection.execute("select output from operation_outputs"))
    connection.close()
    assert "at least" not in stored
    assert "examine" in str(ran.report["phases"])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("run", "shop-bd"), "there is no check named shop-bd"),
        (("plan", "nothing"), "there is no check named nothing"),
        (("history", "shop-bd"), "did you mean shop-db?"),
        (("show", "shop-db-20260101t0000z"), "there is no finished run"),
        (("run",), "which checks?"),
        (("run", "shop-db", "--all"), "which checks?"),
        (("schema", "everything"), "say `config` or `check`"),
        (("check-config", "-c", "elsewhere.toml"), "elsewhere.toml"),
    ],
)
def test_a_tired_operator_gets_one_clear_line_and_code_2(
    paper: Product, arguments: tuple[str, ...], said: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(paper.home)
    ran = CliRunner().invoke(cli.app, arguments)  # in this process: the next test starts one of its own
    assert (ran.exit_code, type(ran.exception)) == (2, SystemExit), ran.exception
    assert said in ran.stderr
    assert "Traceback" not in ran.stderr


def test_an_error_is_an_object_for_a_program(paper: Product):
    ran = paper.say("run", "shop-bd")
    assert (ran.code, "there is no check named shop-bd" in ran.err, "Traceback" in ran.err) == (2, True, False)
    ran = paper.say("run", "shop-bd", "--json")
    assert ran.code == 2
    assert ran.json["exit_code"] == 2
    assert ran.json["error"]["kind"] == "config"
    (paper.home / "checks" / "bad.toml").write_text("[check]\nname = 1\nnmae = 2\n")
    problems = paper.say("check-config", "--json").json["error"]["problems"]
    assert {(Path(p["path"]).name, p["line"]) for p in problems} >= {("bad.toml", 2), ("bad.toml", 3)}


def test_without_credentials_it_is_unproven_and_says_so(paper: Product):
    ran = paper.say("run", "shop-db", "--json", AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY="")
    assert ran.code == 3
    assert ran.report["failure"]["kind"] == "credentials"


@pytest.mark.long
def test_a_state_that_cannot_be_used_is_named(ready: Product):
    ready.run("history")
    (ready.home / "state" / "service.key").write_text("not a key")
    ran = ready.run("run", "shop-db")
    assert (ran.code, "is not a service key" in ran.err) == (2, True)
    (ready.home / "state" / "service.key").unlink()
    (ready.home / "state" / "restorecheck.sqlite").write_text("not a database, whatever its name says")
    ran = ready.run("run", "shop-db")
    assert (ran.code, "the store" in ran.err) == (2, True)
    (ready.home / "state" / "restorecheck.sqlite").unlink()
    (ready.home / "state" / "runs.sqlite").write_text("the records of the engine, overwritten by somebody" * 100)
    ran = ready.run("run", "shop-db")
    assert (ran.code, "the records of runs" in ran.err) == (2, True)
    assert "Traceback" not in ran.err


def test_the_schemas_are_printed(paper: Product):
    for which in ("config", "check"):
        assert paper.say("schema", which).json["$schema"].startswith("https://json-schema.org/")


def test_the_version(paper: Product):
    assert paper.say("--version").out == "restorecheck 0.1.0\n"
