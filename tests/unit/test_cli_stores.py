"""How commands open the store: on a directory, and with what is remarked on the way."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from restorecheck.cli import stores
from restorecheck.config import load

SINCE = datetime(2026, 11, 21, 12, tzinfo=UTC)
ROOT = Path(__file__).parents[2]


def files(home: Path) -> Path:
    """Lay out the example configuration with one check."""
    (home / "config.toml").write_text((ROOT / "config.example.toml").read_text())
    (home / "checks").mkdir()
    (home / "checks" / "orders-db.toml").write_text((ROOT / "checks" / "orders-db.toml").read_text())
    return home / "config.toml"


def test_what_is_changed_is_read_afterwards(tmp_path: Path):
    config = load(files(tmp_path))
    stores.changed(config, lambda store: store.pauses.pause("orders-db", SINCE))
    with stores.opened(config) as store:
        assert list(store.pauses.all()) == ["orders-db"]


def test_a_remark_goes_to_standard_error_as_it_is(capsys: pytest.CaptureFixture[str]):
    stores._heard("made anew [from] 3 records")
    assert capsys.readouterr() == ("", "made anew [from] 3 records\n")
