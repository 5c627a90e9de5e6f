"""Evidence on disk: what is written, for whom to read, how much, and what is removed."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from restorecheck.errors import RestorecheckError
from restorecheck.evidence import MARK, MOST, Evidence, of_run, prune

RUN, OTHER = "orders-db-20261121t0300z", "orders-db-20261122t0300z"
NOW = datetime.now(UTC)
LATER = NOW + timedelta(hours=1)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "evidence"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def read(place: Path, assertion: str = "orphans", run: str = RUN) -> dict[str, object]:
    return dict(json.loads((place / run / f"{assertion}.json").read_text()))


# --- what is kept ---------------------------------------------------------------------------------------------------


def test_keys_are_written_for_the_owner_alone(place: Path):
    old = os.umask(0)
    try:
        assert Evidence(place, RUN).keep("orphans", [{"id": "1"}, {"id": None}]) == 2
    finally:
        os.umask(old)
    assert read(place) == {
        "run": RUN,
        "check": "orders-db",
        "assertion": "orphans",
        "rows": [{"id": "1"}, {"id": None}],
    }
    assert {path.name: mode(path) for path in (place / RUN).iterdir()} == {MARK: 0o600, "orphans.json": 0o600}
    assert (mode(place), mode(place / RUN)) == (0o700, 0o700)


def test_what_is_asked_again_is_written_again_and_others_stay(place: Path):
    evidence = Evidence(place, RUN)
    evidence.keep("orphans", [{"id": "1"}])
    evidence.keep("twins", [{"id": "7"}])
    (place / RUN / ".orphans.json").write_text("half of it")  # of a process that died
    evidence.keep("orphans", [{"id": "2"}])
    assert read(place)["rows"] == [{"id": "2"}]
    assert read(place, "twins")["rows"] == [{"id": "7"}]
    assert not (place / RUN / ".orphans.json").exists()


def test_of_very_much_as_many_rows_are_kept_as_fit(place: Path):
    rows = [{"id": "\N{PARTY POPPER}" * 200} for _ in range(100)]
    kept = Evidence(place, RUN).keep("orphans", rows)
    assert 0 < kept < 100
    assert read(place)["rows"] == rows[:kept]
    assert (place / RUN / "orphans.json").stat().st_size <= MOST
    with pytest.raises(RestorecheckError, match="the keys of one row are larger than 64 KiB"):
        Evidence(place, RUN).keep("orphans", [{"id": "x" * MOST}])


def test_nothing_that_a_terminal_obeys_is_in_a_file(place: Path):
    Evidence(place, RUN).keep("orphans", [{"id": "\x1b[2J\u202e"}])
    assert (place / RUN / "orphans.json").read_bytes().isascii()
    assert b"\x1b" not in (place / RUN / "orphans.json").read_bytes()


@pytest.mark.parametrize(
    ("run", "assertion"), [("../x", "a"), ("x", "a"), (RUN, "../a"), (RUN, "A"), (RUN, ""), (RUN, "a\n")]
)
def test_no_name_leads_elsewhere(place: Path, run: str, assertion: str):
    with pytest.raises(RestorecheckError, match="not names"):
        Evidence(place, run).keep(assertion, [{"id": "1"}])
    assert not place.exists()


def others(place: Path) -> Iterator[str]:
    """Make directories in a run's place that are not the run's, one after another."""
    path = place / RUN
    path.mkdir(parents=True, mode=0o700)
    (path / "thesis.txt").write_text("mine")
    yield "somebody's own"
    (path / "thesis.txt").rename(path / MARK)
    yield "another mark"
    (path / MARK).write_text(RUN)
    path.chmod(0o750)
    yield "others look into it"
    path.chmod(0o700)
    (path / MARK).rename(place / "mark")
    (path / MARK).symlink_to(place / "mark")
    yield "a link to a mark"
    (path / MARK).unlink()
    (path / MARK).mkdir()
    yield "a directory as a mark"
    path.rename(place / "elsewhere")
    path.symlink_to(place / "elsewhere")
    yield "a link"
    path.unlink()
    path.write_text(RUN)
    yield "a file"


def test_what_is_not_the_runs_is_neither_written_nor_removed(place: Path):
    for what in others(place):
        before = sorted(str(path) for path in place.rglob("*"))
        with pytest.raises(RestorecheckError) as e:
            Evidence(place, RUN).keep("orphans", [{"id": "1"}])
        assert str(place / RUN) in e.value.message, what
        assert of_run(place, RUN) is None, what
        assert prune(place, LATER) == 0, what
        assert sorted(str(path) for path in place.rglob("*")) == before, what


def test_a_place_that_cannot_be_written_is_an_error_with_its_name_and_no_value(tmp_path: Path):
    (tmp_path / "evidence").write_text("a file")
    with pytest.raises(RestorecheckError, match=r"evidence/orders-db-20261121t0300z cannot be written: ") as e:
        Evidence(tmp_path / "evidence", RUN).keep("orphans", [{"id": "4711"}])
    assert "4711" not in e.value.message


def test_where_evidence_is_can_be_asked(place: Path):
    assert of_run(None, RUN) is None
    assert of_run(place, RUN) is None
    Evidence(place, RUN).keep("orphans", [{"id": "1"}])
    assert of_run(place, RUN) == place / RUN
    assert of_run(place, OTHER) is None
    assert of_run(place / RUN, "..") is None


# --- what is removed ------------------------------------------------------------------------------------------------


def aged(place: Path, run: str, at: datetime) -> Path:
    Evidence(place, run).keep("orphans", [{"id": "1"}])
    os.utime(place / run / MARK, (at.timestamp(), at.timestamp()))
    return place / run


def test_what_is_old_goes_and_what_is_not_stays(place: Path):
    assert prune(place, LATER) == 0  # there is nothing at all
    old, young = aged(place, RUN, NOW - timedelta(days=31)), aged(place, OTHER, NOW)
    (old / ".orphans.json").write_text("half of it")
    (place / "thesis").mkdir()
    assert prune(place, NOW - timedelta(days=30)) == 1
    assert sorted(path.name for path in place.iterdir()) == [young.name, "thesis"]
    assert (young / "orphans.json").exists()


def test_what_somebody_put_beside_it_stays_with_its_directory(place: Path):
    old = aged(place, RUN, NOW - timedelta(days=31))
    (old / "notes.txt").write_text("mine")
    assert prune(place, NOW) == 0
    assert sorted(path.name for path in old.iterdir()) == ["notes.txt", MARK]
    Evidence(place, RUN).keep("orphans", [{"id": "2"}])  # still the run's
    assert read(place)["rows"] == [{"id": "2"}]


def test_a_link_is_removed_and_not_what_it_leads_to(place: Path, tmp_path: Path):
    old = aged(place, RUN, NOW - timedelta(days=31))
    (tmp_path / "thesis.txt").write_text("mine")
    (old / "thesis.json").symlink_to(tmp_path / "thesis.txt")
    assert prune(place, NOW) == 1
    assert (tmp_path / "thesis.txt").read_text() == "mine"


def test_what_cannot_be_removed_is_told_and_the_rest_goes_all_the_same(place: Path):
    stuck, old = aged(place, RUN, NOW - timedelta(days=31)), aged(place, OTHER, NOW - timedelta(days=31))
    (stuck / "thesis.json").mkdir()  # unlink is not for directories
    with pytest.raises(RestorecheckError, match=f"{RUN} could not be removed: "):
        prune(place, NOW)
    assert not old.exists()
    assert (stuck / MARK).exists()
    (place / "file").write_text("")
    with pytest.raises(RestorecheckError, match="cannot be read"):
        prune(place / "file", NOW)


def test_two_processes_may_remove_the_same(place: Path, monkeypatch: pytest.MonkeyPatch):
    old = aged(place, RUN, NOW - timedelta(days=31))
    listdir = os.listdir

    def beaten(where: int | Path) -> list[str]:
        names = listdir(where)
        if isinstance(where, int) and "orphans.json" in names:
            (old / "orphans.json").unlink()
        return names

    monkeypatch.setattr(os, "listdir", beaten)
    assert prune(place, NOW) == 0
    assert prune(place, NOW) == 1
