"""From the objects of a dump to a database that answers, in one process or in several, and back to nothing."""

from __future__ import annotations

import hashlib
import os
import threading
import zlib
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from dump_bucket import RUN, Bucket, Fakes, crc64nvme, full, plan, unreachable
from hypothesis import given, settings
from hypothesis import strategies as st

from restorecheck.assertions import judge_all, verdict
from restorecheck.assertions.baselines import question
from restorecheck.databases.interface import Login
from restorecheck.durable import decode, encode
from restorecheck.errors import AwsError, RestorecheckError, SourceError
from restorecheck.model import (
    Against,
    Answer,
    Answers,
    Examined,
    Expectation,
    Flaw,
    Known,
    Level,
    Measured,
    ObjectSet,
    Observation,
    RdsSource,
    RecoveryPoint,
    Reference,
    Verdict,
)
from restorecheck.references.manifest import FORMAT, Manifest, written
from restorecheck.sources.interface import Stage
from restorecheck.sources.s3_dump import S3Dump, World, observing
from restorecheck.sources.s3_dump.loads import Described
from restorecheck.sources.s3_dump.work import KNOCKS
from restorecheck.workplace import MARK, Workplace, abandoned, sweep

BODY = b"PGDMP" + bytes(range(200))


@pytest.fixture
def fakes(tmp_path: Path) -> Fakes:
    found = Fakes(tmp_path / "work")
    found.bucket.put("dumps/mon.dump", b"x" * 200, ago=1500)
    found.bucket.put("dumps/tue.dump", BODY)
    return found


def go(stage: Stage) -> str:
    """Take a leg to its end, as the workflow does, and return the last status."""
    stage.begin()
    for _ in range(100):
        look = stage.look()
        if look.done:
            return look.status
        assert look.again
    raise AssertionError(look.status)


def there(dump: S3Dump) -> RecoveryPoint:
    point = dump.find()
    for stage in dump.stages(point):
        go(stage)
    return point


def through(fakes: Fakes, **source: Any) -> Answers:
    dump = fakes.dump(**source)
    return dump.examine(there(dump))


def seen(answers: Answers, name: str) -> Observation:
    return next(o for o in answers.observations if o.name == name)


def judged(fakes: Fakes, answers: Answers) -> Verdict:
    dump = fakes.dump()
    findings = judge_all(plan(fakes.source).check, answers, dump.find(), "salt")
    return verdict(findings, restores=False)[0]


# --- the whole way ---------------------------------------------------------------------------------------------------


def test_a_dump_is_downloaded_restored_asked_and_gone(fakes: Fakes):
    dump = fakes.dump()
    point = dump.find()
    assert decode(encode(point, RecoveryPoint), RecoveryPoint) == point
    download, restore = dump.stages(point)
    assert (download.name, restore.name) == ("download", "restore")
    assert go(download) == "0.0 of 0.0 MiB"
    assert go(restore) == "answers, postgresql 18.1"
    assert fakes.inspected == [{"dump": BODY}]
    answers = dump.examine(point)
    assert [o.name for o in answers.observations] == [
        "dump-size",
        "dump-checksum",
        "dump-database",
        "dump-age",
        "dump-restored",
        "databases",
    ]
    assert judged(fakes, answers) is Verdict.PASSED
    assert len(dump.leftovers()) == 1
    [drop] = dump.teardown(point)
    assert go(drop) == "gone"
    assert fakes.loaders[0].closed
    assert not dump.leftovers()
    assert not list(fakes.directory.iterdir())
    assert not fakes.world.works


def test_what_is_kept_here_is_for_nobody_else(fakes: Fakes):
    there(fakes.dump())
    place = fakes.directory / f"restorecheck-{RUN}"
    assert (place / "dump").stat().st_mode & 0o777 == 0o600
    assert (place / MARK).stat().st_mode & 0o777 == 0o600
    assert place.stat().st_mode & 0o066 == 0


def test_what_was_recorded_and_the_objects_that_rows_name_are_given_to_the_questions(fakes: Fakes):
    point = there(fakes.dump())
    made = plan(fakes.source).check.assertions[0]
    live = Against("reference", reference="live")
    compared = replace(made, expect=Expectation(at_least=made.expect.at_least, of=live))
    recorded = Measured(compared.name, "41", question=question(compared))
    kept = Manifest(FORMAT, "orders-dump", "live", point.created, "postgresql", "18.1", (recorded,))
    fakes.bucket.put("references/a.json", written(kept))
    where = (fakes.source.account, fakes.source.region, fakes.source.bucket)
    changed = plan(
        fakes.source,
        assertions=(made, compared),
        references=(Reference("live", *where, "references/*.json"),),
        objects=(ObjectSet("dumps", *where, "dumps/"),),
    )
    told: list[str] = []

    def keep(assertion: str, rows: object) -> int:
        return len(assertion)

    answers = S3Dump(changed, replace(fakes.world, tell=told.append, evidence=keep)).examine(point)
    assert answers.known == (Known(compared.name, live, point.created, measured=recorded),)
    assert list(fakes.beside.keys["dumps"]()) == [b"mon.dump", b"tue.dump"]
    fakes.beside.tell("1 of 2 tables")
    assert told == ["1 of 2 tables"]
    assert fakes.beside.evidence is keep


