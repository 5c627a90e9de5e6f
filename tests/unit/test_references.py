"""References: what a manifest may look like, which one belongs to a recovery point, and what is worth recording."""

from __future__ import annotations

import hashlib
import json
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fake_buckets import REGION, SOURCE, Bucket, FakeS3, aws_error
from hypothesis import given
from hypothesis import strategies as st
from workflow.scripted import POINT, check

from restorecheck.assertions.baselines import question
from restorecheck.databases.interface import ALONE, Beside, Login
from restorecheck.errors import QueryError, RefusedError, RestorecheckError
from restorecheck.failures import kind as meaning
from restorecheck.model import (
    Against,
    Answer,
    Assertion,
    Cell,
    Check,
    Examined,
    Expectation,
    Flaw,
    Known,
    Measure,
    Measured,
    Probe,
    Reference,
    Unseen,
    Verdict,
)
from restorecheck.references import manifest, naming, questions, reading, recording
from restorecheck.references.manifest import FORMAT, Manifest, NoManifestError

AT = datetime(2026, 11, 21, 3, 0, 15, tzinfo=UTC)
NIGHTLY = Reference("nightly", SOURCE, REGION, "backups", "references/*.json")
LIVE = Against("reference", reference="nightly")
ROWS = Assertion("rows", "select id, total from orders", Expectation(same_as=LIVE))
SUM = Assertion("sum", "select sum(total) from orders", Expectation(at_least=Cell("number", "1"), of=LIVE))
READ = Assertion("read", "", Expectation(same_as=LIVE), probe=Probe("readable", tables=("public.*",)))
BESIDE = Assertion("count", "select count(*) from orders", Expectation(at_least=Cell("number", "1")))
BEFORE = replace(BESIDE, name="before", expect=Expectation(at_least=Cell("number", "1"), of=Against("previous")))
CHECK = replace(check(), assertions=(BESIDE, ROWS, BEFORE, SUM, READ), references=(NIGHTLY,))
MEASURES = (Measure("public.a", 3, "aa"), Measure("public.b", 0, "bb"))


def made(at: datetime = AT, **changes: Any) -> Manifest:
    answers = (
        Measured("rows", fingerprint="f00d", question=question(ROWS)),
        Measured("sum", value="1943200.50", question=question(SUM)),
        Measured("read", measures=MEASURES, lines=("x", "y"), question=question(READ)),
    )
    return replace(Manifest(FORMAT, CHECK.name, "nightly", at, "postgresql", "18.1", answers), **changes)


# --- the format ------------------------------------------------------------------------------------------------------


def test_what_is_written_is_read_back():
    assert manifest.read(manifest.written(made())) == made()


def test_a_manifest_is_one_object_that_people_can_read():
    plain = json.loads(manifest.written(made(AT.astimezone(UTC))))
    assert (plain["format"], plain["recorded_at"]) == ("restorecheck-manifest/1", "2026-11-21T03:00:15Z")
    assert plain["answers"][1] == {"assertion": "sum", "value": "1943200.50", "question": question(SUM)}


def test_what_it_holds_comes_in_order_whatever_the_order_in_which_it_was_written():
    mixed = replace(made().answers[2], measures=MEASURES[::-1], lines=("y", "x"))
    assert manifest.read(manifest.written(made(answers=(mixed,)))).answers == made().answers[2:]


def changed(**changes: Any) -> bytes:
    plain = json.loads(manifest.written(made()))
    return json.dumps({k: v for k, v in {**plain, **changes}.items() if v is not None}).encode()


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "no manifest"),
        (b"{", "no manifest"),
        (b"[]", "no manifest"),
        (b"\xff\xfe", "no manifest"),
        (manifest.written(made())[:-40], "no manifest"),  # cut off
        (changed(format="restorecheck-manifest/2"), "another format than restorecheck-manifest/1"),
        (changed(format=None), r"no manifest \(format\)"),
        (changed(check=None), r"no manifest \(check\)"),
        (changed(recorded_at="yesterday"), r"no manifest \(recorded_at\)"),
        (changed(recorded_at="2026-11-21T03:00:15"), "in which zone"),
        (changed(answers=[{"assertion": "a"}]), "what was asked"),
        (changed(answers=[{"question": "a"}]), r"no manifest \(answers.0.assertion\)"),
        (changed(answers=[{"assertion": "a", "question": "q", "value": 7}]), r"no manifest \(answers.0.value\)"),
        (changed(answers=[{"assertion": "a", "question": "q"}] * 2), "one assertion twice"),
    ],
)
def test_what_is_not_exactly_a_manifest_is_refused(body: bytes, said: str):
    with pytest.raises(NoManifestError, match=said):
        manifest.read(body)


