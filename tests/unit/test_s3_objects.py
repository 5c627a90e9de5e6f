"""Objects of a bucket at a time: found, copied once, compared to the last byte, removed to the last version."""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from fake_buckets import SCRATCH, SOURCE, Died, aws_error, crc, digests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from objects_lab import DAY, LONG, PREFIX, RUN, Lab, back, fails, kinds, restored, seen, there
from workflow.scripted import NOW, check

from restorecheck.errors import RestorecheckError, SourceError
from restorecheck.model import (
    Leftover,
    Level,
    Plan,
    Portion,
)
from restorecheck.sources.s3_objects import S3Objects
from restorecheck.sources.versions.interface import Checksums, Place

# --- finding ------------------------------------------------------------------------------------------------------


def test_a_point_is_what_was_current_at_its_time() -> None:
    lab = Lab()
    lab.backup.put("data/a", b"newer", NOW - timedelta(hours=1))
    lab.backup.put("data/b", None, NOW - timedelta(hours=1))
    lab.backup.put("elsewhere/x", b"not below the prefix", NOW - DAY)
    now, then = lab.life().find(), lab.life(at=timedelta(hours=2)).find()
    assert (now.objects, now.bytes) == (2, len(b"newer") + len(b"body of c/d"))
    assert (then.objects, then.picked, then.sample) == (3, 3, "")
    assert then.created == NOW - timedelta(hours=2)
    assert then.newest == now.newest == NOW - timedelta(hours=1)
    assert then.id == "s3://backups/data/@2026-11-21T01:00:00Z"
    assert then.arn == "arn:aws:s3:::backups/data/"
    assert now.fingerprint != then.fingerprint
    assert then.remarks
    assert lab.life(at=NOW - timedelta(hours=2)).find() == then


def test_a_time_to_come_is_refused() -> None:
    assert fails(Lab().life(at=NOW + DAY).find).kind == "config"


def test_there_is_no_recovery_point_where_there_is_no_bucket_or_no_entry() -> None:
    lab = Lab(keys=())
    assert fails(lab.life().find).kind == "no-recovery-point"
    assert fails(lab.life(bucket="lost").find).kind == "no-recovery-point"


def test_what_may_not_be_listed_is_not_empty() -> None:
    lab = Lab()
    lab.s3.trouble = lambda what, _: aws_error("AccessDenied") if what == "source list" else None
    assert fails(lab.life().find).kind == "permission"
    lab.s3.trouble = lambda what, _: aws_error("AccessDenied") if what == "source GetBucketVersioning" else None
    assert fails(lab.life().find).kind == "permission"


def test_entries_without_anything_current_are_an_empty_backup() -> None:
    lab = Lab(keys=("a",))
    lab.backup.put("data/a", None, NOW - timedelta(hours=1))
    assert fails(lab.life().find).kind == "empty-backup"
    assert fails(lab.life(at=timedelta(days=2)).find).kind == "empty-backup"


def test_a_bucket_without_history_has_no_past_and_says_so_of_its_present() -> None:
    lab = Lab()
    lab.backup.versioning = ""
    assert fails(lab.life(at=timedelta(hours=1)).find).kind == "config"
    assert any("versioning" in remark for remark in lab.life().find().remarks)
    lab.backup.versioning = "Suspended"
    assert any("suspended" in remark for remark in lab.life(at=timedelta(hours=1)).find().remarks)


@pytest.mark.parametrize("limit", [{"most_objects": 2}, {"most_bytes": 20}])
def test_more_than_is_allowed_is_refused_before_anything_is_written(limit: dict[str, int]) -> None:
    lab = Lab()
    assert fails(lab.life(**limit).find).kind == "limit"
    assert not lab.scratch.keys
    assert lab.life(restore=Portion(count=1), **limit).find().picked == 1


