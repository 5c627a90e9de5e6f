"""What an expectation names to be held against: earlier runs, an acceptance, a reference. Pure.

Each reader returns its value or raises ValueError with a sentence "what is wrong; what would be right". Whether a
reference of that name is declared is judged where the tables of the check are known.
"""

from __future__ import annotations

import re

from restorecheck.config.values import duration, shown, spoken
from restorecheck.model import Against

FEWEST, MOST = 2, 100
"""Runs of a median: of fewer it is none, and more lie further back than anybody looks."""

NAME = r"^(?=.{1,63}$)[a-z0-9]+([-_][a-z0-9]+)*$"
OF = r"^(previous|median\([0-9]{1,3}\)|max\([0-9][0-9a-z.]*\)|(?!accepted$|median$|max$)[a-z0-9]+([-_][a-z0-9]+)*)$"
SAME_AS = r"^(?!median$|max$)[a-z0-9]+([-_][a-z0-9]+)*$"

_TAKEN = {
    "previous": "stands for the run before",
    "accepted": "stands for what somebody accepted",
    "median": "stands for a median of earlier runs",
    "max": "stands for the most of earlier runs",
}
_RATIO = 'write "previous", "median(7)", "max(90d)", or the name of a reference'
_SAME = 'write "accepted", "previous", or the name of a reference'
_MEDIAN = re.compile(r"median\(([0-9]{1,3})\)")
_MAX = re.compile(r"max\(([^()]*)\)")


def ratio(value: object) -> Against:
    """Read what bounds are ratios of: "previous", "median(7)", "max(90d)" or the name of a reference."""
    if not isinstance(value, str):
        raise ValueError(f"{shown(value)} names no baseline; {_RATIO}")  # noqa: TRY004 - pydantic takes ValueError
    if value == "accepted":
        raise ValueError(f"{shown(value)} is something to be the same as, and no number to divide by; {_RATIO}")
    if value in ("median", "max"):
        meant = "of how many runs" if value == "median" else "over how long"
        example = "median(7)" if value == "median" else "max(90d)"
        raise ValueError(f'{shown(value)} does not say {meant}; write for example "{example}"')
    if found := _MEDIAN.fullmatch(value):
        runs = int(found[1])
        if not FEWEST <= runs <= MOST:
            raise ValueError(f'{shown(value)} is of too few or too many runs; write {FEWEST} to {MOST}: "median(7)"')
        return Against("median", runs=runs)
    if found := _MAX.fullmatch(value):
        return Against("max", span=duration(found[1]))
    return _named(value, _RATIO)


def likeness(value: object) -> Against:
    """Read what an answer is to be the same as: "accepted", "previous" or the name of a reference."""
    if not isinstance(value, str):
        raise ValueError(f"{shown(value)} names nothing to be the same as; {_SAME}")  # noqa: TRY004 - pydantic takes ValueError
    if value in ("median", "max") or _MEDIAN.fullmatch(value) or _MAX.fullmatch(value):
        raise ValueError(f"{shown(value)} is a number, for bounds with of; {_SAME}")
    return Against("accepted") if value == "accepted" else _named(value, _SAME)


def name(text: str) -> str:
    """Read the name of a reference, or of a set of objects."""
    if not re.match(NAME, text) or text.endswith("\n"):
        raise ValueError(
            f"{shown(text)} is not a name here; write up to 63 lower-case letters and digits "
            'with single hyphens or underscores between them, for example "replica"'
        )
    return text


def free_name(text: str) -> str:
    """Read the name of a reference: none of the words that stand for something else."""
    if text in _TAKEN:
        raise ValueError(f'{shown(text)} {_TAKEN[text]}; write another name, for example "replica"')
    return name(text)


def said(against: Against) -> str:
    """Return it as it stands in the file, with its quotes."""
    if against.span is not None:
        return f'"max({spoken(against.span)})"'
    if against.runs is not None:
        return f'"median({against.runs})"'
    return f'"{against.reference or against.kind}"'


def _named(text: str, right: str) -> Against:
    if text == "previous":
        return Against("previous")
    if not re.match(NAME, text) or text.endswith("\n"):
        raise ValueError(f"{shown(text)} is not known here; {right}")
    return Against("reference", reference=text)
