"""The order of the tests: what takes minutes begins early, so that it is not alone at the end."""

from __future__ import annotations

from pathlib import Path

import pytest

SLOWEST = ("e2e/test_crash.py", "broken_backups", "damage", "rules/test_mutants.py", "e2e/test_failures.py", "chaos")
"""Files and folders whose tests are the longest, longest first."""

HERE = Path(__file__).parent


def _place(item: pytest.Item) -> int:
    path = item.path.relative_to(HERE).as_posix()
    return next((n for n, begin in enumerate(SLOWEST) if path.startswith(begin)), len(SLOWEST))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the slowest files first; else everything stays where it is."""
    items.sort(key=_place)
