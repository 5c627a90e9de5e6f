"""Who lives, who is dead, and who must not go on."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path

import pytest
from demo_world import until

from restorecheck.errors import RestorecheckError, StoreError
from restorecheck.model import Replica
from restorecheck.replica import LocalMembership, SharedMembership, elapsed, new_name, sole_service


class Book:
    """A register in memory, whose clock is set by the test."""

    def __init__(self) -> None:
        self.rows: dict[str, float] = {}
        self.clock = 0.0
        self.down = False
        self.beats = 0

    def _reached(self) -> None:
        if self.down:
            raise StoreError("not there")

    def join(self, id: str, role: str, host: str, pid: int, version: str) -> None:  # noqa: A002
        self._reached()
        self.rows[id] = self.clock

    def beat(self, id: str) -> bool:  # noqa: A002
        self._reached()
        self.beats += 1
        if id in self.rows:
            self.rows[id] = self.clock
        return id in self.rows

    def all(self) -> list[Replica]:
        self._reached()
        return [Replica(i, "serve", "host", 1, "0", self.clock - at) for i, at in self.rows.items()]

    def bury(self, id: str, older_than: float) -> bool:  # noqa: A002
        self._reached()
        if id in self.rows and self.clock - self.rows[id] > older_than:
            del self.rows[id]
            return True
        return False

    def leave(self, id: str) -> None:  # noqa: A002
        self._reached()
        self.rows.pop(id, None)


def test_names_are_unlike_and_fit_for_a_queue():
    names = {new_name() for _ in range(100)}
    assert len(names) == 100
    assert all(len(name) < 60 and name.replace("-", "").isalnum() for name in names)


# --- on one machine ---------------------------------------------------------------------------------------------------

DYING = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from restorecheck.replica import LocalMembership, SharedMembership, elapsed, new_name, sole_service
class Book:
    def join(self, id, *rest): print(id, flush=True)
LocalMembership(Book(), Path({directory!r})).join("serve")
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_process_that_was_killed_is_dead_at_once_and_one_that_lives_is_not(tmp_path: Path):
    book = Book()
    one, two = LocalMembership(book, tmp_path), LocalMembership(book, tmp_path)
    one.join("serve")
    two.join("run")
    script = DYING.format(tests=str(Path(__file__).parent), directory=str(tmp_path))
    died = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    name = died.stdout.strip()
    assert name
    book.rows[name] = 0.0
    assert one.dead() == [name]
    assert one.dead() == two.dead() == []
    assert set(book.rows) == {one.id, two.id}
    one.leave()
    two.leave()


def test_who_leaves_is_gone_without_a_trace(tmp_path: Path):
    book = Book()
    one = LocalMembership(book, tmp_path)
    one.join("serve")
    one.leave()
    assert book.rows == {}
    assert list(tmp_path.iterdir()) == []


def test_a_name_in_the_register_without_a_lock_is_dead(tmp_path: Path):
    book = Book()
    book.rows["left-over"] = 0.0
    one = LocalMembership(book, tmp_path)
    one.join("run")
    assert one.dead() == ["left-over"]
    one.leave()


def test_there_is_one_service_for_a_directory(tmp_path: Path):
    held = sole_service(tmp_path)
    with pytest.raises(RestorecheckError, match="another `restorecheck serve`") as e:
        sole_service(tmp_path)
    assert "postgresql://" in e.value.hint
    held.close()
    sole_service(tmp_path).close()


# --- over a database --------------------------------------------------------------------------------------------------


class Ticks:
    def __init__(self) -> None:
        self.time = 100.0

    def __call__(self) -> float:
        return self.time


def member(book: Book, ticks: Ticks, lost: list[str], *, beat: float = 0.01, takeover: float = 60.0):
    return SharedMembership(
        book,
        heartbeat=timedelta(seconds=beat),
        takeover=timedelta(seconds=takeover),
        lost=lost.append,
        monotonic=ticks,
    )


def test_who_beats_lives_and_who_was_not_heard_of_for_the_takeover_is_dead():
    book, lost = Book(), list[str]()
    one = member(book, Ticks(), lost)
    one.join("serve")
    book.rows["silent"] = book.clock
    book.clock += 59
    until(lambda: book.rows[one.id] == book.clock)
    assert one.dead() == []
    book.clock += 2
    assert one.dead() == ["silent"]
    assert one.dead() == []
    one.leave()
    assert (book.rows, lost) == ({}, [])


def test_who_cannot_be_heard_ends_itself_in_half_the_time_after_which_others_take_over():
    book, ticks, lost = Book(), Ticks(), list[str]()
    one = member(book, ticks, lost)
    one.join("serve")
    until(lambda: book.beats > 2)
    book.down = True
    ticks.time += 29
    beats = threading.Event()
    assert not beats.wait(0.05)  # several beats and looks of the watch
    assert lost == []
    ticks.time += 2
    until(lambda: lost)
    assert "not reached for 31 s" in lost[0]


def test_a_short_trouble_of_the_store_is_no_trouble():
    book, ticks, lost = Book(), Ticks(), list[str]()
    one = member(book, ticks, lost)
    one.join("serve")
    book.down = True
    ticks.time += 25
    book.down = False
    seen = book.beats
    until(lambda: book.beats > seen + 2)
    ticks.time += 25
    seen = book.beats
    until(lambda: book.beats > seen + 2)
    assert lost == []
    one.leave()


def test_who_was_taken_for_dead_ends_itself():
    book, ticks, lost = Book(), Ticks(), list[str]()
    one = member(book, ticks, lost)
    one.join("serve")
    del book.rows[one.id]
    until(lambda: lost)
    assert lost == ["the others took this process for dead"]


def test_leaving_is_no_loss_even_while_the_store_is_away():
    book, lost = Book(), list[str]()
    one = member(book, Ticks(), lost)
    one.join("serve")
    book.down = True
    one.leave()
    assert lost == []


def test_whoever_was_silent_for_half_the_takeover_has_lapsed_and_asks_nobody():
    book, ticks, lost = Book(), Ticks(), list[str]()
    one = member(book, ticks, lost, beat=3600.0)
    assert one.lapsed()  # who is not in the register may do nothing
    one.join("serve")
    assert not one.lapsed()
    book.down = True
    ticks.time += 30
    assert not one.lapsed()
    ticks.time += 0.1
    assert one.lapsed()
    one.leave()


def test_who_has_lapsed_does_not_come_back_by_being_heard_again():
    """What it did not begin meanwhile would never go on; and others may have been faster."""
    book, ticks, lost = Book(), Ticks(), list[str]()
    one = member(book, ticks, lost, beat=3600.0)
    one.join("serve")
    ticks.time += 31
    one._heartbeat = 0.0
    one._beat()
    assert lost == ["the store was not reached for 31 s"]
    assert one.lapsed()
    assert one.id in book.rows  # it was heard all the same
    ticks.time -= 31
    assert one.lapsed()


def test_who_was_taken_for_dead_has_lapsed_however_recently_it_was_heard():
    book, lost = Book(), list[str]()
    one = member(book, Ticks(), lost)
    one.join("serve")
    del book.rows[one.id]
    until(lambda: lost)
    assert one.lapsed()


def test_a_process_is_lost_once_whoever_notices():
    book, ticks, lost = Book(), Ticks(), list[str]()
    one = member(book, ticks, lost, beat=3600.0)
    one.join("serve")
    threads = [threading.Thread(target=one._give_up, args=("why",)) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert lost == ["why"]


def test_the_time_that_counts_does_not_stand_still_while_a_machine_sleeps():
    before = time.clock_gettime(time.CLOCK_BOOTTIME)
    assert before <= elapsed() <= time.clock_gettime(time.CLOCK_BOOTTIME)


def test_on_one_machine_nobody_lapses(tmp_path: Path):
    one = LocalMembership(Book(), tmp_path)
    one.join("serve")
    assert not one.lapsed()
    one.leave()


def test_leaving_on_one_machine_is_possible_while_the_store_is_away(tmp_path: Path):
    book = Book()
    one = LocalMembership(book, tmp_path)
    one.join("serve")
    book.down = True
    one.leave()
    assert list(tmp_path.iterdir()) == []
