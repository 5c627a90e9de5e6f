"""kill -9 of `restorecheck run` at every edge of every step, then the same command again: as if nothing had been."""

import base64
import contextlib
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from demo_world import LONG, SCRATCH, SOURCE, World
from dump_forms import Forms, forms
from postgres_server import embedded
from product import Product, Ran

from restorecheck.model import Verdict

MORTAL = Path(__file__).parent / "mortal.py"


def steps(there: tuple[str, ...], back: tuple[str, ...]) -> list[str]:
    """All steps of a run with these legs."""
    waited = ((*(n for name in legs for n in (name, f"{name}: wait")),) for legs in (there, back))
    return ["plan", "find", *next(waited), "examine", *next(waited), "prove", "record"]


STEPS = steps(
    ("export", "share", "import", "restore", "open"), ("drop instance", "drop import", "unshare", "drop export")
)
OTHERS = {
    "aurora": steps(
        ("export", "share", "import", "restore", "instance", "open"),
        ("drop instance", "drop cluster", "drop import", "unshare", "drop export"),
    ),
    "objects": steps(("lease", "restore"), ("drop objects",)),
    "dump": steps(("download", "restore"), ("drop server",)),
}
EDGES = ("before", "unrecorded", "after")
FEW = [
    ("import: wait", "before"),
    ("restore", "unrecorded"),
    ("drop instance", "after"),
]


def witnessed(product: Product) -> list[tuple[str, str]]:
    lines = (product.home / "witness").read_text().splitlines()
    return [(event, step) for event, _, step in (line.partition(" ") for line in lines)]


def killed(product: Product, step: str, edge: str) -> None:
    witness = str(product.home / "witness")
    before = product.run("run", "shop-db", script=MORTAL, left=True, DIE_AT=f"{step}|{edge}", WITNESS=witness)
    assert before.code == -signal.SIGKILL, f"it survived {edge} {step}: {before}"


def again(product: Product) -> Ran:
    return product.run("run", "shop-db", "--json", script=MORTAL, WITNESS=str(product.home / "witness"))


def finished_once(product: Product, where: str) -> set[str]:
    """Return the steps that were recorded, none of which ran again."""
    finished: set[str] = set()
    for event, step in witnessed(product):
        if event == "ran":
            assert step not in finished, f"{where}: {step} was finished and ran again"
        else:
            finished.add(step)
    return finished


def check_story(product: Product, ran: Ran, where: str, steps: list[str] = STEPS) -> None:
    assert ran.report["verdict"] == "passed", where
    assert ran.code == 0, where
    assert ran.report["leaked"] == [], where
    assert finished_once(product, where) == set(steps), where


def killed_in_every_life(product: Product, steps: list[str], edge: str) -> None:
    """One run, as many lives as it has steps: each takes it up where the one before died, and dies one step later."""
    for step in steps:
        killed(product, step, edge)
    if edge == "before":
        check_story(product, again(product), f"{edge} every step", steps)
        return
    assert finished_once(product, edge) >= {*steps} - {"record"}
    # The proof is kept and the run is over; only the process's last breath is missing. This is another run.
    assert again(product).report["verdict"] == "passed"
    with product.store() as store:
        [second, first] = store.proofs.runs()
    assert (first.verdict, first.leaked) == (Verdict.PASSED, ())
    assert first.run_id != second.run_id


# --- the other sources: the check has the same name ----------------------------------------------------------------


def clustered(world: World, home: Path, dumped: Callable[[], Forms]) -> Product:
    del dumped
    world.cluster("shop", "create table orders (id int)", StorageEncrypted=True, KmsKeyId=world.source_key)
    world.aws.automated_cluster_snapshot(SOURCE, "shop")
    made = Product(world, home)
    made.configure(instance_class="db.serverless", capacity=[0.5, 2])
    made.declare("shop-db", {"type": "aurora", "cluster": "shop", "database": "shop", "copy": True})
    return made


def in_a_bucket(world: World, home: Path, dumped: Callable[[], Forms]) -> Product:
    del dumped
    world.bucket("exports")
    world.readable("exports")
    world.bucket("restorecheck-lab", SCRATCH).put_object(Bucket="restorecheck-lab", Key="of-others", Body=b"x")
    at = datetime.now(UTC) - timedelta(hours=5)
    world.aws.history(SOURCE, "exports", [{"key": f"k{n}", "body": str(n), "at": at} for n in range(20)])
    made = Product(world, home)
    made.configure(bucket="restorecheck-lab")
    made.declare("shop-db", {"type": "s3-objects", "bucket": "exports", "at": "1h"})
    return made


def in_a_dump(world: World, home: Path, dumped: Callable[[], Forms]) -> Product:
    world.bucket("dumps")
    body = base64.b64encode(dumped()["custom-gzip"].read_bytes()).decode()
    at = datetime.now(UTC) - timedelta(hours=5)
    world.aws.history(SOURCE, "dumps", [{"key": "shop.dump", "base64": body, "at": at}])
    made = Product(world, home, top={"workplace": tempfile.mkdtemp(prefix="restorecheck-e2e-", dir="/tmp")})
    made.work.chmod(0o711)  # pytest's own directories let nobody in, and under root a server is somebody else
    made.configure()
    source = {"type": "s3-dump", "bucket": "dumps", "object": "*.dump", "database": "shop", "roles": ["app"]}
    made.declare("shop-db", source)
    return made