def test_a_directory_keeps_the_names_of_its_files_and_parts_become_one_file(fakes: Fakes):
    for name in ("toc.dat", "3001.dat"):
        fakes.bucket.put(f"dirs/1/{name}", name.encode() * 9)
    there(fakes.dump(object="dirs/*/toc.dat", form="directory"))
    assert fakes.inspected == [{"3001.dat": b"3001.dat" * 9, "toc.dat": b"toc.dat" * 9}]
    fakes.world = fakes.new_process()
    fakes.directory = fakes.directory / "other"
    for n in range(11):
        fakes.bucket.put(f"parts/d.{n}", f"<{n}>".encode() * 9)
    there(fakes.dump(object="parts/*", form="parts"))
    assert fakes.inspected[1] == {"dump": b"".join(f"<{n}>".encode() * 9 for n in range(11))}


# --- checksums -------------------------------------------------------------------------------------------------------


def sums(**changes: Any) -> dict[str, Any]:
    crc = crc64nvme(BODY).to_bytes(8, "big")
    return {"etag": "abc-3", "checksums": full(CRC64NVME=crc)} | changes


@pytest.mark.parametrize(
    ("version", "observed", "said"),
    [
        ({}, "the same", "S3's MD5 (ETag)"),
        (sums(), "the same", "S3's CRC64NVME of the whole object"),
        (sums(checksums=full(SHA256=hashlib.sha256(BODY).digest())), "the same", "S3's SHA256"),
        (sums(checksums=full(CRC32=zlib.crc32(BODY).to_bytes(4, "big"))), "the same", "S3's CRC32"),
        (sums(checksums=full(XXHASH64=b"12345678")), "nothing was recorded", "nobody recorded a checksum"),
        (sums(checksums=replace(full(SHA256=b"of parts"), full=False)), "nothing was recorded", "nobody recorded"),
        ({"encryption": "aws:kms", "etag": "0" * 32}, "nothing was recorded", "nobody recorded"),
    ],
)
def test_only_what_was_recorded_of_the_whole_object_is_compared(
    fakes: Fakes, version: dict[str, Any], observed: str, said: str
):
    fakes.bucket.put("dumps/wed.dump", BODY, ago=30, **version)
    answers = through(fakes)
    assert (seen(answers, "dump-checksum").observed, seen(answers, "dump-checksum").kind) == (observed, "")
    assert any(said in line for line in answers.proven)


@pytest.mark.parametrize(
    "version",
    [
        {"etag": "0" * 32},
        sums(checksums=full(CRC64NVME=b"12345678")),
        sums(checksums=replace(full(), values={"SHA256": "!"})),
    ],
)
def test_bytes_that_do_not_match_are_read_again_and_then_damage(fakes: Fakes, version: dict[str, Any]):
    fakes.bucket.put("dumps/wed.dump", BODY, ago=30, **version)
    answers = through(fakes)
    assert seen(answers, "dump-checksum").kind == "object-damaged"
    assert fakes.bucket.read_keys == ["dumps/wed.dump"] * 3
    assert judged(fakes, answers) is Verdict.BROKEN


def test_bytes_that_were_damaged_on_the_way_are_no_damage(fakes: Fakes):
    fakes.bucket.corrupt["dumps/tue.dump"] = 2
    assert seen(through(fakes), "dump-checksum").observed == "the same"
    assert fakes.inspected == [{"dump": BODY}]


SHA = hashlib.sha256(BODY).hexdigest()


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (SHA, ""),
        (f"{SHA.upper()}\n", ""),
        (f"{SHA}  /tmp/made/elsewhere.dump\n", ""),
        (f"# made by x\n{SHA} *tue.dump\n{'0' * 64}  other.dump\n", ""),
        ("0" * 64, "object-damaged"),
        (f"{'0' * 64}  tue.dump\n{SHA}  other.dump\n", "object-damaged"),
        (f"{SHA}  a.dump\n{SHA}  b.dump\n", "snapshot-state"),
        ("no sum", "snapshot-state"),
        ("", "snapshot-state"),
        (None, "snapshot-state"),
    ],
)
def test_a_declared_checksum_is_compared_and_one_that_cannot_be_is_never_fine(
    fakes: Fakes, text: str | None, kind: str
):
    if text is not None:
        fakes.bucket.put("dumps/tue.dump.sha256", text.encode(), ago=20)
    answers = through(fakes, checksum=".sha256")
    found = seen(answers, "dump-checksum")
    assert found.kind == kind
    match = "restored match the SHA-256 in s3://backups/dumps/tue.dump.sha256"
    assert any(match in line for line in answers.proven) is (kind == "")
    if kind == "object-damaged":
        assert "the SHA-256 in s3://backups/dumps/tue.dump.sha256" in found.message


