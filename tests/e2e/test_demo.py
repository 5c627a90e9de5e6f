"""`make demo`, as a stranger runs it: six checks of four kinds of source, three verdicts, nothing left."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from product import ROOT

from restorecheck.demo.declared import ANSWERS, UPLOADS


@pytest.mark.timeout(310)
def test_the_demo_ends_with_the_verdicts_that_were_staged(tmp_path: Path):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")} | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-m", "restorecheck", "demo", "--json"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["result"]["verdicts"] == {"passed": 3, "broken": 2, "unproven": 1}
    assert answer["result"]["left"] == 0
    reports = {report["check"]: report for report in answer["reports"]}
    counted = reports["courses-db"]["findings"][0]
    assert ANSWERS == 1_943_200  # the table of the incident
    assert counted["observed"] == "1,943,200"
    assert reports["orders-db"]["failure"]["kind"] == "assertion-failed"
    assert reports["billing-db"]["failure"]["kind"] == "quota"
    uploads = reports["uploads"]
    assert (uploads["point"]["objects"], uploads["point"]["kind"]) == (UPLOADS, "versions")
    assert [f["outcome"] for f in uploads["findings"] if f["name"] == "objects-compared"] == ["pass"]
    assert reports["forum-dump"]["proven"]
    assert reports["wiki-dump"]["failure"]["kind"] == "dump-damaged"
    assert not list(tmp_path.iterdir()), "the demo leaves nothing where it was started"
