"""Every broken backup that can be staged, and every healthy one, run for real: `make corpus`.

Words choose: a kind (K16, healthy), or a part of a name. Prints one line for each, the kinds that are not staged and
why, and RESULT {json}. The exit code is 1 if a broken one was not caught as meant, if a healthy one was called anything
but passed, or if a kind is neither staged nor said to be unstaged. Two demo AWS run side by side, each case on an empty
one.
"""

from __future__ import annotations

import json
import multiprocessing
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from multiprocessing.queues import Queue
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parent)]

import buckets  # noqa: F401 - the modules add their cases
import damaged_databases  # noqa: F401
import databases  # noqa: F401
import dumps  # noqa: F401
import healthy  # noqa: F401
import placed_databases  # noqa: F401
import pytest
from case import CASES, HEALTHY, Case
from demo_world import World, furnish
from field_kinds import KINDS, UNSTAGED
from product import Product

from restorecheck.demo.aws.process import FAST, DemoAws

WORLDS = 2
"""As many as a small machine has cores."""


@dataclass(frozen=True)
class Outcome:
    """What came of one staged backup."""

    kind: str
    name: str
    said: str  # the verdict and failure kind
    wrong: str = ""
    seconds: float = 0.0
    skipped: str = ""  # why it could not be staged on this machine

    @property
    def line(self) -> str:
        """Return its line of the table."""
        mark = "skipped" if self.skipped else "WRONG" if self.wrong else "ok"
        said = f"{self.kind:<8}{self.name[:72]:<74}{self.said:<34}{self.seconds:>6.1f} s  {mark}"
        more = self.wrong or self.skipped
        return f"{said}\n        {more}" if more else said


def run(one: Case, world: World, home: Path) -> list[Outcome]:
    """Stage one case in a world of its own, and return what came of it: one, or one for each of its shapes."""
    began = time.monotonic()
    names = one.shapes or (one.name,)
    product = Product(world, home)
    product.configure()
    try:
        report = one.stage(product)
    except pytest.skip.Exception as e:
        return [Outcome(one.kind, name, "", skipped=str(e)) for name in names]
    except (Exception, pytest.fail.Exception):  # noqa: BLE001 - one case must not end the others
        told = "".join(traceback.format_exc(limit=-4))
        seconds = time.monotonic() - began
        return [Outcome(one.kind, n, "error", "as above" if i else told, seconds) for i, n in enumerate(names)]
    seconds = (time.monotonic() - began) / len(names)
    said = f"{report.verdict}{f' {report.failure.kind}' if report.failure else ''}"
    return [Outcome(one.kind, name, said, wrong, seconds) for name, wrong in one.outcomes(report)]


def chosen(words: Sequence[str]) -> list[Case]:
    """Return the cases that the words choose; without words, all."""
    if not words:
        return list(CASES)
    return [c for c in CASES if any(w.lower() == c.kind.lower() or w.lower() in c.name.lower() for w in words)]


def in_order(cases: Sequence[Case]) -> list[Case]:
    """Return them by their kinds' numbers, the healthy ones last."""
    return sorted(cases, key=lambda c: list(KINDS).index(c.kind) if c.kind in KINDS else len(KINDS))


def unaccounted() -> list[str]:
    """Return what is wrong with the corpus itself: kinds neither staged nor excused, or both, or unknown."""
    staged = {c.kind for c in CASES}
    wrong = [f"{kind} is neither staged nor said why not" for kind in KINDS if kind not in staged | set(UNSTAGED)]
    wrong += [f"{kind} is staged, and said not to be" for kind in UNSTAGED if kind in staged]
    return wrong + [f"{kind} is no kind" for kind in sorted((staged | set(UNSTAGED)) - set(KINDS) - {HEALTHY})]


def result(outcomes: Sequence[Outcome]) -> dict[str, int]:
    """Return the figures. A kind is caught if each of its backups came out as meant."""
    done = [o for o in outcomes if not o.skipped]
    staged = {o.kind for o in done if o.kind != HEALTHY}
    missed = {o.kind for o in done if o.wrong}
    return {
        "kinds_staged": len(staged),
        "caught": len(staged - missed),
        "healthy": sum(o.kind == HEALTHY for o in done),
        "false_alarms": sum(o.kind == HEALTHY and bool(o.wrong) for o in done),
    }


# --- side by side -----------------------------------------------------------------------------------------------------

_mine: list[DemoAws] = []
"""Of a worker: its demo AWS."""


def _settle(urls: Queue[str]) -> None:
    _mine[:] = [DemoAws(urls.get())]


def _stage(number: int) -> list[Outcome]:
    aws = _mine[0]
    aws.reset()
    with tempfile.TemporaryDirectory(prefix="restorecheck-corpus-") as home:
        return run(CASES[number], furnish(aws), Path(home))


def survey(cases: Sequence[Case], tell: Callable[[str], object]) -> list[Outcome]:
    """Run cases, two at a time; what is many in one first. Tells each line in the order of the cases."""
    context = multiprocessing.get_context("spawn")
    urls: Queue[str] = context.Queue()
    with ExitStack() as stack:
        for _ in range(WORLDS):
            urls.put(stack.enter_context(DemoAws.start(timings=FAST)).url)
        pool = ProcessPoolExecutor(WORLDS, context, _settle, (urls,))
        stack.callback(pool.shutdown, cancel_futures=True)
        order = sorted(cases, key=lambda c: -len(c.shapes))
        begun = {id(one): pool.submit(_stage, CASES.index(one)) for one in order}
        return list(_told((begun[id(one)].result() for one in cases), tell))


def _told(results: Iterator[list[Outcome]], tell: Callable[[str], object]) -> Iterator[Outcome]:
    for outcomes in results:
        for one in outcomes:
            tell(one.line)
            yield one


def main(words: Sequence[str]) -> int:
    """Run, print, and return the exit code."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that the demo AWS are stopped
    cases = in_order(chosen(words))
    if not cases:
        print(f"no case is called like {' or '.join(words)}", file=sys.stderr)
        return 2
    began = time.monotonic()
    outcomes = survey(cases, lambda line: print(line, flush=True))
    wrong = [o for o in outcomes if o.wrong]
    gaps = unaccounted() if not words else []
    print()
    for kind, why in UNSTAGED.items():
        print(f"{kind:<8}not staged: {KINDS[kind]} ({why})")
    for gap in gaps:
        print(f"WRONG   {gap}")
    print(f"\n{len(outcomes)} backups in {time.monotonic() - began:.0f} s, {len(wrong)} came out otherwise than meant")
    print("RESULT " + json.dumps(result(outcomes)))
    return 1 if wrong or gaps else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
