"""Places where a store can be: a SQLite file, or a database of its own on a real PostgreSQL server."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import sqlalchemy as sa
from postgres_server import PASSWORD, SUPERUSER, Server

from restorecheck.model import (
    About,
    Against,
    Assertion,
    Cell,
    Check,
    Entry,
    Episode,
    Expectation,
    Failure,
    Finding,
    Limits,
    Measured,
    Notice,
    Outcome,
    Phase,
    Placement,
    RdsSource,
    Report,
    Trigger,
    Turn,
    Verdict,
)
from restorecheck.store import Event, Routed, Store

AT = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
_numbers = count()


class Hands:
    """A clock that stands still until it is set."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@dataclass
class Place:
    """One place for a store, and all stores that a test opened there."""

    url: str
    opened: list[Store] = field(default_factory=list)

    @property
    def sqlite(self) -> bool:
        return self.url.startswith("sqlite")

    def open(self, clock: Callable[[], float] = time.time) -> Store:
        made = Store.open(self.url, clock=clock)
        self.opened.append(made)
        return made

    def sql(self, *statements: str) -> list[tuple[object, ...]]:
        """Run statements from outside, as a person with a shell would, and return what the last one gives."""
        if self.sqlite:
            engine = sa.create_engine(sa.URL.create("sqlite", database=self.url.removeprefix("sqlite:///")))
        else:
            engine = sa.create_engine(
                self.url.replace("postgresql:", "postgresql+psycopg:"),
                connect_args={"options": "-c search_path=restorecheck"},
            )
        try:
            with engine.begin() as connection:
                result = None
                for statement in statements:
                    result = connection.exec_driver_sql(statement)
                return [tuple(row) for row in result] if result is not None and result.returns_rows else []
        finally:
            engine.dispose()

    def later(self, seconds: float) -> None:
        """Let time go by for all deliveries."""
        columns = ("created", "next_try", "claimed_until", "ended")
        self.sql("UPDATE deliveries SET " + ", ".join(f"{c} = {c} - {seconds}" for c in columns))

    def close(self) -> None:
        for one in self.opened:
            one.close()


def at_once(*works: Callable[[], object]) -> list[object]:
    """Run each in a thread of its own, all let go together, and return what they gave."""
    together, given = threading.Barrier(len(works)), [None] * len(works)

    def run(n: int, work: Callable[[], object]) -> None:
        together.wait(30)
        try:
            given[n] = work()
        except Exception as e:  # noqa: BLE001 - shown to the test below
            given[n] = e

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(works)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not [g for g in given if isinstance(g, Exception)], given
    return given


def sqlite_place(directory: Path) -> Place:
    return Place(f"sqlite:///{directory}/store?1%20.sqlite")  # `?` and `%` are letters of a path


def postgres_place(server: Server) -> Place:
    """Return a place in a new database of a running server."""
    name = f"store_{next(_numbers)}"
    with server.superuser() as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return Place(f"postgresql://{SUPERUSER}:{PASSWORD}@127.0.0.1:{server.port}/{name}")


def report(
    check: str = "orders-db", hours: int = 0, verdict: Verdict = Verdict.PASSED, value: str | None = "2"
) -> Report:
    began = AT + timedelta(hours=hours, microseconds=123457)
    return Report(
        run_id=f"{check}-{began:%Y%m%dt%H%Mz}",
        check=check,
        verdict=verdict,
        started=began,
        ended=began + timedelta(minutes=9),
        failure=None if verdict is Verdict.PASSED else Failure("quota", "restore", "no room", "make room"),
        findings=(
            Finding("orders", Outcome.PASS, "at least 1", "2", seconds=0.5, value=value),
            Finding("users", Outcome.WARN, "at least 9", "3", "too few", "assertion-failed", value="3"),
        ),
        phases=(Phase("plan", began, began), Phase("find", began, began + timedelta(seconds=1.5))),
    )


def measuring(value: str | None, hours: int = 0, verdict: Verdict = Verdict.PASSED, check: str = "orders-db") -> Report:
    """Return a report that measured two things; one of them held."""
    measured = (Measured("orders", value), Measured("users", "3")) if value is not None else ()
    return replace(report(check, hours, verdict, value), measured=measured)


def notice(turn: Turn = Turn.FIRING, check: str = "orders-db", n: int = 0, **more: object) -> Notice:
    """Return the n-th notice of one turn about a check."""
    fields = {
        "id": f"run/{check}/{turn.value}/{n}",
        "key": f"restorecheck/run/{check}",
        "about": About.RUN,
        "turn": turn,
        "severity": "critical",
        "title": f"{check} is {turn.value}",
        "at": AT + timedelta(hours=n),
        "since": AT,
        "check": check,
        **more,
    }
    return Notice(**fields)


def episode(check: str = "orders-db", count: int = 1, **more: object) -> Episode:
    told = notice(check=check, **more)
    return Episode(told.key, told.about, check, AT, count, AT, ("ops",), told)


def entry(check: str = "orders-db", minutes: int = 0, **more: object) -> Entry:
    at = AT + timedelta(minutes=minutes)
    fields = {"account": "222222222222", "not_before": at, "trigger": Trigger.SCHEDULE, **more}
    return Entry(run_id=f"{check}-{at:%Y%m%dt%H%Mz}", check=check, scheduled_for=at, **fields)


def check(*assertions: Assertion) -> Check:
    source = RdsSource("111111111111", "eu-central-1", "orders-prod", "shop")
    place = Placement("222222222222", "eu-central-1")
    return Check("orders-db", source, place, Limits(), assertions, timedelta(hours=25), timedelta(hours=2))


def compared(name: str, against: Against) -> Assertion:
    return Assertion(name, "select 1", Expectation(at_least=Cell("number", "0.9"), of=against))


def routed(store: Store, *events: Event) -> None:
    """Let events need nothing more, as one who tells nobody."""
    store.notices.route(lambda *_: Routed(handled=tuple(event.id for event in events)))
