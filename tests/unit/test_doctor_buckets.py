"""What the doctor says about buckets: well, wrong, and not to be looked at."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fake_buckets import REGION, SCRATCH, SOURCE, aws_error
from objects_lab import DAY, Lab
from workflow.scripted import NOW, check

from restorecheck.config import Config
from restorecheck.config.resolved import ScratchAccount, SourceAccount
from restorecheck.databases.scratch_mysql import MysqlPrograms
from restorecheck.doctor import Diagnosis, buckets, diagnose
from restorecheck.doctor.diagnosis import Ill
from restorecheck.errors import AwsError, SourceError
from restorecheck.model import Limits, Placement, S3DumpSource, S3ObjectsSource

PLACE = Placement(SCRATCH, REGION, bucket="scratch")
LAB = f"lab ({SCRATCH}) {REGION}"


def visited(lab: Lab, source: Any = None) -> dict[tuple[str, str], Diagnosis]:
    made = check(source=source or lab.source, placement=PLACE)
    config = Config(
        path=Path("config.toml"),
        state=Path("/nowhere"),
        source_accounts=(SourceAccount("production", SOURCE, "role", (REGION,)),),
        scratch_accounts=(ScratchAccount("lab", SCRATCH, "role", (PLACE,), Limits(), 5),),
        checks=(made,),
    )
    return {(d.subject, d.name): d for d in diagnose(config, lab.s3, NOW)}  # type: ignore[arg-type]


def verdicts(lab: Lab, source: Any = None) -> dict[str, str]:
    return {name: d.outcome for (_, name), d in visited(lab, source).items() if not name.startswith("identity")}


WELL = {"versions": "pass", "reading": "pass", "bucket": "pass"}
DUMPS = S3DumpSource(SOURCE, REGION, "backups", "data/*", "shop")
DUMPS_WELL = WELL | {"dumps": "pass", "programs": "pass"}  # the wheel's programs are in every environment of tests


def test_buckets_that_are_well_pass_and_nothing_of_rds_is_looked_at() -> None:
    lab = Lab()
    assert verdicts(lab) == verdicts(lab, replace(lab.source, transfer="stream")) == WELL
    assert verdicts(lab, DUMPS) == DUMPS_WELL
    assert {operation for operation, _ in lab.s3.calls} == {
        "GetBucketVersioning",
        "GetObjectLockConfiguration",
        "HeadBucket",
        "HeadObject",
        "ListObjectVersions",
    }


def test_dumps_are_counted_by_their_keys_and_the_newest_has_an_age() -> None:
    lab = Lab(keys=())
    lab.backup.put("data/a.dump", b"1", NOW - DAY)
    lab.backup.put("data/b.dump", b"2", NOW - DAY / 24)
    lab.backup.put("data/c.dump", None, NOW)
    lab.backup.put("data/notes.txt", b"3", NOW)
    found = visited(lab, replace(DUMPS, object="data/*.dump"))["orders-db", "dumps"]
    assert (found.outcome, found.detail) == ("pass", "2 dumps match 'data/*.dump', the newest 1 h 0 min old")


def test_a_pattern_that_matches_nothing_fails_unless_the_listing_goes_on() -> None:
    lab = Lab()
    assert verdicts(lab, replace(DUMPS, object="data/*.sql.gz"))["dumps"] == "fail"
    lab.s3.page = 1
    for n in range(12):
        lab.backup.put(f"data/{n}", b"x", NOW - DAY)
    assert verdicts(lab, replace(DUMPS, object="data/*.sql.gz"))["dumps"] == "could not look"
    assert " or more match" in visited(lab, DUMPS)["orders-db", "dumps"].detail


@pytest.mark.parametrize("engine", ["postgresql", "mysql"])
def test_programs_that_can_restore_dumps_must_be_here(
    engine: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(buckets.mysql_programs, "programs_here", lambda _: ())
    with pytest.raises(Ill, match=r"holds no|no programs"):
        buckets.programs(replace(DUMPS, engine=engine), (tmp_path,))
    one = MysqlPrograms(tmp_path, tmp_path, None, "MariaDB", "10.11.6")
    monkeypatch.setattr(buckets.mysql_programs, "programs_here", lambda _: (one,))
    monkeypatch.setattr(buckets, "installations", lambda _: ((), []))
    if engine == "mysql":
        assert "MariaDB 10.11.6" in buckets.programs(replace(DUMPS, engine=engine), ())
    else:
        with pytest.raises(Ill, match="no programs of a postgresql server"):
            buckets.programs(DUMPS, ())


def test_into_a_declared_server_nothing_of_this_machine_restores() -> None:
    assert "programs" not in verdicts(Lab(), replace(DUMPS, server="postgresql://owner@db.example.org/postgres"))


@pytest.mark.parametrize("versioning", ["", "Suspended"])
def test_a_bucket_that_forgets_is_no_backup(versioning: str) -> None:
    lab = Lab()
    lab.backup.versioning = versioning
    assert verdicts(lab) == WELL | {"versions": "fail"}


def test_a_bucket_that_is_not_there_or_holds_nothing_fails() -> None:
    assert verdicts(Lab(), replace(DUMPS, bucket="lost")) == {
        "versions": "fail",
        "reading": "could not look",
        "bucket": "pass",
        "dumps": "could not look",
        "programs": "pass",
    }
    assert verdicts(Lab(keys=())) == {"versions": "fail", "reading": "could not look", "bucket": "pass"}


def test_what_may_not_be_listed_is_not_passed() -> None:
    lab = Lab()
    lab.s3.trouble = lambda what, _: aws_error("AccessDenied") if what == "source ListObjectVersions" else None
    assert verdicts(lab) == {"versions": "could not look", "reading": "could not look", "bucket": "pass"}


@pytest.mark.parametrize(("transfer", "role", "advice"), [("copy", "scratch", "stream"), ("stream", "source", "kms")])
def test_the_role_that_is_to_read_must_be_able_to(transfer: str, role: str, advice: str) -> None:
    lab = Lab()
    lab.s3.trouble = lambda what, _: aws_error("403") if what == f"{role} HeadObject" else None
    found = visited(lab, replace(lab.source, transfer=transfer))["orders-db", "reading"]
    assert (found.outcome, role in found.detail, advice in found.fix) == ("fail", True, True)
    lab.s3.trouble = lambda what, _: aws_error("SlowDown") if what == f"{role} HeadObject" else None
    assert visited(lab, replace(lab.source, transfer=transfer))["orders-db", "reading"].outcome == "could not look"


def test_an_object_that_is_current_is_looked_for_beyond_markers() -> None:
    lab = Lab(keys=())
    lab.s3.page = 2
    for n in range(8):
        lab.backup.put(f"data/{n}", None, NOW - DAY)
    assert verdicts(lab)["reading"] == "could not look"
    lab.backup.put("data/z", b"here", NOW - DAY)
    assert verdicts(lab)["reading"] == "pass"
    for n in range(40):
        lab.backup.put(f"data/{n}", None, NOW - DAY)
    assert verdicts(lab)["reading"] == "could not look"


@pytest.mark.parametrize(
    ("code", "outcome"), [("404", "fail"), ("301", "fail"), ("403", "fail"), ("SlowDown", "could not look")]
)
def test_a_scratch_bucket_that_will_not_do_fails(code: str, outcome: str) -> None:
    lab = Lab()
    lab.s3.trouble = lambda what, _: aws_error(code) if what == "scratch HeadBucket" else None
    assert verdicts(lab) == WELL | {"bucket": outcome}
    assert visited(lab)[LAB, "bucket"].fix


class Locked:
    """A bucket whose lock is as it is given."""

    def __init__(self, answer: dict[str, Any] | AwsError) -> None:
        self.answer = answer

    def call(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
        if operation == "HeadBucket":
            return {}
        if isinstance(self.answer, AwsError):
            raise self.answer
        return self.answer


def test_a_scratch_bucket_with_a_lock_would_keep_what_is_restored() -> None:
    locked = {"ObjectLockConfiguration": {"ObjectLockEnabled": "Enabled"}}
    with pytest.raises(Ill):
        buckets.scratch(Locked(locked), PLACE)  # type: ignore[arg-type]
    with pytest.raises(SourceError):
        buckets.scratch(Locked({}), PLACE)  # type: ignore[arg-type]
    with pytest.raises(AwsError):
        buckets.scratch(Locked(aws_error("AccessDenied")), PLACE)  # type: ignore[arg-type]
    unlocked = {"ObjectLockConfiguration": {"ObjectLockEnabled": "Disabled"}}
    assert buckets.scratch(Locked(unlocked), PLACE)  # type: ignore[arg-type]


def test_the_doctor_takes_the_prefix_of_a_source_as_it_is() -> None:
    source = S3ObjectsSource(SOURCE, REGION, "backups", "data/c")
    assert verdicts(Lab(), source) == WELL