def test_what_sleeps_in_an_archive_is_named_before_anything_is_copied_and_what_was_retrieved_is_not() -> None:
    lab = Lab()
    [asleep] = lab.backup.keys["data/b"]
    [awake] = lab.backup.keys["data/a"]
    asleep.storage_class, asleep.archive = "GLACIER", "GLACIER"
    awake.storage_class = "DEEP_ARCHIVE"
    error = fails(lab.life().find)
    assert error.kind == "object-archived"
    assert "1 object to" in error.message
    assert "data/b" in error.message
    asleep.archive = ""
    assert lab.life().find().picked == 3
    lab.s3.trouble = lambda what, _: aws_error("AccessDenied") if what.endswith("head") else None
    assert fails(lab.life().find).kind == "permission"


def test_a_bucket_in_which_only_the_names_of_folders_are_left_is_empty() -> None:
    lab = Lab()
    for key in list(lab.backup.keys):
        lab.backup.put(key, None, NOW - timedelta(hours=1))
    lab.backup.put("data/", b"", NOW - DAY)
    lab.backup.put("data/2026/", b"", NOW - DAY)
    error = fails(lab.life().find)
    assert error.kind == "empty-backup"
    assert error.message.startswith("nothing but empty folders was current under ")
    lab.backup.put("data/flag", b"", NOW - timedelta(hours=1))
    assert lab.life().find().objects == 3


# --- the lease -----------------------------------------------------------------------------------------------------


def test_the_lease_is_written_once_and_adopted() -> None:
    lab = Lab()
    point = lab.life().find()
    for _ in range(2):
        lease = lab.life().stages(point)[0]
        lease.begin()
        assert lease.look().done
    assert [operation for operation, _ in lab.s3.calls].count("PutObject") == 1


def test_a_lease_of_another_and_objects_without_one_are_not_taken_over() -> None:
    lab = Lab()
    point = lab.life().find()
    lab.scratch.put(PREFIX + "k/stray", b"?", NOW)
    lease = lab.life().stages(point)[0]
    assert fails(lease.begin).kind == "taken"
    assert not lease.look().done
    lab.scratch.put(PREFIX + ".restorecheck-lease", b"", NOW, metadata={"restorecheck-run": "another"})
    assert fails(lease.begin).kind == "taken"
    assert fails(lease.look).kind == "taken"
    assert back(lab.life(), point) == "not this run's"
    assert len(lab.scratch.keys) == 2
    [left] = lab.life().leftovers()
    assert "not made by this run" in left.reason


def test_a_dead_key_of_the_scratch_bucket_is_no_dead_key_of_the_backup() -> None:
    lab = Lab()
    point = lab.life().find()
    for code, kind in (("KMS.DisabledException", "key-access"), ("AccessDenied", "permission")):
        lab.s3.trouble = lambda what, _, code=code: aws_error(code) if what.endswith("PutObject") else None  # type: ignore[misc]
        assert fails(lab.life().stages(point)[0].begin).kind == kind


def test_a_lease_that_may_not_be_read_is_no_missing_lease() -> None:
    lab = Lab()
    point = lab.life().find()
    lab.s3.trouble = lambda what, _: aws_error("403") if what == "scratch HeadObject" else None
    assert fails(lab.life().stages(point)[0].begin)
    assert not lab.scratch.keys


# --- copying -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("transfer", ["copy", "stream"])
def test_every_object_arrives_under_its_own_key_and_a_key_that_is_too_long_under_its_hash(transfer: str) -> None:
    lab = Lab(keys=("a", "a//b", "../x", "dir/", "é", LONG, "z\n%+ "))
    source, point = restored(lab, transfer=transfer)
    assert kinds(lab, transfer=transfer) == ("", "")
    prefix = lab.source.prefix
    hashed = hashlib.sha256((prefix + LONG).encode()).hexdigest()
    assert lab.scratch.current(PREFIX + "k/").keys() == {PREFIX + "k/" + prefix + k for k in lab.keys if k != LONG}
    assert lab.scratch.current(PREFIX + "h/").keys() == {PREFIX + "h/" + hashed}
    assert back(source, point) == "gone"
    assert lab.scratch.keys == {}


