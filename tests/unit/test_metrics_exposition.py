"""The text of a scrape: what Prometheus reads, what its linter says, and what must never be in it."""

from __future__ import annotations

import math
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from metrics_world import NOW, configured, facts, fill, ran
from prometheus_client.parser import text_string_to_metric_families
from requirements import need
from store_places import sqlite_place

from restorecheck.metrics import aws, derived, exposition
from restorecheck.metrics.catalogue import METRICS, PREFIX
from restorecheck.metrics.figures import Figures
from restorecheck.metrics.standing import Look
from restorecheck.web.answers import METRICS as SERVED_AS


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The text of a world in which everything has a value."""
    home = tmp_path_factory.mktemp("world")
    place, config = sqlite_place(home), configured(home)
    store = place.open()
    fill(store)
    made = derived.figures(facts(config, Look(store).kept(config, NOW)))
    made.merge(aws.figures_of({"rds:DescribeDBInstances": 7}, {("rds:DescribeDBInstances", "throttled"): 1}))
    place.close()
    return exposition.text(made)


def families(text: str) -> dict[str, tuple[str, set[str]]]:
    """Return the type and the labels of every metric in a text, by the name of its samples."""
    return {
        sample.name: (family.type, {label for one in family.samples for label in one.labels})
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_every_metric_of_the_catalogue_is_exported_and_nothing_else(full: str):
    assert families(full) == {m.exported: (m.kind, set(m.labels)) for m in METRICS.values()}


def test_every_metric_explains_itself(full: str):
    for metric in METRICS.values():
        assert f"# HELP {metric.exported} {metric.help}\n" in full
        assert f"# TYPE {metric.exported} {metric.kind}\n" in full


def test_there_is_no_series_of_when_a_counter_was_made(full: str):
    assert "_created" not in full


def test_no_sample_has_a_time_of_its_own(full: str):
    samples = [line for line in full.splitlines() if not line.startswith("#")]
    assert all(re.fullmatch(r"\w+(\{.*\})? \S+", line) for line in samples)


def test_no_label_holds_a_run_a_resource_or_an_address(full: str):
    labels = {v for m in text_string_to_metric_families(full) for s in m.samples for v in s.labels.values()}
    assert {"orders-db", "broken", "timeout", "rds:DescribeDBInstances"} <= labels
    assert not [label for label in labels if re.search(r"\d{8}t\d{4}z|arn:|rds:orders|://|[0-9a-f]{32}", label)]


def test_the_linter_of_prometheus_finds_nothing(full: str):
    need(shutil.which("promtool"), "promtool: apt-get install prometheus")
    ran = subprocess.run(["promtool", "check", "metrics"], input=full, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")


def test_every_value_comes_out_as_it_went_in():
    figures = Figures()
    figures.put("check_paused_until_timestamp_seconds", math.inf, "orders-db")
    figures.put("run_last_completion_timestamp_seconds", 1_795_230_000.123456, "orders-db")
    figures.put("runs", 3, 'a"b\\c\nd', "passed")
    found = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(exposition.text(figures))
        for sample in family.samples
    }
    assert found == {
        (f"{PREFIX}check_paused_until_timestamp_seconds", "orders-db"): math.inf,
        (f"{PREFIX}run_last_completion_timestamp_seconds", "orders-db"): 1_795_230_000.123456,
        (f"{PREFIX}runs_total", 'a"b\\c\nd', "passed"): 3.0,
    }


def test_without_figures_there_is_no_text():
    assert exposition.text(Figures()) == ""


def test_the_web_serves_the_format_that_is_written():
    assert exposition.CONTENT_TYPE == SERVED_AS


def test_the_number_of_series_follows_from_what_is_declared(tmp_path: Path):
    """More runs make no more series."""
    place, config = sqlite_place(tmp_path), configured(tmp_path)
    store = place.open()
    counts = []
    for _ in range(2):
        fill(store)
        made = derived.figures(facts(config, Look(store).kept(config, NOW)))
        counts.append(sum(len(values) for _, values in made))
        store.proofs.save(ran(96))
    place.close()
    assert counts[0] == counts[1]


def test_only_what_the_catalogue_knows_can_be_put_in():
    with pytest.raises(KeyError):
        Figures().put("made_up", 1)
    with pytest.raises(ValueError, match="run_success has the labels"):
        Figures().put("run_success", 1)
