"""Keys that rows name, held against keys that objects have: two ascending streams, merged in constant memory. Pure.

Keys are compared as bytes. No key is ever part of a message.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from restorecheck.model import Examined, Expectation, Flaw


class DisorderError(Exception):
    """A stream of keys was not ascending by bytes: nothing can be said about what it lacks."""


@dataclass(frozen=True, slots=True)
class Match:
    """What a merge of two streams came to."""

    rows: int  # that were asked for, those without a key included
    without: int  # rows whose key is NULL
    asked: int  # distinct keys of rows
    listed: int  # distinct keys of objects
    no_object: int  # keys of rows that no object has
    no_row: int  # keys of objects that no row names


def match(asked: Iterable[bytes | None], listed: Iterable[bytes]) -> Match:
    """Merge the keys of rows with the keys of objects; both ascending by bytes, NULLs anywhere.

    Raises DisorderError, and whatever the streams raise.
    """
    rows = without = asked_count = listed_count = no_object = no_row = 0
    objects = _distinct(listed)
    current = next(objects, None)
    last: bytes | None = None
    for key in asked:
        rows += 1
        if key is None:
            without += 1
            continue
        if last is not None and key <= last:
            if key < last:
                raise DisorderError
            continue
        last = key
        asked_count += 1
        while current is not None and current < key:
            listed_count += 1
            no_row += 1
            current = next(objects, None)
        if current == key:
            listed_count += 1
            current = next(objects, None)
        else:
            no_object += 1
    while current is not None:
        listed_count += 1
        no_row += 1
        current = next(objects, None)
    return Match(rows, without, asked_count, listed_count, no_object, no_row)


def examined(expect: Expectation, found: Match) -> Examined:
    """Return what `exist_in` or `covers` came to, in numbers."""
    name = expect.exist_in or expect.covers
    if expect.exist_in:
        count, missing = found.asked, found.no_object
        message = f"{missing:,} of {count:,} keys are of no object"
    else:
        count, missing = found.listed, found.no_row
        message = f"{missing:,} of {count:,} objects are named by no row"
    flaws = (Flaw(name, message),) if missing else ()
    remarks = (f"{found.without:,} of {found.rows:,} rows have no key",) if found.without else ()
    return Examined("key", count, missing, flaws, rows=found.rows, remarks=remarks)


def _distinct(keys: Iterable[bytes]) -> Iterator[bytes]:
    """Pass each key on once. Raises DisorderError."""
    last: bytes | None = None
    for key in keys:
        if last is not None and key <= last:
            if key < last:
                raise DisorderError
            continue
        last = key
        yield key
