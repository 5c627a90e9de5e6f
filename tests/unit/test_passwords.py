import stat
import string
from pathlib import Path

import pytest

from restorecheck.errors import RestorecheckError
from restorecheck.passwords import LENGTH, Passwords, service_key


def test_a_password_is_always_the_same_and_differs_by_run_user_and_key():
    one = Passwords(b"a" * 32)
    assert one.of("run", "app") == Passwords(b"a" * 32).of("run", "app")
    others = {
        one.of("run", "app"),
        one.of("run2", "app"),
        one.of("run", "reader"),
        Passwords(b"b" * 32).of("run", "app"),
    }
    assert len(others) == 4


def test_a_password_is_what_every_engine_of_rds_accepts():
    seen = {Passwords(bytes([n]) * 32).of("run", "app") for n in range(50)}
    assert all(len(p) == LENGTH for p in seen)
    assert set("".join(seen)) <= set(string.ascii_letters + string.digits)
    assert len(set("".join(seen))) > 50  # all letters are in use, not a few


def test_salts_differ_by_run_and_are_no_password():
    one = Passwords(b"a" * 32)
    assert one.salt("run") != one.salt("run2")
    assert one.of("run", "salt") not in one.salt("run")


def test_the_service_key_is_made_once_and_for_its_owner_only(tmp_path: Path):
    path = tmp_path / "service.key"
    key = service_key(path)
    assert len(key) == 32
    assert service_key(path) == key
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [p.name for p in tmp_path.iterdir()] == ["service.key"]


def test_of_two_that_make_the_key_at_once_the_first_wins(tmp_path: Path, monkeypatch):
    path = tmp_path / "service.key"
    key = service_key(path)
    monkeypatch.setattr("os.path.exists", lambda path: False)
    assert service_key(path) == key
    assert [p.name for p in tmp_path.iterdir()] == ["service.key"]


def test_a_key_that_cannot_be_made_is_named(tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(RestorecheckError, match="is not a service key") as e:
        service_key(tmp_path / "file" / "service.key")
    assert e.value.kind == "config"


@pytest.mark.parametrize("text", ["", "not hex", "abcd", "00" * 33])
def test_what_is_no_key_is_named(tmp_path: Path, text: str):
    path = tmp_path / "service.key"
    path.write_text(text)
    with pytest.raises(RestorecheckError, match="is not a service key") as e:
        service_key(path)
    assert e.value.kind == "config"
