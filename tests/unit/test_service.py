"""The serving process from inside: what it knows of itself, how a configuration is swapped, what ends it."""

from __future__ import annotations

import http.client
import io
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from demo_world import until
from journal import SkipClock

from restorecheck import logs
from restorecheck.config import Config, State
from restorecheck.errors import ConfigError, RestorecheckError, StoreError
from restorecheck.fence import Outage, Role
from restorecheck.model import Report, Verdict
from restorecheck.service import Service
from restorecheck.service.current import Current
from restorecheck.service.health import STALE, Health
from restorecheck.service.serving import heed_signals
from restorecheck.store import Store

CONFIG = """
endpoint_url = "http://127.0.0.1:1"
[source_accounts.production]
id = "111111111111"
role = "arn:aws:iam::111111111111:role/restorecheck"
regions = ["eu-central-1"]
[scratch_accounts.lab]
id = "222222222222"
role = "arn:aws:iam::222222222222:role/restorecheck"
[scratch_accounts.lab.regions.eu-central-1]
subnet_group = "rc"
security_groups = ["sg-0123456789abcdef0"]
key = "arn:aws:kms:eu-central-1:222222222222:key/11111111-2222-3333-4444-555555555555"
instance_class = "db.t4g.micro"
"""
CHECK = """
[check]
name = "{name}"
rpo = "25h"
rto = "2h"
[source]
type = "rds"
account = "production"
region = "eu-central-1"
instance = "orders"
database = "orders"
[scratch]
account = "lab"
[[assert]]
name = "present"
sql = "select count(*) from orders"
expect = {{ at_least = 1 }}
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "checks").mkdir()
    (tmp_path / "state").mkdir()
    (tmp_path / "config.toml").write_text(CONFIG)
    declare(tmp_path, "orders-db")
    return tmp_path


def declare(home: Path, name: str) -> None:
    (home / "checks" / f"{name}.toml").write_text(CHECK.format(name=name))


# --- the configuration -----------------------------------------------------------------------------------------------


def test_a_reload_swaps_all_and_a_run_keeps_the_world_it_began_with(home: Path):
    kept: list[Report] = []
    current = Current(home / "config.toml", SkipClock())
    current.open(kept.append)
    before = current.ports
    declare(home, "users-db")
    assert current.reload() == "loaded 2 checks"
    assert current.ports is not before
    assert [check.name for check in before.config.checks] == ["orders-db"]
    at = SkipClock().now()
    report = Report("orders-db-20261121t0300z", "orders-db", Verdict.PASSED, at, at)
    current.ports.record(report)
    assert kept == [report]


def test_a_reload_before_the_store_is_open_swaps_the_file_alone(home: Path):
    current = Current(home / "config.toml", SkipClock())
    declare(home, "users-db")
    assert current.reload() == "loaded 2 checks"
    assert current.outages() == ()


def test_a_wrong_file_changes_nothing_and_is_remembered_until_a_good_one_comes(home: Path):
    current = Current(home / "config.toml", SkipClock())
    current.open(lambda report: None)
    config, ports = current.config, current.ports
    (home / "config.toml").write_text(CONFIG + "\nnonsense = 1\n")
    with pytest.raises(ConfigError):
        current.reload()
    assert (current.config, current.ports) == (config, ports)
    assert "nonsense" in current.wrong
    (home / "config.toml").write_text(CONFIG)
    current.reload()
    assert current.wrong == ""


@pytest.mark.parametrize("line", ['state = "elsewhere"', 'service_key = "other.key"'])
def test_the_place_of_the_state_is_not_swapped(home: Path, line: str):
    current = Current(home / "config.toml", SkipClock())
    (home / "config.toml").write_text(line + CONFIG)
    with pytest.raises(RestorecheckError, match="cannot be changed while serving"):
        current.reload()
    assert current.config.state.directory == home / "state"


# --- what it knows of itself -----------------------------------------------------------------------------------------


class Known:
    """A configuration that was loaded once, and an AWS that is as the test says."""

    def __init__(self, home: Path, now: datetime) -> None:
        self.config = Config(home / "config.toml", State(home / "state", None, home / "key"), (), (), ())
        self.loaded_at, self.wrong = now, ""
        self.silent: list[Outage] = []

    def outages(self) -> list[Outage]:
        return self.silent


class Patient:
    """A Health, and what it says by the name of the aspect."""

    def __init__(self, home: Path) -> None:
        self.clock = SkipClock()
        self.current = Known(home, self.clock.now())
        self.health = Health(self.clock, self.current)  # type: ignore[arg-type]

    def says(self) -> dict[str, tuple[bool, bool, str]]:
        return {aspect.name: (aspect.ok, aspect.blocks, aspect.text) for aspect in self.health.aspects()}


@pytest.fixture
def patient(tmp_path: Path) -> Patient:
    return Patient(tmp_path)


def test_a_process_that_has_done_nothing_yet_is_not_ready(patient: Patient):
    says = patient.says()
    assert {name: ok for name, (ok, _, _) in says.items()} == {
        "configuration": True,
        "store": False,
        "scheduler": False,
    }
    assert "not open yet" in says["store"][2]
    assert says["scheduler"][2] == "has not looked yet"


def test_a_round_makes_it_fresh_and_time_makes_it_stale(patient: Patient):
    patient.health.looked()
    assert patient.says()["scheduler"][0]
    patient.clock.skip(STALE + 1)
    assert patient.says()["scheduler"][:2] == (False, True)


def test_a_clock_that_is_set_makes_nothing_stale(patient: Patient):
    patient.health.looked()
    patient.clock.set_forward(timedelta(days=400))
    assert patient.says()["scheduler"][0]


def test_trouble_is_news_once_and_keeps_its_beginning(patient: Patient):
    health = patient.health
    assert health.well()
    assert not health.well()
    began = patient.clock.now()
    assert health.unwell("the disk is full")
    assert not health.unwell("the disk is full")
    patient.clock.skip(3600)
    assert health.unwell("cannot be reached")
    ok, blocks, text = patient.says()["store"]
    assert (ok, blocks) == (False, True)
    assert text.endswith(f"cannot be reached, since {began:%H:%M:%S} UTC")
    assert health.well()
    assert patient.says()["store"][0]


def test_aws_that_is_silent_is_named_and_blocks_nothing(patient: Patient):
    since = patient.clock.now() - timedelta(seconds=90)
    patient.current.silent = [Outage(Role.SCRATCH, "222222222222", "eu-central-1", "rds", since, since, "timed out")]
    ok, blocks, text = patient.says()["aws"]
    assert (ok, blocks) == (False, False)
    assert "222222222222 in eu-central-1 for 90 s: timed out" in text


def test_an_old_configuration_and_a_stop_are_said(patient: Patient):
    patient.current.wrong = "not reloaded: line 3"
    patient.health.stopping = True
    says = patient.says()
    assert says["configuration"] == (False, False, "not reloaded: line 3")
    assert says["process"][:2] == (False, True)


# --- the process -----------------------------------------------------------------------------------------------------


@contextmanager
def running(service: Service) -> Iterator[list[int]]:
    """Serve in a thread; the list holds the exit code once it has ended."""
    codes: list[int] = []
    thread = threading.Thread(target=lambda: codes.append(service.run()))
    thread.start()
    try:
        yield codes
    finally:
        service.stop()
        thread.join(30)
        assert not thread.is_alive()


def ready(service: Service) -> tuple[int, str]:
    connection = http.client.HTTPConnection(service._web.address.removeprefix("http://"), timeout=10)
    try:
        connection.request("GET", "/-/ready")
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


@pytest.fixture
def said(tmp_path: Path) -> Iterator[Path]:
    """Where the log of this process goes."""
    path = tmp_path / "log"
    with path.open("w") as file:
        undo = logs.configure(file, fmt="json")
        yield path
        undo()


def test_a_store_that_cannot_be_reached_is_waited_for_and_its_password_never_said(home: Path, said: Path):
    key = home / "service.key"
    key.write_text("5e" * 32)
    (home / "config.toml").write_text(
        f'state = "postgresql://somebody:very-secret@127.0.0.1:1/none"\nservice_key = "{key}"\n' + CONFIG
    )
    service = Service(home / "config.toml", listen="127.0.0.1:0")
    with running(service) as codes:
        until(lambda: "store.trouble" in said.read_text())
        status, text = ready(service)
        assert status == 503
        assert "store: postgresql://***@127.0.0.1:1/none: " in text
        assert codes == []
    assert codes == [0]
    assert "very-secret" not in said.read_text() + text


@pytest.mark.parametrize(("trouble", "why"), [(KeyError("x"), "KeyError in a round"), (StoreError("full"), "full")])
def test_a_round_that_fails_is_heard_ends_nothing_and_is_forgotten_when_one_goes_well(
    home: Path, said: Path, trouble: Exception, why: str
):
    service = Service(home / "config.toml", listen="127.0.0.1:0")
    store = Store.open(f"sqlite:///{home}/state/restorecheck.sqlite")
    service._current.open(store.proofs.save)
    done: list[str] = []

    def breaks(config: object) -> None:
        raise trouble

    service._round(store, (breaks, lambda config: done.append("told")))
    assert done == ([] if isinstance(trouble, StoreError) else ["told"])  # a bug in one thing leaves the others be
    assert service._health.trouble == why
    assert f'"why": "{why}"' in said.read_text()
    service._round(store, (lambda config: done.append("told"),))
    assert service._health.trouble == ""
    assert '"store.reached"' in said.read_text()
    store.close()
    service._web.stop()


def test_a_signal_is_passed_on_and_the_first_one_only_asks(monkeypatch: pytest.MonkeyPatch):
    class Asked:
        def __init__(self) -> None:
            self.did: list[str] = []

        def stop(self) -> None:
            self.did.append("stop")

        def reload(self) -> None:
            self.did.append("reload")

    heard = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    before, asked, ends = {number: signal.getsignal(number) for number in heard}, Asked(), list[int]()
    monkeypatch.setattr("os._exit", ends.append)
    try:
        heed_signals(asked)  # type: ignore[arg-type]
        signal.raise_signal(signal.SIGHUP)
        signal.raise_signal(signal.SIGTERM)
        assert (asked.did, ends) == (["reload", "stop"], [])
        signal.raise_signal(signal.SIGINT)
        assert ends == [130]
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


PAUSES = """
import sys
from pathlib import Path
from restorecheck.service import Service
from restorecheck.service.serving import heed_signals

