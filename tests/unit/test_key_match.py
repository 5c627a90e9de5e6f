"""Keys of rows against keys of objects, as two ascending streams."""

from __future__ import annotations

import pytest

from restorecheck.databases.key_match import DisorderError, Match, examined, match
from restorecheck.model import Expectation


@pytest.mark.parametrize(
    ("asked", "listed", "expected"),
    [
        ([], [], Match(0, 0, 0, 0, 0, 0)),
        ([b"a", b"b"], [b"a", b"b"], Match(2, 0, 2, 2, 0, 0)),
        ([b"a", b"a", None, b"c"], [b"b", b"c", b"c", b"d"], Match(4, 1, 2, 3, 1, 2)),
        ([b"b"], [], Match(1, 0, 1, 0, 1, 0)),
        ([], [b"b"], Match(0, 0, 0, 1, 0, 1)),
        ([b"a", b"z"], [b"m"], Match(2, 0, 2, 1, 2, 1)),
        ([b"", b"a"], [b"a"], Match(2, 0, 2, 1, 1, 0)),
    ],
)
def test_both_sides_are_counted(asked: list[bytes | None], listed: list[bytes], expected: Match) -> None:
    assert match(asked, listed) == expected


@pytest.mark.parametrize(("asked", "listed"), [([b"b", b"a"], [b"a"]), ([b"z"], [b"b", b"a"]), ([], [b"b", b"a"])])
def test_disorder_is_never_taken_for_a_difference(asked: list[bytes | None], listed: list[bytes]) -> None:
    with pytest.raises(DisorderError):
        match(asked, listed)


def test_what_is_asked_is_what_is_counted() -> None:
    found = Match(1200, 2, 1000, 900, 150, 50)
    exist = examined(Expectation(exist_in="exports"), found)
    assert (exist.unit, exist.count, exist.flawed, exist.rows) == ("key", 1000, 150, 1200)
    assert [(flaw.object, flaw.message) for flaw in exist.flaws] == [("exports", "150 of 1,000 keys are of no object")]
    assert exist.remarks == ("2 of 1,200 rows have no key",)
    covers = examined(Expectation(covers="exports"), found)
    assert (covers.count, covers.flawed) == (900, 50)
    assert covers.flaws[0].message == "50 of 900 objects are named by no row"
    fine = examined(Expectation(covers="exports"), Match(1, 0, 1, 1, 0, 0))
    assert (fine.flaws, fine.flawed, fine.remarks) == ((), 0, ())