def test_a_refusal_repeats_nothing_of_what_was_read():
    with pytest.raises(NoManifestError) as raised:
        manifest.read(changed(recorded_at="canary@example.org"))
    assert "canary" not in str(raised.value)


@given(st.binary(max_size=60))
def test_whatever_the_bytes_the_answer_is_a_manifest_or_a_refusal(body: bytes):
    with pytest.raises(NoManifestError):
        manifest.read(body)


def test_what_would_not_be_read_is_not_written(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(manifest, "MOST", 100)
    with pytest.raises(NoManifestError, match="and 100 are allowed"):
        manifest.written(made())


# --- questions -------------------------------------------------------------------------------------------------------


def test_what_is_compared_with_a_reference_is_recorded_for_it_and_nothing_else():
    assert questions.asked(CHECK, "nightly") == (ROWS, SUM, READ)
    assert questions.asked(CHECK, "weekly") == ()


# --- where they lie --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "key"),
    [
        ("references/*.json", "references/orders-db-20261121t030015z.json"),
        ("*/references/*.json", "orders-db/references/20261121t030015z.json"),
        ("**", "orders-db-20261121t030015z"),
        ("a/*/b/*/*.json", "a/orders-db/b/orders-db/20261121t030015z.json"),
    ],
)
def test_the_key_of_a_recording_has_its_check_and_its_time_and_fits_the_pattern(pattern: str, key: str):
    reference = replace(NIGHTLY, object=pattern)
    assert naming.key(reference, "orders-db", AT.astimezone()) == key
    assert naming.belongs(reference, key)
    assert key.startswith(naming.prefix(reference))


def test_a_pattern_for_one_object_alone_takes_no_recording():
    with pytest.raises(RestorecheckError, match="the name of one object alone") as raised:
        naming.key(replace(NIGHTLY, object="reference.json"), "orders-db", AT)
    assert raised.value.kind == "config"


@pytest.mark.parametrize("key", ["references/a/b.json", "references/x.txt", "other/a.json", "references/.json/"])
def test_what_does_not_fit_the_pattern_is_no_manifest(key: str):
    assert not naming.belongs(NIGHTLY, key)


def test_a_folder_is_no_manifest():
    assert not naming.belongs(replace(NIGHTLY, object="**"), "references/")


# --- reading ---------------------------------------------------------------------------------------------------------

TAKEN = replace(POINT, created=AT + timedelta(hours=9), data_time=AT)
LATER = AT + timedelta(days=3)
HOUR = timedelta(hours=1)


class Place:
    """A bucket of manifests, and the fence in front of it."""

    def __init__(self) -> None:
        self.s3 = FakeS3(lambda: LATER)
        self.bucket = self.s3.buckets["backups"] = Bucket(SOURCE)
        self.entered = 0

    def objects(self, role: Any, account: str, region: str) -> Any:
        self.entered += 1
        assert (str(role), account, region) == ("source", SOURCE, REGION)
        return self.s3.objects(role, account, region)

    def put(self, name: str, one: Manifest | bytes, at: datetime | None = None) -> None:
        when = at or (AT if isinstance(one, bytes) else one.recorded_at + timedelta(minutes=5))
        body = one if isinstance(one, bytes) else manifest.written(one)
        self.bucket.put(f"references/{name}.json", body, when)

    def known(self, check: Check = CHECK) -> dict[str, Known]:
        found = reading.known(self, check, TAKEN, LATER)
        return {one.assertion: one for one in found}

    def why(self, check: Check = CHECK) -> str:
        """Return the one reason why nothing is known, after a look at all that must be true of it."""
        [error] = {one.error for one in self.known(check).values()}
        assert error
        for one in self.known(check).values():
            assert one.measured is None
            assert meaning(one.kind).verdict is Verdict.UNPROVEN
        return error

    def kind(self) -> str:
        [kind] = {one.kind for one in self.known().values()}
        return kind


