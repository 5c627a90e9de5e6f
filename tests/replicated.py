"""restorecheck as several replicas over one PostgreSQL: its database, its processes, and what their witness saw."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import psycopg
from demo_world import until
from ports import free_port
from postgres_server import PASSWORD, SUPERUSER, Server
from product import Product, Ran, Serving

from restorecheck.model import Report

PROCESS = Path(__file__).parent / "e2e" / "replica_process.py"
TAKEOVER, SWEEP = 4.0, 3.0
SERVICE = f'[service]\nheartbeat = "1s"\ntakeover = "{TAKEOVER:.0f}s"\nsweep = "{SWEEP:.0f}s"\ndrain = "5s"\n'
KEY = "5e" * 32


@dataclass(frozen=True)
class Line:
    """One line of the witness."""

    event: str
    life: str
    run: str
    step: str
    at: float

    @property
    def pid(self) -> int:
        return int(self.life.partition("-")[0])


@dataclass
class Replicated(Product):
    """One restorecheck whose state is in PostgreSQL."""

    server: Server | None = None
    name: str = "restorecheck"
    running: list[Serving] = field(default_factory=list)

    @property
    def address(self) -> str:
        assert self.server
        return f"postgresql://{SUPERUSER}:{PASSWORD}@127.0.0.1:{self.server.port}/{self.name}"

    @property
    def witness(self) -> Path:
        return self.home / "witness"

    def configure(self, **scratch: object) -> Path:
        path = super().configure(**scratch)
        self.serve_from(self.address)
        (self.home / "service.key").write_text(KEY + "\n")
        (self.home / "service.key").chmod(0o600)
        return path

    def serve_from(self, address: str, more: str = SERVICE) -> None:
        """Write where the state is, and how the service works."""
        path = self.home / "config.toml"
        kept = path.read_text().partition("endpoint_url")
        state = f'state = {json.dumps(address)}\nservice_key = "service.key"\n'
        path.write_text(state + kept[1] + kept[2].partition("[service]")[0] + more)

    def due(self, *checks: str) -> datetime:
        """Write checks that are due in this very minute, as soon as somebody looks; return the time."""
        at = datetime.now(UTC).replace(second=0, microsecond=0)
        for check in checks:
            self.check(check, schedule=f"{at.minute} {at.hour} * * *")
        with self.store() as store:
            for check in checks:
                store.ledger.schedule(check, at - timedelta(seconds=1), [], [])
        return at

    @contextlib.contextmanager
    def replicas(self, count: int, **more: str) -> Iterator[list[Serving]]:
        """Run so many; whatever still runs at the end is killed."""
        try:
            for _ in range(count):
                self.another(**more)
            for replica in self.running:
                replica.hears("replica.joined")
            yield self.running
        except BaseException as e:
            for replica in self.running:
                e.add_note("\n".join([f"--- replica {replica.process.pid} said:", *replica.said[-60:]]))
            if self.witness.exists():
                e.add_note("\n".join(["--- the witness said:", *self.witness.read_text().splitlines()[-60:]]))
            raise
        finally:
            for replica in self.running:
                replica.kill()

    def another(self, **more: str) -> Serving:
        """Start one more replica, with a port of its own."""
        listen = f"127.0.0.1:{free_port()}"
        given = {"WITNESS": str(self.witness), "HOLD": str(self.home / "hold")} | more
        replica = Serving(self.popen("--listen", listen, script=PROCESS, **given))
        self.running.append(replica)
        return replica

    def command(self, *arguments: str, **more: str) -> Ran:
        """Run a command beside the replicas; what they make meanwhile is not looked at."""
        process = self.popen(*arguments, **more)
        out, err = process.communicate(timeout=120)
        return Ran(process.returncode, out, err)

    # --- what is done to them

    def hold(self, step: str, edge: str) -> None:
        """Let the first that comes there stay there."""
        (self.home / "hold").write_text(f"{step}|{edge}")

    def held(self) -> Serving:
        """Return the replica that is held."""
        found = until(lambda: [line for line in self.lines() if line.event == "held"], 60)
        return self.of(found[0].pid)

    def go(self) -> None:
        """Let it go on."""
        (self.home / "hold.go").touch()

    def at_work(self, step: str) -> Serving:
        """Wait until a step is under way, and return the replica that has it."""
        found = until(lambda: [one for one in self.lines() if (one.event, one.step) == ("started", step)], 60)
        return self.of(found[0].pid)

    def of(self, pid: int) -> Serving:
        [found] = [replica for replica in self.running if replica.process.pid == pid]
        return found

    def kill(self, replica: Serving) -> float:
        """kill -9. Return when."""
        replica.process.kill()
        replica.process.wait(20)
        at = self.note("killed", replica)  # at once: others may take over while its output is read to its end
        replica.kill()
        return at

    def freeze(self, replica: Serving) -> float:
        """Stop a process in the middle of whatever it does, and return when."""
        os.kill(replica.process.pid, signal.SIGSTOP)
        return self.note("frozen", replica)

    def thaw(self, replica: Serving) -> float:
        at = self.note("thawed", replica)
        os.kill(replica.process.pid, signal.SIGCONT)
        return at

    def note(self, event: str, replica: Serving) -> float:
        at = time.monotonic()
        with self.witness.open("a") as file:
            file.write(f"{event}|{replica.process.pid}-|-|-|{at}\n")
        return at

    # --- what became of it

    def lines(self) -> list[Line]:
        if not self.witness.exists():
            return []
        rows = (row.split("|") for row in self.witness.read_text().splitlines())
        return [Line(event, life, run, step, float(at)) for event, life, run, step, at in rows]

    def reports(self) -> list[Report]:
        with self.store() as store:
            return store.proofs.runs()

    def ended(self, count: int = 1, at_most: float = 90.0) -> list[Report]:
        """Wait until so many runs have ended and none is under way, and return their proofs."""

        def probe() -> list[Report] | None:
            with self.store() as store:
                found = store.proofs.runs()
                over = len(found) >= count and not store.ledger.running() and not store.ledger.waiting()
                return found if over else None

        found = until(probe, at_most)
        assert len(found) == count, found
        return found

    def asked(self, query: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.address) as connection:
            return connection.execute(query.encode()).fetchall()

    def assert_nothing_twice(self) -> None:
        """No finished step began again, no step was under way twice at once, nothing was made twice."""
        lines = sorted(self.lines(), key=lambda line: line.at)
        assert any(line.event == "finished" for line in lines)
        steps: dict[tuple[str, str], list[tuple[float, float, bool]]] = defaultdict(list)
        for line in lines:
            if line.event == "started":
                steps[line.run, line.step].append(_until(line, lines))
        for step, times in steps.items():
            for (_, ended, finished), (began, _, _) in pairwise(times):
                assert not finished, f"{step} was finished and began again"
                assert began > ended, f"{step} ran twice at once: {times}"
        double = (
            "select workflow_uuid, function_name from dbos.operation_outputs where function_name not like 'DBOS.%' "
            "group by 1, 2 having count(*) > 1"
        )
        assert self.asked(double) == []
        made = [one for one in self.world.aws.tally()["made"] if one["name"].startswith("restorecheck-")]
        assert made
        assert [one for one in made if len(one["times"]) > 1] == []


def _until(line: Line, lines: list[Line]) -> tuple[float, float, bool]:
    """Return when a step began, when it ended or its process did, and whether it was finished."""
    for later in lines:
        if later.at < line.at:
            continue
        if (later.event, later.life, later.run, later.step) == ("finished", line.life, line.run, line.step):
            return line.at, later.at, True
        gone = later.event in {"killed", "frozen", "lost", "stopped", "born"} and later.pid == line.pid
        if gone and later is not line:
            return line.at, later.at, False
    return line.at, float("inf"), False
