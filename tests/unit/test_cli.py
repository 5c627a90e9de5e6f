"""The command line's own decisions: codes, words, what an unforeseen error looks like."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import TextIO

import pytest

from restorecheck import cli
from restorecheck.cli import exits, human, proofs
from restorecheck.cli.output import Prose, Results, errors
from restorecheck.cli.progress import Progress
from restorecheck.cli.root import UNREAD
from restorecheck.errors import AwsError, ConfigError, Problem, RefusedError, RestorecheckError
from restorecheck.model import Failure, Finding, Leftover, Outcome, Report, Verdict

AT = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
PASSED = Report("a-20261121t0300z", "a", Verdict.PASSED, AT, AT)
BROKEN = replace(PASSED, verdict=Verdict.BROKEN, failure=Failure("assertion-failed", "judge", "a: 1 row", "look"))
UNPROVEN = replace(PASSED, verdict=Verdict.UNPROVEN, failure=Failure("quota", "restore", "no room", "raise it"))
LEAKED = replace(PASSED, leaked=(Leftover("arn:aws:rds:eu-central-1:222222222222:db:x"),))
REFUSED = replace(PASSED, refused=True)


@pytest.mark.parametrize(
    ("reports", "code"),
    [
        ([], 0),
        ([PASSED], 0),
        ([BROKEN], 1),
        ([UNPROVEN], 3),
        ([UNPROVEN, BROKEN, PASSED], 1),
        ([BROKEN, UNPROVEN], 1),
        ([PASSED, UNPROVEN], 3),
        ([LEAKED], 4),
        ([REFUSED], 4),
        ([BROKEN, LEAKED], 4),
    ],
)
def test_the_worst_counts(reports: list[Report], code: int):
    assert exits.code_of(reports) == code


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigError([Problem("c.toml", 1, "k", "is wrong")]), 2),
        (RestorecheckError("m", kind="config"), 2),
        (RefusedError("m"), 4),
        (AwsError("Throttling", "m", kind="throttled", retryable=True), 3),
        (RestorecheckError("m", kind="no-recovery-point"), 1),
    ],
)
@pytest.mark.parametrize("as_json", [False, True])
def test_an_error_of_ours_has_its_code_and_one_line(capsys, error: RestorecheckError, code: int, as_json: bool):
    with pytest.raises(SystemExit) as e, errors("run", as_json=as_json):
        raise error
    assert e.value.code == code
    said = capsys.readouterr()
    assert error.message in (said.out if as_json else said.err)
    assert (said.err if as_json else said.out) == ""


def test_what_nobody_foresaw_has_a_code_that_no_verdict_has(monkeypatch, capsys):
    def fail(**_: object) -> None:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr(cli, "app", fail)
    monkeypatch.delenv("RESTORECHECK_TRACEBACK", raising=False)
    with pytest.raises(SystemExit) as e:
        cli.main()
    assert e.value.code == 70
    assert "ZeroDivisionError: oops" in capsys.readouterr().err
    monkeypatch.setenv("RESTORECHECK_TRACEBACK", "1")
    with pytest.raises(ZeroDivisionError):
        cli.main()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "-"), (0, "0 s"), (41.4, "41 s"), (90000, "25 h"), (90061, "25 h 1 min"), (200000, "2 d 7 h")],
)
def test_times_are_for_people(seconds: float | None, text: str):
    assert human.duration(seconds) == text


def test_why_is_in_plain_words():
    assert proofs.why(PASSED) == ""
    assert proofs.why(BROKEN) == "a: 1 row"
    assert proofs.why(UNPROVEN) == "an AWS quota is used up (restore)"
    assert proofs.why(LEAKED) == "LEAKED: db:x"
    slow = Finding("rto", Outcome.WARN, "at most 1 h", "2 h", "the restore took 2 h")
    assert proofs.why(replace(PASSED, findings=(slow,))) == "warning: the restore took 2 h"
    new = Finding(
        "growth", Outcome.LEARNING, "at least 0.98", "5", "no earlier run can be compared with yet", "learning"
    )
    assert proofs.why(replace(PASSED, findings=(new,))) == "nothing yet to compare with: growth"
    assert proofs.why(replace(BROKEN, findings=(new,))) == "a: 1 row"


def test_a_result_that_nobody_reads_has_a_code_that_no_verdict_has():
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as gone:
        command = [sys.executable, "-m", "restorecheck", "schema", "check"]
        ended = subprocess.run(command, stdout=gone, stderr=subprocess.PIPE, timeout=60, check=False)
    assert (ended.returncode, ended.stderr) == (UNREAD, b"")


@pytest.fixture
def unread() -> Iterator[TextIO]:
    """A stream of which nobody reads the other end."""
    reader, writer = os.pipe()
    os.close(reader)
    stream = os.fdopen(writer, "w")
    yield stream
    with contextlib.suppress(BrokenPipeError):
        stream.close()


def test_a_run_goes_on_where_nobody_reads_its_progress_any_more(unread: TextIO):
    console = Prose(file=unread)
    progress = Progress(console)
    progress.started("orders-db-20261121t0300z", "find")
    assert console.quiet
    progress.finished("orders-db-20261121t0300z", "find", "no backup")


def test_a_result_that_cannot_be_printed_is_told(unread: TextIO):
    with pytest.raises(BrokenPipeError):
        Results(file=unread).print("passed")
