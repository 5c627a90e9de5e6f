"""`restorecheck show` says where the evidence of a run is, if it is here, and never what it holds."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from restorecheck.cli import app
from restorecheck.config import load
from restorecheck.evidence import Evidence
from restorecheck.model import Report, Verdict
from restorecheck.state import open_store

AT = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)
RUN, OTHER = "orders-db-20261120t0300z", "orders-db-20261121t0300z"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    shutil.copytree(Path(__file__).parent / "bad_config" / "base", tmp_path, dirs_exist_ok=True)
    file = tmp_path / "config.toml"
    file.write_text(f'evidence = "evidence"\n{file.read_text()}')
    store = open_store(load(file).state)
    for run in (RUN, OTHER):
        store.proofs.save(Report(run, "orders-db", Verdict.BROKEN, AT, AT))
    store.close()
    return tmp_path


@pytest.mark.parametrize("run", [RUN, OTHER])
def test_where_the_evidence_of_a_run_is_is_shown_if_it_is_here(home: Path, run: str):
    Evidence(home / "evidence", RUN).keep("orphans", [{"id": "4711"}])
    shown = CliRunner().invoke(app, ["show", run, "--config", str(home / "config.toml")])
    assert shown.exit_code == 0
    assert (f"evidence        {home / 'evidence' / RUN}" in shown.output) == (run == RUN)
    assert "4711" not in shown.output