service = Service(Path(sys.argv[1]), listen="127.0.0.1:0")
heed_signals(service)
print("ready", flush=True)
while not service._health.stopping:
    service._pause()
"""


@pytest.mark.long
def test_a_signal_may_come_at_any_moment_of_a_pause(home: Path):
    """A handler runs between any two steps of the thread that pauses, which then holds what pausing takes hold of."""
    command = [sys.executable, "-c", PAUSES, str(home / "config.toml")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            for _ in range(20_000):
                process.send_signal(signal.SIGHUP)
                time.sleep(0.0001)
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0
        finally:
            process.kill()


def test_a_configuration_that_is_wrong_ends_it_before_it_begins(home: Path):
    (home / "config.toml").write_text("nonsense = 1")
    with pytest.raises(ConfigError):
        Service(home / "config.toml", listen="127.0.0.1:0")


@pytest.mark.parametrize(
    ("event", "facts", "level"),
    [
        ("run-ended", {"verdict": "passed"}, "info"),
        ("run-ended", {"verdict": "broken"}, "warning"),
        ("run-ended", {"verdict": "unproven"}, "warning"),
        ("run-missed", {"reason": "down"}, "warning"),
        ("sweep-tripped", {"why": "too much"}, "warning"),
        ("run.due", {}, "info"),
    ],
)
def test_what_somebody_should_look_at_is_a_warning(home: Path, event: str, facts: dict[str, str], level: str):
    service = Service(home / "config.toml")
    lines = io.StringIO()
    undo = logs.configure(lines, "json")
    service._tell(event, **facts)
    undo()
    assert json.loads(lines.getvalue())["level"] == level
