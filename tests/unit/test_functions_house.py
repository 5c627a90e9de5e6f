"""The house of the functions: over an S3 that answers, with a Lambda that does not have to."""

from __future__ import annotations

import io
import json
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aws_durable_execution_sdk_python_testing import DurableFunctionTestRunner
from bucket_server import REGION, emptied, furnished, serving
from journal import SkipClock
from lambda_world import Call, FakeLambda, configured
from store_places import AT

from restorecheck import handler
from restorecheck.config import load
from restorecheck.engines.clock import WallClock
from restorecheck.engines.lambda_entry import durable
from restorecheck.errors import RestorecheckError, StoreError
from restorecheck.functions import house as rooms
from restorecheck.functions.configuration import Loaded
from restorecheck.functions.house import House, log
from restorecheck.functions.measuring import measure
from restorecheck.functions.running import _tidy
from restorecheck.functions.starting import NoStarter, function_arn

__all__ = ["emptied", "furnished", "serving"]

RUN = "orders-db-20261121t0300z"


class Yard:
    """A bucket with a configuration and a state, and one process of the functions."""

    def __init__(self, home: Path, endpoint: str, s3: Any) -> None:
        self.home, self.endpoint, self.s3 = home, endpoint, s3
        self.clock, self.out = SkipClock(AT), io.StringIO()
        self.aws = FakeLambda(self.clock.now)
        path = configured(home / "theirs")
        text = path.read_text().replace("restorecheck-state/prod", "state/prod")
        path.write_text(f'endpoint_url = "{endpoint}"\n{text}')
        self.path = path
        self.upload()
        self.environment = {
            "RESTORECHECK_CONFIG": "s3://state/config/",
            "RESTORECHECK_ENDPOINT_URL": endpoint,
            "AWS_REGION": REGION,
        }

    def upload(self) -> None:
        for file in self.path.parent.rglob("*.toml"):
            key = f"config/{file.relative_to(self.path.parent)}"
            self.s3.put_object(Bucket="state", Key=key, Body=file.read_bytes())

    def house(self, **more: Any) -> House:
        fields: dict[str, Any] = {"starter": self.aws, "stream": self.out} | more
        return House(self.environment, self.home / "tmp", self.clock, **fields)

    def files(self) -> list[str]:
        """Return what lies below our part of /tmp."""
        return sorted(str(f.relative_to(self.home / "tmp")) for f in (self.home / "tmp").rglob("*") if f.is_file())

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.getvalue().splitlines()]


@pytest.fixture
def yard(tmp_path: Path, bucket_endpoint: str, s3: Any, monkeypatch: pytest.MonkeyPatch) -> Yard:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_REGION", REGION)
    return Yard(tmp_path, bucket_endpoint, s3)


def test_a_process_ticks_again_and_again_and_leaves_nothing_more_on_its_disk(yard: Yard):
    house = yard.house()
    assert house.tick(Call("first")) == {"busy": False, "began": []}
    left = yard.files()
    assert [Path(name).name for name in left] == ["orders-db.toml", "config.toml", "service.key"]
    assert stat.S_IMODE((yard.home / "tmp" / "service.key").stat().st_mode) == 0o600
    yard.clock.skip(300)
    house.tick(Call("second"))
    assert yard.files() == left
    assert [(one["StoreUp"], one["ConfigurationLoaded"]) for one in yard.lines() if "StoreUp" in one] == [(1, 1)] * 2


def test_a_wrong_configuration_is_raised_by_every_tick_and_leaves_no_copy_of_itself(yard: Yard):
    house = yard.house()
    house.tick(Call("first"))
    left = yard.files()
    yard.path.write_text("state =")
    yard.upload()
    with pytest.raises(RestorecheckError, match=r"configuration: s3://state/config/config\.toml"):
        house.tick(Call("second"))
    assert yard.files() == left
    assert [one["ConfigurationLoaded"] for one in yard.lines() if "StoreUp" in one] == [1, 0]


