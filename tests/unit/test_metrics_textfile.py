"""Figures as a file: whole or not at all, and such that node_exporter's collector takes it."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest
from figures_cases import full
from prometheus_client.parser import text_string_to_metric_families
from requirements import need

from restorecheck.errors import RestorecheckError
from restorecheck.metrics import textfile
from restorecheck.metrics.exposition import text
from restorecheck.metrics.figures import Figures


def test_a_file_holds_the_figures_for_everybody_to_read_and_nothing_lies_beside_it(tmp_path: Path):
    path = tmp_path / "restorecheck.prom"
    old = os.umask(0o077)
    try:
        textfile.write(path, full())
    finally:
        os.umask(old)
    assert path.read_text() == text(full())
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert os.listdir(tmp_path) == ["restorecheck.prom"]


def test_a_file_is_replaced_and_never_written_into(tmp_path: Path):
    path = tmp_path / "restorecheck.prom"
    textfile.write(path, full())
    with path.open() as read:  # by the collector, which has begun and is slow
        textfile.write(path, Figures())
        assert read.read() == text(full())
    assert path.read_text() == ""


def test_the_collector_takes_it(tmp_path: Path):
    path = tmp_path / "restorecheck.prom"
    textfile.write(path, full())
    samples = [s for family in text_string_to_metric_families(path.read_text()) for s in family.samples]
    assert samples
    assert not [s for s in samples if s.timestamp is not None]  # it refuses a file with a timestamp
    need(shutil.which("promtool"), "promtool is not installed")
    linted = subprocess.run(
        ["promtool", "check", "metrics"], input=path.read_bytes(), capture_output=True, check=False, timeout=30
    )
    assert (linted.returncode, linted.stdout + linted.stderr) == (0, b"")


def test_a_name_that_the_collector_does_not_read_is_refused(tmp_path: Path):
    with pytest.raises(RestorecheckError, match="would be read by nobody") as raised:
        textfile.write(tmp_path / "restorecheck.txt", full())
    assert (raised.value.kind, raised.value.retryable) == ("config", False)
    assert os.listdir(tmp_path) == []


def test_a_directory_that_is_not_there(tmp_path: Path):
    with pytest.raises(RestorecheckError, match=r"x/y\.prom cannot be written: No such file or directory$") as raised:
        textfile.write(tmp_path / "x" / "y.prom", full())
    assert (raised.value.kind, raised.value.retryable) == ("config", True)


@pytest.mark.parametrize("call", ["fsync", "fchmod", "replace"])
def test_what_fails_leaves_the_old_file_and_no_litter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str):
    path = tmp_path / "restorecheck.prom"
    textfile.write(path, full())

    def fails(*args: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, call, fails)
        with pytest.raises(RestorecheckError, match=r"restorecheck\.prom cannot be written: No space left on device"):
            textfile.write(path, Figures())
    assert path.read_text() == text(full())
    assert os.listdir(tmp_path) == ["restorecheck.prom"]


def test_an_unfinished_file_has_a_name_that_the_collector_does_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    seen: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda handle: seen.extend(os.listdir(tmp_path)))
    textfile.write(tmp_path / "restorecheck.prom", full())
    assert len(seen) == 1
    assert not seen[0].endswith(".prom")
