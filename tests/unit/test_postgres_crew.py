"""Several sessions at the pieces of one probe, with sessions that fail on demand."""

from __future__ import annotations

import socket
import threading
from dataclasses import replace
from itertools import count

import psycopg
import pytest
from psycopg import errors

from restorecheck.databases.interface import Login
from restorecheck.databases.postgres_probes import crew
from restorecheck.databases.postgres_probes.sight import GaveUpError, Sight, Task
from restorecheck.errors import QueryError
from restorecheck.model import Probe, Unseen

READER = Login("127.0.0.1", 5432, "reader", "secret", "shop")
PROBER = Login("127.0.0.1", 5432, "prober", "secret", "shop")


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


class Info:
    def __init__(self, encoding):
        self.encoding = encoding

    def parameter_status(self, name):
        return {"server_encoding": self.encoding}[name]


class Session:
    """A connection: a socket that the watchdog can hold, and a list of what was sent."""

    def __init__(self, login, encoding="UTF8"):
        self.login = login
        self.sent = []
        self.closed = False
        self.info = Info(encoding)
        self._pair = socket.socketpair()

    def fileno(self):
        return self._pair[0].fileno()

    def execute(self, text):
        if self.closed:
            raise psycopg.OperationalError("the connection is closed")
        self.sent.append(text)

    def cancel_safe(self, timeout):
        pass

    def close(self):
        self.closed = True
        for end in self._pair:
            end.close()

    def break_off(self):
        self.closed = True
        raise psycopg.OperationalError("server closed the connection unexpectedly")


class Server:
    """Gives sessions out."""

    def __init__(self, clock=None, at_once=1, within=60.0, encoding="UTF8", refuse=lambda _: None):
        self.clock = clock or Clock()
        self.sessions = []
        self.lines = []
        self.encoding = encoding
        self.refuse = refuse
        self.sight = Sight(
            Probe("readable"), READER, PROBER, self.clock() + within, self.clock, lambda _: None, self.connect,
            self.lines.append, at_once,
        )  # fmt: skip

    def connect(self, login):
        if error := self.refuse(len(self.sessions)):
            raise error
        self.sessions.append(Session(login, self.encoding))
        return self.sessions[-1]

    def run(self, *tasks):
        done = crew.run(self.sight, tasks)
        assert all(session.closed for session in self.sessions)
        assert [d.task for d in done] == list(tasks)
        assert all((d.value is not None) + (d.flaw is not None) + (d.unseen is not None) == 1 for d in done)
        return done


def fails(error):
    def look(_):
        raise error

    return look


def breaks(times):
    """Break the server off so many times, then answer."""
    left = iter(range(times))

    def look(connection):
        if next(left, None) is not None:
            connection.break_off()
        return "answered"

    return look


def of_state(state, message=""):
    return errors.lookup(state)(message)


class Told(errors.DataCorrupted):
    """An error with the server's own sentence."""

    class diag:  # noqa: N801 - psycopg's name
        message_primary = "invalid page in block 3 of relation base/5/16384"


class Locked(errors.LockNotAvailable):
    class diag:  # noqa: N801
        message_primary = "canceling statement due to lock timeout"


def test_every_task_has_a_read_only_transaction_of_its_own_in_one_session():
    server = Server()
    seen = []
    done = server.run(*(Task(f"t{n}", lambda c, n=n: seen.append(c) or n) for n in range(3)))
    assert [d.value for d in done] == [0, 1, 2]
    (session,) = server.sessions
    begin = session.sent[0].decode()
    assert begin.startswith("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL search_path = pg_catalog;")
    assert "SET LOCAL statement_timeout = 60000;" in begin
    assert begin.endswith("; SELECT 1")
    assert [text if text == "ROLLBACK" else "BEGIN" for text in session.sent] == ["BEGIN", "ROLLBACK"] * 3


def test_the_heaviest_task_begins_first_and_answers_keep_their_order():
    began = []
    done = Server().run(*(Task(str(w), lambda _, w=w: began.append(w) or w, weight=w) for w in (1, 30, 2)))
    assert began == [30, 2, 1]
    assert [d.value for d in done] == [1, 30, 2]


def test_as_many_sessions_work_at_once_as_are_allowed_and_no_more():
    server = Server(at_once=3)
    together = threading.Barrier(3, timeout=10)  # breaks unless three are at work at the same time
    done = server.run(*(Task(str(n), lambda _: together.wait() is not None) for n in range(6)))
    assert [d.value for d in done] == [True] * 6
    assert len(server.sessions) == 3


def test_a_prober_s_task_runs_as_the_prober():
    server = Server()
    done = server.run(Task("a", lambda c: c.login.user), Task("b", lambda c: c.login.user, as_prober=True))
    assert [d.value for d in done] == ["reader", "prober"]


