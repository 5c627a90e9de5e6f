"""Damage that is really done to a server's files is found by the probes, and what is healthy is left in peace."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from kinds import KINDS
from suite import LEAST, survey


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("mode", LEAST)
def test_every_harmful_kind_is_caught_with_a_reference_and_nearly_all_without(mode: str) -> None:
    lines: list[str] = []
    tally = survey(mode, KINDS, lines.append)
    assert tally.wrong == ()
    assert len(KINDS) == 39
    assert tally.with_reference == tally.harmful == (37 if mode == "checksums_on" else 38)
    assert tally.without >= LEAST[mode], tally.missed
