"""Opening a store: which addresses there are, what is refused, and what a full or broken disk does."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from store_places import AT, Place, report, sqlite_place

from restorecheck.errors import RestorecheckError, StoreError
from restorecheck.store import Store
from restorecheck.store.database import Database
from restorecheck.store.instants import moment, seconds
from restorecheck.store.tables import NOTES
from restorecheck.store.translate import reason


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = sqlite_place(tmp_path)
    yield made
    made.close()


def file_of(place: Place) -> Path:
    return Path(place.url.removeprefix("sqlite:///"))


# --- addresses ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("sqlite:///relative.sqlite", "not absolute"),
        ("sqlite://", "neither SQLite nor PostgreSQL"),
        ("mysql://root:hidden@db/x", "neither SQLite nor PostgreSQL"),
        ("/var/lib/x", "neither SQLite nor PostgreSQL"),
        ("postgresql://me:hid@den@db.example/x", "an @ too many"),
        ("postgresql://me:hidden@db.example:port/x", "cannot be read"),
    ],
)
def test_an_address_that_cannot_be_used_is_refused_without_being_repeated(url: str, says: str) -> None:
    with pytest.raises(RestorecheckError, match=says) as e:
        Store.open(url)
    assert e.value.kind == "config"
    assert e.value.hint
    assert "hid" not in e.value.message + e.value.hint
    assert e.value.__suppress_context__ or e.value.__context__ is None


@pytest.mark.parametrize(
    ("url", "masked"),
    [
        ("postgresql://me:hidden@db.example:6432/x", "postgresql://me:***@db.example:6432/x"),
        ("postgres://me@db.example/x?password=hidden&sslmode=require", "postgresql://me@db.example/x"),
        ("postgresql:///x", "postgresql:///x"),
        ("sqlite:////var/lib/restorecheck.sqlite", "sqlite:////var/lib/restorecheck.sqlite"),
    ],
)
def test_an_address_is_shown_without_its_password(url: str, masked: str) -> None:
    database = Database(url, lambda: 0.0)
    assert database.masked == Store(database).masked == masked
    assert "hidden" not in repr(database.engine)
    database.close()


def test_a_store_that_cannot_be_reached_may_be_there_later(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="unable to open") as e:
        Store.open(f"sqlite:///{tmp_path}/nowhere/x.sqlite")
    assert e.value.retryable


# --- what is in the file --------------------------------------------------------------------------------------------


def test_what_is_no_database_is_refused(place: Place) -> None:
    file_of(place).write_text("this is a letter to somebody, and long enough to be one\n" * 40)
    before = file_of(place).read_bytes()
    with pytest.raises(RestorecheckError, match="cannot be opened: file is not a database") as e:
        place.open()
    assert (e.value.kind, e.value.hint) == ("config", "put a good copy back, or move it away: a new one is made")
    assert file_of(place).read_bytes() == before


def test_a_damaged_database_is_refused(place: Place) -> None:
    place.open().proofs.save(report())
    place.close()
    content = bytearray(file_of(place).read_bytes())
    content[100:1024] = b"\xff" * 924  # the page that says which tables there are
    file_of(place).write_bytes(bytes(content))
    with pytest.raises(RestorecheckError, match="malformed") as e:
        place.open()
    assert e.value.kind == "config"


def test_a_database_that_is_damaged_later_is_a_store_error(place: Place) -> None:
    store = place.open()
    store.proofs.save(report())
    store.close()
    size = file_of(place).stat().st_size
    with file_of(place).open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (size - 4096))
    with pytest.raises(StoreError, match=r"malformed|not a database") as e:
        store.proofs.save(report())
    assert "a new one is made" in e.value.hint


def test_sqlite_is_set_up_to_lose_nothing(place: Place) -> None:
    with place.open()._database.read() as connection:
        asked = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert asked == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 10_000}


# --- trouble --------------------------------------------------------------------------------------------------------


def test_a_full_disk_shows_and_passes(place: Place) -> None:
    store = place.open()
    store.proofs.save(report())
    pages = {"most": 1}  # less than there are: not one more

    def limit(connection: sqlite3.Connection, *_: object) -> None:
        connection.execute(f"PRAGMA max_page_count = {pages['most']}").close()

    sa.event.listen(store._database.engine, "checkout", limit)
    n = 0

    def save_next() -> None:
        nonlocal n
        n += 1
        store.proofs.save(report(hours=n))

    with pytest.raises(StoreError, match="full") as e:
        deque(iter(save_next, "never"), maxlen=0)
    assert e.value.retryable
    assert "make room" in e.value.hint
    with pytest.raises(StoreError, match="full"):
        store.ping()
    kept = store.proofs.runs()
    assert len(kept) == n  # those before it, and nothing of the one that failed
    assert len(place.sql("SELECT DISTINCT run_id FROM findings")) == n

    pages["most"] = 100_000
    store.ping()
    store.proofs.save(report(hours=n))
    assert len(store.proofs.runs()) == n + 1


def test_a_store_that_another_holds_for_too_long_is_a_store_error(place: Place) -> None:
    store = place.open()

    def impatient(connection: sqlite3.Connection, *_: object) -> None:
        connection.execute("PRAGMA busy_timeout = 10").close()

    sa.event.listen(store._database.engine, "checkout", impatient)
    with store._database.write():
        with pytest.raises(StoreError, match="locked") as e:
            store.proofs.save(report())
        assert e.value.retryable
        assert store.proofs.runs() == []  # reading goes on
    store.proofs.save(report())


def test_a_store_that_may_not_be_written_fails_its_ping(place: Place) -> None:
    store = place.open()

    def read_only(connection: sqlite3.Connection, *_: object) -> None:
        connection.execute("PRAGMA query_only = 1").close()

    sa.event.listen(store._database.engine, "checkout", read_only)
    assert store.proofs.runs() == []
    with pytest.raises(StoreError, match="readonly"):
        store.ping()


def test_a_store_that_is_up_to_date_opens_without_alembic(place: Place) -> None:
    place.open()
    code = (
        "import sys; from restorecheck.store import Store; s = Store.open(sys.argv[1]);"
        "print([m for m in sys.modules if m.startswith(('alembic', 'mako'))]); s.close()"
    )
    done = subprocess.run([sys.executable, "-c", code, place.url], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_what_failed_is_named_without_what_was_asked() -> None:
    orig = ValueError("hidden")
    assert reason(sa.exc.TimeoutError("hidden")) == "all connections are in use"
    assert reason(sa.exc.InvalidRequestError("hidden")) == "InvalidRequestError"
    assert reason(sa.exc.StatementError("hidden", "SELECT hidden", None, orig)) == "StatementError"
    assert reason(sa.exc.IntegrityError("SELECT hidden", None, orig)) == "it refused a value (ValueError)"
    assert reason(sa.exc.OperationalError("SELECT hidden", None, OSError("no\n\tanswer"))) == "no answer"
    assert len(reason(sa.exc.OperationalError("", None, OSError("x" * 999)))) == 300


def test_a_driver_that_does_not_count_is_no_answer() -> None:
    class Mute:
        rowcount = -1

        def execute(self, *_: object, **__: object) -> Mute:
            return self

    database = Database("sqlite:////nowhere", lambda: 0.0)
    with pytest.raises(StoreError, match="did not say how many rows") as e:
        database.adds(Mute(), database.insert(NOTES), "key")  # type: ignore[arg-type]
    assert not e.value.retryable


def test_a_time_is_the_same_after_it_was_kept() -> None:
    for microsecond in (0, 1, 123456, 999999):
        at = AT.replace(microsecond=microsecond)
        assert moment(seconds(at)) == at
