"""The fingerprint of an answer's rows."""

from __future__ import annotations

import pytest

from restorecheck.assertions.fingerprint import RowsDigest
from restorecheck.model import Cell


def of(*rows):
    digest = RowsDigest()
    for row in rows:
        digest.add(row)
    return digest.hex()


ONE, TWO, NULL = Cell("number", "1"), Cell("number", "2"), Cell("null")


def test_the_order_of_rows_does_not_matter_and_that_of_columns_does():
    assert of([ONE, TWO], [TWO, TWO]) == of([TWO, TWO], [ONE, TWO])
    assert of([ONE, TWO]) != of([TWO, ONE])


def test_equal_rows_do_not_cancel_each_other():
    assert len({of(), of([ONE]), of([ONE], [ONE]), of([ONE], [ONE], [ONE])}) == 4


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ([Cell("text", "ab"), Cell("text", "c")], [Cell("text", "a"), Cell("text", "bc")]),
        ([Cell("text", "1")], [ONE]),
        ([NULL], [Cell("text", "")]),
        ([NULL], []),
        ([Cell("time", "2026-01-01T00:00:00", naive=True)], [Cell("time", "2026-01-01T00:00:00+00:00")]),
        ([Cell("text", "\udcff")], [Cell("text", "\udcfe")]),
        ([Cell("other", "json\0{}")], [Cell("other", "jsonb\0{}")]),
    ],
)
def test_what_is_not_the_same_is_told_apart(a, b):
    assert of(a) != of(b)


def test_the_same_number_and_the_same_moment_are_the_same_however_written():
    assert of([Cell("number", "1.50")]) == of([Cell("number", "1.5")])
    assert of([Cell("time", "2026-01-01T01:00:00+01:00")]) == of([Cell("time", "2026-01-01T00:00:00+00:00")])
    assert of([Cell("time", "infinity")]) != of([Cell("time", "-infinity")])


def test_a_fingerprint_that_was_recorded_once_stays_the_same():
    assert of([ONE, Cell("text", "a")], [NULL, NULL]) == (
        "rows1:2:7e767f7d79ab990dd5314cbb349f63e5058b338b024d7fba40360b72aa858755"
    )


def test_it_says_how_it_was_made_and_of_how_many_rows():
    digest = RowsDigest()
    digest.add([ONE])
    assert digest.rows == 1
    assert digest.hex().startswith("rows1:1:")
