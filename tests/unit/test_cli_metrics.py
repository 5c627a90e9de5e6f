"""`restorecheck metrics`: printed, or sent where an option says, from the store alone."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from restorecheck import cli
from restorecheck.config import load
from restorecheck.metrics import pushgateway
from restorecheck.metrics.figures import Figures
from restorecheck.state import make_state, open_store

BASE = Path(__file__).parent / "bad_config" / "base"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small configuration with a store, in the current directory."""
    shutil.copytree(BASE, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    state = load(Path("config.toml")).state
    make_state(state)
    open_store(state).close()
    return tmp_path


def asked(*arguments: str) -> Result:
    return CliRunner().invoke(cli.app, ["metrics", *arguments])


def test_without_an_option_they_are_printed(here: Path):
    result = asked()
    assert result.exit_code == 0, result.output
    assert "\nrestorecheck_check_rpo_objective_seconds{check=" in result.stdout
    assert "\nrestorecheck_store_up 1.0\n" in result.stdout
    assert "_created" not in result.stdout


def test_they_go_where_options_say_and_are_not_printed(here: Path, monkeypatch: pytest.MonkeyPatch):
    pushed: list[tuple[str, Figures]] = []
    monkeypatch.setattr(pushgateway, "push", lambda url, figures: pushed.append((url, figures)))
    result = asked("--textfile", "x.prom", "--push", "http://gateway:9091", "--emf", "shop/backups")
    assert result.exit_code == 0, result.output
    assert "restorecheck_store_up 1.0" in (here / "x.prom").read_text()
    ((url, figures),) = pushed
    assert (url, figures.of("store_up")) == ("http://gateway:9091", {(): 1.0})
    documents = [json.loads(line) for line in result.stdout.splitlines()]
    assert {d["_aws"]["CloudWatchMetrics"][0]["Namespace"] for d in documents} == {"shop/backups"}
    assert documents[0]["StoreUp"] == 1


def test_one_that_fails_keeps_none_of_the_others_from_being_served(here: Path):
    result = asked("--textfile", "gone/x.prom", "--push", "http://127.0.0.1:1", "--emf", "shop")
    assert result.exit_code == 2
    assert json.loads(result.stdout.splitlines()[0])["StoreUp"] == 1
    said = " ".join(result.stderr.split())
    assert "gone/x.prom cannot be written" in said
    assert "the Pushgateway at 127.0.0.1:1 did not answer" in said


def test_a_store_that_cannot_be_read_writes_no_file(here: Path):
    assert asked("--textfile", "x.prom").exit_code == 0
    before = (here / "x.prom").read_bytes()
    for path in here.glob("state/*.sqlite*"):
        path.write_bytes(b"no database" * 999)
    result = asked("--textfile", "x.prom", "--emf", "shop")
    assert result.exit_code != 0
    assert result.stdout == ""
    assert (here / "x.prom").read_bytes() == before
