"""The image, built and run: not as root, on a read-only root, with nothing but its volume and /tmp to write to.

Of the PostgreSQLs it has Debian's one and the wheel's: the archive that has all five cannot be reached from everywhere.
"""

from __future__ import annotations

import json
import subprocess
import sys
import uuid
from pathlib import Path

import pytest
from deploy.container_engine import HARDENED, LOCAL, ROOT, Engine, engine

MAJORS = "17"
EXAMPLE = f"--volume={ROOT}/deploy/kubernetes/examples/single:/etc/restorecheck:ro"
CREDENTIALS = (
    "--env=AWS_ACCESS_KEY_ID=AKIADEMO444444444444",
    "--env=AWS_SECRET_ACCESS_KEY=demo",
    "--env=AWS_EC2_METADATA_DISABLED=true",
)
STAGED = {
    "billing-db": "unproven", "courses-db": "passed", "forum-dump": "passed", "orders-db": "broken",
    "uploads": "passed", "wiki-dump": "broken",
}  # fmt: skip
ORPHAN = """
    import subprocess, time
    orphan = "sleep 1 >/dev/null & echo $!"  # its parent is gone at once: it falls to process 1
    number = subprocess.run(["sh", "-c", orphan], capture_output=True, text=True).stdout.strip()
    def state():
        try:
            return open(f"/proc/{number}/stat").read().partition(") ")[2][0]
        except OSError:
            return "buried"
    until = time.monotonic() + 20
    while state() in "SRD" and time.monotonic() < until:
        time.sleep(0.05)
    time.sleep(0.5)  # what process 1 takes at most
    print(state())
"""
KILLED_GUARDIAN = """
    import os, secrets, signal, time
    from pathlib import Path
    from restorecheck.databases.scratch_postgres import ScratchPostgres, sweep
    from restorecheck.dumps.programs import installations
    found, _ = installations()
    one = next(i for i in found if i.major == 17)
    server = ScratchPostgres(one.bin, one.major, Path("/var/lib/restorecheck/try"), password=secrets.token_hex(8))
    server.start()
    data = server.directory / "data"
    postmaster = int((data / "postmaster.pid").read_text().split()[0])
    os.kill(server._guarded._process.pid, signal.SIGKILL)
    server.close()
    until = time.monotonic() + 20
    while Path(f"/proc/{postmaster}").exists() and time.monotonic() < until:
        time.sleep(0.05)
    print("gone" if not Path(f"/proc/{postmaster}").exists() else Path(f"/proc/{postmaster}/status").read_text())
    sweep(server.directory.parent)  # as upkeep does, if the server was still dying when it was closed
    print("removed" if not server.directory.exists() else "left")
"""


@pytest.mark.image
@pytest.mark.timeout(1200)
def test_the_image_is_built_and_runs_hardened(tmp_path: Path) -> None:
    with engine(tmp_path / "engine") as podman:
        image = podman.build("service", POSTGRESQL=MAJORS, PGDG="", WITHOUT="")
        is_what_it_says(podman, image)
        answers_and_refuses(podman, image)
        serves_and_drains(podman, image)
        buries_what_falls_to_it(podman, image)
        measures(podman, image)
        restores(podman, image, podman.build("demo", POSTGRESQL=MAJORS, PGDG="", WITHOUT=""))


def is_what_it_says(podman: Engine, image: str) -> None:
    inspected = json.loads(podman("image", "inspect", image))[0]
    config = inspected["Config"]
    assert config["User"] == "65532:65532"
    assert config["Cmd"][0] == "serve"
    assert config["StopSignal"] == "SIGTERM"
    assert inspected["Healthcheck"]["Test"] == ["CMD", "restorecheck", "healthy"]
    assert config["Labels"]["org.opencontainers.image.licenses"] == "Apache-2.0"
    said = podman(
        "run", "--rm", *LOCAL, *HARDENED, "--entrypoint=sh", image, "-c", "id -u; which gcc cc pip pip3 make; true"
    )
    assert said == "65532\n"


