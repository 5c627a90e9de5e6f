"""The order of the tests: what takes minutes begins early, and on every process, so that nothing of it is left last.

And how long one example of a property may take: as long as it likes. On a busy machine it may be taken off the
processor at any point, and Hypothesis' own limit of 200 ms would call that a failure. Where no test may skip, which is
in continuous integration, the examples are the same each time: who changed nothing sees no other outcome. New ones are
tried by everybody else.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("restorecheck", deadline=None, derandomize=os.environ.get("RESTORECHECK_REQUIRE") == "all")
settings.load_profile("restorecheck")  # before a test's own settings are made from it

SLOWEST = ("e2e/test_crash.py", "broken_backups", "damage", "rules/test_mutants.py", "e2e/test_failures.py", "chaos")
"""Files and folders whose tests are the longest, longest first."""

HERE = Path(__file__).parent


def _place(item: pytest.Item) -> int:
    path = item.path.relative_to(HERE).as_posix()
    return next((n for n, begin in enumerate(SLOWEST) if path.startswith(begin)), len(SLOWEST))


@pytest.hookimpl(trylast=True)  # when `-m` and `-k` have chosen
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Deal the slowest tests out to the processes of xdist, in front of each one's share of the others.

    `--dist worksteal` hands every process an equal stretch of this list to begin with, and lets whoever is idle take
    from the end of another's. The others keep their order, so that one process builds what a file's tests share.
    """
    hands = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    ordered = sorted(items, key=_place)
    slow = sum(_place(item) < len(SLOWEST) for item in ordered)
    others = iter(ordered[slow:])
    dealt: list[pytest.Item] = []
    for hand in range(hands):
        end = len(ordered) * (hand + 1) // hands
        dealt += ordered[hand:slow:hands]
        dealt += [one for _, one in zip(range(end - len(dealt)), others, strict=False)]
    items[:] = [*dealt, *others]