def test_what_is_restored_is_what_was_current_then() -> None:
    lab = Lab()
    lab.backup.put("data/a", b"newer", NOW - timedelta(minutes=5))
    lab.backup.put("data/b", None, NOW - timedelta(minutes=5))
    assert kinds(lab, at=timedelta(hours=1)) == ("", "")
    assert lab.scratch.current(PREFIX + "k/")[PREFIX + "k/data/a"] == b"body of a"
    assert len(lab.s3.copied) == 3


def test_a_look_works_no_longer_than_a_slice() -> None:
    lab = Lab(keys=tuple(map(str, range(10))), slice=0.0)
    source = lab.life()
    point = source.find()
    lease, restore = source.stages(point)
    lease.begin()
    looks = [restore.look() for _ in range(11)]
    assert [look.done for look in looks] == [False] * 10 + [True]
    assert all(look.again for look in looks[:-1])
    assert looks[4].status.startswith("5 of 10 objects, ")


def test_what_was_copied_before_a_crash_is_not_copied_again() -> None:
    lab = Lab(keys=(*map(str, range(10)), LONG))
    lab.s3.die_after = 4
    point = lab.life().find()
    with pytest.raises(Died):
        there(lab.life(), point)
    lab.s3.die_after = None
    there(lab.life(), point)
    there(lab.life(), point)
    assert max(Counter(lab.s3.copied).values()) == 1
    assert len(lab.s3.copied) == 11


KEYS = st.lists(
    st.one_of(st.text("ab/é", min_size=1, max_size=6), st.just(LONG), st.integers(0, 3).map(lambda n: LONG + str(n))),
    min_size=1,
    max_size=12,
    unique=True,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    keys=KEYS, deaths=st.lists(st.integers(1, 6), max_size=4), page=st.integers(1, 5), slice_=st.sampled_from([0, 9])
)
def test_wherever_it_dies_nothing_is_copied_twice_and_the_end_is_exact(
    keys: list[str], deaths: list[int], page: int, slice_: int
) -> None:
    lab = Lab(keys=tuple(keys), slice=slice_)
    lab.s3.page = page
    point = lab.life().find()
    for death in deaths:
        lab.s3.die_after = len(lab.s3.copied) + death
        try:
            there(lab.life(), point)
        except Died:
            continue
    lab.s3.die_after = None
    source = lab.life()
    there(source, point)
    assert max(Counter(lab.s3.copied).values()) == 1
    assert sorted(lab.scratch.current(PREFIX).values()) == sorted([*lab.backup.current().values(), b""])
    answers = source.examine(point)
    assert [o.kind for o in answers.observations] == ["", ""]
    assert back(source, point) == "gone"
    assert lab.scratch.keys == {}
    assert source.leftovers() == []


def test_a_sample_is_the_same_in_every_process_and_is_all_that_is_restored() -> None:
    lab = Lab(keys=tuple(map(str, range(40))))
    source, point = restored(lab, restore=Portion(count=5), read=Portion(count=2))
    assert (point.picked, point.objects) == (5, 40)
    assert len(lab.scratch.current(PREFIX + "k/")) == 5
    answers = source.examine(point)
    assert [o.kind for o in answers.observations] == ["", ""]
    assert seen(answers, "objects-compared").observed == "5 equal"
    assert seen(answers, "objects-read").observed == "2 sound"
    assert any("35 objects were not restored" in line for line in answers.proven)
    assert answers.level is Level.RESTORED
    assert any("3 objects were not read" in line for line in answers.proven)
    assert set(point.remarks) <= set(answers.proven)


def test_a_share_of_few_is_still_one() -> None:
    lab = Lab()
    source, point = restored(lab, restore=Portion(share=1e-9), read=Portion(share=1e-9))
    assert point.picked == 1
    assert [o.observed for o in source.examine(point).observations] == ["1 equal", "1 sound"]


def test_what_failed_for_a_moment_is_tried_again() -> None:
    lab = Lab()
    left = [2]

    def trouble(what: str, place: Place) -> RestorecheckError | None:
        if what == "scratch copy" and place.key == "data/b" and left[0]:
            left[0] -= 1
            return aws_error("SlowDown", retryable=True)
        return None

    lab.s3.trouble = trouble
    assert kinds(lab) == ("", "")
    left[0] = 99
    lab = replace(lab, keys=lab.keys)
    lab.s3.trouble = trouble
    error = fails(lambda: restored(lab))
    assert error.kind == "throttled"
    assert left[0] == 96