def test_a_checksum_that_is_older_than_the_dump_is_told_so(fakes: Fakes):
    fakes.bucket.put("dumps/tue.dump.sha256", b"0" * 64, ago=1500)
    assert "it is older than the dump" in seen(through(fakes, checksum=".sha256"), "dump-checksum").message


def test_a_checksum_counts_as_it_was_at_the_time(fakes: Fakes):
    fakes.bucket.put("dumps/tue.dump.sha256", SHA.encode(), ago=50)
    fakes.bucket.put("dumps/tue.dump.sha256", b"0" * 64, ago=10)
    assert not seen(through(fakes, checksum=".sha256", at=timedelta(minutes=30)), "dump-checksum").kind


def test_the_checksum_of_parts_is_that_of_the_whole_or_of_each(fakes: Fakes):
    for n, half in enumerate((BODY[:100], BODY[100:])):
        fakes.bucket.put(f"parts/d.{n}", half)
    each = "".join(f"{hashlib.sha256(h).hexdigest()}  d.{n}\n" for n, h in enumerate((BODY[:100], BODY[100:])))
    for text, kind in ((SHA, ""), (each, ""), ("0" * 64, "object-damaged")):
        fakes.bucket.put("parts/d.sha256", text.encode())
        fakes.world = fakes.new_process()
        fakes.directory = fakes.directory / "next"
        answers = through(fakes, object="parts/*", form="parts", checksum=".sha256")
        assert seen(answers, "dump-checksum").kind == kind


def test_an_object_that_is_too_large_to_hold_checksums_is_not_read_into_memory(fakes: Fakes):
    fakes.bucket.put("dumps/tue.dump.sha256", b"0" * (5 << 20))
    fakes.bucket.block = 1 << 20
    with pytest.raises(SourceError, match="too large"):
        through(fakes, checksum=".sha256")


def test_some_objects_without_a_checksum_are_told(fakes: Fakes):
    fakes.bucket.put("dirs/1/toc.dat", b"a")
    fakes.bucket.put("dirs/1/1.dat", b"b", etag="x-1")
    answers = through(fakes, object="dirs/*/toc.dat", form="directory")
    assert any("a checksum of 1 of the 2 objects" in line for line in answers.proven)


# --- the size and the name -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sizes", "now", "kind", "warning"),
    [
        ((), 10, "", False),
        ((100,), 50, "", False),
        ((100,), 49, "", True),
        ((100, 90, 5), 45, "", False),
        ((1000,), 30, "dump-damaged", False),
        ((1000,), 31, "", True),
    ],
)
def test_the_size_is_compared_with_what_is_usual(
    tmp_path: Path, sizes: tuple[int, ...], now: int, kind: str, warning: bool
):
    fakes = Fakes(tmp_path)
    for n, size in enumerate(sizes):
        fakes.bucket.put("dumps/a.dump", b"x" * size, ago=1000 + n)
    fakes.bucket.put("dumps/a.dump", b"x" * now)
    fakes.bucket.versions.sort(key=lambda v: v.modified)
    found = seen(through(fakes), "dump-size")
    assert (found.kind, found.warning, found.value) == (kind, warning, str(now))
    if kind or warning:
        assert f"has {now} bytes" in found.message


def test_an_empty_dump_is_damaged_before_anything_is_read(fakes: Fakes):
    fakes.bucket.put("dumps/wed.dump", b"", ago=30)
    dump = fakes.dump()
    with pytest.raises(SourceError, match=r"0 bytes; the dump before this one is s3://backups/dumps/tue\.dump") as e:
        dump.stages(dump.find())[0].begin()
    assert e.value.kind == "dump-damaged"
    assert "it was written 1800 s before" in e.value.hint
    assert not fakes.bucket.read_keys


def test_the_server_for_a_large_dump_is_begun_while_it_arrives(fakes: Fakes):
    large = bytes(range(256)) * 1024
    fakes.bucket.put("parts/d.0", large)
    there(fakes.dump(object="parts/*", form="parts"))
    [(first, password)] = fakes.foreseen
    assert large.startswith(first)
    assert fakes.passwords == [password]
    assert [loader.closed for loader in fakes.loaders] == [False], "who looked ahead also restored"


def test_a_small_dump_is_here_before_anything_could_be_begun_for_it(fakes: Fakes):
    through(fakes)
    assert not fakes.foreseen


def test_what_stands_in_the_way_of_looking_ahead_is_told_when_it_is_needed(fakes: Fakes):
    fakes.bucket.put("parts/d.0", bytes(range(256)) * 1024)
    fakes.faults["foresee"] = SourceError("no programs", kind="environment")
    fakes.faults["inspect"] = SourceError("no programs", kind="environment")
    dump = fakes.dump(object="parts/*", form="parts")
    download, restore = dump.stages(dump.find())
    go(download)
    with pytest.raises(SourceError, match="no programs"):
        go(restore)