def test_a_deputy_s_task_runs_as_the_deputy_in_a_session_of_its_own():
    server = Server()
    server.sight = replace(server.sight, deputy=replace(READER, user="deputy"))
    done = server.run(*(Task(str(n), lambda c: c.login.user, as_deputy=n % 2 == 1) for n in range(4)))
    assert [d.value for d in done] == ["reader", "deputy"] * 2
    assert len(server.sessions) == 2


def test_without_a_deputy_its_task_is_the_reader_s():
    (done,) = Server().run(Task("a", lambda c: c.login.user, as_deputy=True))
    assert done.value == "reader"


def test_what_is_known_to_be_closed_is_not_begun():
    server = Server()
    (done,) = server.run(Task("a", lambda _: 1, closed="nobody may"))
    assert done.unseen == Unseen("a", "nobody may")
    assert not server.sessions


def test_damage_is_a_flaw_and_the_session_is_not_used_again():
    server = Server()
    bad, good = server.run(Task("public.orders", fails(Told())), Task("b", lambda _: 1))
    assert bad.flaw
    assert (bad.flaw.object, bad.flaw.kind) == ("public.orders", "data-damaged")
    assert "XX001" in bad.flaw.message
    assert "invalid page in block 3 of relation base/5/16384" in bad.flaw.message
    assert good.value == 1
    assert len(server.sessions) == 2


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (Locked(), "lock timeout"),
        (of_state("42501"), "42501 (insufficient privilege)"),
        (of_state("57014"), "57014 (query canceled)"),  # somebody else's cancel: there is time left
        (psycopg.ProgrammingError("too many rows"), "the client failed: ProgrammingError"),
    ],
)
def test_what_is_no_damage_was_not_looked_at(error, words):
    (done,) = Server().run(Task("public.orders", fails(error)))
    assert done.unseen
    assert done.unseen.owed
    assert words in done.unseen.reason


def test_a_state_that_psycopg_has_no_name_for_is_told_all_the_same():
    class Odd(psycopg.Error):
        sqlstate = "ZZ999"

    (done,) = Server().run(Task("a", fails(Odd())))
    assert done.unseen
    assert "ZZ999 (error)" in done.unseen.reason


@pytest.mark.parametrize(("encoding", "flawed"), [("UTF8", True), ("LATIN1", False)])
def test_bytes_that_are_not_utf_8_are_damage_only_where_all_is_utf_8(encoding, flawed):
    error = UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte")
    (done,) = Server(encoding=encoding).run(Task("a", fails(error)))
    assert (done.flaw is not None) == flawed
    assert flawed or done.unseen.owed


def test_a_session_that_is_lost_once_accuses_nobody():
    server = Server()
    done = server.run(Task("a", breaks(1)), Task("b", lambda _: "b"))
    assert [d.value for d in done] == ["answered", "b"]


def test_only_what_breaks_the_server_off_alone_is_accused():
    """One backend crashes; all others lose their sessions at the same moment, and are done again one at a time."""
    server = Server(at_once=3)
    all_in = threading.Barrier(3, timeout=10)

    def innocent(tries):
        def look(connection):
            if next(tries) == 0:
                all_in.wait()
                connection.break_off()
            return "read"

        return look

    def guilty(tries):
        def look(connection):
            if next(tries) == 0:
                all_in.wait()
            connection.break_off()

        return look

    one, two, three, four = server.run(
        Task("a", innocent(count())), Task("bad", guilty(count())), Task("c", innocent(count())), Task("d", lambda _: 1)
    )
    assert (one.value, three.value, four.value) == ("read", "read", 1)
    assert two.flaw
    assert two.flaw.kind == "connection-lost"
    assert two.flaw.message == "the server broke off while it read bad, twice"


def test_who_got_in_while_the_server_went_down_is_tried_once_more():
    """A session can be opened after one backend crashed and before the server has thrown everybody out."""
    server = Server()
    done = server.run(Task("a", breaks(2)), Task("b", lambda _: "b"))
    assert [d.value for d in done] == ["answered", "b"]


def test_a_server_that_breaks_off_again_and_again_is_left_alone():
    server = Server()
    done = server.run(*(Task(str(n), breaks(99)) for n in range(4)))
    assert [d.flaw is not None for d in done] == [True, True, False, False]
    assert done[3].unseen
    assert done[3].unseen.reason == "the server broke off 5 times: nothing more was tried"


@pytest.mark.parametrize("state", ["57P01", "57P05"])
def test_an_administrator_s_command_accuses_nobody(state):
    (done,) = Server().run(Task("a", fails(of_state(state))))
    assert done.unseen
    assert "administrator" in done.unseen.reason


def test_a_crash_that_the_server_itself_tells_of_is_a_lost_connection():
    (done,) = Server().run(Task("a", fails(of_state("57P02"))))
    assert done.flaw
    assert done.flaw.kind == "connection-lost"