def test_without_a_lambda_that_can_be_asked_everything_else_is_done_and_the_tick_raises(yard: Yard):
    for function, said in (("", "RESTORECHECK_RUN_FUNCTION is ''"), ("restorecheck-run:live", "ListDurable")):
        yard.environment["RESTORECHECK_RUN_FUNCTION"] = function
        with pytest.raises(RestorecheckError, match=f"of this tick failed: runs: .*{said}"):
            yard.house(starter=None).tick(Call())
        of_all = yard.lines()[-2]
        assert (of_all["StoreUp"], of_all["ConfigurationLoaded"]) == (1, 1)


def test_a_state_that_cannot_be_reached_is_measured_and_raised(yard: Yard, monkeypatch: pytest.MonkeyPatch):
    yard.environment["RESTORECHECK_CONFIG"] = str(yard.path)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    with pytest.raises(RestorecheckError, match="the state in s3://state/prod cannot be reached"):
        yard.house().tick(Call())
    assert [(one["StoreUp"], one["ConfigurationLoaded"]) for one in yard.lines()] == [(0, 1)]


def test_a_bucket_that_cannot_hold_a_state_is_measured_and_raised(yard: Yard):
    yard.s3.put_bucket_versioning(Bucket="state", VersioningConfiguration={"Status": "Suspended"})
    with pytest.raises(RestorecheckError, match=r"of this tick failed: state: .*does not keep versions"):
        yard.house().tick(Call())
    [line] = yard.lines()
    assert (line["StoreUp"], "SecondsSinceTick" in line) == (0, False)


def test_a_database_that_does_not_answer_is_measured_and_its_password_is_said_nowhere(yard: Yard):
    address = "postgresql://rc:hunter2@127.0.0.1:1/rc"
    text = yard.path.read_text()
    state = next(line for line in text.splitlines() if line.startswith("state"))
    yard.path.write_text(text.replace(state, f'state = "{address}"\nservice_key = "service.key"'))
    (yard.path.parent / "service.key").write_text("5e" * 32)
    yard.environment["RESTORECHECK_CONFIG"] = str(yard.path)
    with pytest.raises(RestorecheckError, match="of this tick failed: state: ") as found:
        yard.house().tick(Call())
    assert "hunter2" not in found.value.message
    assert yard.lines()[0]["StoreUp"] == 0


def test_a_folder_without_a_region_is_refused(yard: Yard):
    del yard.environment["AWS_REGION"]
    with pytest.raises(RestorecheckError, match="AWS_REGION is not set"):
        yard.house().tick(Call())


def test_a_disk_that_is_full_keeps_the_last_configuration_and_is_told(yard: Yard):
    house = yard.house()
    house.tick(Call("first"))
    yard.path.write_text(yard.path.read_text() + "# another\n")
    yard.upload()
    home = yard.home / "tmp"
    home.rename(yard.home / "aside")
    home.write_text("no directory can be made here")
    with pytest.raises(RestorecheckError, match="cannot be copied to"):
        yard.house().tick(Call("cold"))
    assert yard.lines()[-1]["ConfigurationLoaded"] == 0
    home.unlink()
    (yard.home / "aside").rename(home)
    assert house.tick(Call("again"))["busy"] is False


def test_a_bug_is_named_without_what_a_library_said_of_it(yard: Yard):
    class Broken(SkipClock):
        def now(self) -> Any:
            raise ValueError("hunter2")

    house = yard.house()
    house._clock = Broken(AT)
    for call in (house.sweep, lambda call: house.run({"run": RUN}, call)):
        with pytest.raises(Exception, match="ValueError") as found:
            call(Call())  # type: ignore[operator]
        assert "hunter2" not in str(found.value)


@pytest.mark.long
def test_a_sweep_looks_at_every_place_and_what_it_came_to_is_kept(yard: Yard):
    found = yard.house().sweep(Call())
    assert found["tripped"] == ""
    state = rooms.bucket_state(
        rooms.Configuration(yard.path, yard.home / "operator", yard.clock.now, lambda config: None)
        .current()
        .config.state,
        yard.home / "operator",
    )
    try:
        assert state.open().notes.get("sweep")["summary"] == found["summary"]
    finally:
        state.close()


