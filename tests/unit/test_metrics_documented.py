"""docs/metrics.md says what the catalogue says: `REGENERATE=1 pytest tests/unit/test_metrics_documented.py`."""

from __future__ import annotations

import os
import re
from collections import Counter
from pathlib import Path

import pytest
from metrics_world import NOW, configured, facts, fill, orders
from store_places import sqlite_place

from restorecheck.metrics import derived
from restorecheck.metrics.catalogue import LEFTOVERS, METRICS, PHASES, REASONS, VERDICTS
from restorecheck.metrics.standing import Look

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"


def table() -> str:
    lines = ["| metric | type | labels | meaning |", "|---|---|---|---|"]
    for metric in METRICS.values():
        labels = ", ".join(f"`{label}`" for label in metric.labels)
        lines.append(f"| `{metric.exported}` | {metric.kind} | {labels} | {metric.help} |")
    return "\n".join(lines) + "\n"


def series(home: Path) -> str:
    place, config = sqlite_place(home), configured(home)
    store = place.open()
    fill(store)
    made = derived.figures(facts(config, Look(store).kept(config, NOW)))
    place.close()
    counts: Counter[str] = Counter()
    for metric, values in made:
        of = metric.labels[0] if metric.labels else ""
        counts["assertion" if "assertion" in metric.labels else of] += sum(
            "files" not in labels and "deadman" not in labels for labels in values
        )
    each = sum("assertion" in metric.labels for metric in METRICS.values())
    places = len({labels[:2] for labels in made.of("leaked_resources")})
    assert counts["assertion"] == each * len(orders().assertions) - 1  # one came to no number
    return (
        f"A check has at most {counts['check']} series, and {each} more for each of its assertions; an account and"
        f" region has {counts['aws_account'] // places}, a receiver {counts['receiver']}.\n"
    )


def between(text: str, name: str) -> tuple[str, str, str]:
    found = re.search(rf"(.*<!-- {name}: [^\n]*-->\n)(.*?)(<!-- /{name} -->\n.*)", text, re.DOTALL)
    assert found, name
    return found[1], found[2], found[3]


@pytest.mark.parametrize("name", ["metrics", "series"])
def test_the_page_says_what_the_code_does(name: str, tmp_path: Path):
    made = table() if name == "metrics" else series(tmp_path)
    head, said, tail = between(PAGE.read_text(), name)
    if os.environ.get("REGENERATE"):
        PAGE.write_text(head + made + tail)
        said = made
    assert said == made


def test_every_metric_that_a_page_names_exists():
    exported = {metric.exported for metric in METRICS.values()}
    docs = PAGE.parent
    for page in [PAGE, *sorted((docs / "runbooks").glob("*.md"))]:
        for name in re.findall(r"\brestorecheck_[a-z_]+\b", page.read_text()):
            assert name in exported, f"{page.name}: {name}"


@pytest.mark.parametrize("words", [VERDICTS, PHASES, LEFTOVERS, REASONS])
def test_the_page_names_every_value_of_a_label(words: tuple[str, ...]):
    text = PAGE.read_text()
    assert [word for word in words if f"`{word}`" not in text] == []
