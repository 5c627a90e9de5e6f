"""What changed from one measurement to another, as lines for a person."""

from __future__ import annotations

from restorecheck.assertions import difference
from restorecheck.model import Measure, Measured


def test_a_change_is_told_line_by_line():
    before = Measured("a", "5", "f" * 20, (Measure("x", 5, "p"), Measure("gone", 1), Measure("same", 2)), ("l1", "l2"))
    after = Measured("a", "6000", "", (Measure("x", 5, "q"), Measure("new"), Measure("same", 2)), ("l1", "l3"))
    assert difference(before, after) == (
        "~ 5 → 6,000",
        "~ rows ffffffffffff → unknown",
        "- l2",
        "+ l3",
        "- gone",
        "~ x: 5 rows p → 5 rows q",
        "+ new: nothing",
    )
    assert difference(before, before) == ()


def test_where_nothing_was_accepted_before_all_is_new():
    assert difference(None, Measured("a", "5")) == ("~ unknown → 5",)
    assert difference(None, Measured("a", lines=("l1",))) == ("+ l1",)


def test_the_first_lines_are_shown_and_the_others_counted():
    many = Measured("a", lines=tuple(f"l{n:02}" for n in range(50)))
    assert difference(None, many) == ("50 entries; there was nothing to compare with before",)
    shown = difference(Measured("a"), many)
    assert (len(shown), shown[-1]) == (41, "… and 10 more")
