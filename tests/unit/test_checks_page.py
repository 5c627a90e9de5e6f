"""docs/checks.md: every block of TOML on it is a check that loads, or a part of one."""

import re
import shutil
import tomllib
from pathlib import Path

from restorecheck.config import review
from restorecheck.model.probes import PROBES

ROOT = Path(__file__).parents[2]
BLOCKS = re.findall(r"^```toml\n(.*?)^```", (ROOT / "docs" / "checks.md").read_text(), re.MULTILINE | re.DOTALL)
EXPECTED = {
    "at_least", "at_most", "between", "equals", "set", "no_rows", "same_as", "exist_in", "covers", "before", "of",
}  # fmt: skip


def whole(number: int, block: str) -> str:
    """Return a block as a check of its own: a part of one gets the head that the page begins with."""
    if "[check]" in block:
        return block
    source = '[source]\ntype = "rds"\ninstance = "orders-prod"\ndatabase = "orders"\n'
    return f'[check]\nname = "part-{number}"\n{source}{block}'


def test_every_block_loads_and_nothing_is_to_be_remarked_on_it(tmp_path: Path):
    (tmp_path / "checks").mkdir()
    shutil.copy(ROOT / "config.example.toml", tmp_path / "config.toml")
    for number, block in enumerate(BLOCKS):
        (tmp_path / "checks" / f"{number}.toml").write_text(whole(number, block))
    config, remarks = review(tmp_path / "config.toml")
    assert len(config.checks) == len(BLOCKS) > 10
    parts = {str(tmp_path / "checks" / f"{number}.toml") for number, b in enumerate(BLOCKS) if "[check]" not in b}
    drawn = [one for one in remarks if one.path in parts and "no assertion reads every row" in one.message]
    assert [one for one in remarks if one not in drawn] == []


def test_there_is_one_of_each_probe_and_of_each_expectation():
    assertions = [one for block in BLOCKS for one in tomllib.loads(block).get("assert", ())]
    assert {one.get("probe") for one in assertions} >= set(PROBES)
    assert {key for one in assertions for key in one.get("expect", ())} >= EXPECTED