@pytest.mark.parametrize(
    ("error", "kind", "hint"),
    [
        (aws_error("AccessDenied", "no s3:GetObjectVersion"), "permission", "stream"),
        (aws_error("AccessDenied", "not authorized to perform: kms:Decrypt"), "key-access", ""),
        (aws_error("KMS.DisabledException", f"arn:aws:kms:x:{SOURCE}:key/k is disabled"), "key-unusable", ""),
        (aws_error("KMS.DisabledException", f"arn:aws:kms:x:{SCRATCH}:key/k is disabled"), "key-access", ""),
        (aws_error("KMS.DisabledException", "a key is disabled"), "key-access", ""),
        (aws_error("NoSuchVersion"), "snapshot-state", ""),
        (aws_error("InvalidObjectState"), "object-archived", ""),
        (aws_error("InvalidRequest", "stored using a form of Server Side Encryption"), "object-sealed", ""),
        (aws_error("InvalidRequest", "something else"), "settings", ""),
        (aws_error("400", kind="unknown-answer"), "object-sealed", ""),
        (aws_error("403", kind="unknown-answer"), "permission", "stream"),
    ],
)
def test_what_could_not_be_copied_is_told_by_kind_and_key(error: RestorecheckError, kind: str, hint: str) -> None:
    lab = Lab()
    lab.s3.trouble = lambda what, place: error if (what, place.key) == ("scratch copy", "data/b") else None
    raised = fails(lambda: restored(lab))
    assert raised.kind == kind
    assert "data/b" in raised.message
    assert hint in raised.hint
    assert len(lab.s3.copied) == 2


def test_a_pass_that_copies_nothing_is_given_up() -> None:
    lab = Lab(keys=tuple(map(str, range(300))))
    tried = []

    def trouble(what: str, place: Place) -> RestorecheckError | None:
        if what == "scratch copy":
            tried.append(place.key)
            return aws_error("AccessDenied")
        return None

    lab.s3.trouble = trouble
    error = fails(lambda: restored(lab))
    assert "and 95 more" in error.message
    assert len(tried) == 100


@pytest.mark.parametrize("change", ["gone", "late"])
def test_a_past_that_changes_during_the_copy_proves_nothing(change: str) -> None:
    lab = Lab(slice=0.0)
    source = lab.life()
    point = source.find()
    if change == "gone":
        lab.backup.drop("data/b", "v2")
    else:
        lab.backup.put("data/bb", b"began before, ended after", NOW - timedelta(seconds=1))
    assert fails(lambda: there(source, point)).kind == "snapshot-state"


def test_a_listing_that_breaks_off_is_begun_again() -> None:
    lab = Lab()
    source = lab.life()
    point = source.find()
    lab.s3.trouble = lambda what, _: aws_error("SlowDown", retryable=True) if what == "source list" else None
    lease, restore = source.stages(point)
    lease.begin()
    assert fails(restore.look).retryable
    lab.s3.trouble = lambda _what, _place: None
    assert restore.look().done
    assert len(lab.s3.copied) == 3


def test_nothing_is_copied_after_the_teardown_has_begun() -> None:
    lab = Lab(slice=0.0)
    source = lab.life()
    point = source.find()
    lease, restore = source.stages(point)
    lease.begin()
    restore.look()
    assert back(source, point) == "gone"
    assert lab.s3.closed == 1
    assert fails(restore.look).kind == "cancelled"
    assert lab.scratch.keys == {}


def test_long_keys_that_cannot_be_looked_at_or_copied_are_refused() -> None:
    lab = Lab(keys=("a", LONG))
    lab.s3.trouble = lambda what, place: aws_error("AccessDenied") if what == "scratch head" else None
    error = fails(lambda: restored(lab))
    assert error.kind == "permission"
    assert len(lab.s3.copied) == 1


