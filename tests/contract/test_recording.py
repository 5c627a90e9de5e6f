"""Real servers, recorded from as an operator does: their clock, whole answers, nothing of a row, nothing changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from mariadb_server import mariadb
from postgres_server import Server
from workflow.scripted import check

from restorecheck.databases.interface import Login
from restorecheck.databases.mysql import MySQL
from restorecheck.databases.postgres import Postgres
from restorecheck.errors import RestorecheckError
from restorecheck.model import Against, Assertion, Cell, Check, Expectation, Measured, Probe, Reference
from restorecheck.references import manifest, recording
from restorecheck.references.manifest import Manifest
from restorecheck.references.recording import Place

LIVE = Against("reference", reference="live")
AS_LIVE = Expectation(same_as=LIVE)
ROWS = Assertion("rows", "select id, 'canary' from orders", AS_LIVE)
MANY = Assertion("many", "select count(*) from orders", Expectation(at_least=Cell("number", "1"), of=LIVE))


def checked(*assertions: Assertion) -> Check:
    return replace(check(), assertions=assertions, references=(Reference("live", "1", "r", "b", "*"),))


def record(place: Place, *assertions: Assertion) -> tuple[Manifest, dict[str, Measured]]:
    made = checked(*assertions)
    begun = recording.begin(place)
    found = recording.record(place, made, recording.to_ask(made, "live"), begun, lambda _: None)
    assert manifest.read(manifest.written(found)) == found
    return found, {one.assertion: one for one in found.answers}


def whole(place: Place, table: str) -> None:
    """Record twice, and look at what must be true of any recording."""
    probes = [Assertion(name, "", AS_LIVE, probe=Probe(name, tables=(table,))) for name in ("readable", "schema")]
    found, answers = record(place, ROWS, MANY, *probes)
    assert abs(found.recorded_at - datetime.now(UTC)) < timedelta(minutes=1)
    assert answers["rows"].fingerprint.startswith("rows")
    [read] = answers["readable"].measures
    assert (read.object, str(read.rows)) == (table, answers["many"].value)
    assert read.fingerprint
    assert any(table in line for line in answers["schema"].lines)
    assert b"canary" not in manifest.written(found)
    assert record(place, ROWS, MANY, *probes)[1] == answers  # the same rows have the same fingerprints
    other = replace(ROWS, sql="select id + 1, 'canary' from orders")
    assert record(place, other)[1]["rows"].fingerprint != answers["rows"].fingerprint


def test_a_postgresql_is_recorded(reader: Login, running: Server) -> None:
    place = Place("postgresql", Postgres(), reader)
    whole(place, "public.orders")
    assert recording.begin(place)[0].partition(".")[0] in {"15", "18"}


def test_a_question_that_fails_there_is_no_reference(reader: Login) -> None:
    with pytest.raises(RestorecheckError, match="nothing was recorded: rows: ") as raised:
        record(Place("postgresql", Postgres(), reader), replace(ROWS, sql="select 1 from lost"), MANY)
    assert raised.value.kind == "no-reference"


@pytest.fixture(scope="module")
def maria() -> Iterator[Login]:
    with mariadb() as server:
        login = server.login()
        MySQL().prepare(server.master(), login)
        yield login


def test_a_mariadb_is_recorded(maria: Login) -> None:
    whole(Place("mysql", MySQL(), maria), "shop.orders")
