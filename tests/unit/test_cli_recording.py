"""`restorecheck record`, up to the server and the bucket: what a tired operator gets wrong, and where it is written."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from restorecheck.cli import app, recording
from restorecheck.databases.interface import ALONE, Beside, Login
from restorecheck.errors import AwsError, RefusedError, RestorecheckError
from restorecheck.model import Answer, Assertion, Cell
from restorecheck.references import manifest

CONFIG = """
[source_accounts.production]
id = "111111111111"
role = "arn:aws:iam::111111111111:role/restorecheck-source"
regions = ["eu-central-1"]
[scratch_accounts.lab]
id = "222222222222"
role = "arn:aws:iam::222222222222:role/restorecheck-scratch"
[scratch_accounts.lab.regions.eu-central-1]
subnet_group = "restorecheck"
security_groups = ["sg-0123456789abcdef0"]
key = "arn:aws:kms:eu-central-1:222222222222:key/00000000-0000-0000-0000-000000000000"
instance_class = "db.t4g.medium"
"""
CHECK = """
[check]
name = "orders-db"
rpo = "25h"
rto = "2h"
[source]
type = "rds"
account = "production"
region = "eu-central-1"
instance = "orders"
database = "shop"
[scratch]
account = "lab"
[reference.nightly]
bucket = "backups"
object = "references/*.json"
[[assert]]
name = "rows"
sql = "select id, total from orders"
expect = { same_as = "nightly" }
"""
FROM = "postgresql://reporter@replica:5433/shop"
PASSWORD = "canary-of-a-password"


class FakePostgres:
    """A replica that answers; the last login is kept."""

    login: Login | None = None
    broken = False

    def __init__(self, **_: Any) -> None:
        """Take whatever a database is made with."""

    def knock(self, reader: Login) -> str:
        type(self).login = reader
        return "18.1"

    def ask(
        self,
        reader: Login,
        assertions: Sequence[Assertion],
        salt: str,
        within: timedelta,
        beside: Beside = ALONE,
    ) -> tuple[Answer, ...]:
        if assertions[0].name == "clock":
            return (Answer("clock", 1, columns=1, cells=(Cell("time", "2026-11-21T03:00:15+00:00"),)),)
        beside.tell("reads on")
        return (Answer("rows", error="no such table" if self.broken else "", fingerprint="f00d"),)


class FakeFence:
    """Gives out a recorder, or refuses; what it was asked for and what was sent is kept."""

    def __init__(self, error: RestorecheckError | None = None) -> None:
        self.error, self.asked, self.sent = error, list[Any](), dict[str, Any]()

    def recorder(self, *asked: Any) -> FakeFence:
        self.asked.append(asked)
        if isinstance(self.error, RefusedError):
            raise self.error
        return self

    def call(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
        if self.error:
            raise self.error
        self.sent = params
        return {}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "checks").mkdir()
    (tmp_path / "config.toml").write_text(CONFIG)
    (tmp_path / "checks" / "orders-db.toml").write_text(CHECK)
    monkeypatch.setattr(recording, "Postgres", FakePostgres)
    monkeypatch.setattr(FakePostgres, "broken", False)
    monkeypatch.setenv(recording.PASSWORD, PASSWORD)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def fence(monkeypatch: pytest.MonkeyPatch) -> FakeFence:
    made = FakeFence()
    monkeypatch.setattr(recording, "fence_of", lambda _: made)
    return made


Record = Callable[..., Any]


@pytest.fixture
def record(home: Path) -> Record:
    def call(*more: str, check: str = "orders-db", reference: str = "nightly", source: str = FROM) -> Any:
        found = CliRunner().invoke(app, ["record", check, "--reference", reference, "--from", source, *more])
        assert PASSWORD not in found.stdout + found.stderr
        assert found.exception is None or isinstance(found.exception, SystemExit), found.exception
        return found

    return call


def test_what_was_recorded_is_written_to_the_references_bucket(record: Record, fence: FakeFence):
    done = record()
    assert (done.exit_code, done.stderr) == (0, "reads on\n")
    where = "s3://backups/references/orders-db-20261121t030015z.json"
    assert done.stdout == f"recorded 1 answer of orders-db, as of 2026-11-21 03:00 UTC: {where}\n"
    assert FakePostgres.login == Login("replica", 5433, "reporter", PASSWORD, "shop")
    [(account, region, place, at, role)] = fence.asked
    assert (account, region, role) == ("111111111111", "eu-central-1", "")
    assert place == (fence.sent["Bucket"], fence.sent["Key"]) == ("backups", where.removeprefix("s3://backups/"))
    kept = manifest.read(fence.sent["Body"])
    assert (kept.recorded_at, kept.answers[0].fingerprint, kept.engine) == (at, "f00d", "postgresql")


def test_a_script_gets_one_object(record: Record, fence: FakeFence):
    done = json.loads(record("--json", "--role", "arn:aws:iam::111111111111:role/backup").stdout)
    assert (done["command"], done["exit_code"], done["answers"]) == ("record", 0, 1)
    assert done["manifest"] == "s3://backups/references/orders-db-20261121t030015z.json"
    assert done["recorded_at"] == "2026-11-21T03:00:15+00:00"
    assert fence.asked[0][-1] == "arn:aws:iam::111111111111:role/backup"


def test_it_can_be_written_elsewhere_without_aws(record: Record, fence: FakeFence, home: Path):
    assert record("--out", "kept.json").stdout.endswith("2026-11-21 03:00 UTC: kept.json\n")
    printed = record("--out", "-")
    assert manifest.read((home / "kept.json").read_bytes()) == manifest.read(printed.stdout.encode())
    assert "recorded 1 answer" in printed.stderr
    assert fence.asked == []
    assert sorted(p.name for p in home.iterdir()) == ["checks", "config.toml", "kept.json"]


def test_the_password_may_be_in_a_file(record: Record, home: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv(recording.PASSWORD)
    (home / "secret").write_text(PASSWORD + "\n")
    assert record("--password-file", "secret", "--out", "-").exit_code == 0
    assert FakePostgres.login is not None
    assert FakePostgres.login.password == PASSWORD


@pytest.mark.parametrize(
    ("arguments", "named", "said"),
    [
        ((), {"reference": "nighty"}, "has no reference nighty\n  hint: did you mean nightly?"),
        ((), {"check": "order-db"}, "there is no check named order-db\n  hint: did you mean orders-db?"),
        ((), {"source": f"postgresql://u:{PASSWORD}@h/d"}, "--from holds a password"),
        ((), {"source": f"postgresql://u:{PASSWORD}@h:port/d"}, "--from is not a URL"),
        ((), {"source": "postgresql://h/d"}, "does not name a server, a user and a database"),
        ((), {"source": "postgresql://u@h"}, "does not name a server, a user and a database"),
        ((), {"source": "postgresql://u@/d"}, "does not name a server, a user and a database"),
        ((), {"source": "postgresql://u@h/d?sslmode=disable"}, "does not name a server, a user and a database"),
        ((), {"source": "postgresql://u@h/d/e"}, "does not name a server, a user and a database"),
        ((), {"source": "oracle://u@h/d"}, "does not name a server, a user and a database"),
        ((), {"source": "mysql://u@h/d"}, "a server of mysql, and orders-db tests backups of postgresql"),
        (("--password-file", "none"), {}, "none cannot be read: No such file or directory"),
        (("--password-file", "empty"), {}, "empty holds no password"),
        (("--password-file", "bytes"), {}, "bytes cannot be read: it is not text"),
        (("--json", "--out", "-"), {}, "both print to standard output"),
        (("--role", "arn:x", "--out", "-"), {}, "--role is of no use with --out"),
        (("--out", "none/x.json"), {}, "none/x.json cannot be written: No such file or directory"),
    ],
)
def test_what_a_tired_operator_gets_wrong_is_one_clear_line(
    record: Record, fence: FakeFence, arguments: tuple[str, ...], named: dict[str, str], said: str
):
    Path("empty").write_text("\n")
    Path("bytes").write_bytes(b"\xff")
    done = record(*arguments, **named)
    assert done.exit_code == 2
    assert said in done.stderr + done.stdout
    assert fence.asked == []


def test_without_a_password_nobody_is_asked(record: Record, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv(recording.PASSWORD)
    done = record()
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr == (
        "restorecheck: there is no password for the user in --from\n"
        "  hint: set RESTORECHECK_RECORD_PASSWORD, or give --password-file\n"
    )


def test_an_answer_that_is_not_whole_leaves_nothing_behind(
    record: Record, fence: FakeFence, home: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(FakePostgres, "broken", True)
    for arguments in ((), ("--out", "kept.json")):
        done = record(*arguments)
        assert done.exit_code == 3
        assert "nothing was recorded: rows: no such table" in done.stderr
    assert fence.sent == {}
    assert not (home / "kept.json").exists()


def test_what_is_too_large_to_be_read_is_not_written(record: Record, fence: FakeFence, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(manifest, "MOST", 10)
    done = record()
    assert done.exit_code == 3
    assert "10 are allowed\n  hint: ask for less" in done.stderr
    assert fence.sent == {}


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (RefusedError("the recorder role of account 1 leads into account 2"), 4),
        (AwsError("AccessDenied", "AccessDenied", kind="permission", retryable=False), 3),
        (AwsError("PreconditionFailed", "PreconditionFailed", kind="snapshot-state", retryable=False), 3),
    ],
)
def test_what_aws_or_the_fence_refuses_is_never_the_code_of_a_broken_backup(
    record: Record, fence: FakeFence, error: RestorecheckError, code: int
):
    fence.error = error
    assert record().exit_code == code


def test_a_source_of_another_engine_is_asked_by_its_own(home: Path, record: Record, monkeypatch: pytest.MonkeyPatch):
    made: list[str] = []

    class FakeMySQL(FakePostgres):
        def __init__(self, **_: Any) -> None:
            made.append("mysql")

    monkeypatch.setattr(recording, "MySQL", FakeMySQL)
    (home / "checks" / "orders-db.toml").write_text(CHECK.replace('type = "rds"', 'type = "rds"\nengine = "mysql"'))
    assert record("--out", "-", source="mysql://reporter@replica/shop").exit_code == 0
    assert made == ["mysql"]
    assert FakePostgres.login is not None or FakeMySQL.login is not None
    assert FakeMySQL.login == Login("replica", 3306, "reporter", PASSWORD, "shop")