def test_an_empty_part_is_downloaded_too(fakes: Fakes):
    for n, body in enumerate((b"ab", b"")):
        fakes.bucket.put(f"parts/d.{n}", body)
    there(fakes.dump(object="parts/*", form="parts"))
    assert fakes.inspected == [{"dump": b"ab"}]


def test_the_dump_of_another_database_is_broken(fakes: Fakes):
    fakes.described = replace(fakes.described, database="test")
    answers = through(fakes)
    assert seen(answers, "dump-database").kind == "wrong-database"
    assert judged(fakes, answers) is Verdict.BROKEN
    fakes.world = fakes.new_process()
    fakes.described = Described("plain")
    fakes.directory = fakes.directory / "2"
    assert not seen(through(fakes), "dump-database").kind


@pytest.mark.parametrize(
    ("before", "kind"),
    [
        (timedelta(minutes=5), ""),
        (timedelta(hours=25 + 12), ""),  # made in the westernmost zone, it is just young enough
        (timedelta(hours=25 + 12, minutes=1), "stale"),
        (timedelta(days=30), "stale"),
        (-timedelta(hours=14), ""),  # made in the easternmost zone, by a clock that is ahead of ours
    ],
)
def test_an_old_dump_that_was_uploaded_again_is_stale_whatever_zone_it_was_made_in(
    fakes: Fakes, before: timedelta, kind: str
):
    point = fakes.dump().find()
    fakes.described = replace(fakes.described, created=(point.created - before).replace(tzinfo=None))
    found = seen(through(fakes), "dump-age")
    assert found.kind == kind
    assert ("says that it was made" in found.message) is bool(kind)


# --- what goes wrong -------------------------------------------------------------------------------------------------


def test_a_disk_without_room_is_said_before_the_download(fakes: Fakes):
    fakes.free = 64 << 20
    dump = fakes.dump()
    with pytest.raises(SourceError, match="bytes free") as e:
        go(dump.stages(dump.find())[0])
    assert e.value.kind == "scratch-full"
    assert not fakes.bucket.read_keys


def test_a_disk_that_is_full_in_between_is_our_trouble_and_not_the_backup_s(
    fakes: Fakes, monkeypatch: pytest.MonkeyPatch
):
    def no_room(*args: Any) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pwrite", no_room)
    dump = fakes.dump()
    point = dump.find()
    with pytest.raises(SourceError) as e:
        go(dump.stages(point)[0])
    assert e.value.kind == "scratch-full"


DEAD = "arn:aws:kms:eu-central-1:111111111111:key/k is disabled"


def test_what_only_its_owner_can_read_is_said_so(fakes: Fakes):
    fakes.bucket.faults["dumps/tue.dump"] = [AwsError("400", "Bad Request", kind="unknown-answer", retryable=False)]
    with pytest.raises(SourceError) as e:
        there(fakes.dump())
    assert e.value.kind == "object-sealed"


def test_a_passing_error_is_tried_again_and_another_ends_the_download(fakes: Fakes):
    slow = AwsError("SlowDown", "slow down", kind="throttled", retryable=True)
    fakes.bucket.faults["dumps/tue.dump"] = [slow, slow]
    there(fakes.dump())
    fakes.directory, fakes.world = fakes.directory / "2", fakes.new_process()
    fakes.bucket.faults["dumps/tue.dump"] = [
        AwsError("KMS.DisabledException", DEAD, kind="key-unusable", retryable=False)
    ]
    with pytest.raises(SourceError) as e:
        there(fakes.dump())
    assert e.value.kind == "key-unusable"
    fakes.bucket.faults["dumps/tue.dump"] = [slow] * 3
    with pytest.raises(SourceError) as e:
        there(fakes.dump())
    assert e.value.kind == "throttled"


def test_a_version_that_vanished_or_is_archived_is_said_by_its_name(fakes: Fakes):
    dump = fakes.dump()
    point = dump.find()
    fakes.bucket.versions[-1].archive = "DEEP_ARCHIVE_ACCESS"
    with pytest.raises(SourceError, match=r"tue\.dump is archived") as e:
        go(dump.stages(point)[0])
    assert e.value.kind == "object-archived"
    fakes.bucket.versions.pop()
    with pytest.raises(SourceError) as gone:
        go(dump.stages(point)[0])
    assert gone.value.kind == "snapshot-state"


def test_an_object_that_ends_early_or_late_is_not_believed(fakes: Fakes):
    dump = fakes.dump()
    point = dump.find()
    fakes.bucket.versions[-1].body = BODY[:-1]
    with pytest.raises(SourceError, match="ended after 204 of 205 bytes") as e:
        go(dump.stages(point)[0])
    assert e.value.retryable
    fakes.bucket.versions[-1].body = BODY + b"x"
    with pytest.raises(SourceError, match="longer than it was listed"):
        go(dump.stages(point)[0])


