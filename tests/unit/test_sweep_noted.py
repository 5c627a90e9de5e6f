"""What is kept of a sweep: a place that could not be looked at never looks clean."""

from __future__ import annotations

import json
from typing import Any

from metrics_world import PRODUCTION, REGION, SCRATCH, piece, swept

from restorecheck.sweep import noted
from restorecheck.sweep.swept import State

ONE, TWO, THREE = (f"2026-11-21T0{hour}:00:00+00:00" for hour in (3, 4, 5))


def places(note: dict[str, Any]) -> dict[tuple[str, str], tuple[str | None, dict[str, int]]]:
    return {(p["account"], p["region"]): (p["seen_whole"], p["left"]) for p in note["places"]}


def test_a_note_is_what_the_sweep_says_and_when_it_was():
    found = swept(piece())
    note = noted(found, ONE, None)
    assert json.loads(json.dumps(note)) == note
    assert note["at"] == ONE
    plain = found.to_json()
    assert {key: note[key] for key in plain if key != "places"} == {k: v for k, v in plain.items() if k != "places"}


def test_what_should_not_be_there_is_counted_by_place_and_kind():
    left = [piece(state=state) for state in (State.EXPIRED, State.KEPT, State.FAILED)]
    fine = [piece("objects", s) for s in (State.LEASED, State.ASKED, State.GOING, State.WAITING, State.SHARED)]
    assert places(noted(swept(*left, *fine, piece("snapshot", account=PRODUCTION)), ONE, None)) == {
        (PRODUCTION, REGION): (ONE, {"snapshot": 1}),
        (PRODUCTION, "eu-west-1"): (ONE, {}),
        (SCRATCH, REGION): (ONE, {"db": 3}),
    }


def test_a_blind_place_keeps_what_it_had_or_has_more():
    first = noted(swept(piece("snapshot", account=PRODUCTION)), ONE, None)
    more = [piece("snapshot", account=PRODUCTION)] * 2
    second = noted(swept(*more, blind=(REGION,)), TWO, first)
    assert places(second)[PRODUCTION, REGION] == (ONE, {"snapshot": 2})
    third = noted(swept(blind=(REGION, "eu-west-1")), THREE, second)
    assert places(third)[PRODUCTION, REGION] == (ONE, {"snapshot": 2})
    assert places(third)[PRODUCTION, "eu-west-1"] == (TWO, {})
    assert places(third)[SCRATCH, REGION] == (THREE, {})


def test_a_place_that_was_never_seen_whole_says_so():
    note = noted(swept(blind=(REGION,)), ONE, None)
    assert places(note)[PRODUCTION, REGION] == (None, {})
    assert places(noted(swept(), TWO, note))[PRODUCTION, REGION] == (TWO, {})


def test_a_note_of_an_older_release_is_known_for_nothing():
    old = {"at": ONE, "summary": "", "pieces": []}
    assert places(noted(swept(blind=(REGION,)), TWO, old))[PRODUCTION, REGION] == (None, {})