def answers_and_refuses(podman: Engine, image: str) -> None:
    run = ("run", "--rm", *LOCAL, *HARDENED)
    assert podman(*run, image, "--version").startswith("restorecheck ")
    assert "2 checks with 5 assertions, no problem found" in podman(*run, EXAMPLE, image, "check-config")
    without = podman.ask(*run, image)
    assert without.returncode == 2
    assert "/etc/restorecheck/config.toml" in without.stderr
    foreign = podman.ask(*run, "--user=1000", EXAMPLE, image)
    assert foreign.returncode == 2
    assert "the state directory /var/lib/restorecheck/state cannot be made: Permission denied" in foreign.stderr


def serves_and_drains(podman: Engine, image: str) -> None:
    with podman.running(_name(), *HARDENED, EXAMPLE, image) as name:
        podman.until(name, "restorecheck", "healthy")
        assert "store: /var/lib/restorecheck/state: ok" in podman.until(name, "restorecheck", "healthy", "--ready")
        written = podman.inside(name, "sh", "-c", "find / -xdev -user 65532 2>/dev/null; true")
        assert all(line.startswith("/var/lib/restorecheck") for line in written.split()), written
        assert podman.inside(name, "cat", "/proc/1/comm") == "tini\n"
        podman.inside(name, "sh", "-c", "kill -HUP 1")  # is passed on
        code, seconds = podman.stopped(name)
        said = podman.ask("logs", name).stderr
        assert (code, seconds < 20) == (0, True), said
        events = [json.loads(line)["event"] for line in said.splitlines()]
        assert "configuration.loaded" in events
        assert events[-1] == "service.stopped"


def buries_what_falls_to_it(podman: Engine, image: str) -> None:
    with podman.running(_name(), *HARDENED, EXAMPLE, image) as name:
        podman.until(name, "restorecheck", "healthy")
        assert podman.python(name, ORPHAN) == "buried\n"
        assert podman.python(name, KILLED_GUARDIAN) == "gone\nremoved\n"
    alone = ("--entrypoint=restorecheck", EXAMPLE, image, "serve")  # without tini they stay: the check can fail
    with podman.running(_name(), *HARDENED, *alone) as name:
        podman.until(name, "restorecheck", "healthy")
        assert podman.python(name, ORPHAN) == "Z\n"


def measures(podman: Engine, image: str) -> None:
    options = ["--engine", podman.command, "--options", " ".join(LOCAL), "--rounds", "1"]
    done = subprocess.run(
        [sys.executable, ROOT / "deploy/container/measure.py", image, *options],
        capture_output=True,
        text=True,
        check=False,
        env=podman.environment,
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1].removeprefix("RESULT "))
    assert result["mib"] > 100
    assert 0 < result["ready_seconds"] < 60


def restores(podman: Engine, image: str, demo: str) -> None:
    """The first look of compose.yaml: every check comes out as staged, stopped halfway and started again."""
    declared, state = _name(), _name()
    with podman.running(_name(), "--network=none", f"--volume={declared}:/demo", demo) as aws:
        podman.until(aws, "python", "/opt/stage.py", "--healthy", within=180)
        volumes = (f"--volume={declared}:/etc/restorecheck:ro", f"--volume={state}:/var/lib/restorecheck")
        beside = (f"--network=container:{aws}", *HARDENED[1:], "--shm-size=256m", *CREDENTIALS, *volumes, image)
        with podman.running(_name(), *beside) as name:
            podman.until(name, "restorecheck", "healthy", "--ready")
            podman.inside(name, "restorecheck", "run", "--all", "--detach")
            podman.until(name, "sh", "-c", 'restorecheck status | grep -q "[1-9] under way"')
            code, seconds = podman.stopped(name)
            assert (code, seconds < 30) == (0, True)
        with podman.running(_name(), *beside) as name:
            done = 'test "$(restorecheck history --json | grep -c \\"verdict\\")" -ge 6'
            podman.until(name, "sh", "-c", done, within=240)
            runs = json.loads(podman.inside(name, "restorecheck", "history", "--json"))["reports"]
            assert {run["check"]: run["verdict"] for run in reversed(runs)} == STAGED
            assert podman.inside(name, "sh", "-c", "ls /var/lib/restorecheck/state/work") == ""
            assert "Z" not in podman.inside(name, "ps", "-eo", "stat=")


def _name() -> str:
    return f"restorecheck-{uuid.uuid4().hex[:8]}"