@pytest.fixture
def place() -> Place:
    return Place()


def test_what_was_recorded_is_known_of_each_assertion_that_asks_for_it(place: Place):
    place.put("a", made())
    assert place.known() == {one.assertion: Known(one.assertion, LIVE, AT, measured=one) for one in made().answers}
    assert place.entered == 1  # for all of them


def test_a_check_without_a_reference_asks_nothing_of_aws(place: Place):
    assert place.known(replace(CHECK, assertions=(BESIDE, BEFORE))) == {}
    assert place.entered == 0


def test_the_manifest_nearest_to_the_recovery_point_counts_and_not_the_newest(place: Place):
    for name, away in (("a", -3 * HOUR), ("b", HOUR), ("c", 2 * HOUR)):
        place.put(name, made(AT + away))
    assert place.known()["sum"].at == AT + HOUR


def test_when_it_was_recorded_counts_and_not_when_it_was_written(place: Place):
    place.put("a", made(AT + HOUR), AT + HOUR)
    place.put("b", made(AT - 2 * HOUR), AT)  # recording took two hours
    assert place.known()["sum"].at == AT + HOUR


def test_without_a_time_of_its_data_a_point_was_made_when_it_was_created(place: Place):
    place.put("a", made(AT - HOUR))
    place.put("b", made(AT + 10 * HOUR))
    found = reading.known(place, CHECK, replace(TAKEN, data_time=None), LATER)
    assert {one.at for one in found} == {AT + 10 * HOUR}


@pytest.mark.parametrize("away", [timedelta(hours=24, seconds=1), -timedelta(hours=24, seconds=1)])
def test_one_from_another_day_is_none(place: Place, away: timedelta):
    place.put("a", made(AT + away))
    why = place.why()
    assert (
        "nothing that orders-db recorded within 24 h of 2026-11-21 03:00 UTC is at s3://backups/references/*.json"
        in why
    )


def test_one_at_the_edge_of_what_is_allowed_counts(place: Place):
    place.put("a", made(AT - timedelta(hours=24)))
    assert place.known()["sum"].measured


@pytest.mark.parametrize("changes", [{"check": "billing-db"}, {"reference": "weekly"}])
def test_those_of_other_checks_and_references_beside_it_are_not_used(place: Place, changes: dict[str, str]):
    place.put("a", made(**changes))
    assert "nothing that orders-db recorded" in place.why()
    place.put("b", made(AT + HOUR))
    assert place.known()["sum"].at == AT + HOUR


def test_what_lies_beside_them_or_far_away_is_not_even_read(place: Place):
    place.put("a", made())
    place.bucket.put("references/a.txt", b"{", AT)
    place.put("b", b"{", AT - timedelta(days=9))
    place.s3.trouble = lambda what, where: aws_error("AccessDenied") if where.key.endswith(("txt", "b.json")) else None
    assert place.known()["sum"].measured


def test_one_that_was_deleted_is_gone(place: Place):
    place.put("a", made())
    place.bucket.put("references/a.json", None, AT + HOUR)
    assert "nothing that orders-db recorded" in place.why()


def test_one_that_cannot_be_used_and_is_nearer_is_not_passed_over(place: Place):
    place.put("a", made(AT - 3 * HOUR))
    place.put("b", b"{", AT + HOUR)
    assert "s3://backups/references/b.json cannot be used: it is no manifest" in place.why()


def test_one_that_cannot_be_used_and_is_farther_does_not_matter(place: Place):
    place.put("a", made(AT - HOUR))
    place.put("b", b"{", AT + 3 * HOUR)
    assert place.known()["sum"].at == AT - HOUR


