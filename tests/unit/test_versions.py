"""What was current at a time, as S3 lists it: against a model that remembers everything."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import quote_plus
from xml.sax.saxutils import escape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from restorecheck.errors import SourceError
from restorecheck.model import ObjectVersion, Portion
from restorecheck.sources.versions.history import Entry, Tally, current, remarks
from restorecheck.sources.versions.listing import entries
from restorecheck.sources.versions.selection import Fingerprint, Sampler, picks

START = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
KEYS = ["a//b", "../x", "dir/", "x", "x/y", "ü +%&?=", "n\nl", "\U0001d535", "\uffff", "a" * 1024]


def at(second: float) -> datetime:
    return START + timedelta(seconds=second)


# --- a bucket that remembers ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Line:
    key: str
    version: str
    marker: bool
    second: float  # as S3 tells it: whole
    body: str


class Bucket:
    """A versioned bucket, and beside it what each key really was after each act."""

    def __init__(self) -> None:
        self.lines: dict[str, list[Line]] = {}  # by key, the newest first
        self.truth: list[tuple[float, dict[str, str | None]]] = []  # when, and what each key held from then on
        self.count = 0

    def _add(self, key: str, second: float, body: str | None, enabled: bool) -> None:
        self.count += 1
        version = f"v{self.count}" if enabled else "null"
        lines = self.lines.setdefault(key, [])
        if not enabled:
            lines[:] = [line for line in lines if line.version != "null"]
        lines.insert(0, Line(key, version, body is None, second, body or ""))

    def put(self, key: str, second: float, enabled: bool = True) -> None:
        self._add(key, second, f"body {self.count}", enabled)

    def delete(self, key: str, second: float, enabled: bool = True) -> None:
        self._add(key, second, None, enabled)

    def undelete(self, key: str) -> None:
        lines = self.lines.get(key, [])
        if lines and lines[0].marker:
            del lines[0]

    def forget(self, key: str, which: int) -> None:
        lines = self.lines.get(key, [])
        if lines:
            del lines[which % len(lines)]

    def listed(self) -> list[Line]:
        ordered = sorted(self.lines, key=lambda key: key.encode())
        return [line for key in ordered for line in self.lines[key]]

    def pages(self, size: int) -> list[bytes]:
        lines = self.listed()
        firsts = {id(lines[i]) for i in range(len(lines)) if i == 0 or lines[i - 1].key != lines[i].key}
        cut = [lines[i : i + size] for i in range(0, len(lines), size)] or [[]]
        return [page([xml_of(line, id(line) in firsts) for line in part]) for part in cut]


def xml_of(line: Line, latest: bool) -> str:
    said = (
        f"<Key>{escape(quote_plus(line.key, safe='/'))}</Key><VersionId>{line.version}</VersionId>"
        f"<IsLatest>{'true' if latest else 'false'}</IsLatest>"
        f"<LastModified>{at(line.second):%Y-%m-%dT%H:%M:%S}.000Z</LastModified><Owner><ID>1</ID></Owner>"
    )
    if line.marker:
        return f"<DeleteMarker>{said}</DeleteMarker>"
    return (
        f"<Version><ETag>&quot;{line.body}&quot;</ETag><Size>{len(line.body)}</Size>"
        f"<StorageClass>STANDARD</StorageClass>{said}</Version>"
    )


def page(lines: list[str]) -> bytes:
    head = (
        '<?xml version="1.0" encoding="UTF-8"?><ListVersionsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        "<Name>b</Name><EncodingType>url</EncodingType><IsTruncated>false</IsTruncated>"
    )
    return (head + "".join(lines) + "</ListVersionsResult>").encode()


def brute(lines: list[Line], when: datetime) -> dict[str, str]:
    """What was current, from all lines at once and the sentence of the documentation."""
    found: dict[str, str] = {}
    for key in {line.key for line in lines}:
        past = [line for line in lines if line.key == key and at(line.second) <= when]
        if past and not past[0].marker:
            found[key] = past[0].version
    return found


ACTS = st.lists(
    st.tuples(
        st.sampled_from(["put", "put", "put", "delete", "undelete", "forget", "suspend", "enable"]),
        st.sampled_from(KEYS),
        st.integers(0, 3),  # seconds since the act before
        st.integers(0, 9),
    ),
    max_size=60,
)


def lived(acts: list[tuple[str, str, int, int]]) -> Bucket:
    bucket, second, enabled = Bucket(), 0, True
    for what, key, later, which in acts:
        second += later
        if what == "put":
            bucket.put(key, second, enabled)
        elif what == "delete":
            bucket.delete(key, second, enabled)
        elif what == "undelete":
            bucket.undelete(key)
        elif what == "forget":
            bucket.forget(key, which)
        else:
            enabled = what == "enable"
    return bucket


@settings(max_examples=300, deadline=None)
@given(ACTS, st.integers(-1, 190), st.integers(1, 40), st.sampled_from([0.0, 0.4]))
def test_the_fold_says_what_brute_force_says_whatever_the_history_and_the_pages(
    acts: list[tuple[str, str, int, int]], second: int, size: int, fraction: float
):
    bucket, when = lived(acts), at(second + fraction)
    tally = Tally(now=at(10_000))
    found = list(current(entries(bucket.pages(size)), when, tally))
    assert {version.key: version.version for version in found} == brute(bucket.listed(), when)
    assert [version.key for version in found] == sorted((v.key for v in found), key=lambda key: key.encode())
    assert tally.entries == len(bucket.listed())
    assert tally.markers == sum(line.marker for line in bucket.listed())
    assert tally.nulls == sum(line.version == "null" for line in bucket.listed())
    assert tally.current == len(found)
    assert tally.current + tally.deleted + tally.later == tally.keys == len({line.key for line in bucket.listed()})
    assert tally.current_bytes == sum(version.size for version in found)


@settings(max_examples=100, deadline=None)
@given(ACTS, st.integers(0, 190))
def test_while_nothing_is_deleted_for_good_the_fold_says_what_really_was(
    acts: list[tuple[str, str, int, int]], second: int
):
    held: dict[str, str | None] = {}
    then: dict[str, str | None] = {}
    bucket, now, cut = Bucket(), 0, False
    for what, key, later, _ in acts:
        now += later + 1  # no two within a second: what was current in between is then told by its time
        if now > second and not cut:
            then, cut = dict(held), True
        if what == "put":
            bucket.put(key, now)
            held[key] = f"v{bucket.count}"
        elif what == "delete":
            bucket.delete(key, now)
            held[key] = None
    then = then if cut else held
    found = {v.key: v.version for v in current(entries(bucket.pages(7)), at(second), Tally(now=at(9999)))}
    assert found == {key: version for key, version in then.items() if version}


@pytest.mark.parametrize("order", ["put, delete", "delete, put"])
def test_within_one_second_the_order_of_the_listing_decides(order: str):
    bucket = Bucket()
    for act in order.split(", "):
        getattr(bucket, act)("x", 5)
    bucket.put("x", 9)  # so that neither is the latest
    found = list(current(entries(bucket.pages(1)), at(5), Tally(now=at(99))))
    assert [version.version for version in found] == ([] if order.endswith("delete") else ["v2"])


def test_a_marker_that_ends_a_page_still_hides_the_version_that_begins_the_next():
    bucket = Bucket()
    bucket.put("x", 1)
    bucket.delete("x", 2)
    assert len(bucket.pages(1)) == 2
    assert list(current(entries(bucket.pages(1)), at(3), Tally(now=at(9)))) == []


def test_pages_that_hold_markers_alone_end_nothing():
    bucket = Bucket()
    for number in range(30):
        bucket.delete(f"gone{number:02d}", 1)
    bucket.put("kept", 1)
    found = list(current(entries(bucket.pages(10)), at(3), Tally(now=at(9))))
    assert [version.key for version in found] == ["kept"]


def test_keys_out_of_order_are_no_answer():
    lines = [Entry("b", "1", True, START), Entry("a", "2", True, START)]
    with pytest.raises(SourceError, match="another order") as raised:
        list(current(lines, START, Tally(now=START)))
    assert raised.value.kind == "unknown-answer"


@settings(max_examples=200, deadline=None)
@given(ACTS, st.integers(-1, 190))
def test_a_server_that_lists_versions_apart_from_markers_is_understood_or_refused(
    acts: list[tuple[str, str, int, int]], second: int
):
    bucket = lived([act for act in acts if act[0] not in {"suspend", "enable"}])
    lines = bucket.listed()
    firsts = {id(lines[i]) for i in range(len(lines)) if i == 0 or lines[i - 1].key != lines[i].key}
    split = sorted(lines, key=lambda line: line.marker)
    ties = {
        (line.key, line.second)
        for line in lines
        for other in lines
        if (line.key, line.second) == (other.key, other.second) and line.marker and not other.marker
    }
    raw = page([xml_of(line, id(line) in firsts) for line in split])
    try:
        found = {v.key: v.version for v in current(entries([raw]), at(second), Tally(now=at(9999)))}
    except SourceError:
        assert ties
    else:
        assert ties or found == brute(lines, at(second))


def test_two_of_one_second_that_are_listed_apart_cannot_be_put_in_order():
    lines = [Line("x", "v1", False, 5, "a"), Line("x", "v3", False, 9, "b"), Line("x", "v2", True, 5, "")]
    with pytest.raises(SourceError, match="cannot be put in order"):
        list(entries([page([xml_of(line, line.version == "v3") for line in lines])]))


# --- what is counted and said --------------------------------------------------------------------------------------


def entry(key: str, second: float = 0, **changes: object) -> Entry:
    return Entry(key, "v1", True, at(second), False, 10, "abc")._replace(**changes)


def test_what_makes_a_state_doubtful_is_counted_and_said():
    day = 86_400
    lines = [
        entry("archived", storage_class="DEEP_ARCHIVE"),
        entry("glacier-ir", storage_class="GLACIER_IR"),
        entry("later", 3 * day),
        entry("new-parts", -day, etag="abc-3"),
        entry("null", version="null"),
        entry("old-parts", -8 * day, etag="abc-3"),
    ]
    tally = Tally(now=at(2 * day))
    assert len(list(current(lines, at(0), tally))) == 5
    assert (tally.archived, tally.archived_bytes, tally.doubtful, tally.multipart) == (1, 10, 1, 2)
    assert (tally.nulls, tally.later, tally.newest) == (1, 1, at(0))
    said = "\n".join(remarks(tally, "Suspended"))
    for part in (
        "versioning of the bucket is suspended",
        "1 entry has the version `null`",
        "1 object was uploaded in parts, begun less than 7 days",
        "of 1 key there are only versions from after",
        "1 object is in an archive (GLACIER or DEEP_ARCHIVE, 10 bytes)",
        "deleted for good",
        "undone since",
        "not versioned",
    ):
        assert part in said


def test_of_a_plain_bucket_only_what_nobody_can_know_is_said():
    tally = Tally(now=at(1))
    list(current([entry("a")], at(0), tally))
    assert len(remarks(tally, "Enabled")) == 3
    assert "versioning of the bucket is off" in "\n".join(remarks(tally, ""))
    two = Tally(now=at(1))
    list(current([entry("a", version="null"), entry("b", version="null")], at(0), two))
    assert "2 entries have the version `null`" in "\n".join(remarks(two, "Enabled"))


def test_a_delete_marker_is_no_write_that_a_backup_could_be_fresh_by():
    tally = Tally(now=at(100))
    list(current([entry("a", 50, marker=True), entry("a", 3), entry("b", 1)], at(60), tally))
    assert tally.newest == at(3)


# --- the XML -------------------------------------------------------------------------------------------------------


def test_a_listing_is_read_with_all_that_it_says():
    version_xml = (
        "<Version><ETag>&quot;abc-2&quot;</ETag><Size>7</Size><StorageClass>GLACIER</StorageClass>"
        "<ChecksumAlgorithm>CRC32</ChecksumAlgorithm><ChecksumAlgorithm>SHA256</ChecksumAlgorithm>"
        "<ChecksumType>FULL_OBJECT</ChecksumType><Key>a%2F%2Fb+c%2B%C3%BC%0A</Key><VersionId>v1</VersionId>"
        "<IsLatest>false</IsLatest><LastModified>2026-11-21T03:00:00.123Z</LastModified></Version>"
    )
    marker_xml = (
        "<DeleteMarker><Key>d</Key><VersionId>v2</VersionId><IsLatest>true</IsLatest>"
        "<LastModified>2026-11-21T04:00:00+01:00</LastModified></DeleteMarker>"
    )
    raw = page([version_xml, marker_xml, "<CommonPrefixes><Prefix>z</Prefix></CommonPrefixes>"])
    version, marker = entries([raw])
    when = START + timedelta(milliseconds=123)
    assert version == Entry("a//b c+ü\n", "v1", False, when, False, 7, "abc-2", "GLACIER", ("CRC32", "SHA256"), True)
    assert marker == Entry("d", "v2", True, START, True)


def test_keys_that_are_not_encoded_are_left_alone_and_a_time_without_a_zone_is_utc():
    line = xml_of(Line("a%2Fb+c", "v1", False, 0, "x"), True).replace("a%252Fb%2Bc", "a%2Fb+c").replace(".000Z", "")
    raw = page([line]).replace(b"<EncodingType>url</EncodingType>", b"").replace(b' xmlns="http', b' xmlns:s="http')
    (found,) = entries([raw])
    assert (found.key, found.modified, found.storage_class) == ("a%2Fb+c", START, "STANDARD")


GOOD = xml_of(Line("k", "v1", False, 0, "x"), True)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"<html>hello</html>",
        page([GOOD])[:-30],
        page([GOOD.replace("<Key>k</Key>", "")]),
        page([GOOD.replace("<Key>k</Key>", "<Key></Key>")]),
        page([GOOD.replace("<Key>k</Key>", "<Key>%FF</Key>")]),
        page([GOOD.replace("<VersionId>v1</VersionId>", "<VersionId/>")]),
        page([GOOD.replace("<Size>", "<Size>x")]),
        page([GOOD.replace("<Size>", "<Size>-")]),
        page([GOOD.replace("true", "maybe")]),
        page([GOOD.replace("2026-", "soon-")]),
        b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "b">]>' + page([GOOD]).partition(b"?>")[2],
        page([GOOD]).decode().replace("UTF-8", "UTF-16").encode("utf-16"),
    ],
)
def test_what_is_no_listing_is_an_error_that_a_retry_may_mend(raw: bytes):
    with pytest.raises(SourceError) as raised:
        list(entries([page([GOOD]), raw]))
    assert raised.value.kind == "unknown-answer"
    assert raised.value.retryable


# --- picking -------------------------------------------------------------------------------------------------------


def versions(count: int) -> list[ObjectVersion]:
    return [ObjectVersion(f"k{number}", "v", number, "e", START) for number in range(count)]


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 40), st.integers(0, 50), st.randoms(use_true_random=False))
def test_a_count_picks_as_many_and_the_same_whatever_the_order(count: int, there: int, shuffled: random.Random):
    samplers = [Sampler(Portion(count=count), "run-1") for _ in range(2)]
    found = versions(there)
    for sampler in samplers:
        for version in found:
            sampler.take(version)
        shuffled.shuffle(found)
    assert samplers[0].sample == samplers[1].sample
    chosen = [version for version in found if picks(samplers[0].sample, "run-1")(version.key)]
    assert len(chosen) == min(count, there) == samplers[0].picked
    assert sum(version.size for version in chosen) == samplers[0].picked_bytes


@settings(max_examples=100, deadline=None)
@given(st.floats(0, 1), st.integers(0, 60))
def test_a_share_picks_what_the_threshold_says_and_never_nothing_of_something(share: float, there: int):
    sampler = Sampler(Portion(share=share), "run-2")
    for version in versions(there):
        sampler.take(version)
    chosen = [version for version in versions(there) if picks(sampler.sample, "run-2")(version.key)]
    assert len(chosen) == sampler.picked
    assert sum(version.size for version in chosen) == sampler.picked_bytes
    assert chosen or not there
    assert share < 1 or len(chosen) == there


def test_a_share_is_about_that_share_and_another_run_picks_others():
    taken: list[set[str]] = []
    for run in ("run-a", "run-b"):
        sampler = Sampler(Portion(share=0.1), run)
        for version in versions(5000):
            sampler.take(version)
        assert 400 < sampler.picked < 600
        taken.append({v.key for v in versions(5000) if picks(sampler.sample, run)(v.key)})
    assert len(taken[0] & taken[1]) < 100


def test_all_is_all():
    sampler = Sampler(Portion(), "run")
    for version in versions(5):
        sampler.take(version)
    assert (sampler.sample, sampler.picked, sampler.picked_bytes) == ("", 5, 10)
    assert picks("", "run")("anything")


def fingerprint(*found: ObjectVersion) -> str:
    taken = Fingerprint()
    for version in found:
        taken.take(version)
    return taken.hex


def test_a_fingerprint_tells_any_difference():
    def variations() -> Iterator[list[ObjectVersion]]:
        plain = ObjectVersion("k", "v", 1, "e", START)
        yield [plain]
        yield []
        yield [plain, plain]
        yield [ObjectVersion("k2", "v", 1, "e", START)]
        yield [ObjectVersion("k", "w", 1, "e", START)]
        yield [ObjectVersion("k", "v", 2, "e", START)]
        yield [ObjectVersion("k", "v", 1, "f", START)]
        yield [ObjectVersion("kv\n1\ne\n1:k", "v", 1, "e", START)]

    assert len({fingerprint(*found) for found in variations()}) == 8
    assert fingerprint(ObjectVersion("k", "v", 1, "e", START)) == fingerprint(ObjectVersion("k", "v", 1, "e", at(9)))
