"""What a log line looks like, what is on it, and what never is, whoever logged it."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import re
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from dbos._logger import init_logger

from restorecheck import logs
from restorecheck.errors import AwsError, RestorecheckError
from restorecheck.passwords import Passwords

RUN, CHECK = "orders-db-20261121t0300z", "orders-db"
NOW = datetime(2026, 11, 21, 3, 0, 0, 123_456, tzinfo=UTC)


@dataclass
class Book:
    """Lines that were written."""

    stream: io.StringIO

    @property
    def text(self) -> str:
        return self.stream.getvalue()

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text.splitlines()]

    @property
    def line(self) -> dict[str, Any]:
        (line,) = self.lines
        return line


@contextmanager
def written(fmt: logs.Format = "json", level: str = "info", stream: io.StringIO | None = None) -> Iterator[Book]:
    book = Book(stream or io.StringIO())
    undo = logs.configure(book.stream, fmt, level, now=lambda: NOW)
    try:
        yield book
    finally:
        undo()


@pytest.fixture
def book() -> Iterator[Book]:
    with written() as book:
        yield book


log = logs.get("service")  # at import, before anything is configured, as modules do


# --- the form ---------------------------------------------------------------------------------------------------------


def test_a_line_holds_time_level_event_and_logger_first(book):
    log.info("run.due", trigger="schedule", seconds=1.5, none=None, yes=True)
    assert list(book.line.items()) == [
        ("timestamp", "2026-11-21T03:00:00.123Z"),
        ("level", "info"),
        ("event", "run.due"),
        ("logger", "service"),
        ("trigger", "schedule"),
        ("seconds", 1.5),
        ("none", None),
        ("yes", True),
    ]


def test_the_time_is_utc_whatever_zone_the_clock_has():
    stream = io.StringIO()
    undo = logs.configure(stream, "json", now=lambda: NOW.astimezone(timezone(timedelta(hours=5))))
    log.info("x")
    undo()
    assert json.loads(stream.getvalue())["timestamp"] == "2026-11-21T03:00:00.123Z"


def test_levels_below_the_configured_one_are_not_written():
    with written(level="warning") as book:
        log.debug("a")
        log.info("b")
        log.warning("c")
        log.error("d")
        log.critical("e")
    assert [line["level"] for line in book.lines] == ["warning", "error", "critical"]


def test_text_is_for_terminals_and_json_for_everything_else():
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    with written("auto", stream=Terminal()) as book:
        log.info("run.due", check=CHECK, why="it is time")
    assert book.text == '2026-11-21T03:00:00.123Z INFO     run.due logger=service check=orders-db why="it is time"\n'
    with written("auto") as book:
        log.info("run.due")
    assert book.line["event"] == "run.due"


@pytest.mark.parametrize(("fmt", "level"), [("xml", "info"), ("json", "loud")])
def test_an_unknown_format_or_level_is_refused_with_the_right_ones(fmt, level):
    with pytest.raises(RestorecheckError) as e:
        logs.configure(io.StringIO(), fmt, level)
    assert e.value.kind == "config"
    assert "json" in e.value.hint or "warning" in e.value.hint


def test_before_anything_is_configured_only_warnings_are_written_and_to_standard_error(capsys):
    log.info("quiet")
    log.warning("loud")
    out, err = capsys.readouterr()
    assert out == ""
    assert "loud" in err
    assert "quiet" not in err


def test_what_is_configured_can_be_undone():
    before = logging.getLogger().handlers[:], logging.getLogger().level, threading.excepthook
    with written():
        assert logging.getLogger().handlers != before[0]
    assert (logging.getLogger().handlers, logging.getLogger().level, threading.excepthook) == before


# --- check and run ----------------------------------------------------------------------------------------------------


def test_check_and_run_are_on_every_line_inside_and_on_none_after(book):
    with logs.bound(run=RUN):
        log.info("a")
        logs.get("other").warning("b")
        logging.getLogger("botocore").warning("c")
    log.info("d")
    assert [(line.get("check"), line.get("run")) for line in book.lines] == [(CHECK, RUN)] * 3 + [(None, None)]


def test_a_bound_run_inside_another_gives_way_to_it_again(book):
    with logs.bound(check="a-db"):
        with logs.bound(run=RUN):
            log.info("x")
        log.info("y")
    assert [(line["check"], line.get("run")) for line in book.lines] == [(CHECK, RUN), ("a-db", None)]


def test_a_thread_that_was_handed_carried_work_logs_check_and_run_and_forgets_them_after(book):
    with ThreadPoolExecutor(1) as pool:
        with logs.bound(run=RUN):
            pool.submit(logs.carried(lambda: log.info("inside"))).result()
        pool.submit(lambda: log.info("next")).result()
    assert [(line["event"], line.get("run")) for line in book.lines] == [("inside", RUN), ("next", None)]


def test_a_thread_of_its_own_can_bind_and_disturbs_no_other(book):
    def work(name: str) -> None:
        logs.bind(check=name)
        for _ in range(50):
            log.info("tick", mine=name)

    threads = [threading.Thread(target=work, args=(f"c{n}-db",)) for n in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    log.info("main")
    assert len(book.lines) == 401
    assert all(line["check"] == line["mine"] for line in book.lines[:-1])
    assert "check" not in book.lines[-1]


def test_tasks_side_by_side_keep_their_runs_apart(book):
    async def work(check: str) -> None:
        with logs.bound(check=check):
            for _ in range(5):
                await asyncio.sleep(0)
                log.info("tick", mine=check)
                await asyncio.to_thread(log.info, "in a thread", mine=check)

    async def both() -> None:
        await asyncio.gather(work("a-db"), work("b-db"))

    asyncio.run(both())
    assert len(book.lines) == 20
    assert all(line["check"] == line["mine"] for line in book.lines)


# --- secrets ----------------------------------------------------------------------------------------------------------

CANARY = "cAnary7Swordfish"
DERIVED = Passwords(b"k" * 32).of(RUN, "reader")
KEY = "9f" * 32
SECRET_KEY = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
ACCESS_KEY = "AKIAIOSFODNN7EXAMPLE"
SESSION = "IQoJb3JpZ2luX2VjE" + "aB3/x+Q9=" * 30

BY_NAME = [
    "password", "Password", "MasterUserPassword", "master_user_password", "secret", "client_secret", "token",
    "session_token", "X-Amz-Security-Token", "external_id", "ExternalId", "aws_secret_access_key", "api_key",
    "service_key", "key_material", "authorization", "private_key", "credentials", "salt", "passwd", "PGPASSWORD",
]  # fmt: skip

BY_FORM = [
    f"postgresql://reader:{CANARY}@10.0.0.1:5432/orders",
    f"postgresql+psycopg://reader:{CANARY}@/x@host/orders: refused",
    f"could not connect to mysql://{CANARY}@host",
    f"host=db password={CANARY} dbname=orders",
    f"host=db password='{CANARY} {CANARY}' dbname=orders",
    f"password='{CANARY}",
    f"password: {CANARY}",
    f"{{'password': '{CANARY}', 'user': 'a'}}",
    f'{{"MasterUserPassword": "a \\" {CANARY}"}}',
    json.dumps({"body": json.dumps({"password": f"a {CANARY}"})}),
    f"ExternalId={CANARY}, RoleArn=arn:aws:iam::1:role/x",
    f"https://x/?X-Amz-Security-Token={CANARY}&y=1",
    f"Authorization: Bearer {CANARY}",
    f"authorization: Basic {CANARY} {CANARY}",
    f"Set-Cookie: a={CANARY}; b={CANARY}",
    f"ALTER ROLE reader PASSWORD 'it''s {CANARY}'",
    f"SCRAM-SHA-256$4096:{CANARY}$abc:def",
    f"-----BEGIN RSA PRIVATE KEY-----\n{CANARY}\n{CANARY}\n-----END RSA PRIVATE KEY-----",
    f"-----BEGIN PRIVATE KEY-----\n{CANARY}",
    f"eyJhbGciOiJIUzI1NiJ9.{CANARY}.{CANARY}",
    f"PASSWORD=b'{CANARY} {CANARY}'",
    f"secret\n=\n{CANARY}",
]
BARE = [DERIVED, KEY, SECRET_KEY, ACCESS_KEY, SESSION, "ASIA" + "Q" * 16]

WAYS: list[Callable[[str], None]] = [
    log.warning,
    lambda text: log.info("x", said=text),
    lambda text: log.info("x", deep=[{"a": (text,)}]),
    lambda text: log.info("x", keys={text: 1}),
    lambda text: log.info("x", error=ValueError(text)),
    lambda text: log.info("x", path=Path(text)),
    lambda text: log.error("x", exc_info=RestorecheckError(text)),
    lambda text: logging.getLogger("botocore.auth").warning("said %s", text),
    lambda text: logging.getLogger("sqlalchemy").error("x", exc_info=ValueError(text)),
    lambda text: logs.LogListener().looked(RUN, "restore: wait", text),
    lambda text: logs.LogListener().started(RUN, text),
    lambda text: log.info("x", check=text),
]


@pytest.mark.parametrize("fmt", ["json", "text"])
@pytest.mark.parametrize("way", range(len(WAYS)))
def test_no_secret_gets_out_by_its_form_whichever_way_it_is_logged(way, fmt):
    for text in BY_FORM:
        with written(fmt, "debug") as book:
            WAYS[way](text)
        assert book.text, text
        assert CANARY not in book.text, (text, book.text)
    for secret in BARE:
        with written(fmt, "debug") as book:
            WAYS[way](f"before {secret} after")
        assert "before" in book.text
        assert secret[:20] not in book.text, (secret, book.text)


@pytest.mark.parametrize("name", BY_NAME)
def test_no_secret_gets_out_under_its_name(book, name):
    log.info("x", **{name: CANARY})
    log.info("x", inside={name: [CANARY]})
    log.info(f"{name}={CANARY}" if name not in ("credentials",) else "x")
    assert len(book.lines) == 3
    assert CANARY not in book.text


def test_bytes_and_objects_are_named_and_never_printed(book):
    @dataclass
    class Row:
        text: str

    log.info("x", key=CANARY.encode(), row=Row(CANARY), rows=[Row(CANARY)])
    assert book.line["key"] == "<bytes>"
    assert "Row>" in book.line["row"]
    assert CANARY not in book.text


def test_a_value_that_was_hidden_is_masked_wherever_it_appears(book):
    logs.hide("plain words of a partner", "no")
    log.info("AccessDenied for 'plain words of a partner', no more")
    assert book.line["event"] == "AccessDenied for '***', no more"


@pytest.mark.parametrize(
    "text",
    [
        "arn:aws:rds:eu-central-1:222222222222:db:restorecheck-orders-db-20261121t0300z",
        "arn:aws:kms:eu-central-1:222222222222:key/1234abcd-12ab-34cd-56ef-1234567890ab",
        "ExpiredToken: The security token included in the request is expired",
        "InvalidClientTokenId: The security token included in the request is invalid",
        "SignatureDoesNotMatch: The request signature we calculated does not match",
        'FATAL: password authentication failed for user "restorecheck"',
        "4264be4d2f8f5e0c1b2a39485766778899aabbcc",
        "creating 12 %, postgresql 18.1, 2026-11-21T03:00:00Z",
        "/var/lib/restorecheck/state.db: disk full",
        "https://aws.amazon.com/rds/ says no",
    ],
)
def test_what_is_no_secret_stays_readable(book, text):
    log.info(text)
    assert book.line["event"] == text


# --- errors -----------------------------------------------------------------------------------------------------------


def failing(error: BaseException) -> None:
    try:
        raise error
    except type(error):
        log.exception("it.failed")


def test_an_error_is_logged_by_type_and_message_without_frames(book):
    failing(AwsError("ExpiredToken", f"password={CANARY} is old", kind="credentials", retryable=False))
    assert (book.line["level"], book.line["error_type"], book.line["error"]) == (
        "error", "AwsError", "password=*** is old",
    )  # fmt: skip
    assert "frames" not in book.line


def test_frames_are_shown_at_debug_and_hold_no_message():
    with written(level="debug") as book:
        failing(ValueError(f"row {CANARY}, PASSWORD={DERIVED}"))
    assert "in failing" in book.line["frames"]
    assert "ValueError" not in book.line["frames"]
    assert CANARY not in book.line["frames"]
    assert DERIVED not in book.text


def test_what_a_database_server_said_is_not_repeated(book):
    class TextError(Exception):
        sqlstate = "22P02"

    class WrappedError(Exception):
        orig = TextError(f'invalid input syntax for type integer: "{CANARY}"')

    failing(TextError(f'invalid input syntax for type integer: "{CANARY}"'))
    failing(WrappedError(f"(psycopg) {CANARY}"))
    failing(Exception(f"UNIQUE constraint failed\n[SQL: INSERT]\n[parameters: ('{CANARY}',)]"))
    assert [line["error"] for line in book.lines] == [
        "SQLSTATE 22P02", "TextError: SQLSTATE 22P02", "UNIQUE constraint failed",
    ]  # fmt: skip
    assert CANARY not in book.text


# --- hostile strings --------------------------------------------------------------------------------------------------

HOSTILE = [
    'x\n{"timestamp": "2026", "level": "info", "event": "forged"}',
    "x\r\n2026-11-21T03:00:00.123Z INFO     forged logger=service",
    "\x1b[2J\x1b[31mforged",
    "\x9b31m\x85\u2028\u2029next\x0b\x0c\x00\x7f",
    "\u202eevil\u202c \ud800",
    'quote" other="x" back\\slash',
    "{0} {check} %s %d ${x} {{}}",
    "a" * 1_000_000,
    "{" * 1_000_000,
    "password" * 1_000,
    "://" * 1_000_000,
    ("x" * 50 + " ") * 100_000,
]


@pytest.mark.parametrize("fmt", ["json", "text"])
@pytest.mark.parametrize("way", range(len(WAYS) - 3))
def test_no_string_can_forge_a_line_or_break_one(way, fmt):
    for text in HOSTILE:
        if "\ud800" in text and way == 5:
            continue  # not a path
        with written(fmt) as book:
            WAYS[way](text)
        assert book.text.count("\n") == 1
        (line,) = book.text.splitlines()
        assert line.isprintable()
        assert len(line) < 10_000
        if fmt == "json":
            json.loads(line)
        else:
            assert re.match(r"2026-11-21T03:00:00\.123Z (INFO|WARNING|ERROR) +\S", line)
            assert len(re.findall(r"(?<= )logger=", re.sub(r'"(?:[^"\\]|\\.)*"', '""', line))) == 1


def test_a_hostile_string_takes_no_long_time():
    for text in HOSTILE:
        began = time.process_time()
        logs.masked(text)
        assert time.process_time() - began < 1.0, text[:20]


def test_a_long_value_is_cut_and_says_so(book):
    log.info("x", said="word " * 2_000)
    assert len(book.line["said"]) == logs.LONGEST
    assert book.line["said"].endswith("…")


def test_half_a_secret_at_the_end_of_what_is_read_does_not_get_out():
    for pad in range(3_900, 4_010):
        for text in (
            f"{'a ' * (pad // 2)}{SECRET_KEY} after",
            f"{'a ' * (pad // 2)}password='{CANARY} {CANARY}' after",
        ):
            out = logs.masked(text)
            assert SECRET_KEY[:5] not in out
            assert CANARY[:5] not in out


def test_nobody_sets_the_time_or_the_level_of_a_line(book):
    log.info("x", timestamp="1970", level="debug", **{"a b=c\n": 1})
    assert (book.line["timestamp"], book.line["level"], book.line["level_"]) == (
        "2026-11-21T03:00:00.123Z", "info", "debug",
    )  # fmt: skip


def test_names_of_fields_cannot_forge_in_text():
    with written("text") as book:
        log.info("x", **{"a b=c\nd": 1})
    assert book.text.endswith(" a_b_c_d=1\n")


def test_numbers_that_json_does_not_know_and_lists_without_end_are_written(book):
    circle: list[Any] = []
    circle.append(circle)
    log.info("x", nan=float("nan"), far=float("inf"), huge=10**10_000, circle=circle, many=list(range(1_000)))
    assert (book.line["nan"], book.line["far"]) == ("nan", "inf")
    assert "bits" in book.line["huge"]
    assert len(book.line["many"]) == 50


def test_what_cannot_be_printed_costs_the_line_and_not_the_run(book):
    class Odd(str):
        __slots__ = ()

        def __str__(self) -> str:
            raise ValueError(CANARY)

    log.info("x", odd=Odd("x"))
    record = logging.makeLogRecord({"msg": "%d of %d", "args": ("one",), "levelno": logging.ERROR})
    logging.getLogger().handlers[0].handle(record)  # ours; pytest's own handlers would raise
    assert [line["event"] for line in book.lines] == ["log.unprintable", "%d of %d"]
    assert CANARY not in book.text


class Full(io.StringIO):
    def write(self, text: str) -> int:
        raise OSError(28, "No space left on device")


def test_a_log_that_cannot_be_written_stops_nobody():
    with written(stream=Full()):
        log.error("x")
    closed = io.StringIO()
    with written(stream=closed):
        closed.close()
        log.error("x")


def test_a_stream_that_is_not_utf_8_gets_escapes(tmp_path):
    with (tmp_path / "log").open("w", encoding="ascii") as stream:
        undo = logs.configure(stream, "text", now=lambda: NOW)
        log.info("größe €")
        undo()
    assert r"gr\xf6\xdfe \u20ac" in (tmp_path / "log").read_text()


def test_lines_of_many_threads_are_whole(tmp_path):
    path = tmp_path / "log"
    with path.open("w") as stream:
        undo = logs.configure(stream, "json")
        threads = [threading.Thread(target=lambda: [log.info("x", pad="y" * 500) for _ in range(100)]) for _ in "abcd"]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        undo()
    assert len([json.loads(line) for line in path.read_text().splitlines()]) == 400


# --- other libraries --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["dbos", "botocore.hooks", "sqlalchemy.pool", "alembic", "urllib3", "asyncio"])
def test_other_libraries_are_heard_from_warning_on_and_once(book, name, capsys):
    logger = logging.getLogger(name)
    logger.debug("a")
    logger.info("b")
    logger.warning("c %s", "d")
    assert [(line["event"], line["level"], line["logger"]) for line in book.lines] == [("c d", "warning", name)]
    assert capsys.readouterr() == ("", "")


def test_a_library_that_turned_itself_up_is_not_heard_more(book):
    logger = logging.getLogger("chatty")
    logger.setLevel(logging.DEBUG)
    logger.info("x")
    assert book.text == ""


def test_dbos_brings_no_handler_of_its_own(book):
    init_logger()
    logging.getLogger("dbos").error("x")
    assert book.line["logger"] == "dbos"


def test_warnings_become_lines():
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        with written() as book:
            warnings.warn(f"old: password={CANARY}", DeprecationWarning, stacklevel=1)
    assert book.line["logger"] == "py.warnings"
    assert CANARY not in book.text


def test_a_thread_that_dies_is_a_line_and_no_traceback(book, capsys):
    def die() -> None:
        raise ValueError(f"password={CANARY}")

    thread = threading.Thread(target=die, name="scout")
    thread.start()
    thread.join()
    assert (book.line["event"], book.line["thread"], book.line["error"]) == ("thread.died", "scout", "password=***")
    assert capsys.readouterr().err == ""


# --- steps ------------------------------------------------------------------------------------------------------------


class Watch:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def test_steps_are_logged_with_their_seconds_and_looks_only_when_they_change(book):
    watch = Watch()
    listener = logs.LogListener(watch)
    listener.started(RUN, "restore: wait")
    for status in ("creating", "creating", "available"):
        watch.seconds += 30
        listener.looked(RUN, "restore: wait", status)
    listener.finished(RUN, "restore: wait", "")
    listener.started(RUN, "examine")
    listener.finished(RUN, "examine", "could not connect")
    told = [(line["event"], line["level"], line.get("status"), line.get("seconds")) for line in book.lines]
    assert told == [
        ("step.started", "info", None, None),
        ("step.looked", "info", "creating", None),
        ("step.looked", "info", "available", None),
        ("step.finished", "info", None, 90.0),
        ("step.started", "info", None, None),
        ("step.finished", "warning", None, 0.0),
    ]
    assert book.lines[-1]["failed"] == "could not connect"
    assert {(line["check"], line["run"]) for line in book.lines} == {(CHECK, RUN)}


def test_a_step_that_is_replayed_is_not_reported_again():
    with written(level="debug") as book:
        logs.LogListener().finished(RUN, "restore", "")
    assert (book.line["event"], book.line["level"]) == ("step.replayed", "debug")


def test_runs_side_by_side_do_not_mix_their_statuses(book):
    listener = logs.LogListener()
    other = "users-db-20261121t0300z"
    for run in (RUN, other, RUN, other):
        listener.looked(run, "restore: wait", "creating")
    assert [line["run"] for line in book.lines] == [RUN, other]


def test_the_listener_keeps_nothing_of_runs_that_are_over():
    with written(level="error"):
        listener = logs.LogListener()
        for n in range(1_000):
            run = f"c{n}-20261121t0300z"
            for step in ("plan", "find", "restore"):
                listener.started(run, step)
                listener.looked(run, step, "x")
                listener.finished(run, step, "")
            listener.started(run, "examine")
            listener.forget(run)
        listener.forget("nobody")
    assert sys.getsizeof(listener._steps) < 100_000
    assert listener._steps == {}
