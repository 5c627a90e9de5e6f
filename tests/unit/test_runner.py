"""The composition: what is refused before anything begins."""

import os
from pathlib import Path

import pytest

from restorecheck.config import Config
from restorecheck.engines.clock import WallClock
from restorecheck.errors import RestorecheckError
from restorecheck.runner import LivePorts, _locked, make_state


def config(home: Path) -> Config:
    return Config(home / "config.toml", home / "state", (), (), ())


def test_a_state_directory_is_for_its_owner_only(tmp_path: Path):
    make_state(tmp_path / "a" / "state")
    assert (tmp_path / "a" / "state").stat().st_mode & 0o077 == 0


def test_a_state_directory_that_cannot_be_made_is_named(tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(RestorecheckError, match="cannot be made") as e:
        make_state(tmp_path / "file" / "state")
    assert e.value.kind == "config"


def test_a_lock_is_held_once_and_names_its_holder(tmp_path: Path):
    make_state(tmp_path)
    first = _locked(tmp_path, "orders-db")
    with pytest.raises(RestorecheckError, match=f"by process {os.getpid()}"):
        _locked(tmp_path, "orders-db")
    _locked(tmp_path, "users-db").close()
    first.close()
    _locked(tmp_path, "orders-db").close()


def test_a_run_id_that_is_none_is_refused(tmp_path: Path):
    make_state(tmp_path / "state")
    ports = LivePorts(config(tmp_path), WallClock(), None)
    with pytest.raises(RestorecheckError, match="is not a run id"):
        ports.plan("something")
    with pytest.raises(RestorecheckError, match="there is no check named gone"):
        ports.plan("gone-20261121t0300z")


def test_a_clock_that_was_cancelled_still_waits_for_a_teardown():
    clock = WallClock()
    assert not clock.cancelled()
    clock.cancel()
    before = clock.now()
    clock.wait(0.05)
    assert (clock.now() - before).total_seconds() >= 0.04
    assert clock.cancelled()
