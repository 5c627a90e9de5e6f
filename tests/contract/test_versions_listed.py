"""What was current at a time, asked of another's S3: moto's, with histories in the past, over its own pages."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import botocore.session
import pytest
from fence_cases import REGION, RUN_PERMIT, SCRATCH, SOURCE
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from moto.s3.models import FakeDeleteMarker, s3_backends
from moto.server import ThreadedMotoServer

from restorecheck.fence import Role
from restorecheck.fence.courier import Courier
from restorecheck.fence.passage import Passage
from restorecheck.sources.versions.history import Tally, current
from restorecheck.sources.versions.interface import Place, Read
from restorecheck.sources.versions.listing import entries

START = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)
KEYS = ["a//b", "../x", "dir/", "x", "x/y", "ü +%&?="]
ACTS = st.lists(
    st.tuples(
        st.sampled_from(["put", "put", "delete", "undelete", "forget"]),
        st.sampled_from(KEYS),
        st.integers(1, 3),  # seconds since the act before: this S3 sorts by them, and so has no order within one
        st.integers(0, 5),
    ),
    max_size=40,
)


@pytest.fixture(scope="module")
def courier() -> Iterator[Courier]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    session = botocore.session.Session()
    session.set_credentials("AKIATEST", "secret")
    passage = Passage(session, Role.SCRATCH, SCRATCH, REGION, endpoint_url=f"http://{host}:{port}")
    yield Courier(passage, replace(RUN_PERMIT, bucket="scratch", source_bucket="versioned"))
    server.stop()


class Bucket:
    """A bucket of moto's, whose versions are as old as a test says; and what each key held, the newest first."""

    def __init__(self) -> None:
        self.s3 = s3_backends["123456789012"]["aws"]
        self.s3.reset()
        self.s3.create_bucket("versioned", REGION)
        self.s3.put_bucket_versioning("versioned", "Enabled")
        self.lines: dict[str, list[tuple[str, bool, datetime]]] = {}

    def act(self, what: str, key: str, when: datetime, which: int) -> None:
        held = self.lines.setdefault(key, [])
        if what == "delete" and not held:
            return  # this S3 makes no marker of what was never there
        if what == "put":
            self.s3.put_object("versioned", key, f"{key} {when}".encode())
        elif what == "delete":
            self.s3.delete_object("versioned", key)
        elif what == "undelete" and held and held[0][1]:
            self.s3.delete_object("versioned", key, version_id=held.pop(0)[0])
        elif what == "forget" and held:
            self.s3.delete_object("versioned", key, version_id=held.pop(which % len(held))[0])
        if what in {"put", "delete"}:
            newest = self.s3.buckets["versioned"].keys.getlist(key)[-1]
            newest.last_modified = when.replace(tzinfo=None)
            held.insert(0, (newest.version_id, isinstance(newest, FakeDeleteMarker), when))

    def at(self, when: datetime) -> dict[str, str]:
        found = {}
        for key, lines in self.lines.items():
            past = [(version, marker) for version, marker, then in lines if then <= when]
            if past and not past[0][1]:
                found[key] = past[0][0]
        return found


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ACTS, st.integers(-1, 60), st.integers(1, 9))
def test_a_history_is_told_as_it_was_over_pages_of_any_size(
    courier: Courier, acts: list[tuple[str, str, int, int]], second: int, size: int
):
    bucket, now = Bucket(), START
    for what, key, later, which in acts:
        now += timedelta(seconds=later)
        bucket.act(what, key, now, which)
    when = START + timedelta(seconds=second)
    courier._page_size = size
    found = current(entries(courier.pages("versioned", SOURCE, "")), when, Tally(datetime.now(UTC)))
    assert {version.key: version.version for version in found} == bucket.at(when)


def test_what_was_current_is_read_by_its_version(courier: Courier):
    bucket = Bucket()
    for number, key in enumerate(KEYS * 3):
        bucket.act("put", key, START + timedelta(seconds=number), 0)
    courier._page_size = 4
    when = START + timedelta(seconds=2 * len(KEYS) - 1)  # each key's second version is current
    versions = list(current(entries(courier.pages("versioned", SOURCE, "")), when, Tally(datetime.now(UTC))))
    got: dict[str, bytearray] = {}

    def reading(key: str) -> Any:
        got[key] = bytearray()
        return got[key].extend

    jobs = [Read(Place("versioned", v.key, SOURCE, v.version), sink=reading(v.key)) for v in versions]
    assert [seen.error for seen in courier.read(jobs, 4)] == [None] * len(versions)
    second = {key: f"{key} {START + timedelta(seconds=len(KEYS) + number)}" for number, key in enumerate(KEYS)}
    assert {key: body.decode() for key, body in got.items()} == second