def test_if_there_is_no_other_the_one_that_cannot_be_used_is_named(place: Place):
    place.put("b", b"{", AT)
    why = place.why()
    assert "nothing that orders-db recorded" in why
    assert "references/b.json cannot be used" in why


def test_an_object_that_is_too_large_is_not_read(place: Place, monkeypatch: pytest.MonkeyPatch):
    place.put("a", made())
    monkeypatch.setattr(manifest, "MOST", 100)
    assert "and 100 are allowed" in place.why()


def test_an_object_that_is_larger_than_it_was_listed_is_let_go(place: Place, monkeypatch: pytest.MonkeyPatch):
    class Read:
        def __init__(self) -> None:
            self.kept = 0

        def pages(self, bucket: str, owner: str, prefix: str) -> Any:
            return place.s3.objects("source", SOURCE, REGION).pages(bucket, owner, prefix)

        def read(self, jobs: Any, at_once: int) -> Any:
            for job in jobs:
                for _ in range(1000):
                    job.sink(b"x" * 64)
                    self.kept += 64
                yield job

    place.put("a", b"x")
    monkeypatch.setattr(manifest, "MOST", 1000)
    reader = Read()
    monkeypatch.setattr(place, "objects", lambda *_: reader)
    assert "larger than was listed" in place.why()
    assert reader.kept <= 2000  # it was asked twice


def test_only_so_many_are_read(place: Place, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(reading, "NEAREST", 2)
    for n in range(3):
        place.put(str(n), made(AT + n * HOUR, check="another"))
    assert "of 3 objects of that time, the 2 nearest were read" in place.why()


def test_an_assertion_that_was_declared_since_is_not_answered(place: Place):
    place.put("a", made(answers=made().answers[:1]))
    found = place.known()
    assert found["rows"].measured
    assert (found["sum"].kind, found["sum"].measured) == ("no-reference", None)
    assert found["sum"].error == "s3://backups/references/a.json does not answer sum"


def test_an_assertion_that_was_changed_since_is_another_question(place: Place):
    place.put("a", made())
    changed = replace(SUM, sql="select sum(total) from orders where paid")
    found = place.known(replace(CHECK, assertions=(ROWS, changed)))
    assert found["rows"].measured
    assert found["sum"].measured is None
    assert "as it was asked before it was changed" in found["sum"].error


def test_a_reference_that_is_not_declared_is_said_to_be_so(place: Place):
    assert place.why(replace(CHECK, references=())) == "the check declares no reference nightly"


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (aws_error("AccessDenied"), "permission"),
        (aws_error("SlowDown"), "throttled"),
        (aws_error("NoSuchBucket"), "no-reference"),
        (aws_error("KMS.DisabledException"), "no-reference"),  # of the backup itself that would be `key-unusable`
        (RestorecheckError("what"), "no-reference"),
    ],
)
@pytest.mark.parametrize("doing", ["list", "read"])
def test_whatever_aws_says_keeps_a_run_from_being_green_and_blames_no_backup(
    place: Place, error: RestorecheckError, kind: str, doing: str
):
    place.put("a", made())
    place.s3.trouble = lambda what, _: error if what == f"source {doing}" else None
    assert place.why() == f"[reference.nightly] cannot be read: {error.message}"
    assert place.kind() == kind


def test_an_account_that_may_not_be_entered_is_no_exception(place: Place, monkeypatch: pytest.MonkeyPatch):
    def refuse(*_: object) -> None:
        raise RefusedError("account 1 is not configured as a source account")

    monkeypatch.setattr(place, "objects", refuse)
    assert "is not configured as a source account" in place.why()
    assert place.kind() == "refused"


# --- recording -------------------------------------------------------------------------------------------------------

LOGIN = Login("replica", 5432, "reporter", "secret", "orders")
CLOCK = Answer("clock", 1, columns=1, cells=(Cell("time", "2026-11-21T03:00:15+00:00"),))
LOOKED = Examined("table", 2, measures=MEASURES, lines=("x", "y"), unseen=(Unseen("i", "GiST", owed=False),))
ANSWERS = {
    "clock": CLOCK,
    "rows": Answer("rows", 3, columns=2, fingerprint="f00d"),
    "sum": Answer("sum", 1, columns=1, cells=(Cell("number", "1943200.50"),)),
    "read": Answer("read", examined=LOOKED),
}