def test_what_a_restore_says_is_told_with_what_was_seen_before(fakes: Fakes):
    fakes.bucket.put("dumps/wed.dump", b"x" * 3, ago=30)
    fakes.faults["inspect"] = SourceError("this is no dump", kind="dump-damaged")
    dump = fakes.dump()
    with pytest.raises(RestorecheckError, match="no dump; besides, it has 3 bytes") as e:
        there(dump)
    assert e.value.kind == "dump-damaged"
    fakes.bucket.put("dumps/thu.dump", BODY, ago=20, etag="0" * 32)
    fakes.world, fakes.directory = fakes.new_process(), fakes.directory / "2"
    fakes.faults["load"] = SourceError("?", kind="unknown-answer")
    with pytest.raises(RestorecheckError) as e:
        there(fakes.dump())
    assert e.value.kind == "object-damaged"


def test_a_bug_ends_the_look_and_not_only_the_thread(fakes: Fakes):
    fakes.faults["load"] = ZeroDivisionError("secret")  # type: ignore[assignment]
    with pytest.raises(RestorecheckError, match="ZeroDivisionError") as e:
        there(fakes.dump())
    assert e.value.kind == "internal"
    assert "secret" not in e.value.message


def test_a_server_that_is_not_ready_is_knocked_at_again(fakes: Fakes):
    fakes.faults["knock"] = unreachable()
    there(fakes.dump())
    assert fakes.loads == 1
    assert len(fakes.prepared) == 2


def test_nobody_who_can_ask_it_is_said_before_it_is_restored(fakes: Fakes):
    with pytest.raises(SourceError, match="nothing here can ask a database of mysql") as e:
        there(fakes.dump(engine="mysql"))
    assert e.value.kind == "environment"
    assert not fakes.loaders


def test_databases_that_cannot_be_listed_are_never_fine(fakes: Fakes):
    dump = fakes.dump()
    point = there(dump)
    fakes.faults["databases"] = SourceError("no", kind="permission")
    assert seen(dump.examine(point), "databases").kind == "permission"


def test_a_check_of_another_source_is_refused(fakes: Fakes):
    good = plan(fakes.source)
    made = replace(good, check=replace(good.check, source=RdsSource("1", "r", "i", "d")))
    with pytest.raises(SourceError, match="no check of a dump"):
        S3Dump(made, fakes.world)


# --- crashes ---------------------------------------------------------------------------------------------------------


def crash(fakes: Fakes) -> World:
    """End the process: the kernel lets go of its locks, a guardian has removed its server."""
    for work in fakes.world.works.values():
        work._place.close()
    fakes.world = fakes.new_process()
    return fakes.world


def test_a_process_that_comes_after_restores_again_before_it_asks(fakes: Fakes):
    point = there(fakes.dump())
    crash(fakes)
    answers = fakes.dump().examine(point)
    assert fakes.loads == 2
    assert fakes.bucket.read_keys == ["dumps/tue.dump"]  # what was downloaded is still good
    assert judged(fakes, answers) is Verdict.PASSED


@pytest.mark.parametrize("damage", ["gone", "zeroed", "short", "journal"])
def test_what_a_crash_left_is_believed_only_if_its_bytes_are_right(fakes: Fakes, damage: str):
    point = there(fakes.dump())
    place = fakes.directory / f"restorecheck-{RUN}"
    crash(fakes)
    if damage == "gone":
        (place / "dump").unlink()
    elif damage == "journal":
        (place / "fetched").write_text('{"key": "dumps/tue.dump", "ver')
    else:
        (place / "dump").write_bytes(b"\0" * len(BODY) if damage == "zeroed" else BODY[:9])
    fakes.dump().examine(point)
    assert fakes.bucket.read_keys == ["dumps/tue.dump"] * 2
    assert fakes.inspected[-1] == {"dump": BODY}


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 40))
def test_wherever_a_download_dies_the_next_reads_only_what_is_missing(
    tmp_path_factory: pytest.TempPathFactory, strike: int
):
    fakes = Fakes(tmp_path_factory.mktemp("work"))
    bodies = [f"<{n}>".encode() * 9 for n in range(6)]
    for n, body in enumerate(bodies):
        fakes.bucket.put(f"parts/d.{n}", body)
    source = {"object": "parts/*", "form": "parts"}
    blocks: list[int] = []

    def dying() -> None:
        blocks.append(1)
        if len(blocks) == strike:
            raise SourceError("killed", kind="internal")

    fakes.bucket.between = dying
    dump = fakes.dump(**source)
    point = dump.find()
    died = False
    try:
        go(dump.stages(point)[0])
    except RestorecheckError:
        died = True
    crash(fakes)
    first = list(fakes.bucket.read_keys)
    there(fakes.dump(**source))
    again = fakes.bucket.read_keys[len(first) :]
    whole = first[:-1] if died else first
    assert not set(whole) & set(again)
    assert set(whole) | set(again) == {f"parts/d.{n}" for n in range(6)}
    assert fakes.inspected[-1] == {"dump": b"".join(bodies)}


