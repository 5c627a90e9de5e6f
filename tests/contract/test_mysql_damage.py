"""Real damage to the files of a real MariaDB, and which probe sees it: with a changed page, a lost file, a lost row."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from mariadb_server import Server, mariadb

from restorecheck.databases.interface import Login
from restorecheck.databases.mysql import MySQL
from restorecheck.databases.mysql_connection import connect
from restorecheck.model import Assertion, Cell, Examined, Expectation, Measure, Probe

PAGE = 16384
INNODB = (
    "fine",
    "flipped",
    "zeroed",
    "garbage",
    "rootless",
    "second",
    "cut",
    "gone",
    "tail",
    "tail_json",
    "lost_row",
    "vanished",
)
MYISAM = ("isam_data", "isam_index")
NONE = Expectation(equals=Cell("number", "0"))

DAMAGED = {"flipped", "zeroed", "garbage", "rootless", "cut", "gone"}
SEEN = {
    "readable": DAMAGED | {"isam_data", "tail_json"},
    "row_counts": DAMAGED | {"isam_data"},
    "check_table": DAMAGED | {"second", "isam_data", "isam_index"},
}
"""Which tables each probe finds damaged, without a reference."""


def probe(reader: Login, name: str) -> Examined:
    assertion = Assertion("one", "", NONE, timeout=timedelta(seconds=60), probe=Probe(name))
    database = MySQL(wait=lambda _: threading.Event().wait(0.05))
    [answer] = database.ask(reader, [assertion], "salt", timedelta(seconds=60))
    assert (answer.error, answer.kind) == ("", "")
    assert answer.examined is not None
    return answer.examined


def pages(path: Path) -> dict[tuple[str, int], list[int]]:
    """Return the numbers of a tablespace's pages by their type and, for an index, its level."""
    data, found = path.read_bytes(), dict[tuple[str, int], list[int]]()
    for number in range(len(data) // PAGE):
        page = data[number * PAGE : (number + 1) * PAGE]
        kind = {b"\x45\xbf": "index", b"\x00\x0a": "long value"}.get(page[24:26], "")
        level = int.from_bytes(page[64:66]) if kind == "index" else 0
        found.setdefault((kind, level), []).append(number)
    return found


def change(path: Path, number: int, how: Callable[[bytearray], object]) -> None:
    data = bytearray(path.read_bytes())
    page = data[number * PAGE : (number + 1) * PAGE]
    how(page)
    data[number * PAGE : (number + 1) * PAGE] = page
    path.write_bytes(data)


def flip(page: bytearray) -> None:
    page[8000] ^= 0x41


def zero(page: bytearray) -> None:
    page[:] = bytes(len(page))


def garbage(page: bytearray) -> None:
    page[:] = random.Random(1).randbytes(len(page))


def damage(directory: Path) -> None:
    def leaf(table: str) -> int:
        return pages(directory / f"{table}.ibd")["index", 0][10]

    change(directory / "flipped.ibd", leaf("flipped"), flip)
    change(directory / "zeroed.ibd", leaf("zeroed"), zero)
    change(directory / "garbage.ibd", leaf("garbage"), garbage)
    change(directory / "rootless.ibd", 3, flip)  # page 3 is always the root of the clustered index
    change(directory / "second.ibd", 4, flip)  # and page 4 that of the next index
    change(directory / "tail.ibd", pages(directory / "tail.ibd")["long value", 0][3], flip)
    change(directory / "tail_json.ibd", pages(directory / "tail_json.ibd")["long value", 0][3], flip)
    cut = directory / "cut.ibd"
    cut.write_bytes(cut.read_bytes()[: 20 * PAGE])
    (directory / "gone.ibd").unlink()
    (directory / "vanished.ibd").unlink()
    (directory / "vanished.frm").unlink()
    rows = bytearray((directory / "isam_data.MYD").read_bytes())
    rows[2000:4000] = bytes(2000)
    (directory / "isam_data.MYD").write_bytes(rows)
    keys = bytearray((directory / "isam_index.MYI").read_bytes())
    keys[1100:1200] = bytes(100)
    (directory / "isam_index.MYI").write_bytes(keys)


@pytest.fixture(scope="module")
def damaged() -> Iterator[tuple[Server, Login, dict[str, Measure]]]:
    """A server whose files were changed while it was down, and what `readable` had recorded before."""
    with mariadb() as server:
        server.run("CREATE DATABASE d CHARACTER SET utf8mb4")
        for table in (*INNODB, *MYISAM):
            engine = "MyISAM" if table in MYISAM else "InnoDB"
            server.run(
                f"CREATE TABLE d.{table} (id INT PRIMARY KEY, n INT NOT NULL, t VARCHAR(200), b LONGTEXT, "
                f"KEY second (n)) ENGINE={engine}"
            )
            server.run(
                f"INSERT INTO d.{table} SELECT seq, seq % 100, CONCAT('Grace Hopper ', MD5(seq)), REPEAT(MD5(seq), 4) "
                "FROM seq_1_to_3000"
            )
        server.run("ALTER TABLE d.tail_json ADD j JSON")
        server.run("UPDATE d.tail_json SET j = CONCAT('[\"', REPEAT('yz', 200000), '\"]') WHERE id = 77")
        server.run("UPDATE d.tail SET b = REPEAT('yz', 200000) WHERE id = 77")
        login = server.login(database="d")
        MySQL().prepare(server.master(), login)
        before = {one.object: one for one in probe(login, "readable").measures}
        assert len(before) == len(INNODB) + len(MYISAM)
        server.run("DELETE FROM d.lost_row WHERE id = 1500")
        server.run("SET GLOBAL innodb_fast_shutdown = 0")
        server.stop()
        damage(server.directory / "data" / "d")
        server.restart()
        yield server, login, before


@pytest.mark.parametrize("name", ["row_counts", "readable", "check_table"])
def test_a_probe_sees_the_damage_that_it_can_see_and_no_other(
    damaged: tuple[Server, Login, dict[str, Measure]], name: str
) -> None:
    _, reader, _ = damaged
    examined = probe(reader, name)
    assert {flaw.object for flaw in examined.flaws} == {f"d.{table}" for table in SEEN[name]}
    assert {flaw.kind for flaw in examined.flaws} == {"data-damaged"}
    assert (examined.flawed, examined.owed) == (len(SEEN[name]), 0)
    assert examined.count == len(INNODB) + len(MYISAM) - 1  # one is gone without a trace
    assert "Grace" not in str(examined)
    assert all(len(flaw.message) > 20 for flaw in examined.flaws)


def test_what_no_structure_shows_a_reference_does(damaged: tuple[Server, Login, dict[str, Measure]]) -> None:
    _, reader, before = damaged
    now = {one.object: one for one in probe(reader, "readable").measures}
    changed = {name for name, one in now.items() if one != before[name]}
    assert changed == {"d.tail", "d.tail_json", "d.lost_row"}
    missing = set(before) - set(now) - {"d.isam_index"}  # not to be read any more once a check has marked it
    assert missing == {"d.vanished", *(f"d.{table}" for table in SEEN["readable"] - {"tail_json"})}
    assert now["d.lost_row"].rows == 2999


@contextlib.contextmanager
def session(server: Server) -> Iterator[Any]:
    """A session of the master user, which may end at any time."""
    connection = connect(server.master())
    with connection.cursor() as cursor:
        yield cursor
    with contextlib.suppress(Exception):
        connection.close()


def test_a_server_that_dies_once_is_asked_for_the_rest_when_it_is_back() -> None:
    with mariadb() as server:
        server.run("CREATE DATABASE d")
        for table in ("a", "held", "z"):
            server.run(f"CREATE TABLE d.{table} (id INT PRIMARY KEY)")
        reader = server.login(database="d")
        MySQL().prepare(server.master(), reader)
        stop = threading.Event()

        def dying() -> None:  # the wait for a lock shows that the probe is at work
            waits = "SELECT 1 FROM information_schema.processlist WHERE info LIKE '%held%' AND state LIKE 'Waiting%'"
            with session(server) as cursor:
                cursor.execute("LOCK TABLES d.held WRITE")
                held.set()
                while not stop.wait(0.02) and not cursor.execute(waits):
                    pass
                assert server.process is not None
                os.kill(server.process.pid, signal.SIGKILL)
                server.process.wait(60)
            server.restart()

        held = threading.Event()
        thread = threading.Thread(target=dying)
        thread.start()
        try:
            assert held.wait(60)
            examined = probe(reader, "readable")
        finally:
            stop.set()
            thread.join()
    assert (examined.flaws, examined.owed, examined.count) == ((), 0, 3)
    assert {one.object for one in examined.measures} == {"d.a", "d.held", "d.z"}
