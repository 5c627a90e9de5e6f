"""Measures how a Python command starts: wall time against the bare interpreter, and which modules it loads.

Used by the test that guards the limit and by the benchmark that prints the numbers.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

HELP = ("-m", "restorecheck", "--help")
BARE = ("-c", "pass")
IMPORT = ("-c", "import restorecheck.cli")


@dataclass(frozen=True, slots=True)
class Times:
    """The best wall time of a command and of the bare interpreter, measured in turns, in seconds."""

    command: float
    bare: float

    @property
    def ratio(self) -> float:
        """How many bare starts the command costs: what a slow or busy machine leaves comparable."""
        return self.command / self.bare


def run(arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run Python with these arguments, unmeasured by coverage, and return what it said. Raises if it fails."""
    quiet = {k: v for k, v in os.environ.items() if not k.startswith(("COVERAGE_", "COV_CORE_"))}
    return subprocess.run(
        [sys.executable, *arguments], check=True, capture_output=True, text=True, stdin=subprocess.DEVNULL, env=quiet
    )


def best(arguments: Sequence[str], *, rounds: int = 7, enough: float = 0.0) -> Times:
    """Measure a command and a bare start in turns; stop early once the command took at most `enough` seconds.

    The best of several is what the code costs; everything above it is what else the machine was doing.
    """
    run(arguments)  # compiles what is not compiled yet
    command = bare = float("inf")
    for _ in range(rounds):
        bare = min(bare, _seconds(BARE))
        command = min(command, _seconds(arguments))
        if command <= enough:
            break
    return Times(command, bare)


def _seconds(arguments: Sequence[str]) -> float:
    began = time.perf_counter()
    run(arguments)
    return time.perf_counter() - began


def loaded(arguments: Sequence[str]) -> dict[str, int]:
    """Return every module that a command imports → microseconds with all that it imports in turn."""
    said = run(["-X", "importtime", *arguments]).stderr
    rows = (
        line.removeprefix("import time:").split("|") for line in said.splitlines() if line.startswith("import time:")
    )
    return {name.strip(): int(total) for _, total, name in rows if total.strip().isdigit()}
