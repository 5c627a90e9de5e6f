"""Which objects are a dump, and which dump is taken: the newest at T, whatever is wrong with it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from dump_bucket import NOW, SOURCE, Bucket, Fakes
from hypothesis import given
from hypothesis import strategies as st

from restorecheck.errors import AwsError, SourceError
from restorecheck.model import SnapshotKind
from restorecheck.sources.s3_dump import points
from restorecheck.sources.s3_dump.keys import fixed, group_of, in_order, sidecar
from restorecheck.sources.versions.patterns import pattern


@pytest.mark.parametrize(
    ("text", "key", "fits"),
    [
        ("dumps/*.dump", "dumps/a.dump", True),
        ("dumps/*.dump", "dumps/x/a.dump", False),
        ("dumps/**.dump", "dumps/x/a.dump", True),
        ("dumps/**/a.dump", "dumps/x/y/a.dump", True),
        ("dumps/a.dump", "dumps/aXdump", False),
        ("d[1]?.dump", "d[1]?.dump", True),
        ("d*", "d\nx", True),
    ],
)
def test_a_star_stops_at_a_slash_two_do_not_and_all_else_is_itself(text: str, key: str, fits: bool):
    assert bool(pattern(text).fullmatch(key)) is fits


def test_a_listing_is_limited_to_what_all_keys_begin_with():
    assert fixed(SOURCE) == "dumps/"
    assert fixed(replace(SOURCE, object="a/b.dump")) == "a/b.dump"
    assert fixed(replace(SOURCE, object="a/b/toc.dat", form="directory")) == "a/b/"
    assert fixed(replace(SOURCE, object="a/*/toc.dat", form="directory")) == "a/"


DIRECTORY = replace(SOURCE, object="dumps/*/toc.dat", form="directory")
PARTS = replace(SOURCE, object="dumps/*.dump*", form="parts", checksum=".sha256")


@pytest.mark.parametrize(
    ("source", "key", "group"),
    [
        (SOURCE, "dumps/a.dump", "dumps/a.dump"),
        (SOURCE, "dumps/a.sql", None),
        (replace(SOURCE, object="dumps/**"), "dumps/x/", None),  # what a console calls a folder
        (replace(SOURCE, object="dumps/*", checksum=".sha256"), "dumps/a.dump.sha256", None),
        (DIRECTORY, "dumps/x/toc.dat", "dumps/x/"),
        (DIRECTORY, "dumps/x/3001.dat.gz", "dumps/x/"),
        (DIRECTORY, "dumps/x/blob_16400.dat.zst", "dumps/x/"),
        (DIRECTORY, "dumps/x/blobs_12.toc", "dumps/x/"),
        (DIRECTORY, "dumps/x/..", None),
        (DIRECTORY, "dumps/x/README", None),
        (DIRECTORY, "dumps/x/y/3001.dat", None),
        (PARTS, "dumps/a.dump.aa", "dumps/a.dump"),
        (PARTS, "dumps/a.dump.part-03", "dumps/a.dump"),
        (PARTS, "dumps/a.dump-003", "dumps/a.dump"),
        (PARTS, "dumps/a.dump.sha256", None),
        (PARTS, "dumps/a.dump_", None),
    ],
)
def test_a_key_belongs_to_one_dump_or_to_none(source: Any, key: str, group: str | None):
    assert group_of(source, key) == group


def test_the_recorded_checksum_of_a_directory_stands_beside_it():
    assert sidecar(replace(DIRECTORY, checksum=".sha256"), "dumps/x/") == "dumps/x.sha256"
    assert sidecar(PARTS, "dumps/a.dump") == "dumps/a.dump.sha256"


def split_names(count: int, digits: str) -> list[str]:
    """Return the suffixes that GNU split gives, widening as it goes."""
    names, width, lead, base = [], 2, "", len(digits)
    while len(names) < count:
        body = width
        for number in range((base - 1) * base ** (body - 1)):
            text = ""
            for power in range(body):
                text = digits[number // base**power % base] + text
            names.append(lead + text)
            if len(names) == count:
                break
        lead, width = lead + digits[-1], width + 1
    return names


def test_the_names_that_split_gives_are_in_order_and_without_a_gap():
    for digits, known in (("0123456789", "9000"), ("abcdefghijklmnopqrstuvwxyz", "zaaa")):
        names = split_names(800, digits)
        assert known in names
        order = in_order([f"d.{n}" for n in reversed(names)])
        assert (order.keys, order.gap) == (tuple(f"d.{n}" for n in names), "")


@given(st.integers(1, 30), st.sampled_from([0, 1]), st.sampled_from([1, 3]), st.data())
def test_numbers_are_in_their_order_and_whatever_is_missing_between_them_is_a_gap(
    count: int, first: int, width: int, data: st.DataObject
):
    keys = [f"d.dump-{n:0{width}d}" for n in range(first, first + count)]
    shuffled = data.draw(st.permutations(keys))
    assert in_order(shuffled).keys == tuple(keys)
    assert not in_order(shuffled).gap
    if count > 2:
        lost = data.draw(st.sampled_from(keys[1:-1]))
        assert "no part follows" in in_order([k for k in shuffled if k != lost]).gap


def test_a_first_part_that_is_none_is_a_gap():
    assert "first part is '002'" in in_order(["d.002", "d.003"]).gap
    assert "first part is 'ab'" in in_order(["d.ab"]).gap
    assert in_order(["d.zz"]).gap


def test_what_has_no_number_of_the_series_is_no_part():
    assert in_order(["d.000", "d.001", "d.done"]).foreign == ("d.done",)
    order = in_order(["d.aa", "d.ab", "d.done"])
    assert (order.keys, order.gap, order.foreign) == (("d.aa", "d.ab"), "", ("d.done",))
    assert in_order(["d.aa", "d.ab", "d.1"]).keys == ("d.aa", "d.ab")
    assert in_order(["d.zz", "d.zzz"]).gap  # `zz` has no next one


# --- which is taken -----------------------------------------------------------------------------------------------


@pytest.fixture
def fakes(tmp_path: Path) -> Fakes:
    return Fakes(tmp_path)


def test_the_newest_dump_at_the_time_is_taken_and_says_what_was_before(fakes: Fakes):
    fakes.bucket.put("dumps/mon.dump", b"x" * 90, ago=3000)
    fakes.bucket.put("dumps/tue.dump", b"y" * 100, ago=1500)
    fakes.bucket.put("dumps/wed.dump", b"z" * 110, ago=60)
    fakes.bucket.put("other/wed.dump", b"z", ago=30)
    point = fakes.dump().find()
    assert point.id == "s3://backups/dumps/wed.dump?versionId=v2"
    assert point.arn == "arn:aws:s3:::backups/dumps/wed.dump"
    assert (point.kind, point.engine) == (SnapshotKind.DUMP, "postgres")
    assert point.created == point.newest == NOW - timedelta(minutes=60)
    assert (point.bytes, point.objects, point.history) == (110, 1, (100, 90))
    assert any("before this one is s3://backups/dumps/tue.dump" in r and "100 bytes" in r for r in point.remarks)
    assert {account for _, account in fakes.gate.entered} == {"111111111111"}


def test_an_age_and_a_time_go_back_to_what_was_current_then_and_the_newest_is_still_known(fakes: Fakes):
    fakes.bucket.put("dumps/a.dump", b"old", ago=600)
    fakes.bucket.put("dumps/a.dump", b"newer", ago=60)
    for at in (timedelta(hours=2), NOW - timedelta(hours=2)):
        point = fakes.dump(at=at).find()
        assert (point.parts[0].version, point.bytes) == ("v0", 3)
        assert point.created == NOW - timedelta(minutes=600)
        assert point.newest == NOW - timedelta(minutes=60)


def test_a_time_that_has_not_come_yet_is_a_mistake_of_the_check(fakes: Fakes):
    with pytest.raises(SourceError) as e:
        fakes.dump(at=NOW + timedelta(minutes=1)).find()
    assert e.value.kind == "config"


def test_an_empty_or_small_newest_dump_is_taken_and_never_an_older_one(fakes: Fakes):
    fakes.bucket.put("dumps/a.dump", b"x" * 1000, ago=1500)
    fakes.bucket.put("dumps/a.dump", b"", ago=60)
    point = fakes.dump().find()
    assert (point.bytes, point.history, point.parts[0].version) == (0, (1000,), "v1")
    assert any("before this one is s3://backups/dumps/a.dump" in r and "1,000 bytes" in r for r in point.remarks)


def test_a_newer_dump_that_was_deleted_is_told(fakes: Fakes):
    fakes.bucket.put("dumps/a.dump", b"x", ago=1500)
    fakes.bucket.put("dumps/b.dump", b"yy", ago=100)
    fakes.bucket.put("dumps/b.dump", None, ago=50)
    point = fakes.dump().find()
    assert point.parts[0].key == "dumps/a.dump"
    assert any("a newer dump, s3://backups/dumps/b.dump" in r for r in point.remarks)


def test_history_has_the_ten_before_of_other_keys_and_of_the_same(fakes: Fakes):
    for n in range(15):
        fakes.bucket.put(f"dumps/{n % 3}.dump", b"x" * (n + 1), ago=1000 - n)
    assert fakes.dump().find().history == tuple(range(14, 4, -1))


def test_a_directory_is_all_that_pg_dump_wrote_there(fakes: Fakes):
    for day, ago in (("1", 1500), ("2", 60)):
        for name in ("toc.dat", "3001.dat.gz", "3002.dat.gz", "README"):
            fakes.bucket.put(f"dumps/{day}/{name}", b"x" * int(day), ago=ago)
    point = fakes.dump(object="dumps/*/toc.dat", form="directory").find()
    assert point.id == "s3://backups/dumps/2/"
    assert [p.key for p in point.parts] == ["dumps/2/3001.dat.gz", "dumps/2/3002.dat.gz", "dumps/2/toc.dat"]
    assert (point.bytes, point.history) == (6, (3,))
    assert fakes.bucket.listed == ["dumps/", "dumps/2/"]


def test_a_newest_directory_without_its_table_of_contents_is_taken_and_damaged(fakes: Fakes):
    fakes.bucket.put("dumps/1/toc.dat", b"x", ago=1500)
    fakes.bucket.put("dumps/2/3001.dat", b"x", ago=60)
    dump = fakes.dump(object="dumps/*/toc.dat", form="directory")
    point = dump.find()
    assert point.id == "s3://backups/dumps/2/"
    with pytest.raises(SourceError, match=r"its directory has no toc\.dat") as e:
        dump.stages(point)[0].begin()
    assert e.value.kind == "dump-damaged"


def test_parts_are_read_in_their_order_and_a_gap_is_damage(fakes: Fakes):
    source = {"object": "dumps/*.dump.*", "form": "parts"}
    for n in range(12):
        fakes.bucket.put(f"dumps/a.dump.{n}", b"x", ago=60 - n)
    fakes.bucket.put("dumps/a.dump.done", b"", ago=40)
    dump = fakes.dump(**source)
    point = dump.find()
    assert [p.key.rpartition(".")[2] for p in point.parts] == [str(n) for n in range(12)]
    assert point.id == "s3://backups/dumps/a.dump*"
    assert point.created == NOW - timedelta(minutes=49)
    assert any("1 objects beside its parts" in r for r in point.remarks)
    dump.stages(point)[0].begin()
    fakes.bucket.put("dumps/a.dump.5", None, ago=10)
    dump = fakes.dump(**source)
    with pytest.raises(SourceError, match="a part is missing: no part follows") as e:
        dump.stages(dump.find())[0].begin()
    assert e.value.kind == "dump-damaged"


def test_there_is_none_only_after_a_whole_listing(fakes: Fakes):
    with pytest.raises(SourceError, match=r"no object of s3://backups/dumps/\*\.dump") as e:
        fakes.dump().find()
    assert e.value.kind == "no-recovery-point"
    fakes.bucket.put("dumps/a.dump", b"x", ago=100)
    fakes.bucket.put("dumps/a.dump", None, ago=50)
    fakes.bucket.put("dumps/b.dump", b"x", ago=-50)
    with pytest.raises(SourceError, match="1 had been deleted, 1 came later") as e:
        fakes.dump().find()
    assert e.value.kind == "no-recovery-point"


@pytest.mark.parametrize(("code", "kind"), [("NoSuchBucket", "no-recovery-point"), ("AccessDenied", "permission")])
def test_a_bucket_that_is_not_there_is_no_backup_and_one_that_may_not_be_read_is_not_known(
    fakes: Fakes, code: str, kind: str
):
    fakes.bucket.faults["pages"] = [AwsError(code, code, kind="permission", retryable=False)]
    with pytest.raises(SourceError) as e:
        fakes.dump().find()
    assert e.value.kind == kind


def test_limits_are_kept_before_anything_is_read(fakes: Fakes, monkeypatch: pytest.MonkeyPatch):
    fakes.bucket.put("dumps/a.dump", b"x" * 11)
    with pytest.raises(SourceError, match="has 11 bytes; 10 are allowed") as e:
        fakes.dump(most_bytes=10).find()
    assert e.value.kind == "limit"
    fakes.dump(most_bytes=11).find()
    monkeypatch.setattr(points, "MOST_OBJECTS", 100)
    for n in range(101):
        fakes.bucket.put(f"dumps/b.dump.{n:05d}", b"x", ago=5)
    with pytest.raises(SourceError, match="101 objects") as e:
        fakes.dump(object="dumps/*.dump.*", form="parts").find()
    assert e.value.kind == "limit"


def test_an_archived_dump_is_said_to_be_so_before_it_is_read(fakes: Fakes):
    fakes.bucket.put("dumps/a.dump", b"x", storage_class="DEEP_ARCHIVE")
    with pytest.raises(SourceError, match="DEEP_ARCHIVE") as e:
        fakes.dump().find()
    assert e.value.kind == "object-archived"


def test_a_bucket_whose_versioning_is_off_is_remarked(fakes: Fakes):
    fakes.bucket.put("dumps/a.dump", b"x")
    fakes.bucket.status = ""
    assert any("versioning of the bucket is off" in r for r in fakes.dump().find().remarks)


def test_a_directory_is_named_by_its_table_of_contents(fakes: Fakes):
    with pytest.raises(SourceError, match=r"must end in toc\.dat") as e:
        fakes.dump(form="directory").find()
    assert e.value.kind == "config"


def test_what_changes_between_two_listings_is_asked_again(fakes: Fakes, monkeypatch: pytest.MonkeyPatch):
    fakes.bucket.put("dumps/a.dump", b"x")
    pages, calls = Bucket.pages, []

    def changing(self: Bucket, bucket: str, owner: str, prefix: str) -> Any:
        calls.append(prefix)
        if len(calls) == 2:  # somebody deleted the version for good
            self.versions.clear()
        return pages(self, bucket, owner, prefix)

    monkeypatch.setattr(Bucket, "pages", changing)
    with pytest.raises(SourceError, match="changed while") as e:
        fakes.dump().find()
    assert (e.value.kind, e.value.retryable) == ("snapshot-state", True)
