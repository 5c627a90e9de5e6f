"""The server as a process: starts, stops, dies and leaves nothing behind; as root and as others, on any PostgreSQL."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest
from demo_world import FAST, SOURCE, World, connect, furnish, instance_in, until
from requirements import as_root_only, need

from restorecheck.demo.aws import binaries, orphans
from restorecheck.demo.aws.process import DemoAws, DemoAwsError

HOME = Path(__file__).parents[2]
DEBIAN = Path("/usr/lib/postgresql/15/bin")


def alive(pids: list[int]) -> bool:
    """Say whether any of these processes is there and no zombie."""
    for pid in pids:
        with contextlib.suppress(OSError):
            if ") Z " not in Path(f"/proc/{pid}/stat").read_text():
                return True
    return False


def children_of(pid: int) -> list[int]:
    """Return the children of a process, whichever of its threads started them."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):  # a thread that has ended meanwhile
            found += map(int, (task / "children").read_text().split())
    return found


def with_a_database(aws: DemoAws) -> list[int]:
    """Make a database and return the pids of all postgres."""
    world = furnish(aws)
    world.database("orders")
    pids: list[int] = aws.state()["postgres"]
    assert pids
    return pids


@pytest.mark.long
def test_stopping_leaves_nothing_behind() -> None:
    with DemoAws.start(timings=FAST) as aws:
        pids, root = with_a_database(aws), Path(aws.state()["data_dir"])
        assert root.is_dir()
        children = children_of(aws.pid)
        assert set(pids) < set(children)  # and the watchdog
    assert not alive([*pids, *children])
    assert not root.exists()
    aws.stop()  # a second time does nothing


@pytest.mark.long
def test_kill_9_leaves_no_postgres_and_no_directory() -> None:
    aws = DemoAws.start(timings=FAST)
    try:
        pids, root = with_a_database(aws), Path(aws.state()["data_dir"])
        os.kill(aws.pid, signal.SIGKILL)
        until(lambda: not alive(pids) and not root.exists())
    finally:
        aws.stop()


@pytest.mark.long
def test_a_chosen_directory_is_kept_and_can_be_used_again(tmp_path: Path, public: Path) -> None:
    for _ in range(2):
        with DemoAws.start(timings=FAST, data_dir=public / "data") as aws:
            assert aws.state()["data_dir"] == str(public / "data")
            with pytest.raises(DemoAwsError, match="did not start"):
                DemoAws.start(data_dir=public / "data")  # somebody works there
        assert (public / "data" / "lock").exists()


@pytest.fixture
def public() -> Iterator[Path]:
    """A directory that every user may enter, as pytest's own are not."""
    made = subprocess.run(["mktemp", "-d"], check=True, capture_output=True, text=True).stdout.strip()
    Path(made).chmod(0o755)
    yield Path(made)
    shutil.rmtree(made)


def test_what_dead_servers_left_is_cleaned_and_nothing_else(tmp_path: Path) -> None:
    dead, living, other, unborn = (tmp_path / name for name in ("dead", "living", "other", "unborn"))
    dead, living, unborn = (tmp_path / (orphans.PREFIX + path.name) for path in (dead, living, unborn))
    for path in (dead, living, other, unborn):
        (path / "instances").mkdir(parents=True)
    for path in (dead, living, other):
        (path / orphans.LOCK).touch()
    # Stands for a postgres that was left: what counts is the data directory on its command line.
    left = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)", "-D", str(dead / "instances" / "x")])
    lock = orphans.claim(living)
    with lock:
        until(lambda: orphans.postgres_under(dead) == [left.pid])
        assert orphans.clean(tmp_path) == [dead]
    assert left.wait(10) in (-signal.SIGQUIT, -signal.SIGKILL)  # killed, if a busy machine let it dump core for long
    assert {path.name for path in tmp_path.iterdir()} == {living.name, other.name, unborn.name}


@pytest.mark.long
def test_a_wrong_start_is_told_in_one_line() -> None:
    for arguments, words in (
        (["--postgres-bin", "/nowhere"], "/nowhere holds no program named postgres"),
        (["--timings", "creat=1"], "creat"),
        (["--timings", "create=-1"], "not a number of seconds"),
    ):
        command = [sys.executable, "-m", "restorecheck.demo.aws", "--port", "0", *arguments]
        done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=HOME)
        assert done.returncode == 2
        assert words in done.stderr.splitlines()[-1]
        assert done.stdout == ""


@pytest.mark.long
def test_an_occupied_port_is_told(aws: DemoAws) -> None:
    with pytest.raises(DemoAwsError, match="did not start"):
        DemoAws.start(port=int(aws.url.rsplit(":", 1)[1]))


