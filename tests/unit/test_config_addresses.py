"""Where the state may be: what is read, and what is refused without showing a password."""

import pytest

from restorecheck.config import addresses
from restorecheck.fence.state_parameters import is_place


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("  ", "is empty"),
        ("postgresql://restorecheck:pass word@db.example.org/restorecheck", "has a space"),
        ("postgresql://restorecheck@db.example.org/restorecheck#pass-word", "has a # or @"),
        ("postgresql://restorecheck@db.example.org:port/restorecheck", "cannot be read"),
        ("mysql://restorecheck:pass-word@db.example.org/restorecheck", "neither a directory nor"),
        ("s3://state", "does not name a bucket and a prefix"),
        ("s3://state/", "does not name a bucket and a prefix"),
        ("S3://state/prod", "does not name a bucket and a prefix"),
        ("s3://State/prod", "does not name a bucket and a prefix"),
        ("s3://state/prod/../x", "does not name a bucket and a prefix"),
        ("s3://state/prod?zone=x", "does not name a bucket and a prefix"),
        ("s3://state/prod?region=here", "does not name a bucket and a prefix"),
        ("s3://state/prod\n", "does not name a bucket and a prefix"),
        ("s3:/state/prod", "lacks a slash"),
        ("postgresql:/restorecheck:pass-word@db.example.org/restorecheck", "lacks a slash"),
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


def test_a_bucket_is_read_with_its_prefix_and_its_region():
    assert addresses.bucket("s3://state/prod") == ("state", "prod/", None)
    assert addresses.bucket("s3://my.state/a/b_1/?region=us-gov-west-1") == ("my.state", "a/b_1/", "us-gov-west-1")
    assert addresses.state("s3://state/prod?region=eu-central-1") == "s3://state/prod?region=eu-central-1"


def test_what_is_a_place_in_a_bucket_here_is_one_for_the_fence():
    for text in ("s3://state/prod", "s3://my.state/a/b_1/", "s3://s-1/0.x/"):
        name, prefix, _ = addresses.bucket(text)
        assert is_place(name, prefix)
