"""Every form of a dump, cut off and with a byte flipped: never green with other rows, unless the proof says so."""

from __future__ import annotations

import random
import shutil
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from dump_forms import (
    ARCHIVES,
    LONG,
    NEWER_ARCHIVES,
    ROLES,
    SCRIPTS,
    Came,
    Forms,
    digest_of,
    files_of,
    forms,
    postgres17,
)
from postgres_server import embedded

from restorecheck import failures
from restorecheck.databases.interface import Login
from restorecheck.databases.scratch_postgres import Locale, ScratchPostgres
from restorecheck.dumps import Loader, Wanted
from restorecheck.errors import RestorecheckError
from restorecheck.model import Verdict

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]

CUTS = (0.1, 0.3, 0.6, 0.9, 0.99)
FLIPS = 20


class Bench:
    """One scratch server on which many dumps are loaded, each into a database of its own."""

    def __init__(self, made: Forms, server: ScratchPostgres, place: Path) -> None:
        self.made, self._server, self._place = made, server, place

    def login(self) -> Login:
        name = f"x{uuid.uuid4().hex}"
        self._server.create(name, Locale(), ROLES)
        return self._server.login(name)

    def load(self, dump: Path) -> Came:
        wanted = Wanted("shop", "directory" if dump.is_dir() else "file", ROLES, (), 2, (self.made.binaries,))
        loader = Loader(wanted, self._place, server=self.login, path="")
        try:
            described = loader.inspect(files_of(dump), LONG, lambda: False)
            loaded = loader.load("", LONG, lambda: False)
        except RestorecheckError as e:
            return Came(e.kind, e.message)
        finally:
            loader.close()
        observation = loaded.observations[0]
        digest = digest_of(loaded.login)
        with self._server.connect("postgres") as connection:
            connection.execute(f'DROP DATABASE "{loaded.login.database}" WITH (FORCE)')
        return Came(observation.kind, observation.message, digest, described, loaded)

    def copy(self, name: str) -> Path:
        target = self._place / "damaged"
        if target.is_dir():
            shutil.rmtree(target)
        target.unlink(missing_ok=True)
        if self.made[name].is_dir():
            shutil.copytree(self.made[name], target)
        else:
            shutil.copy(self.made[name], target)
        return target


def _bench(binaries: Path, major: int, place: Path) -> Iterator[Bench]:
    for made in forms(binaries, place):
        with ScratchPostgres(binaries, major, place / "server", password="only-for-tests") as server:
            yield Bench(made, server.start(), place)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    yield from _bench(embedded(), 18, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def seventeen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    yield from _bench(postgres17(), 17, tmp_path_factory.mktemp("seventeen"))


CASES = [("wheel", name) for name in (*ARCHIVES, *SCRIPTS)] + [("seventeen", n) for n in (*ARCHIVES, *NEWER_ARCHIVES)]


@pytest.fixture(params=CASES, ids=["-".join(case) for case in CASES])
def case(request: pytest.FixtureRequest) -> tuple[Bench, str]:
    which, name = request.param
    return request.getfixturevalue(which), name


def targets(dump: Path) -> list[Path]:
    """Return the files of a dump that hold anything worth damaging, the largest first."""
    return sorted((p for p in files_of(dump) if p.stat().st_size > 12), key=lambda p: -p.stat().st_size)


def test_a_healthy_dump_passes(case: tuple[Bench, str]) -> None:
    bench, name = case
    came = bench.load(bench.made[name])
    assert (came.kind, came.message) == ("", "")
    assert came.digest == bench.made.digest


def test_a_dump_that_is_cut_off_is_broken(case: tuple[Bench, str]) -> None:
    bench, name = case
    for part in CUTS:
        for nth in range(min(3, len(targets(bench.made[name])))):
            dump = bench.copy(name)
            victim = targets(dump)[nth]
            data = victim.read_bytes()
            victim.write_bytes(data[: int(len(data) * part)])
            came = bench.load(dump)
            assert came.kind in {"dump-damaged", "dump-errors"}, (part, victim.name, came)
            assert failures.kind(came.kind).verdict is Verdict.BROKEN


def test_a_dump_of_no_bytes_is_broken(case: tuple[Bench, str]) -> None:
    bench, name = case
    for nth in range(len(targets(bench.made[name]))):
        dump = bench.copy(name)
        victim = targets(dump)[nth]
        victim.write_bytes(b"")
        if name == "directory-none" and victim.name.startswith("blob_"):  # may be an empty large object, and says so
            loaded = bench.load(dump).loaded
            assert loaded
            assert "only the object's checksum shows it" in loaded.proven[-1]
            continue
        assert bench.load(dump).kind == "dump-damaged", victim.name


def test_a_file_of_a_directory_that_is_missing_is_broken(case: tuple[Bench, str]) -> None:
    bench, name = case
    if not bench.made[name].is_dir():
        return
    for path in files_of(bench.made[name]):
        dump = bench.copy(name)
        (dump / path.name).unlink()
        assert bench.load(dump).kind == "dump-damaged", path.name


def test_a_flipped_byte_is_noticed_or_the_proof_says_that_it_would_not_be(case: tuple[Bench, str]) -> None:
    bench, name = case
    chance = random.Random(name)
    kinds: Counter[str] = Counter()
    for nth in range(FLIPS):
        dump = bench.copy(name)
        found = targets(dump)
        victim = found[nth % len(found)]
        data = bytearray(victim.read_bytes())
        place = int(len(data) * (nth + chance.random()) / FLIPS)
        data[place] ^= 1 << chance.randrange(8)
        victim.write_bytes(data)
        came = bench.load(dump)
        same = came.digest == bench.made.digest
        kinds[came.kind or ("same rows" if same else "other rows")] += 1
        if not came.kind and not same:
            assert came.loaded
            assert any("only the object's checksum shows it" in line for line in came.loaded.proven), (place, came)
        if came.kind and failures.kind(came.kind).verdict is not Verdict.BROKEN:
            # a flip may turn a name into one that is not here; that is no accusation, and no pass either
            assert came.kind in {"environment", "unknown-answer"}, (place, came)
    assert kinds.total() == FLIPS
    assert "internal" not in kinds