def test_a_server_that_is_gone_when_it_is_asked_is_made_again(fakes: Fakes):
    dump = fakes.dump()
    point = there(dump)
    fakes.faults["knock"] = unreachable()
    with pytest.raises(RestorecheckError) as e:
        dump.examine(point)
    assert e.value.retryable
    assert fakes.loaders[0].closed
    dump.examine(point)
    assert fakes.loads == 2


def test_two_processes_never_work_in_one_directory(fakes: Fakes):
    there(fakes.dump())
    dump = fakes.dump(fakes.new_process())
    point = dump.find()
    with pytest.raises(SourceError, match="another process works") as e:
        go(dump.stages(point)[0])
    assert (e.value.kind, e.value.retryable) == ("taken", True)
    with pytest.raises(SourceError, match="another process works"):
        go(dump.teardown(point)[0])
    assert not fakes.loaders[0].closed


# --- ends -----------------------------------------------------------------------------------------------------------


def held(fakes: Fakes) -> tuple[threading.Event, threading.Event]:
    """Let the next restore go on until it is stopped or let go."""
    begun, let_go = threading.Event(), threading.Event()

    def between(stop: Callable[[], bool]) -> None:
        begun.set()
        while not stop():
            if let_go.wait(0.01):
                return
        raise SourceError("stopped", kind="cancelled")

    fakes.between = between
    return begun, let_go


def test_a_look_tells_how_far_it_is_and_waits_for_nobody(fakes: Fakes):
    begun, let_go = held(fakes)
    dump = fakes.dump()
    point = dump.find()
    download, restore = dump.stages(point)
    go(download)
    restore.begin()
    restore.look()
    assert begun.wait(10)
    assert restore.look().status == "restoring custom format"
    let_go.set()
    go(restore)


def test_a_teardown_ends_a_restore_under_way_and_whoever_waits_for_it(fakes: Fakes):
    begun, _ = held(fakes)
    dump = fakes.dump()
    point = dump.find()
    errors: list[RestorecheckError] = []

    def examine() -> None:
        try:
            dump.examine(point)
        except RestorecheckError as e:
            errors.append(e)

    waiting = threading.Thread(target=examine)
    waiting.start()
    assert begun.wait(10)
    assert go(dump.teardown(point)[0]) == "gone"
    waiting.join(60)
    assert [e.kind for e in errors] == ["cancelled"]
    assert fakes.loaders[0].closed
    assert not dump.leftovers()


def test_what_was_torn_down_is_not_begun_again_by_a_late_look(fakes: Fakes):
    dump = fakes.dump()
    point = dump.find()
    work = dump.teardown(point)[0]
    work.begin()
    with pytest.raises(SourceError, match="torn down") as e:
        dump.stages(point)[1].look()
    assert e.value.kind == "cancelled"
    go(work)


def test_a_directory_that_is_not_of_this_run_is_left_alone_and_reported(fakes: Fakes):
    place = fakes.directory / f"restorecheck-{RUN}"
    place.mkdir(parents=True)
    (place / "precious").write_text("x")
    dump = fakes.dump()
    point = dump.find()
    for stage in (dump.stages(point)[0], dump.teardown(point)[0]):
        with pytest.raises(SourceError, match="was not made by this run") as e:
            go(stage)
        assert e.value.kind == "taken"
    [left] = dump.leftovers()
    assert (left.arn, left.reason) == (place.as_uri(), "was not made by this run")
    (place / MARK).write_text("another-20261121t0300z")
    assert "belongs to the run" in dump.leftovers()[0].reason
    assert (place / "precious").exists()


def test_a_link_in_the_place_of_the_directory_is_not_followed(fakes: Fakes, tmp_path: Path):
    fakes.directory.mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "precious").write_text("x")
    place = fakes.directory / f"restorecheck-{RUN}"
    place.symlink_to(tmp_path / "elsewhere")
    dump = fakes.dump()
    with pytest.raises(SourceError, match="is not a directory of ours"):
        go(dump.teardown(dump.find())[0])
    assert (tmp_path / "elsewhere" / "precious").exists()
    place.unlink()
    mine = Workplace(place, RUN)
    mine.open()
    (place / "inside").symlink_to(tmp_path / "elsewhere")
    mine.remove()
    assert (tmp_path / "elsewhere" / "precious").exists()


def test_an_empty_directory_or_an_empty_mark_is_what_a_crash_left_of_this_run(fakes: Fakes):
    place = fakes.directory / f"restorecheck-{RUN}"
    place.mkdir(parents=True)
    (place / MARK).touch()
    there(fakes.dump())
    assert (place / MARK).read_text() == RUN