def python_for(user: binaries.User, env: dict[str, str]) -> str | None:
    """Return a Python that a user can run with our packages: this one may lie in a private home directory."""
    major, minor = sys.version_info[:2]
    for candidate in (sys.executable, f"/usr/bin/python{major}.{minor}"):
        with contextlib.suppress(OSError):
            trial = [candidate, "-c", "import moto, psycopg, restorecheck"]
            if subprocess.run(trial, check=False, capture_output=True, cwd=HOME, env=env, **user.popen).returncode == 0:
                return candidate
    return None


@pytest.mark.long
def test_it_runs_as_an_ordinary_user() -> None:
    as_root_only("only root can become somebody else; everybody else already is an ordinary user")
    user = binaries.User.suitable()
    env = os.environ | {"PYTHONPATH": sysconfig.get_path("purelib")}
    python = python_for(user, env)
    need(python, "`nobody` can run no Python of this version")
    command = [str(python), "-m", "restorecheck.demo.aws", "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=HOME, env=env, **user.popen)
    try:
        assert process.stdout is not None
        aws = DemoAws(process.stdout.readline().split()[1])
        pids = with_a_database(aws)
        assert {Path(f"/proc/{pid}").stat().st_uid for pid in pids} == {user.uid}
    finally:
        process.terminate()
        process.communicate(timeout=30)
    assert process.returncode == 0
    assert not alive(pids)


def test_postgres_runs_as_nobody_under_root(fresh_aws: DemoAws) -> None:
    as_root_only("only root has to become somebody else")
    assert 0 not in {Path(f"/proc/{pid}").stat().st_uid for pid in with_a_database(fresh_aws)}


def test_programs_that_nobody_can_reach_are_copied(public: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    as_root_only("an ordinary user runs PostgreSQL as himself and can reach it")
    package = binaries._of_wheel().parent.parent
    private = public / "private"
    private.mkdir(mode=0o700)
    shutil.copytree(package / "pginstall", private / package.name / "pginstall")
    shutil.copytree(package.with_name(package.name + ".libs"), private / (package.name + ".libs"))
    unreachable = private / package.name / "pginstall" / "bin"
    user = binaries.User.suitable()
    with pytest.raises(binaries.NoPostgresError, match="make it readable to all"):
        binaries.find(unreachable, public, user)
    monkeypatch.setattr(binaries, "_of_wheel", lambda: unreachable)
    found = binaries.find(None, public, user)
    assert found.bin.is_relative_to(public / "programs")
    for program in ("postgres", "initdb", "pg_basebackup"):
        subprocess.run([found.command(program), "--version"], check=True, capture_output=True, cwd="/", **user.popen)


@pytest.mark.long
def test_debians_postgresql_serves_as_well() -> None:
    need((DEBIAN / "postgres").exists(), f"PostgreSQL 15 of Debian is not in {DEBIAN}")
    with DemoAws.start(timings=FAST, postgres_bin=DEBIAN, checksums=False) as aws:
        world = furnish(aws)
        instance = world.database("orders", "create table t as select 1 as id")
        assert instance["EngineVersion"].startswith("15.")
        assert instance["DBParameterGroups"][0]["DBParameterGroupName"] == "default.postgres15"
        world.snapshot("orders", "s")
        world.source_rds.restore_db_instance_from_db_snapshot(DBInstanceIdentifier="again", DBSnapshotIdentifier="s")
        with connect(instance_in(world.source_rds, "again")) as connection:
            assert connection.execute("select id from t").fetchall() == [(1,)]
            assert connection.execute("show data_checksums").fetchone() == ("off",)


def test_a_reset_empties_everything(world: World) -> None:
    aws = world.aws
    world.database("orders")
    world.snapshot("orders", "s")
    world.source_rds.restore_db_instance_from_db_snapshot(DBInstanceIdentifier="r", DBSnapshotIdentifier="s")
    aws.fault("X", code="Y")
    aws.timings(create=50)
    aws.reset()
    root = Path(aws.state()["data_dir"])
    assert aws.state()["postgres"] == orphans.postgres_under(root) == []
    assert [list((root / name).iterdir()) for name in ("instances", "snapshots")] == [[], []]
    assert aws.digest([SOURCE]) == {SOURCE: {}}
    assert aws.faults() == aws.calls() == []
    assert aws.timings()["create"] == FAST["create"]
    assert aws.client("iam", SOURCE).list_roles()["Roles"] == []


def test_a_digest_sees_every_change(world: World) -> None:
    aws = world.aws
    arn = world.database("orders")["DBInstanceArn"]
    world.snapshot("orders", "s")
    before = aws.digest([SOURCE])
    assert aws.digest([SOURCE]) == before
    world.source_rds.add_tags_to_resource(ResourceName=arn, Tags=[{"Key": "a", "Value": "b"}])
    assert aws.digest([SOURCE]) != before
    world.source_rds.remove_tags_from_resource(ResourceName=arn, TagKeys=["a"])
    assert aws.digest([SOURCE]) == before
    world.share("s")
    assert aws.digest([SOURCE]) != before
