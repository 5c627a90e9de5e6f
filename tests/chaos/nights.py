"""Nights that pass quickly, and a service that is killed in them: `python tests/chaos/nights.py`, or `make chaos`.

Builds databases and checks whose right verdict is known, lets the clock of the service and of the demo AWS skip from
night to night, kills the service with SIGKILL at random moments and starts it again, and reckons at the end from AWS,
the store and the witness of every process. Ends with one line, `RESULT {json}`; exit code 1 unless all is well.

KILLS (100; 0: nobody is killed) and NIGHTS (6): goes on until both are reached. MINUTES=60: goes on for so long
instead. CHECKS (40). REPLICAS (1; more: over one PostgreSQL, with clocks a minute apart). SEED: of everything random.
KEEP=1: the files are kept.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

if __package__ in {None, ""}:  # run as a program
    sys.path[:0] = [str(Path(__file__).parents[2]), str(Path(__file__).parents[1]), str(Path(__file__).parent)]

import psycopg
from chaos.reckoning import Expected, Reckoning, creations, refusals, remains, steps, verdicts
from chaos.replicas import Replicas
from chaos.stories import HOUR, Known, build, nightly
from demo_world import REGION, SOURCE, World, furnish
from postgres_server import PASSWORD, SUPERUSER, embedded, server
from product import Product

from restorecheck.demo.aws.process import DemoAws
from restorecheck.errors import StoreError
from restorecheck.model import Report
from restorecheck.schedule import run_id
from restorecheck.store import Store

TIMINGS = {"create": 0.5, "backup": 0.2, "snapshot": 0.1, "copy": 0.3, "delete": 0.3, "password": 0.3}
LIMITS: dict[str, Any] = {"poll": "0.3s", "copy": "30m", "restore": "30m", "open": "30m", "examine": "30m"}
LIMITS |= {"teardown": "30m", "run": "2h", "instances": 12}
SERVICE = '[service]\nruns = 16\nheartbeat = "1s"\ntakeover = "4s"\nsweep = "5s"\ndrain = "10s"\n'
BEFORE = timedelta(seconds=5)
"""How long before its time a night begins."""
BACKUPS = timedelta(minutes=2)
"""How long before that AWS makes its automated snapshots."""


@dataclass(frozen=True)
class Settings:
    """How much of it."""

    kills: int = 100
    nights: int = 6
    checks: int = 40
    replicas: int = 1
    seed: int = 0
    minutes: float = 0.0
    stall: float = 240.0
    """Seconds without a new verdict after which a night is given up."""

    @classmethod
    def of_environment(cls) -> Settings:
        """Read them as the module's head says."""

        def number(name: str, default: float) -> float:
            return float(os.environ.get(name) or default)

        return cls(
            kills=int(number("KILLS", cls.kills)),
            nights=int(number("NIGHTS", cls.nights)),
            checks=int(number("CHECKS", cls.checks)),
            replicas=int(number("REPLICAS", cls.replicas)),
            seed=int(number("SEED", random.SystemRandom().randrange(10**6))),
            minutes=number("MINUTES", 0),
        )


@dataclass
class Outcome:
    """What came of it."""

    result: dict[str, Any]
    reckoning: Reckoning
    troubles: list[str]
    tails: str

    @property
    def well(self) -> bool:
        """Whether nothing at all went wrong."""
        return self.reckoning.well and not self.troubles

    def told(self) -> str:
        """Return everything that went wrong, in lines."""
        parts = {"trouble": self.troubles} | {
            name: getattr(self.reckoning, name) for name in ("wrong", "lost", "doubled", "left", "refused")
        }
        lines = [f"{name}: {line}" for name, found in parts.items() for line in found[:50]]
        return "\n".join([*lines, "" if self.well else self.tails])