def test_what_a_sweep_came_to_is_the_answer_of_the_call(yard: Yard):
    yard.environment["RESTORECHECK_CONFIG"] = str(yard.path)
    house = yard.house()
    short = house.sweep(Call(left=0.0))  # no time to look anywhere, which is not the same as to find nothing
    assert (short["blind"] > 1, short["tripped"]) == (True, "")


def test_a_run_that_finds_nothing_to_restore_ends_by_name_in_its_record(yard: Yard):
    work = yard.home / "tmp" / "work"
    work.mkdir(parents=True)
    (work / "orders-db-20261120t0300z").write_text("of an invocation that died")
    house = House(yard.environment, yard.home / "tmp", WallClock(), stream=yard.out)
    runner = DurableFunctionTestRunner(durable(house.run))
    try:
        with runner:
            result = runner.run(input=json.dumps({"run": RUN}), execution_timeout=60, execution_name=RUN)
    finally:
        runner._scheduler._loop.close()
    assert json.loads(result.result)["verdict"] != "passed"
    record = yard.s3.get_object(Bucket="state", Key=f"prod/runs/orders-db/{RUN}.json")["Body"].read()
    assert json.loads(record)["report"]["run_id"] == RUN


def test_what_cannot_be_tidied_ends_no_run():
    class Shut:
        def is_dir(self) -> bool:
            raise PermissionError("no")

    _tidy(SimpleNamespace(workplace=Shut()), RUN)  # type: ignore[arg-type]


def test_what_cannot_be_started_is_refused_by_name_whatever_is_asked():
    with pytest.raises(RestorecheckError, match="no ARN of a function"):
        function_arn("restorecheck-tick", "restorecheck-run:live")
    none = NoStarter(RestorecheckError("denied", kind="permission"))
    for ask in (lambda: none.start(RUN), none.running, lambda: none.status(RUN)):
        with pytest.raises(RestorecheckError, match="denied"):
            ask()  # type: ignore[operator]


@pytest.mark.parametrize(("error", "said"), [(StoreError("down"), "down"), (ValueError("hunter2"), "ValueError")])
def test_figures_that_cannot_be_read_are_heard_and_that_a_tick_came_is_said(
    tmp_path: Path, error: Exception, said: str
):
    class Down:
        @property
        def standings(self) -> Any:
            raise error

    out, heard = io.StringIO(), list[tuple[str, RestorecheckError]]()
    loaded = Loaded(load(configured(tmp_path)), AT)
    failed = lambda way, why: heard.append((way, why))  # noqa: E731
    measure(loaded, Down(), SkipClock(AT), ticked=AT, stream=out, failed=failed)  # type: ignore[arg-type]
    [(way, why)] = heard
    assert (way, why.message.startswith(said)) == ("figures", True)
    assert json.loads(out.getvalue().splitlines()[0])["StoreUp"] == 0


@pytest.fixture
def functions(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The functions in a new process, as far as they can tell."""
    monkeypatch.delenv("RESTORECHECK_CONFIG", raising=False)
    monkeypatch.setenv("RESTORECHECK_LOG_LEVEL", "loud")
    undo = log({})
    for made in (handler._house, handler._durable):
        made.cache_clear()
    yield
    for made in (handler._house, handler._durable):
        made.cache_clear()
    undo()


def test_what_lambda_calls_says_what_is_missing_whatever_the_level_of_the_log(
    functions: None, capsys: pytest.CaptureFixture[str]
):
    calls: tuple[Callable[[Any, Any], Any], ...] = (handler.tick, handler.sweep)
    for call in calls:
        with pytest.raises(RestorecheckError, match="RESTORECHECK_CONFIG is not set"):
            call({}, Call())
    [line] = capsys.readouterr().out.splitlines()
    assert json.loads(line)["ConfigurationLoaded"] == 0
    assert handler._durable() is handler._durable()
    with pytest.raises(Exception, match="durable"):
        handler.run({"run": RUN}, Call())