def test_a_teardown_of_nothing_is_done(fakes: Fakes):
    dump = fakes.dump()
    assert go(dump.teardown(dump.find())[0]) == "gone"


def test_a_directory_that_cannot_be_made_or_removed_is_told(fakes: Fakes, monkeypatch: pytest.MonkeyPatch):
    fakes.directory.write_text("a file")
    dump = fakes.dump()
    with pytest.raises(SourceError, match="cannot be written") as e:
        go(dump.stages(dump.find())[0])
    assert e.value.kind == "scratch-full"
    fakes.directory.unlink()
    point = there(fakes.dump())

    def refuse(path: Path) -> None:
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(SourceError, match="could not be removed") as e:
        go(fakes.dump().teardown(point)[0])
    assert e.value.retryable


def test_a_sweep_removes_what_dead_processes_left_and_nothing_else(fakes: Fakes):
    there(fakes.dump())
    (fakes.directory / "precious").mkdir()
    (fakes.directory / "a-link").symlink_to(fakes.directory / "precious")
    assert abandoned(fakes.directory) == []
    crash(fakes)
    assert sweep(fakes.directory, keep={RUN}) == []
    assert sweep(fakes.directory) == [fakes.directory / f"restorecheck-{RUN}"]
    assert sorted(p.name for p in fakes.directory.iterdir()) == ["a-link", "precious"]
    assert abandoned(fakes.directory / "no") == []


def test_plan_mode_finds_and_does_nothing(fakes: Fakes):
    dump = S3Dump(plan(fakes.source), fakes.world, imagined=True)
    point = dump.find()
    for stage in (*dump.stages(point), *dump.teardown(point)):
        assert go(stage) == "imagined"
    assert not fakes.directory.exists()
    assert not fakes.bucket.read_keys


# --- a declared server -----------------------------------------------------------------------------------------------