BUILT = {"aurora": clustered, "objects": in_a_bucket, "dump": in_a_dump}


@pytest.fixture(scope="module")
def dumped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Forms]]:
    """Makes dumps for whoever asks for them, and only then."""
    with contextlib.ExitStack() as stack:
        made: list[Forms] = []

        def make() -> Forms:
            if not made:
                opened = contextlib.contextmanager(forms)(embedded(), tmp_path_factory.mktemp("dumps"))
                made.append(stack.enter_context(opened))
            return made[0]

        yield make


@pytest.fixture
def built(world: World, tmp_path: Path, dumped: Callable[[], Forms]) -> Iterator[Callable[[str], Product]]:
    """Builds restorecheck with one check of a kind of source."""
    made: list[Product] = []

    def build(kind: str) -> Product:
        made.append(BUILT[kind](world, tmp_path, dumped))
        return made[-1]

    yield build
    for product in made:
        shutil.rmtree(product.work, ignore_errors=True)


@pytest.mark.long
def test_a_run_of_a_cluster_is_killed_and_begun_again(built: Callable[[str], Product]):
    product = built("aurora")
    killed(product, "instance", "unrecorded")
    check_story(product, again(product), "unrecorded instance", OTHERS["aurora"])


@pytest.mark.long
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("edge", EDGES)
@pytest.mark.parametrize("kind", sorted(OTHERS))
def test_killed_at_every_edge_of_every_step_of_the_other_sources(built: Callable[[str], Product], kind: str, edge: str):
    killed_in_every_life(built(kind), OTHERS[kind], edge)


# --- instances -----------------------------------------------------------------------------------------------------


@pytest.mark.long
@pytest.mark.parametrize(("step", "edge"), FEW)
def test_killed_and_begun_again(product: Product, step: str, edge: str):
    product.world.aws.automated_snapshot(SOURCE, "shop")
    killed(product, step, edge)
    check_story(product, again(product), f"{edge} {step}")


@pytest.mark.long
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("edge", EDGES)
def test_killed_at_every_edge_of_every_step(product: Product, edge: str):
    product.world.aws.automated_snapshot(SOURCE, "shop")
    killed_in_every_life(product, STEPS, edge)


def known(product: Product) -> tuple[int, int]:
    """Return how many runs have ended, and how many go on or wait."""
    with product.store() as store:
        return len(store.proofs.runs()), len(store.ledger.running()) + len(store.ledger.waiting())


@pytest.mark.long
@pytest.mark.timeout(600)
def test_killed_from_outside_again_and_again(product: Product):
    """No edge is chosen: a real kill -9 comes 0.3 s later in every life, until one life is long enough."""
    product.world.aws.automated_snapshot(SOURCE, "shop")
    before = product.estate()
    unheard = 0
    for life in range(1, 60):
        ended, going_on = known(product)
        process = product.popen("run", "shop-db", "--json")
        deadline = time.monotonic() + 0.8 + 0.3 * life
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(deadline - time.monotonic())
        if process.poll() is not None:
            break
        process.kill()
        process.communicate()
        now_ended, now_going_on = known(product)
        assert now_ended + now_going_on <= ended + max(going_on, 1)  # what goes on is taken up, not begun beside it
        unheard += now_ended - ended
    out, err = process.communicate()
    ran = Ran(process.returncode, out, err)
    assert ran.report["verdict"] == "passed", ran
    assert life > 3
    product.compare(before, left=False, told=str(ran))
    history = product.run("history", "--json").json["reports"]
    # A kill between the last record and the last word lets a run end unheard: the next life then begins another.
    assert {report["verdict"] for report in history} == {"passed"}
    assert len(history) == unheard + 1
    restores = [c for c in product.world.aws.calls() if c["operation"] == "RestoreDBInstanceFromDBSnapshot"]
    assert len({c["parameters"]["DBInstanceIdentifier"] for c in restores}) == len(history)


@pytest.mark.long
def test_a_run_that_goes_on_is_not_begun_twice(product: Product):
    product.limits["restore"] = "1h"
    product.configure()
    product.world.aws.timings(create=LONG)
    product.world.snapshot("shop", "weekly")
    first = product.popen("run", "shop-db")
    assert first.stderr is not None
    for line in first.stderr:
        if "restore: creating" in line:
            break
    second = product.run("run", "shop-db", left=True)
    assert second.code == 2
    assert f"by process {first.pid}" in second.err
    first.send_signal(signal.SIGINT)
    out, err = first.communicate(timeout=60)
    assert first.returncode == 3, (out, err)
    assert "cancelled" in out
    assert product.estate()["ours"] == {}


@pytest.mark.long
def test_a_second_interrupt_stops_at_once_and_the_next_run_cleans_up(product: Product):
    product.world.aws.timings(create=LONG, delete=LONG)
    product.world.snapshot("shop", "weekly")
    before = product.estate()
    first = product.popen("run", "shop-db")
    assert first.stderr is not None
    for line in first.stderr:
        if "restore: creating" in line:
            first.send_signal(signal.SIGINT)
        if "drop instance: deleting" in line:
            first.send_signal(signal.SIGINT)
            break
    first.communicate(timeout=60)
    assert first.returncode == 130
    product.world.aws.skip(LONG)
    second = product.popen("run", "shop-db", "--json")
    ran = Ran(0, *second.communicate(timeout=60))
    assert (second.returncode, ran.report["failure"]["kind"]) == (3, "cancelled")
    product.compare(before, left=False, told=str(ran))
