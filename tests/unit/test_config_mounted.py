"""Checks that Kubernetes mounts from a ConfigMap: links to a hidden directory, which is swapped as a whole."""

from pathlib import Path

import pytest

from restorecheck.config import load
from restorecheck.errors import ConfigError

ROOT = Path(__file__).parents[2]


def mounted(directory: Path, files: dict[str, str], version: str = "..2026_11_21_03_00_00.1234") -> None:
    """Write files as the kubelet does: real ones below a hidden directory, and links to links."""
    (directory / version).mkdir(parents=True)
    for name, text in files.items():
        (directory / version / name).write_text(text)
    draft = directory / "..data_tmp"
    draft.symlink_to(version)
    draft.rename(directory / "..data")
    for name in files:
        if not (directory / name).is_symlink():
            (directory / name).symlink_to(Path("..data") / name)


@pytest.fixture
def config(tmp_path):
    text = (ROOT / "config.example.toml").read_text()
    mounted(tmp_path, {"config.toml": text})
    mounted(tmp_path / "checks", {"ledger-db.toml": (ROOT / "checks/ledger-db.toml").read_text()})
    return tmp_path / "config.toml"


def test_a_mounted_check_is_read_once(config):
    assert [check.name for check in load(config).checks] == ["ledger-db"]


def test_what_an_update_leaves_behind_is_not_read(config):
    old = (config.parent / "checks/ledger-db.toml").read_text()
    mounted(config.parent / "checks", {"ledger-db.toml": old.replace('"ledger-db"', '"books"', 1)}, "..2026_11_22")
    assert [check.name for check in load(config).checks] == ["books"]


@pytest.mark.parametrize("deeper", ["team", ".team"])
def test_any_other_directory_is_still_a_complaint(config, deeper):
    (config.parent / "checks" / deeper).mkdir()
    (config.parent / "checks" / deeper / "other.toml").write_text("")
    with pytest.raises(ConfigError, match="lies deeper than checks are read"):
        load(config)