class FakeDatabase:
    """A source that answers as a test says."""

    def __init__(self, error: QueryError | None = None, **answers: Answer) -> None:
        self.answers, self.error = {**ANSWERS, **answers}, error
        self.asked: list[str] = []

    def prepare(self, *_: object) -> None:
        raise AssertionError("nothing is made at a source")

    def databases(self, reader: Login) -> tuple[()]:
        raise AssertionError("nobody looks around at a source")

    def knock(self, reader: Login) -> str:
        if self.error:
            raise self.error
        return "18.1"

    def ask(
        self,
        reader: Login,
        assertions: Sequence[Assertion],
        salt: str,
        within: timedelta,
        beside: Beside = ALONE,
    ) -> tuple[Answer, ...]:
        assert reader == LOGIN
        self.asked += [a.sql for a in assertions if a.name == "clock"]
        beside.tell("read: 1 of 2 tables")
        return tuple(self.answers[a.name] for a in assertions)


def recorded(**answers: Answer) -> Manifest:
    place = recording.Place("postgresql", FakeDatabase(**answers), LOGIN)
    told: list[str] = []
    found = recording.record(place, CHECK, recording.to_ask(CHECK, "nightly"), recording.begin(place), told.append)
    assert told == ["read: 1 of 2 tables"]
    return found


def test_what_the_source_answers_is_what_is_recorded():
    assert recorded() == made()


def test_a_reference_that_the_check_does_not_have():
    with pytest.raises(RestorecheckError, match="orders-db has no reference weekly") as raised:
        recording.to_ask(CHECK, "weekly")
    assert (raised.value.kind, raised.value.hint) == ("config", "its references are nightly")
    with pytest.raises(RestorecheckError) as raised:
        recording.to_ask(CHECK, "nighty")
    assert raised.value.hint == "did you mean nightly?"
    with pytest.raises(RestorecheckError) as raised:
        recording.to_ask(replace(CHECK, references=()), "weekly")
    assert raised.value.hint == "declare [reference.weekly] in its file"


def test_a_reference_that_nothing_is_compared_with():
    with pytest.raises(RestorecheckError, match="no assertion of orders-db is compared with the reference") as raised:
        recording.to_ask(replace(CHECK, assertions=(BESIDE,)), "nightly")
    assert raised.value.kind == "config"


@pytest.mark.parametrize(
    ("name", "answer", "why"),
    [
        ("rows", Answer("rows", error="the query failed", kind="missing-object"), "rows: the query failed"),
        ("rows", Answer("rows", 3, columns=2), "rows: it has no fingerprint"),
        ("sum", Answer("sum", 0, columns=1), "sum: it does not answer one number"),
        ("sum", Answer("sum", 1, columns=1, cells=(Cell("text", "x"),)), "sum: it does not answer one number"),
        ("sum", Answer("sum", 1, more=True, columns=1, cells=(Cell("number", "1"),)), "not answer one number"),
        ("sum", Answer("sum", 1, columns=1, cells=(Cell("null"),)), "sum: it does not answer one number"),
        ("read", Answer("read"), "read: it was not examined"),
        ("read", Answer("read", examined=Examined("table", 0)), "read: there is no table to look at"),
        ("read", Answer("read", examined=replace(LOOKED, flawed=2)), "the source itself is not as it should be: 2 of"),
        (
            "read",
            Answer("read", examined=replace(LOOKED, flawed=3, flaws=(Flaw("t", "public.t: page 7"),))),
            "the source itself is not as it should be: public.t: page 7 (and 2 more)",
        ),
        (
            "read",
            Answer("read", examined=replace(LOOKED, owed=1, unseen=(*LOOKED.unseen, Unseen("t", "no right")))),
            "not everything could be looked at: t: no right",
        ),
    ],
)
def test_an_answer_that_is_not_whole_is_no_reference_and_nothing_is_recorded(name: str, answer: Answer, why: str):
    with pytest.raises(RestorecheckError) as raised:
        recorded(**{name: answer})
    assert why in raised.value.message
    assert raised.value.message.startswith("nothing was recorded: ")
    assert raised.value.kind == "no-reference"