# --- comparing -----------------------------------------------------------------------------------------------------


def wrong(place: Place, body: bytes) -> bytes | None:
    return body[:-1] + b"!" if place.key == "data/b" else body


def short(place: Place, body: bytes) -> bytes | None:
    return body[:-1] if place.key == "data/b" else body


def nothing(place: Place, body: bytes) -> bytes | None:
    return None if place.key == "data/b" else body


@pytest.mark.parametrize("lie", [wrong, short, nothing])
def test_a_copy_that_lies_is_never_green(lie: Any) -> None:
    lab = Lab()
    lab.s3.lie = lie
    source, point = restored(lab)
    finding = seen(source.examine(point), "objects-compared")
    assert finding.kind == "objects-differ"
    assert "data/b" in finding.message
    assert "body" not in finding.message


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    keys=KEYS,
    victim=st.integers(0, 99),
    how=st.sampled_from(["wrong", "short", "missing", "extra", "extra long"]),
    known=st.sampled_from(["md5", "crc", "composite", "nothing"]),
)
def test_no_lie_about_any_object_is_ever_green(keys: list[str], victim: int, how: str, known: str) -> None:
    lab = Lab(keys=tuple(keys))
    key = lab.source.prefix + keys[victim % len(keys)]
    for versions in lab.backup.keys.values():
        body = versions[0].body or b""
        if known != "md5":
            versions[0].etag = f"{digests(body)['md5']}-2"
        versions[0].checksums = {"crc": crc(body), "composite": crc(body, full=False)}.get(known, Checksums())

    def lie(place: Place, body: bytes) -> bytes | None:
        if place.key == key:
            return {"wrong": b"?" * len(body), "short": body[:-1], "missing": None}.get(how, body)
        return body

    lab.s3.lie = lie
    if how.startswith("extra"):
        source, point = restored(lab)
        extra = PREFIX + ("h/0" if how == "extra long" else "k/" + lab.source.prefix + "zz-extra")
        lab.scratch.put(extra, b"who put this here", NOW)
    else:
        source, point = restored(lab)
    assert seen(source.examine(point), "objects-compared").kind == "objects-differ"


def test_the_proof_reaches_as_far_as_every_object_was_read_and_had_a_checksum() -> None:
    source, point = restored(Lab())
    assert source.examine(point).level is Level.EQUAL
    source, point = restored(Lab(keys=tuple("abcd")), read=Portion(count=2))
    assert source.examine(point).level is Level.RESTORED
    lab = Lab()
    source, point = restored(lab)
    lab.scratch.keys.clear()
    assert source.examine(point).level is Level.RESTORED


def test_equal_objects_are_proven_by_what_leaves_no_doubt() -> None:
    lab = Lab(keys=("md5", "crc", "composite", "none", "kms"))
    for name in ("crc", "composite", "none"):
        [version] = lab.backup.keys[f"data/{name}"]
        version.etag = version.etag + "-1"
    [kms] = lab.backup.keys["data/kms"]
    kms.etag, kms.encryption = "0" * 32, "aws:kms"
    for name, sums in (("crc", crc(b"body of crc")), ("composite", crc(b"other", full=False))):
        lab.backup.keys[f"data/{name}"][0].checksums = sums
    source, point = restored(lab)
    answers = source.examine(point)
    assert [o.kind for o in answers.observations] == ["", ""]
    assert "3 by reading both, 1 by CRC64NVME, 1 by MD5" in answers.proven[0] or all(
        word in answers.proven[0] for word in ("3 by reading both", "1 by CRC64NVME", "1 by MD5")
    )
    assert "3 by reading the backup's own bytes too" in answers.proven[1]
    assert answers.level is Level.READ  # three have no checksum that S3 took when they were written


def test_an_object_whose_own_bytes_are_not_what_s3_took_is_damaged() -> None:
    lab = Lab()
    lab.backup.keys["data/b"][0].body = b"bitrot of b"[: len(b"body of b")]
    assert kinds(lab) == ("", "object-damaged")