class DeclaredServer:
    """A server that notes what is done to it."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, ...]] = []
        self.why: str | None = "it has no mark"

    def make(self, name: str, run_id: str) -> Login:
        self.calls.append(("make", name, run_id))
        return Login("db.internal", 5432, "restore", "", name)

    def admit(self, reader: Login, run_id: str, needs: tuple[str, ...] | None = None) -> None:
        self.calls.append(("admit", run_id))

    def drop(self, name: str, run_id: str, reader: str) -> None:
        self.calls.append(("drop", name, run_id, reader))

    def left(self, name: str, run_id: str, reader: str) -> str | None:
        return self.why


def test_the_database_on_a_declared_server_is_made_read_dropped_and_looked_for(fakes: Fakes):
    server = fakes.server = DeclaredServer()
    fakes.world = fakes.new_process()
    url = "postgresql://restore@db.internal:5432/postgres"
    dump = fakes.dump(server=url)
    point = there(dump)
    assert "postgres" not in seen(dump.examine(point), "databases").observed
    assert not fakes.prepared  # that would let a role read all of the server
    go(dump.teardown(point)[0])
    name = "restorecheck_orders_dump_20261121t0300z"
    assert [call[:3] for call in server.calls] == [("make", name, RUN), ("admit", RUN), ("drop", name, RUN)]
    assert [(left.arn, left.reason) for left in dump.leftovers()] == [(f"{url}#{name}", "it has no mark")]
    server.why = None
    assert not dump.leftovers()


def test_a_declared_server_that_nothing_here_can_reach_is_said(fakes: Fakes):
    with pytest.raises(SourceError) as e:
        fakes.dump(server="postgresql://x/y").leftovers()
    assert e.value.kind == "environment"


# --- corners ----------------------------------------------------------------------------------------------------------


def test_an_empty_dump_that_is_judged_all_the_same_is_damaged(fakes: Fakes):
    point = replace(fakes.dump().find(), bytes=0)
    assert observing.size(point).kind == "dump-damaged"


def test_a_file_that_cannot_be_written_is_our_trouble(fakes: Fakes):
    dump = fakes.dump()
    point = dump.find()
    place = fakes.directory / f"restorecheck-{RUN}"
    mine = Workplace(place, RUN)
    mine.open()
    mine.close()
    (place / "dump").symlink_to("/etc/passwd")
    with pytest.raises(SourceError, match="cannot be written") as e:
        go(dump.stages(point)[0])
    assert e.value.kind == "scratch-full"
    (place / "dump").unlink()
    (place / "fetched").mkdir()
    with pytest.raises(RestorecheckError):
        go(dump.stages(point)[0])


def test_a_head_that_is_not_answered_is_asked_again(fakes: Fakes, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Bucket, "head", lambda self, jobs, at_once: iter(()))
    dump = fakes.dump()
    with pytest.raises(SourceError, match="did not answer about") as e:
        go(dump.stages(dump.find())[0])
    assert e.value.retryable


def test_a_checksum_that_cannot_be_read_is_said(fakes: Fakes):
    fakes.bucket.put("dumps/tue.dump.sha256", b"x")
    denied = AwsError("AccessDenied", "no", kind="permission", retryable=False)
    fakes.bucket.faults["dumps/tue.dump.sha256"] = [denied]
    with pytest.raises(AwsError) as e:
        through(fakes, checksum=".sha256")
    assert e.value.kind == "permission"


def test_a_server_that_never_answers_is_no_fault_of_the_backup(fakes: Fakes, monkeypatch: pytest.MonkeyPatch):
    knocks: list[int] = []

    def knock(self: Any, reader: Any) -> str:
        knocks.append(1)
        raise unreachable()

    monkeypatch.setattr("dump_bucket.FakeDatabase.knock", knock)
    with pytest.raises(RestorecheckError) as e:
        there(fakes.dump())
    assert (e.value.kind, len(knocks)) == ("database-unreachable", KNOCKS)


def test_a_teardown_between_the_header_and_the_server_makes_none(fakes: Fakes):
    dump = fakes.dump()
    point = dump.find()
    go(dump.stages(point)[0])
    work = fakes.world.works[RUN]
    work.stop()
    with pytest.raises(SourceError, match="torn down") as e:
        work._opened()
    assert e.value.kind == "cancelled"
    assert not fakes.loaders
    with pytest.raises(SourceError, match="torn down"):
        work.ready(point)


def test_a_teardown_waits_for_a_restore_that_is_slow_to_end(fakes: Fakes):
    begun, let_go = threading.Event(), threading.Event()

    def between(stop: Callable[[], bool]) -> None:
        begun.set()
        let_go.wait(10)

    fakes.between = between
    dump = fakes.dump()
    point = dump.find()
    dump.stages(point)[1].look()
    assert begun.wait(10)
    drop = dump.teardown(point)[0]
    drop.begin()
    look = drop.look()
    assert (look.done, look.status, look.again) == (False, "stopping", True)
    let_go.set()
    assert go(drop) == "gone"


def test_a_dump_of_mysql_is_a_script_and_restored_here(fakes: Fakes):
    for source in ({"form": "directory", "object": "x/toc.dat"}, {"server": "postgresql://u@h/d"}):
        with pytest.raises(SourceError, match="is a script") as e:
            fakes.dump(engine="mysql", **source).find()
        assert e.value.kind == "config"
    assert not fakes.dump(engine="mysql", server="postgresql://u@h/d").leftovers()


def test_a_directory_that_is_there_and_empty_is_removed(fakes: Fakes):
    place = fakes.directory / f"restorecheck-{RUN}"
    place.mkdir(parents=True)
    Workplace(fakes.directory / "gone", RUN).remove()
    dump = fakes.dump()
    assert go(dump.teardown(dump.find())[0]) == "gone"
    assert not place.exists()


def test_a_restore_with_errors_is_never_said_to_be_one_without(fakes: Fakes):
    answers = through(fakes)
    assert "restored without an error" in answers.proven[0]
    assert (answers.level, answers.holding) == (Level.READ, ("orders",))
    fakes.observed = (Observation("dump-restored", "no error", "1 error", "dump-errors", "a key is there twice"),)
    fakes.world, fakes.directory = fakes.new_process(), fakes.directory / "2"
    answers = through(fakes)
    assert "as far as it could be" in answers.proven[0]
    assert answers.level is Level.RESTORED


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (Answer("rows", error="the server broke off", kind="connection-lost"), "database-unreachable"),
        (Answer("rows", error="a page is bad", kind="data-damaged", sqlstate="XX001"), "database-unreachable"),
        (Answer("rows", error="a text is none", kind="data-damaged", sqlstate="22021"), "data-damaged"),
        (Answer("rows", error="there is no such table", kind="missing-object", sqlstate="42P01"), "missing-object"),
    ],
)
def test_what_befalls_the_server_that_was_filled_here_is_no_fault_of_the_dump(fakes: Fakes, answer: Answer, kind: str):
    fakes.answers = (answer,)
    answers = through(fakes)
    assert answers.answers[0].kind == kind
    assert answers.answers[0].error.startswith(answer.error)
    assert (judged(fakes, answers) is Verdict.UNPROVEN) is (kind == "database-unreachable")


@pytest.mark.parametrize(("kind", "stays"), [("data-damaged", True), ("connection-lost", False)])
def test_what_a_probe_finds_in_the_rows_came_out_of_the_dump(fakes: Fakes, kind: str, stays: bool):
    flaw = Flaw("shop.post", "a text that is none", kind)
    fakes.answers = (Answer("rows", examined=Examined("table", 1, flaws=(flaw,), flawed=1)),)
    (answer,) = through(fakes).answers
    assert (answer == fakes.answers[0]) is stays
    assert answer.kind == ("" if stays else "database-unreachable")


def test_what_comes_with_every_server_is_not_counted_as_part_of_the_dump(fakes: Fakes):
    assert seen(through(fakes), "databases").observed == "orders (3 tables)"