def test_the_first_of_what_is_wrong_is_named():
    wrong = {name: Answer(name, error="no") for name in ("rows", "sum", "read")}
    more = replace(ROWS, name="more")
    place = recording.Place("postgresql", FakeDatabase(**wrong, more=Answer("more", error="no")), LOGIN)
    with pytest.raises(RestorecheckError, match="rows: no; sum: no; read: no; and 1 more"):
        recording.record(place, CHECK, (NIGHTLY, (ROWS, SUM, READ, more)), ("18.1", AT), print)


@pytest.mark.parametrize(
    ("engine", "text"), [("postgresql", "2026-11-21T03:00:15+00:00"), ("mysql", "2026-11-21T03:00:15")]
)
def test_the_time_is_that_of_the_servers_clock(engine: str, text: str):
    database = FakeDatabase(clock=replace(CLOCK, cells=(Cell("time", text),)))
    assert recording.begin(recording.Place(engine, database, LOGIN)) == ("18.1", AT)
    assert database.asked == [{"postgresql": "select pg_catalog.now()", "mysql": "select utc_timestamp(6)"}[engine]]


@pytest.mark.parametrize("clock", [Answer("clock", error="no"), replace(CLOCK, cells=()), ANSWERS["sum"]])
def test_a_server_that_does_not_tell_the_time(clock: Answer):
    with pytest.raises(RestorecheckError, match="the server's clock") as raised:
        recording.begin(recording.Place("postgresql", FakeDatabase(clock=clock), LOGIN))
    assert raised.value.kind == "no-reference"


@pytest.mark.parametrize(
    ("kind", "is_kind", "hint"),
    [
        ("login-failed", "login-failed", "the user of --from"),
        ("database-unreachable", "database-unreachable", "this machine must reach"),
        ("missing-object", "no-reference", "after the last /"),
        ("data-damaged", "no-reference", ""),
    ],
)
def test_a_source_that_cannot_be_asked_is_no_broken_backup(kind: str, is_kind: str, hint: str):
    place = recording.Place("postgresql", FakeDatabase(QueryError("could not connect", kind=kind)), LOGIN)
    with pytest.raises(RestorecheckError, match="could not connect") as raised:
        recording.begin(place)
    assert raised.value.kind == is_kind
    assert hint in raised.value.hint


class FakeHand:
    def __init__(self, error: RestorecheckError | None = None) -> None:
        self.error, self.sent = error, dict[str, Any]()

    def call(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
        assert (service, operation) == ("s3", "PutObject")
        self.sent = params
        if self.error:
            raise self.error
        return {}


def test_a_manifest_is_written_as_the_fence_wants_it():
    hand = FakeHand()
    recording.put(hand, NIGHTLY, "references/a.json", b"body")
    assert hand.sent == {
        "Bucket": "backups",
        "Key": "references/a.json",
        "ExpectedBucketOwner": SOURCE,
        "IfNoneMatch": "*",
        "ChecksumSHA256": b64encode(hashlib.sha256(b"body").digest()).decode(),
        "ContentType": "application/json",
        "Body": b"body",
    }


@pytest.mark.parametrize(
    ("code", "kind", "said"),
    [
        ("PreconditionFailed", "no-reference", "an object at s3://backups/k already"),
        ("ConditionalRequestConflict", "unknown-answer", "the manifest was not written: ConditionalRequestConflict"),
        ("AccessDenied", "permission", "the manifest was not written: AccessDenied"),
        ("NoSuchBucket", "placement", "the manifest was not written: NoSuchBucket"),
        ("KMS.DisabledException", "no-reference", "the manifest was not written"),
    ],
)
def test_a_manifest_that_cannot_be_written(code: str, kind: str, said: str):
    with pytest.raises(RestorecheckError) as raised:
        recording.put(FakeHand(aws_error(code)), NIGHTLY, "k", b"")
    assert said in raised.value.message
    assert raised.value.kind == kind
