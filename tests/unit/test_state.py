"""Where state is: what is made, what is never made up, and who is refused."""

import os
import stat
from pathlib import Path

import pytest

from restorecheck.config import State, StateBucket
from restorecheck.errors import RestorecheckError
from restorecheck.state import key_of, make_state, open_store, same_key, stays
from restorecheck.store import Store

URL = "postgresql://somebody:se-cret@db.example.org/restorecheck"


def local(tmp_path: Path) -> State:
    return State(tmp_path / "state", None, tmp_path / "state" / "service.key")


def shared(tmp_path: Path) -> State:
    return State(None, URL, tmp_path / "service.key")


@pytest.fixture
def store(tmp_path: Path):
    opened = open_store(local(tmp_path))
    yield opened
    opened.close()


def test_a_state_directory_is_made_for_its_owner_only(tmp_path: Path):
    make_state(local(tmp_path))
    make_state(local(tmp_path))  # and one that is there is taken as it is
    assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700
    assert (tmp_path / "state" / "locks").is_dir()


def test_nothing_is_made_where_the_state_is_in_a_database(tmp_path: Path):
    make_state(shared(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path):
    (tmp_path / "state").write_text("a file")
    with pytest.raises(RestorecheckError, match=f"the state directory {tmp_path}/state cannot be made") as e:
        make_state(local(tmp_path))
    assert (e.value.kind, e.value.hint) == ("config", "set `state` in config.toml")


def test_a_store_is_opened_in_the_directory(tmp_path: Path, store: Store):
    store.ping()
    assert (tmp_path / "state" / "restorecheck.sqlite").exists()


def test_the_key_of_a_directory_is_made_once(tmp_path: Path):
    state = local(tmp_path)
    make_state(state)
    assert key_of(state) == key_of(state)


def test_the_key_of_a_database_is_never_made_up(tmp_path: Path):
    state = shared(tmp_path)
    with pytest.raises(RestorecheckError, match="there is no service key at") as e:
        key_of(state)
    assert e.value.kind == "config"
    assert "openssl rand -hex 32 > service.key" in e.value.hint
    assert not state.key.exists()
    state.key.write_text("5e" * 32 + "\n")
    assert key_of(state) == bytes.fromhex("5e" * 32)


def test_another_key_is_refused_and_the_same_one_is_not(tmp_path: Path, store: Store):
    state = local(tmp_path)
    same_key(store, state)
    same_key(store, state)
    state.key.write_text("66" * 32 + "\n")
    with pytest.raises(RestorecheckError, match="is not the service key that this store was begun with") as e:
        same_key(store, state)
    assert e.value.kind == "config"
    assert str(state.key) in e.value.message


def test_the_store_holds_nothing_from_which_the_key_follows(tmp_path: Path, store: Store):
    state = local(tmp_path)
    same_key(store, state)
    kept = store.notes.get("service-key")
    assert isinstance(kept, str)
    assert state.key.read_text().strip() not in kept
    files = [tmp_path / "state" / name for name in os.listdir(tmp_path / "state") if "sqlite" in name]
    assert files
    assert all(key_of(state).hex().encode() not in file.read_bytes() for file in files)


def test_an_address_is_shown_without_its_password(tmp_path: Path):
    state = shared(tmp_path)
    assert "se-cret" not in f"{state} {state.shown}"
    assert state.shared
    assert (state.store_url, state.runs_url) == (URL, URL)


def test_no_process_works_on_a_state_in_a_bucket(tmp_path: Path):
    state = State(None, None, tmp_path / "service.key", StateBucket("state", "prod/", None, None))
    assert (state.shown, state.shared) == ("s3://state/prod", True)
    for act in (open_store, stays, lambda s: s.runs_url):
        with pytest.raises(RestorecheckError, match="no process can work on the state in s3://state/prod") as raised:
            act(state)
        assert raised.value.kind == "config"
    make_state(state)
    assert list(tmp_path.iterdir()) == []
