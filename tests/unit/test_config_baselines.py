"""What an expectation is held against: what `of` and `same_as` may name, and the names of references."""

from datetime import timedelta

import pytest

from restorecheck.config import against
from restorecheck.model import Against


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("previous", Against("previous")),
        ("median(2)", Against("median", runs=2)),
        ("median(100)", Against("median", runs=100)),
        ("max(90d)", Against("max", span=timedelta(days=90))),
        ("max(12h)", Against("max", span=timedelta(hours=12))),
        ("replica", Against("reference", reference="replica")),
        ("max-of-us", Against("reference", reference="max-of-us")),
    ],
)
def test_what_bounds_may_be_ratios_of(text, read):
    assert against.ratio(text) == read
    assert against.said(read) == f'"{text}"'


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (None, "names no baseline"),
        (["previous"], "a list names no baseline"),
        ("accepted", "no number to divide by"),
        ("median", 'write for example "median(7)"'),
        ("max", 'write for example "max(90d)"'),
        ("median(0)", "too few or too many"),
        ("median(1)", "too few or too many"),
        ("median(101)", "too few or too many"),
        ("median(7d)", "is not known here"),
        ("max(7)", "is not a duration"),
        ("max(0s)", "no time at all"),
        ("max()", "is not a duration"),
        ("Previous", "is not known here"),
        ("previous ", "is not known here"),
        ("previous\n", "is not known here"),
        ("replica\n", "is not known here"),
        ("", "is not known here"),
        ("a" * 64, "is not known here"),
    ],
)
def test_what_bounds_cannot_be_ratios_of(said, why):
    with pytest.raises(ValueError, match=r".+; .+") as caught:
        against.ratio(said)
    assert why in str(caught.value)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("accepted", Against("accepted")),
        ("previous", Against("previous")),
        ("replica", Against("reference", reference="replica")),
    ],
)
def test_what_an_answer_may_be_the_same_as(text, read):
    assert against.likeness(text) == read
    assert against.said(read) == f'"{text}"'


@pytest.mark.parametrize("said", [7, {}, "median", "max", "median(7)", "max(90d)", "Accepted", "", "x" * 64])
def test_what_an_answer_cannot_be_the_same_as(said):
    with pytest.raises(ValueError, match=r'; write "accepted", "previous", or the name of a reference'):
        against.likeness(said)


@pytest.mark.parametrize("text", ["previous", "accepted", "median", "max", "", "A", "a b", "a--b", "a\n", "é"])
def test_names_that_no_reference_may_have(text):
    with pytest.raises(ValueError, match=r"; write "):
        against.free_name(text)


def test_names_of_references_and_of_sets_of_objects():
    assert against.free_name("read_replica-2") == "read_replica-2"
    assert against.name("previous") == "previous"  # of objects, which nothing else could mean
