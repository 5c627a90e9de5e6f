"""Where the state may be: what is read, and what is refused without showing a password."""

import pytest

from restorecheck.config import addresses


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("  ", "is empty"),
        ("postgresql://restorecheck:pass word@db.example.org/restorecheck", "has a space"),
        ("postgresql://restorecheck@db.example.org/restorecheck#pass-word", "has a # or @"),
        ("postgresql://restorecheck@db.example.org:port/restorecheck", "cannot be read"),
        ("mysql://restorecheck:pass-word@db.example.org/restorecheck", "neither a directory nor"),
    ],
)
def test_what_is_no_place_for_a_state_is_refused_and_no_password_is_shown(text: str, why: str):
    with pytest.raises(ValueError, match=why) as e:
        addresses.state(text)
    assert "pass word" not in str(e.value)
    assert "restorecheck:pass-word" not in str(e.value)


def test_both_names_of_postgresql_are_one():
    assert addresses.state("postgres://a@b/c") == addresses.state("postgresql://a@b/c") == "postgresql://a@b/c"
    assert addresses.state("var/state") == "var/state"
