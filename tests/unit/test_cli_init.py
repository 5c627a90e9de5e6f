"""`restorecheck init`: what it asks, what it refuses, what it writes, and that it is all or nothing."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from restorecheck.cli import answers, app, beginning, fresh_files
from restorecheck.cli import begun as begun_
from restorecheck.cli.answers import Options
from restorecheck.cli.begun import Asked, Begun
from restorecheck.config import load
from restorecheck.errors import AwsError, ConfigError, RestorecheckError

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
SOURCE = "arn:aws:iam::111111111111:role/restorecheck-source"
SCRATCH = "arn:aws:iam::222222222222:role/restorecheck-scratch"
KEY = "arn:aws:kms:eu-central-1:222222222222:key/1234abcd-12ab-34cd-56ef-1234567890ab"
SAID = {
    "source_role": SOURCE, "source_external_id": "none", "scratch_role": SCRATCH, "scratch_external_id": "none",
    "regions": ("eu-central-1",), "subnet_group": ("restorecheck",), "security_group": ("sg-0123456789abcdef0",),
    "scratch_key": (KEY,), "bucket": ("none",),
}  # fmt: skip
FLAGS = [
    "--source-role", SOURCE, "--source-external-id", "none", "--scratch-role", SCRATCH, "--scratch-external-id", "none",
    "--region", "eu-central-1", "--subnet-group", "restorecheck", "--security-group", "sg-0123456789abcdef0",
    "--scratch-key", KEY, "--bucket", "none",
]  # fmt: skip


def options(**more: Any) -> Options:
    return Options(**(SAID | more))


class Person:
    """Answers what is asked, by the beginning of the question; several answers are given one after the other."""

    def __init__(self, **said: str | list[str]) -> None:
        self.said = {k: [v] if isinstance(v, str) else list(v) for k, v in said.items()}
        self.asked: list[str] = []
        self.told: list[str] = []

    def ask(self, question: str, default: str) -> str:
        self.asked.append(question)
        for words, answers_ in self.said.items():
            if words.replace("_", " ") in question and answers_:
                return answers_.pop(0)
        return default or "none"

    def tell(self, wrong: str) -> None:
        self.told.append(wrong)


class Account:
    """A hand into an account with one database; what is in `denies` it may not do."""

    account, region = "111111111111", "eu-central-1"

    def __init__(self, *denies: str, empty: bool = False) -> None:
        self.denies, self.empty = denies, empty

    def call(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
        if operation in self.denies:
            raise AwsError("AccessDenied", f"{operation}: no", kind="permission", retryable=False)
        return {"Buckets": []}

    def pages(self, service: str, operation: str, key: str, **params: Any) -> Iterator[dict[str, Any]]:
        self.call(service, operation)
        made = {"Engine": "postgres", "EngineVersion": "17.2", "BackupRetentionPeriod": 7, "DBName": "shop"}
        snapshot = {"DBSnapshotIdentifier": "rds:x", "SnapshotType": "automated", "Status": "available"}
        if not self.empty and not params.get("SnapshotType"):
            yield from {
                "DBInstances": [{"DBInstanceIdentifier": "orders-prod", **made}],
                "DBSnapshots": [{"DBInstanceIdentifier": "orders-prod", "SnapshotCreateTime": NOW, **snapshot}],
            }.get(key, [])


def begun(home: Path, person: Person | None = None, account: Account | None = None, **asked: Any) -> Begun:
    said = Asked(home, asked.pop("options", options()), **asked)
    return beginning.begin(said, person, NOW, lambda _: lambda _region: account or Account())


# --- what is asked ----------------------------------------------------------------------------------------------------


def test_without_a_terminal_all_that_is_missing_is_named_at_once():
    with pytest.raises(RestorecheckError) as caught:
        answers.answers(Options(source_role=SOURCE), None)
    missing = [
        "--source-external-id", "--scratch-role", "--scratch-external-id", "--region", "--subnet-group",
        "--security-group", "--scratch-key", "--bucket",
    ]  # fmt: skip
    assert caught.value.message.endswith(", ".join(missing))
    assert caught.value.kind == "config"


def test_a_person_is_asked_for_what_was_not_said_and_again_after_a_slip():
    person = Person(
        ARN_of_the_role_in_the_source=["restorecheck-source", SOURCE],
        ARN_of_the_role_in_the_scratch=SCRATCH,
        Regions="eu-central-1, us-west-2",
        **{"eu-central-1: DB subnet group": "restorecheck", "eu-central-1: Security groups": "sg-0123456789abcdef0",
           "eu-central-1: ARN of the scratch": KEY},
    )  # fmt: skip
    said = answers.answers(Options(source_external_id="abc"), person)
    assert (said.source_role, said.source_external_id, said.scratch_external_id) == (SOURCE, "abc", "")
    assert [(place.region, place.subnet_group, place.instance_class) for place in said.places] == [
        ("eu-central-1", "restorecheck", "db.t4g.medium"),
        ("us-west-2", "", ""),
    ]
    assert len(person.told) == 1
    assert "is not the ARN of an IAM role" in person.told[0]
    assert not [question for question in person.asked if "us-west-2: Security" in question]  # no subnets, no need


def test_what_is_of_a_region_says_so_where_there_are_several():
    two = {"regions": ("eu-central-1", "us-west-2")}
    ours = ("eu-central-1=restorecheck", "us-west-2=none")
    groups = ("eu-central-1=sg-0123456789abcdef0",)
    said = answers.answers(
        options(**two, subnet_group=ours, security_group=groups, scratch_key=(f"eu-central-1={KEY}",)), None
    )
    assert [place.subnet_group for place in said.places] == ["restorecheck", ""]
    for wrong, told in [
        (("restorecheck",), "--subnet-group restorecheck does not say of which region it is"),
        (("us-east-1=x",), "us-east-1 is not one of the regions"),
        (("eu-central-1=a", "eu-central-1=b"), "--subnet-group was said 2 times for eu-central-1"),
    ]:
        with pytest.raises(RestorecheckError) as caught:
            answers.answers(options(**two, subnet_group=wrong), None)
        assert told in caught.value.message


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"source_role": "arn:aws:iam::1:user/x"}, "--source-role: "),
        ({"scratch_role": SOURCE}, "are both of account 111111111111"),
        ({"regions": ("frankfurt",)}, "--region: "),
        ({"security_group": ("default",)}, "--security-group: "),
        ({"scratch_key": ("alias/mine",)}, "--scratch-key: "),
        ({"bucket": ("s3://mine",)}, "--bucket: "),
    ],
)
def test_a_slip_is_told_by_the_name_of_its_option(said: dict[str, Any], told: str):
    with pytest.raises(RestorecheckError) as caught:
        answers.answers(options(**said), None)
    assert told in caught.value.message


@pytest.mark.parametrize("said", ["orders", "=x", "orders="])
def test_a_database_is_said_with_the_name_of_what_holds_it(said: str):
    with pytest.raises(RestorecheckError, match="--database"):
        answers.databases([said])
    assert answers.databases(["orders=a=b"]) == {"orders": "a=b"}


# --- what is written --------------------------------------------------------------------------------------------------


def test_a_configuration_is_written_that_loads(tmp_path: Path):
    home = tmp_path / "new" / "home"
    made = begun(home)
    assert made.code == 0
    assert sorted(str(path.relative_to(home)) for path in home.rglob("*")) == [
        "checks", "checks/orders-prod.toml", "config.toml",
    ]  # fmt: skip
    [check] = load(home / "config.toml").checks
    assert (check.name, check.source.account) == ("orders-prod", "111111111111")


def test_a_dry_run_writes_nothing(tmp_path: Path):
    made = begun(tmp_path / "home", dry_run=True)
    assert sorted(made.files) == ["checks/orders-prod.toml", "config.toml"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("there", ["config.toml", "checks/mine.toml"])
def test_nothing_is_written_over(tmp_path: Path, there: str):
    (tmp_path / there).parent.mkdir(exist_ok=True)
    (tmp_path / there).write_text("mine")
    with pytest.raises(RestorecheckError, match="is there already, and nothing is written over"):
        begun(tmp_path)
    assert [path.read_text() for path in tmp_path.rglob("*.toml")] == ["mine"]


def test_what_does_not_fit_together_is_told_before_aws_is_asked(tmp_path: Path):
    elsewhere = KEY.replace("222222222222", "999999999999")
    said = Asked(tmp_path, options(scratch_key=(elsewhere,)))
    with pytest.raises(ConfigError) as caught:
        beginning.begin(said, None, NOW, lambda _: pytest.fail("AWS was asked"))
    assert f"{tmp_path}/config.toml:" in caught.value.message
    assert "999999999999" in caught.value.message
    assert list(tmp_path.iterdir()) == []


def test_where_there_is_nothing_to_test_nothing_is_written(tmp_path: Path):
    made = begun(tmp_path, account=Account(empty=True))
    assert (made.code, made.files, list(tmp_path.iterdir())) == (3, {}, [])


def test_a_call_that_was_denied_makes_the_code_3_and_the_rest_is_written(tmp_path: Path):
    made = begun(tmp_path, account=Account("ListBuckets"))
    assert (made.code, [one.call for one in made.blind]) == (3, ["ListBuckets"])
    assert load(tmp_path / "config.toml").check("orders-prod")


def test_an_account_that_cannot_be_entered_is_an_error(tmp_path: Path):
    def shut(_region: str) -> Any:
        raise AwsError("AccessDenied", "AssumeRole: no", kind="credentials", retryable=False)

    with pytest.raises(RestorecheckError, match="AssumeRole: no") as caught:
        beginning.begin(Asked(tmp_path, options()), None, NOW, lambda _: shut)
    assert (caught.value.kind, list(tmp_path.iterdir())) == ("credentials", [])


# --- all or nothing ---------------------------------------------------------------------------------------------------

FILES = {"checks/a.toml": "a", "checks/b.toml": "b", "config.toml": "c"}


def nothing(_directory: Path) -> None:
    """Find nothing wrong."""


@pytest.mark.parametrize("taken", FILES)
def test_a_name_that_is_taken_meanwhile_takes_all_back(tmp_path: Path, taken: str):
    def meanwhile(_directory: Path) -> None:
        (tmp_path / taken).parent.mkdir(exist_ok=True)
        (tmp_path / taken).write_text("mine")

    with pytest.raises(RestorecheckError, match="is there already"):
        fresh_files.lay(tmp_path, FILES, meanwhile, whole=True)
    assert {str(p.relative_to(tmp_path)): p.read_text() for p in tmp_path.rglob("*.toml")} == {taken: "mine"}


@pytest.mark.parametrize("whole", [True, False])
def test_what_is_not_right_leaves_nothing(tmp_path: Path, whole: bool):
    def wrong(directory: Path) -> None:
        load(directory / "config.toml")

    home = tmp_path / "home"
    with pytest.raises(ConfigError):
        fresh_files.lay(home, FILES, wrong, whole=whole)
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_is_a_file_is_named(tmp_path: Path):
    (tmp_path / "home").write_text("mine")
    with pytest.raises(RestorecheckError, match="cannot be written"):
        fresh_files.lay(tmp_path / "home", FILES, nothing, whole=True)
    assert (tmp_path / "home").read_text() == "mine"


# --- the command ------------------------------------------------------------------------------------------------------


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["init", *arguments])


def test_the_command_names_what_is_missing(tmp_path: Path):
    done = run("--directory", str(tmp_path), "--json")
    assert done.exit_code == 2
    assert "--source-role" in json.loads(done.stdout)["error"]["message"]


def test_with_merge_the_accounts_are_those_that_are_there(tmp_path: Path):
    begun(tmp_path)
    done = run("--directory", str(tmp_path), "--merge", *FLAGS, "--json")
    assert done.exit_code == 2
    assert "with --merge" in json.loads(done.stdout)["error"]["message"]
    (tmp_path / "config.toml").unlink()
    assert run("--directory", str(tmp_path), "--merge").exit_code == 2


def test_a_second_scratch_account_has_to_be_chosen(tmp_path: Path):
    begun(tmp_path)
    path = tmp_path / "config.toml"
    second = path.read_text().partition("[scratch_accounts.lab]")[2].replace("222222222222", "333333333333")
    path.write_text(f"{path.read_text()}\n[scratch_accounts.lab2]{second.replace('accounts.lab', 'accounts.lab2')}")
    for said, told in [((), "there are several scratch accounts: lab, lab2"), (("--scratch", "x"), "is not one of")]:
        done = run("--directory", str(tmp_path), "--merge", "--json", *said)
        assert done.exit_code == 2
        assert told in json.loads(done.stdout)["error"]["message"]


@pytest.mark.parametrize("merge", [False, True])
def test_what_is_said_of_a_draft(merge: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    made = begun(tmp_path, account=Account("ListBuckets"), only=("orders-*", "nope"))
    begun_.say(Asked(tmp_path, options(), merge=merge), made)
    said = capsys.readouterr()
    assert "orders-prod" in said.out
    assert f"restorecheck doctor --config {tmp_path}/config.toml" in said.out
    assert "could not look: ListBuckets" in said.err
    assert "nothing is called nope" in said.err
