"""`restorecheck init`: what it asks, what it refuses, what it writes, and that it is all or nothing."""

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from restorecheck.cli import answers, app, beginning, fresh_files
from restorecheck.cli import begun as begun_
from restorecheck.cli.answers import Options
from restorecheck.cli.begun import Asked, Begun
from restorecheck.config import load
from restorecheck.errors import AwsError, ConfigError, RefusedError, RestorecheckError

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


def merged(home: Path, account: Account | None = None, **asked: Any) -> Begun:
    said = Asked(home, Options(), merge=True, **asked)
    return beginning.merge(said, said.wishes(), NOW, lambda _entrance, _region: account or Account())


def other_instance(home: Path) -> None:
    """Make the check one of another instance, which is not there any more."""
    check = home / "checks" / "orders-prod.toml"
    (home / "checks" / "other.toml").write_text(check.read_text().replace("orders-prod", "other"))
    check.unlink()


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
    assert caught.value.hint


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"source_role": SCRATCH, "scratch_role": SOURCE}, "--scratch-key is a key of account 222222222222, and"),
        ({"share_key": (KEY,)}, "--share-key is a key of account 222222222222, and --source-role is of account 111111"),
    ],
)
def test_that_source_and_scratch_were_swapped_is_seen_by_the_keys(said: dict[str, Any], told: str):
    with pytest.raises(RestorecheckError) as caught:
        answers.answers(options(**said), None)
    assert told in caught.value.message
    assert "swapped" in caught.value.hint


@pytest.mark.parametrize("said", [["orders"], ["=x"], ["orders="], ["orders=a", "orders=b"]])
def test_a_database_is_said_with_the_name_of_what_holds_it_and_once(said: list[str]):
    with pytest.raises(RestorecheckError, match="--database"):
        answers.databases(said)
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
    assert begun(tmp_path, account=Account(empty=True), dry_run=True).code == 3


def test_one_odd_name_does_not_cost_the_others_their_check(tmp_path: Path):
    """What configuration refuses to load is left out and says so; the rest is written, or added."""
    home, odd = tmp_path / "home", ("orders-prod=fine", f"odd={'ö' * 31}")

    class Odd(Account):
        def pages(self, service: str, operation: str, key: str, **params: Any) -> Iterator[dict[str, Any]]:
            for one in super().pages(service, operation, key, **params):
                yield one
                yield {k: "odd" if k == "DBInstanceIdentifier" else v for k, v in one.items()} | {"DBName": "\x85"}

    for dry in (True, False):
        made = begun(home, account=Odd(), databases=odd[:1], dry_run=dry)
        assert (made.code, [one.name for one in made.draft.proposals]) == (0, ["orders-prod"])
    [left] = [one for one in made.draft.left_out if "odd" in one.source]
    assert "source.database" in left.reason
    other_instance(home)
    assert merged(home, Odd()).files.keys() == {"checks/orders-prod.toml"}
    assert merged(home, Odd(), databases=odd[1:]).files.keys() == {"checks/odd.toml"}
    assert load(home / "config.toml").check("odd")


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


def test_more_than_one_configuration_can_hold_is_told_with_what_to_do(tmp_path: Path):
    class Large(Account):
        def pages(self, service: str, operation: str, key: str, **params: Any) -> Iterator[dict[str, Any]]:
            for one in super().pages(service, operation, key, **params):
                for number in range(350):
                    named = {"DBInstanceIdentifier": f"orders-{number}", "DBSnapshotIdentifier": f"rds:{number}"}
                    yield one | {k: v for k, v in named.items() if k in one}

    with pytest.raises(ConfigError, match="the checks have 2100 assertions") as caught:
        begun(tmp_path, account=Large())
    assert "--only" in caught.value.hint
    assert list(tmp_path.iterdir()) == []


def test_that_it_cannot_be_written_is_said_before_anybody_is_asked(tmp_path: Path):
    (tmp_path / "file").write_text("mine")
    for home in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(RestorecheckError, match=r"cannot be written: .* is no directory"):
            begun(home, Person(), options=Options())


def test_as_myself_in_the_wrong_account_says_whom_to_become(tmp_path: Path):
    def wrong(_region: str) -> Any:
        raise RefusedError("leads into account 333333333333")

    for myself, hint in [(True, "become somebody of account 111111111111"), (False, "")]:
        with pytest.raises(RefusedError) as caught:
            beginning.begin(Asked(tmp_path, options(), myself=myself), None, NOW, lambda _: wrong)
        assert hint in caught.value.hint


# --- added to what is there -------------------------------------------------------------------------------------------


def test_what_is_tested_already_is_not_added(tmp_path: Path):
    begun(tmp_path)
    made = merged(tmp_path)
    assert (made.code, made.files) == (0, {})
    other_instance(tmp_path)
    assert merged(tmp_path, dry_run=True).files.keys() == {"checks/orders-prod.toml"}
    assert [path.name for path in (tmp_path / "checks").iterdir()] == ["other.toml"]
    assert merged(tmp_path, only=("x*",)).draft.unmatched == ("x*",)
    assert merged(tmp_path).files.keys() == {"checks/orders-prod.toml"}


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


def test_without_credentials_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    done = run("--directory", str(tmp_path / "home"), *FLAGS)
    assert (done.exit_code, list(tmp_path.iterdir())) == (3, [])
    assert "no AWS credentials" in done.stderr


def test_a_terminal_asks_until_something_is_said():
    asking = typer.Typer()

    @asking.command()
    def ask() -> None:
        terminal = beginning.Terminal()
        terminal.tell("that was wrong")
        typer.echo([terminal.ask("Where", ""), terminal.ask("What", "this")])

    done = CliRunner().invoke(asking, input="\n there \n\n")
    assert done.stdout.endswith("['there', 'this']\n")
    assert "  that was wrong" in done.stderr


def test_scratch_is_for_merge_alone(tmp_path: Path):
    done = run("--directory", str(tmp_path), "--scratch", "lab", *FLAGS)
    assert (done.exit_code, "--scratch lab is only for --merge" in done.stderr) == (2, True)


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


def test_what_is_said_of_an_account_with_nothing_in_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    begun_.say(Asked(tmp_path, options()), begun(tmp_path, account=Account(empty=True)))
    said = capsys.readouterr()
    assert said.out == "there is nothing to write\n"
    assert "there is no instance, no cluster and no bucket in account 111111111111 in eu-central-1" in said.err
    assert "hint: " in said.err


def test_a_dry_run_shows_the_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    asked = Asked(tmp_path, options(), dry_run=True)
    made = begun(tmp_path, dry_run=True, skip=("x",))
    begun_.say(asked, made)
    said = capsys.readouterr().out
    assert f"# --- {tmp_path}/config.toml ---" in said
    assert 'instance = "orders-prod"' in said
    assert "2 files would be written" in said
    begun_.as_object(asked, made)
    told = json.loads(capsys.readouterr().out)
    assert (told["written"], sorted(told["files"])) == ([], ["checks/orders-prod.toml", "config.toml"])
    assert (told["exit_code"], told["unmatched"]) == (0, ["x"])


def test_what_was_left_out_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    begun_.say(Asked(tmp_path, options()), begun(tmp_path, skip=("orders-prod",)))
    said = capsys.readouterr()
    assert "left out: RDS instance orders-prod, eu-central-1: --skip names it" in said.out
    assert "hint" not in said.err
