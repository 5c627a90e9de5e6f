"""The objects that rows name: exactly what was current in their bucket at the backup's time, or a reason why not."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fake_buckets import REGION, SOURCE, Bucket, FakeS3, aws_error
from hypothesis import given
from hypothesis import strategies as st
from workflow.scripted import POINT, check

from restorecheck.errors import RestorecheckError, SourceError
from restorecheck.failures import kind as meaning
from restorecheck.model import ObjectSet, Verdict
from restorecheck.sources import beside

AT = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
NOW = AT + 8 * HOUR
UPLOADS = ObjectSet("uploads", SOURCE, REGION, "uploads", "up/")
TAKEN = replace(POINT, created=AT + HOUR, data_time=AT)


class World:
    """A bucket of uploads behind the fence, and a check whose rows name them."""

    def __init__(self, versioning: str = "Enabled") -> None:
        self.s3 = FakeS3(lambda: NOW, page=3)
        self.bucket = self.s3.buckets["uploads"] = Bucket(SOURCE, versioning)
        self.entered: list[tuple[str, str, str]] = []

    def hand(self, role: Any, account: str, region: str) -> Any:
        self.entered.append((str(role), account, region))
        return self.s3.hand(role, account, region)

    def objects(self, role: Any, account: str, region: str) -> Any:
        self.entered.append((str(role), account, region))
        return self.s3.objects(role, account, region)

    def keys(self, point: Any = TAKEN, **changes: Any) -> list[bytes]:
        made = replace(check(), objects=(replace(UPLOADS, **changes),))
        return list(beside.of(self, made, point, lambda: NOW, print).keys["uploads"]())


@pytest.fixture
def world() -> World:
    return World()


def test_keys_are_those_that_were_current_at_the_backups_time_without_their_prefix(world: World):
    world.bucket.put("up/kept", b"1", AT - HOUR)
    world.bucket.put("up/changed", b"1", AT - HOUR)
    world.bucket.put("up/changed", b"2", AT + HOUR)
    world.bucket.put("up/deleted-before", b"1", AT - 2 * HOUR)
    world.bucket.put("up/deleted-before", None, AT - HOUR)
    world.bucket.put("up/deleted-after", b"1", AT - 2 * HOUR)
    world.bucket.put("up/deleted-after", None, AT + HOUR)
    world.bucket.put("up/later", b"1", AT + timedelta(seconds=1))
    world.bucket.put("elsewhere", b"1", AT - HOUR)
    assert world.keys() == [b"changed", b"deleted-after", b"kept"]
    assert set(world.entered) == {("source", SOURCE, REGION)}


def test_without_a_time_of_its_data_a_point_was_made_when_it_was_created(world: World):
    world.bucket.put("up/later", b"1", AT + HOUR)
    assert world.keys() == []
    assert world.keys(replace(TAKEN, data_time=None)) == [b"later"]


def test_objects_that_come_within_the_delay_count(world: World):
    world.bucket.put("up/soon", b"1", AT + timedelta(minutes=9))
    world.bucket.put("up/late", b"1", AT + timedelta(minutes=11))
    assert world.keys(delay=timedelta(minutes=10)) == [b"soon"]


def test_a_delay_that_is_not_over_leaves_it_open_what_is_missing(world: World):
    with pytest.raises(SourceError, match="count until 2026-11-21 11:00:01 UTC, which has not come yet") as raised:
        world.keys(delay=8 * HOUR + timedelta(seconds=1))
    assert raised.value.kind == "could-not-look"
    assert world.entered == []
    assert world.keys(delay=8 * HOUR) == []


def test_keys_are_taken_as_they_are(world: World):
    for key in ("up//x", "up/a/", "up/ä b+c%20", "up/\n"):
        world.bucket.put(key, b"1", AT - HOUR)
    assert world.keys() == [b"\n", b"/x", b"a/", "ä b+c%20".encode()]


def test_what_a_console_makes_of_a_folder_is_no_key(world: World):
    world.bucket.put("up/", b"", AT - HOUR)
    world.bucket.put("up/x", b"1", AT - HOUR)
    assert world.keys() == [b"x"]
    assert world.keys(prefix="") == [b"up/", b"up/x"]


@given(st.sets(st.text(st.characters(blacklist_categories=("Cs", "Cc")), min_size=1, max_size=6), max_size=20))
def test_whatever_the_keys_they_come_ascending_by_their_bytes(names: set[str]):
    world = World()
    for name in names:
        world.bucket.put(f"up/{name}", b"1", AT - HOUR)
    assert world.keys() == sorted(name.encode() for name in names)


@pytest.mark.parametrize(("versioning", "said"), [("", "is off"), ("Suspended", "is suspended")])
def test_a_bucket_that_keeps_no_versions_is_an_error_and_never_an_empty_one(versioning: str, said: str):
    world = World(versioning)
    world.bucket.put("up/x", b"1", AT - HOUR)
    with pytest.raises(SourceError, match=f"versioning of the bucket uploads {said}") as raised:
        world.keys()
    assert raised.value.kind == "could-not-look"


def test_a_bucket_that_is_not_there(world: World):
    with pytest.raises(SourceError, match=r"\[objects.uploads\]: there is no bucket gone") as raised:
        world.keys(bucket="gone")
    assert raised.value.kind == "could-not-look"


@pytest.mark.parametrize("doing", ["list", "GetBucketVersioning"])
@pytest.mark.parametrize("code", ["AccessDenied", "SlowDown"])
def test_what_aws_refuses_is_raised_and_blames_no_backup(world: World, doing: str, code: str):
    error = aws_error(code)
    world.s3.trouble = lambda what, _: error if what == f"source {doing}" else None
    with pytest.raises(RestorecheckError) as raised:
        world.keys()
    assert raised.value is error
    assert meaning(raised.value.kind).verdict is Verdict.UNPROVEN


def test_nothing_is_listed_before_it_is_asked_for_and_each_asking_lists_anew(world: World):
    made = replace(check(), objects=(UPLOADS, replace(UPLOADS, name="more", prefix="more/")))
    told: list[str] = []
    found = beside.of(world, made, TAKEN, lambda: NOW, told.append)
    assert (sorted(found.keys), world.entered) == (["more", "uploads"], [])
    found.tell("so far")
    assert told == ["so far"]
    world.bucket.put("up/x", b"1", AT - HOUR)
    assert list(found.keys["uploads"]()) == list(found.keys["uploads"]()) == [b"x"]


def test_a_check_without_objects_has_none_beside_it(world: World):
    assert beside.of(world, check(), TAKEN, lambda: NOW, print).keys == {}


def test_evidence_is_kept_by_whom_it_is_given_to_and_by_nobody_else(world: World):
    assert beside.of(world, check(), TAKEN, lambda: NOW, print).evidence is None

    def keep(assertion: str, rows: object) -> int:
        return len(assertion)

    assert beside.of(world, check(), TAKEN, lambda: NOW, print, evidence=keep).evidence is keep
