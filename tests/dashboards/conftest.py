"""The dashboards as they are committed, and their source."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
GRAFANA = ROOT / "deploy" / "grafana"
sys.path[:0] = [str(Path(__file__).parent), str(GRAFANA)]

from week import Week, week  # noqa: E402 -- found by the line above


@pytest.fixture(scope="session")
def grafana() -> Path:
    """The directory of all that Grafana is given."""
    return GRAFANA


@pytest.fixture(scope="session")
def fleet() -> dict[str, Any]:
    return _board("fleet")


@pytest.fixture(scope="session")
def check() -> dict[str, Any]:
    return _board("check")


@pytest.fixture(scope="session")
def boards(fleet: dict[str, Any], check: dict[str, Any]) -> list[dict[str, Any]]:
    return [fleet, check]


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Week]:
    with week(tmp_path_factory.mktemp("week")) as running:
        yield running


def _board(name: str) -> dict[str, Any]:
    return dict(json.loads((GRAFANA / "dashboards" / f"restorecheck-{name}.json").read_text()))