def test_a_server_that_does_not_come_back_is_told_of_each_task():
    gone = QueryError("could not connect", kind="database-unreachable")
    server = Server(refuse=lambda opened: gone if opened else None)
    first, second = server.run(Task("a", breaks(1)), Task("b", lambda _: 1))
    assert first.unseen
    assert first.unseen.reason.endswith("and did not come back: could not connect")
    assert second.unseen
    assert second.unseen.reason == "could not connect"


def test_a_server_that_was_never_there_is_an_error():
    gone = QueryError("could not connect", kind="database-unreachable")
    server = Server(refuse=lambda _: gone, at_once=2)
    with pytest.raises(QueryError, match="could not connect"):
        server.run(Task("a", lambda _: 1), Task("b", lambda _: 1))


def test_a_session_that_cannot_be_had_leaves_its_work_to_the_others():
    full = QueryError("too many connections", kind="database-unreachable")
    server = Server(at_once=2)
    refused = threading.Event()
    lock = threading.Lock()
    opened = []

    def connect(login):
        with lock:
            if opened:
                refused.set()
                raise full
            opened.append(Session(login))
            return opened[0]

    sight = Sight(Probe("readable"), READER, PROBER, 2000.0, server.clock, lambda _: None, connect, lambda _: None, 2)
    done = crew.run(sight, [Task(str(n), lambda _: refused.wait(10)) for n in range(5)])
    assert [d.value for d in done] == [True] * 5


def test_nothing_begins_after_the_deadline():
    server = Server(within=10.0)

    def slow(_):
        server.clock.now += 11.0
        return 1

    done = server.run(Task("a", slow), Task("b", lambda _: 1))
    assert done[0].value == 1
    assert done[1].unseen
    assert done[1].unseen.reason == "the time allowed for this probe was over"


def test_what_the_server_cuts_off_at_the_deadline_ran_out_of_time():
    server = Server(within=10.0)

    def slow(_):
        server.clock.now += 10.5
        raise of_state("57014")

    (done,) = server.run(Task("a", slow))
    assert done.unseen
    assert done.unseen.reason == crew.OVER


class Stubborn(Session):
    """Its server ignores its own timeout: only a cancel ends it."""

    def __init__(self, login):
        super().__init__(login)
        self.cancelled = threading.Event()

    def cancel_safe(self, timeout):
        self.cancelled.set()


@pytest.mark.parametrize("obeys", [True, False])
def test_what_goes_on_past_the_deadline_is_cancelled_from_outside(monkeypatch, obeys):
    monkeypatch.setattr(crew, "Watchdog", lambda connection, _: REAL(connection, 0.01))
    server = Server()
    sessions = []

    def connect(login):
        sessions.append(Stubborn(login))
        return sessions[-1]

    def look(connection):
        assert connection.cancelled.wait(10)
        if obeys:
            raise of_state("57014")
        return 1  # it ended by itself at that very moment

    sight = Sight(Probe("readable"), READER, PROBER, 2000.0, server.clock, lambda _: None, connect, lambda _: None, 1)
    (done,) = crew.run(sight, [Task("a", look)])
    assert done.unseen.reason == crew.OVER if obeys else done.value == 1
    assert sessions[0].closed  # a late cancel must not hit what is next


REAL = crew.Watchdog


def test_what_a_task_raises_itself_ends_all():
    server = Server()
    with pytest.raises(GaveUpError, match="no such function"):
        server.run(Task("a", fails(GaveUpError("could-not-look", "no such function"))), Task("b", lambda _: 1))
    assert all(session.closed for session in server.sessions)


def test_nothing_to_do_opens_no_session():
    server = Server()
    assert server.run() == []
    assert not server.sessions


def test_one_look_is_its_value_or_an_end_of_the_probe():
    server = Server()
    assert crew.one(server.sight, "the catalogue", lambda _: 7) == 7
    with pytest.raises(GaveUpError, match="the catalogue: the server refused with SQLSTATE XX001") as damaged:
        crew.one(server.sight, "the catalogue", fails(Told()))
    assert damaged.value.kind == "data-damaged"
    with pytest.raises(GaveUpError, match=r"the catalogue: .*42501") as unseen:
        crew.one(server.sight, "the catalogue", fails(of_state("42501")), as_prober=True)
    assert unseen.value.kind == "could-not-look"
    with pytest.raises(GaveUpError, match="broke off") as lost:
        crew.one(server.sight, "the catalogue", breaks(3))
    assert lost.value.kind == "connection-lost"


def test_progress_is_told_at_most_once_a_second_and_by_whole_objects():
    server = Server()

    def step(_):
        server.clock.now += 0.6
        return 1

    mib = 2**20
    server.run(*(Task(name, step, weight=mib) for name in ("a", "a", "b", "c", "c")))
    assert server.lines == [
        "readable: 1 of 3 tables, 2.0 of 5.0 MiB, 2 MiB/s",
        "readable: 2 of 3 tables, 4.0 of 5.0 MiB, 2 MiB/s",
    ]