@dataclass
class Chaos:
    """All nights of one service."""

    settings: Settings
    world: World
    home: Path
    say: Callable[[str], None]
    address: str | None = None  # of PostgreSQL; None: SQLite
    expected: list[Expected] = field(default_factory=list)
    reckoning: Reckoning = field(default_factory=Reckoning)
    offset: float = 0.0

    def __post_init__(self) -> None:
        self.product = Product(self.world, self.home, dict(LIMITS))
        path = self.product.configure()
        state = f'state = "{self.address}"\nservice_key = "service.key"\n' if self.address else 'state = "state"\n'
        path.write_text(state + path.read_text() + SERVICE)
        if self.address:
            (self.home / "service.key").write_text("5e" * 32 + "\n")
            (self.home / "service.key").chmod(0o600)
        self.url = self.address or f"sqlite:///{self.home / 'state' / 'restorecheck.sqlite'}"
        self.skip_to(datetime.now(UTC))
        settings = self.settings
        self.replicas = Replicas(self.home, self.product.environment, random.Random(settings.seed), settings.replicas)

    def run(self) -> Outcome:
        """Let nights pass until there were enough, and reckon."""
        began = time.monotonic()
        try:
            known = build(self.product, self.settings.checks, self.now)
            self.say(f"{len(known)} checks, built in {time.monotonic() - began:.0f} s; seed {self.settings.seed}")
            began, nights = time.monotonic(), self._nights(known)
            self.replicas.stop()
            self._reckon()
        finally:
            tails = self.replicas.tails()
            self.replicas.end()
        reckoning = self.reckoning
        result = {
            "kills": self.replicas.kills,
            "runs_due": reckoning.runs_due,
            "verdicts_right": reckoning.verdicts_right,
            **{name: len(getattr(reckoning, name)) for name in ("lost", "doubled", "left", "refused")},
            "nights": nights,
            "seconds": round(time.monotonic() - began),
            "replicas": self.settings.replicas,
            "left_dead": self.replicas.left_dead,
            "seed": self.settings.seed,
        }
        return Outcome(result, reckoning, self.replicas.troubles, tails)

    # --- time ---------------------------------------------------------------------------------------------------------

    @property
    def now(self) -> datetime:
        """The time that everybody believes in."""
        return datetime.now(UTC) + timedelta(seconds=self.offset)

    def skip_to(self, then: datetime) -> None:
        """Let it be that time for AWS and for the service at once."""
        self.offset = (then - datetime.now(UTC)).total_seconds()
        self.world.aws.clock(self.offset)
        draft = self.home / ".clock"
        draft.write_text(str(self.offset))
        draft.rename(self.home / "clock")

    def _first(self) -> datetime:
        today = self.now.replace(hour=HOUR, minute=0, second=0, microsecond=0)
        return today if today - self.now > 2 * BACKUPS else today + timedelta(days=1)

    # --- nights -------------------------------------------------------------------------------------------------------

    def _nights(self, known: list[Known]) -> int:
        """Return how many nights there were."""
        began, count, at = time.monotonic(), 0, self._first()
        instances = set(self.world.aws.digest([SOURCE])[SOURCE][REGION]["instances"])
        self.replicas.all_up()
        self._until_considered({one.check for one in known})
        while self._more(count, time.monotonic() - began):
            count += 1
            away = self.settings.kills and self.replicas.fate.random() < 0.3  # it is down while the clock skips
            if away and (up := [replica for replica in self.replicas.places if replica.process]):
                self.replicas.kill(self.replicas.fate.choice(up))
            self.skip_to(at - BACKUPS)
            nightly(self.world, instances)
            before = self.product.estate()
            self.skip_to(at - BEFORE)
            self.replicas.all_up()
            self.expected += [Expected(run_id(one.check, at), one.verdict, one.kind) for one in known]
            went_well = self._night(at, {run_id(one.check, at) for one in known})
            self.reckoning.left += [f"night {count}: {what}" for what in remains(before, self.product.estate())]
            self.reckoning.doubled += self._recorded_twice()
            self.say(
                f"night {count}, {at:%Y-%m-%d}: {self.replicas.kills} kills, {time.monotonic() - began:.0f} s"
                + ("" if went_well else ": given up")
            )
            if not went_well:
                break
            at += timedelta(days=1)
        return count

    def _more(self, nights: int, seconds: float) -> bool:
        if self.settings.minutes:
            return seconds < 60 * self.settings.minutes
        return nights < self.settings.nights or self.replicas.kills < self.settings.kills

    def _night(self, at: datetime, due: set[str]) -> bool:
        """Let one night pass, and kill; False: for a long time no run came to an end."""
        missing, heard, look = set(due), time.monotonic(), 0.0
        while True:
            if self.settings.kills:
                self.replicas.strike()
            now = time.monotonic()
            if now >= look:
                look = now + 0.5
                ended = {report.run_id for report in self._reports(at - timedelta(minutes=10))}
                if missing & ended:
                    heard = now
                missing -= ended
                if not missing and self._idle():
                    return True
            if now - heard > self.settings.stall:
                return False
            time.sleep(0.02)

    def _until_considered(self, checks: set[str]) -> None:
        """The schedule of a check counts from when the service first sees it."""
        deadline = time.monotonic() + 120
        while True:
            self.replicas.look_for_ended()
            with self._store() as store, contextlib.suppress(StoreError):
                if store is not None and checks <= store.ledger.considered().keys():
                    return
            if time.monotonic() > deadline or self.replicas.troubles:
                raise TimeoutError(f"the service has not looked at its schedule\n{self.replicas.tails()}")
            time.sleep(0.2)

    # --- what the store says ------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _store(self) -> Iterator[Store | None]:
        if self.address is None and not (self.home / "state" / "restorecheck.sqlite").exists():
            yield None
            return
        store = Store.open(self.url)
        try:
            yield store
        finally:
            store.close()

    def _reports(self, since: datetime | None = None) -> list[Report]:
        with self._store() as store:
            assert store is not None
            return store.proofs.runs(since=since)

    def _idle(self) -> bool:
        with self._store() as store:
            assert store is not None
            return not store.ledger.running() and not store.ledger.waiting()

    def _recorded_twice(self) -> list[str]:
        """Return the steps of which the engine holds two records under different numbers."""
        table = "dbos.operation_outputs" if self.address else "operation_outputs"
        query = (
            f"select workflow_uuid, function_name, count(*) from {table} "
            "where function_name not like 'DBOS.%' group by 1, 2 having count(*) > 1"
        )
        if self.address:
            with psycopg.connect(self.address) as connection:
                rows = connection.execute(query).fetchall()  # type: ignore[call-overload]  # as above
        else:
            with contextlib.closing(sqlite3.connect(self.home / "state" / "runs.sqlite")) as records:
                rows = records.execute(query).fetchall()
        return [f"{run}: {step} is recorded {count} times" for run, step, count in rows]

    # --- the end ------------------------------------------------------------------------------------------------------

    def _reckon(self) -> None:
        found = self.reckoning
        verdicts(found, self.expected, self._reports())
        with self._store() as store:
            assert store is not None
            found.lost += [
                f"{miss.check}: {miss.scheduled_for} was missed: {miss.reason}" for miss in store.ledger.missed()
            ]
            found.lost += [
                f"{entry.run_id}: still {entry.state}" for entry in store.ledger.running() + store.ledger.waiting()
            ]
        found.doubled += creations(self.world.aws.tally()["made"])
        with (self.home / "witness").open() as lines:
            witnessed = list(lines)
        found.doubled += steps(witnessed)
        found.refused += refusals(witnessed)


@contextlib.contextmanager
def database(replicas: int) -> Iterator[str | None]:
    """Offer a PostgreSQL where there are several replicas."""
    if replicas < 2:
        yield None
        return
    with server(embedded(), {"max_connections": "120", "log_statement": "none"}) as running:
        with running.superuser() as connection:
            connection.execute("create database restorecheck")
        yield f"postgresql://{SUPERUSER}:{PASSWORD}@127.0.0.1:{running.port}/restorecheck"


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> int:
    """Run it as the environment says."""
    settings = Settings.of_environment()
    home = Path(tempfile.mkdtemp(prefix="restorecheck-chaos-"))
    _say(f"seed {settings.seed}, files in {home}")
    with DemoAws.start(timings=TIMINGS) as aws, database(settings.replicas) as address:
        outcome = Chaos(settings, furnish(aws), home, _say, address).run()
    if outcome.well and not os.environ.get("KEEP"):
        shutil.rmtree(home)
    else:
        _say(f"{outcome.told()}\nfiles are kept in {home}")
    _say("RESULT " + json.dumps(outcome.result))
    return 0 if outcome.well else 1


if __name__ == "__main__":
    sys.exit(main())