def test_a_full_checksum_that_does_not_match_the_bytes_is_damage_too() -> None:
    lab = Lab()
    [version] = lab.backup.keys["data/b"]
    version.etag = "1" * 32 + "-2"
    sha = base64.b64encode(hashlib.sha256(b"what it was").digest()).decode()
    version.checksums = Checksums({"SHA256": sha}, full=True)
    assert kinds(lab) == ("", "object-damaged")


def test_the_etag_of_an_encrypted_object_is_no_md5() -> None:
    lab = Lab()
    [version] = lab.backup.keys["data/b"]
    version.etag, version.encryption = "2" * 32, "aws:kms"
    assert kinds(lab) == ("", "")


@pytest.mark.parametrize("what", ["scratch head", "scratch read"])
@pytest.mark.parametrize("bucket", ["backups", "scratch"])
def test_what_cannot_be_looked_at_or_read_is_not_fine(what: str, bucket: str) -> None:
    lab = Lab()
    for versions in lab.backup.keys.values():
        versions[0].etag += "-2"
    source, point = restored(lab)
    lab.s3.trouble = lambda did, place: aws_error("AccessDenied") if (did, place.bucket) == (what, bucket) else None
    found = {o.kind for o in source.examine(point).observations}
    assert "permission" in found
    assert found <= {"permission", ""}


def test_an_answer_that_does_not_come_is_no_answer() -> None:
    lab = Lab()
    lab.backup.keys["data/a"][0].etag += "-2"
    source, point = restored(lab)
    real = source._reach.objects("scratch")
    real.head = lambda jobs, at_once: iter([])  # type: ignore[method-assign]
    real.read = lambda jobs, at_once: iter([])  # type: ignore[method-assign]
    assert [o.kind for o in source.examine(point).observations] == ["unknown-answer", "unknown-answer"]


def test_a_past_that_changed_since_the_copy_proves_nothing() -> None:
    lab = Lab()
    source, point = restored(lab)
    lab.backup.drop("data/b", "v2")
    assert seen(source.examine(point), "objects-compared").kind == "snapshot-state"


def test_what_is_read_too_late_is_not_proven() -> None:
    lab = Lab()
    source, point = restored(lab)

    def trouble(what: str, _place: Place) -> None:
        if what == "scratch list":
            lab.time += 4000

    lab.s3.trouble = trouble
    assert [o.kind for o in source.examine(point).observations] == ["deadline", "deadline"]


def test_nothing_examined_is_never_green() -> None:
    lab = Lab()
    source, point = restored(lab)
    nobody = replace(point, sample="0" * 32, picked=0, picked_bytes=0)
    lab.scratch.keys = {k: v for k, v in lab.scratch.keys.items() if "/k/" not in k}
    assert [o.kind for o in source.examine(nobody).observations] == ["unknown-answer", "unknown-answer"]


def test_reading_covers_all_objects_when_all_are_asked_for() -> None:
    lab = Lab(keys=tuple(map(str, range(30))))
    source, point = restored(lab, read=Portion())
    assert seen(source.examine(point), "objects-read").observed == "30 sound"


def test_a_long_object_that_was_lost_or_cut_is_seen() -> None:
    for lie in (lambda p, b: None if "é" in p.key else b, lambda p, b: b[:3] if "é" in p.key else b):
        lab = Lab(keys=("a", LONG))
        lab.s3.lie = lie
        source, point = restored(lab)
        assert seen(source.examine(point), "objects-compared").kind == "objects-differ"


# --- going back ----------------------------------------------------------------------------------------------------


