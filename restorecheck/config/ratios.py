"""Bounds that are ratios of a baseline: that they can be ratios, and that the answer can be divided. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal

from restorecheck.config import against, question
from restorecheck.config.assert_shape import Expect
from restorecheck.config.values import shown
from restorecheck.model import Cell

LARGEST = 10
"""Ten times the baseline: a larger bound was meant as a number of its own, or in percent."""


def problems(
    expect: Expect, bounds: Sequence[Cell], key: str, sql: str | None, dialect: question.Dialect
) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with bounds beside `of`, each as the key below `expect` and a sentence."""
    of = f"of = {against.said(expect.of)}" if expect.of else "of"
    if expect.before:
        yield "before", f"asks for an age, and {of} for a ratio; write one of them, an age has no baseline"
    yield from _bounds(bounds, key, of)
    if sql and (column := question.time_column(sql, dialect)):
        yield "of", f"divides a number, and {column} looks like a time; ask for a number, or leave of out"
    elif sql and (columns := question.columns(sql, dialect)) not in (None, 1):
        yield "of", f"divides one number, and the query answers with {columns} columns; select the number alone"


def _bounds(bounds: Sequence[Cell], key: str, of: str) -> Iterator[tuple[str, str]]:
    for bound in bounds:
        if bound.kind != "number":
            yield key, f"is no number, and {of} makes it a ratio; write for example 0.98"
            return
    for number in (Decimal(bound.text) for bound in bounds):
        if number <= 0:
            yield key, f"is {number:f}, and {of} makes it a ratio, which is above 0; write for example 0.98"
        elif number > LARGEST:
            yield (
                key,
                (
                    f"is {shown(f'{number:f}')[1:-1]}, and {of} makes it a ratio; "
                    "write for example 0.98, or leave of out if it is the number itself"
                ),
            )