def test_every_version_marker_and_upload_below_the_prefix_goes_and_nothing_else() -> None:
    lab = Lab(keys=tuple(map(str, range(30))))
    lab.scratch.versioning = "Enabled"
    others = {"restorecheck-orders-db-20261121t0300z2/k/x", "restorecheck-orders-db-20261121t0300z", "theirs"}
    for key in others:
        lab.scratch.put(key, b"theirs", NOW)
    lab.scratch.uploads = [("theirs", "u0"), *((f"{PREFIX}k/{n}", f"u{n}") for n in range(20))]
    source, point = restored(lab)
    lab.scratch.put(PREFIX + "k/data/1", None, NOW)
    lab.scratch.put(PREFIX + "k/data/1", b"again", NOW)
    [left] = source.leftovers()
    assert left.arn == f"arn:aws:s3:::scratch/{PREFIX}"
    assert left.reason.startswith("33 versions and delete markers, 20 unfinished uploads are left")
    assert back(source, point) == "gone"
    assert set(lab.scratch.keys) == others
    assert lab.scratch.uploads == [("theirs", "u0")]
    assert source.leftovers() == []
    assert back(lab.life(), point) == "gone"


def test_the_lease_goes_last() -> None:
    lab = Lab(keys=tuple(map(str, range(10))))
    source, point = restored(lab)
    lab.s3.calls.clear()
    back(source, point)
    deleted = [[o["Key"] for o in p["Delete"]["Objects"]] for op, p in lab.s3.calls if op == "DeleteObjects"]
    assert deleted[-1] == [PREFIX + ".restorecheck-lease"]
    assert all(PREFIX + ".restorecheck-lease" not in batch for batch in deleted[:-1])


def test_a_lock_leaves_it_to_a_person_and_is_named() -> None:
    lab = Lab()
    source, point = restored(lab)
    lab.scratch.keys[PREFIX + "k/data/a"][0].locked = True
    assert "object lock" in back(source, point)
    [left] = source.leftovers()
    assert "Object Lock" in left.reason
    assert set(lab.scratch.keys) == {PREFIX + "k/data/a", PREFIX + ".restorecheck-lease"}


def test_what_has_lost_its_lease_is_left_alone_and_reported() -> None:
    lab = Lab()
    source, point = restored(lab)
    lab.scratch.drop(PREFIX + ".restorecheck-lease", "null")
    assert back(source, point).startswith("left alone: 3 versions")
    assert len(lab.scratch.keys) == 3
    assert source.leftovers() == [
        Leftover(
            f"arn:aws:s3:::scratch/{PREFIX}",
            "3 versions and delete markers, 0 unfinished uploads are left; there is no lease, so nobody can prove"
            " whose it is",
        )
    ]


def test_a_removal_works_no_longer_than_a_slice_and_goes_on() -> None:
    lab = Lab(keys=tuple(map(str, range(1500))), slice=0.0)
    lab.s3.page = 1000
    lab.scratch.uploads = [(PREFIX + "k/a", "u1"), (PREFIX + "k/b", "u2")]
    lab.source = replace(lab.source, read=Portion(count=1))
    point = lab.life().find()
    life = lab.life()
    life.stages(point)[0].begin()
    for key in range(1500):
        lab.scratch.put(f"{PREFIX}k/{key}", b"", NOW)
    [stage] = life.teardown(point)
    stage.begin()
    statuses = [stage.look().status for _ in range(6)]
    assert statuses == ["1 deleted", "1 deleted", "1,000 deleted", "501 deleted", "gone", "gone"] or (
        statuses[-1] == "gone" and not lab.scratch.keys
    )


def test_plan_mode_goes_no_way_back() -> None:
    lab = Lab()
    source = lab.life()
    point = source.find()
    imagined = S3Objects(source._reach.plan, source._reach.world, imagined=True)
    assert imagined.teardown(point) == ()
    assert [stage.name for stage in imagined.stages(point)] == ["lease", "restore"]


def test_a_source_of_another_kind_is_refused() -> None:
    lab = Lab()
    with pytest.raises(SourceError):
        S3Objects(Plan(RUN, check(), NOW), lab.life()._reach.world)


def test_now_is_before_the_second_in_which_the_run_began() -> None:
    lab = Lab(slice=0.0)
    source = lab.life()
    point = source.find()
    assert point.created == NOW - timedelta(seconds=1)
    lab.backup.put("data/new", b"written in the very second of the run", NOW)
    there(source, point)
    assert seen(source.examine(point), "objects-compared").kind == ""
