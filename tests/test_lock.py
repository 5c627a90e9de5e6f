"""The lock file says the whole truth about what is installed, and all of it may be used by an Apache-2.0 project."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import Distribution, distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version
from requirements import need

TOP = Path(__file__).parents[1]
HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")

PERMISSIVE = frozenset(
    {
        "apache", "apache-2.0", "apache 2.0", "apache license 2.0", "apache software license",
        "bsd", "bsd license", "bsd-2-clause", "bsd-3-clause",
        "cnri-python", "isc", "isc license", "isc license (iscl)",
        "mit", "mit license", "mit-0", "psf-2.0", "python software foundation license",
    }
)  # fmt: skip

REVIEWED = {
    "certifi": ("mozilla public license 2.0 (mpl 2.0)", "a list of certificates, used as it is"),
    "hypothesis": ("mpl-2.0", "tests only, used as it is"),
    "orjson": ("mpl-2.0 and (apache-2.0 or mit)", "tests only (policy-sentry), used as it is"),
    "pathspec": ("mozilla public license 2.0 (mpl 2.0)", "tests only (mypy, hatchling), used as it is"),
    "promql-parser": ("", "says nothing in its metadata; the LICENSE file of the wheel is MIT; tests only"),
    "psycopg": ("lgpl-3.0-only", "imported, not changed; named in the design"),
    "psycopg-binary": ("lgpl-3.0-only", "imported, not changed; belongs to psycopg"),
}
"""Licences that are not permissive but fine here: each with the very words that were reviewed, and why."""


def entries(text: str) -> list[tuple[Requirement, int]]:
    """Return every requirement of a lock file with the number of its hashes. Raises ValueError for any other line."""
    found = []
    logical = re.sub(r"\\\n\s*", " ", text)
    for line in logical.splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        named, *hashes = re.split(r"\s(?=--hash=)", line)
        if not all(HASH.fullmatch(h.strip()) for h in hashes):
            raise ValueError(f"not a hash: {line[:80]}")
        found.append((Requirement(named), len(hashes)))
    return found


def pin(requirement: Requirement) -> Version:
    """Return the one version that a requirement allows. Raises ValueError if it allows more."""
    specifiers = list(requirement.specifier)
    if len(specifiers) != 1 or specifiers[0].operator != "==" or requirement.url:
        raise ValueError(f"not pinned: {requirement}")
    return Version(specifiers[0].version)


def licences(dist: Distribution) -> list[str]:
    """Return what a distribution says of its licence, in lower case: an SPDX expression, classifiers, or a text."""
    about = dist.metadata
    if "License-Expression" in about:
        return [about["License-Expression"].lower()]
    classifiers = [c for c in about.get_all("Classifier") or [] if c.startswith("License :: OSI Approved :: ")]
    if classifiers:
        return [c.rpartition(" :: ")[2].lower() for c in classifiers]
    text, *_ = about.get_all("License") or [""]
    return [text.strip().split("\n")[0].removesuffix(".").lower()]


def allowed(said: str) -> bool:
    """Return whether a licence, or one side of each OR in an SPDX expression, is permissive. Unknown is no."""
    plain = said.replace("(", " ").replace(")", " ").strip() if " and " in said or " or " in said else said
    return all(any(one.strip() in PERMISSIVE for one in part.split(" or ")) for part in plain.split(" and "))


def why_not_licence(dist: Distribution) -> str | None:
    """Return why a distribution may not be a dependency, or None."""
    said = licences(dist)
    name = canonicalize_name(dist.name)
    if all(allowed(one) for one in said):
        return None
    reviewed = REVIEWED.get(name)
    if reviewed and said == [reviewed[0]]:
        return None
    return f"{dist.name} {dist.version} says {' / '.join(said) or 'nothing'}: not permissive, and not reviewed as such"


LOCK = (TOP / "requirements.lock").read_text()
PROJECT = tomllib.loads((TOP / "pyproject.toml").read_text())


def test_every_entry_is_pinned_and_hashed() -> None:
    found = entries(LOCK)
    assert len(found) > 50
    for requirement, hashes in found:
        pin(requirement)
        assert hashes > 0, requirement


@pytest.mark.parametrize("word", ["://", "--index-url", "--extra-index-url", "--find-links", "--trusted-host", " @ "])
def test_the_lock_names_no_place(word: str) -> None:
    assert word not in LOCK


def test_the_lock_has_a_fitting_version_of_everything_that_the_project_asks_for() -> None:
    locked = {canonicalize_name(r.name): pin(r) for r, _ in entries(LOCK)}
    extras = PROJECT["project"]["optional-dependencies"]
    asked = [Requirement(r) for r in [*PROJECT["project"]["dependencies"], *extras["demo"], *extras["test"]]]
    asked += [Requirement(r) for r in PROJECT["build-system"]["requires"]]
    wrong = [
        str(r) for r in asked if (v := locked.get(canonicalize_name(r.name))) is None or not r.specifier.contains(v)
    ]
    assert wrong == [], "requirements.lock is out of date: make lock"


@pytest.mark.parametrize(
    "line",
    ["boto3", "boto3>=1", "boto3 @ https://example.com/boto3.whl", "boto3==1.*,!=1.2"],
)
def test_what_is_not_pinned_is_noticed(line: str) -> None:
    with pytest.raises(ValueError, match="not pinned"):
        pin(Requirement(line))


def test_a_shortened_hash_is_noticed() -> None:
    with pytest.raises(ValueError, match="not a hash"):
        entries("boto3==1.2 \\\n    --hash=sha256:abc\n")


def test_every_locked_licence_is_permissive_or_reviewed() -> None:
    here = [r.name for r, _ in entries(LOCK) if r.marker is None or r.marker.evaluate()]
    installed = {canonicalize_name(dist.name): dist for dist in distributions()}
    missing = [name for name in here if canonicalize_name(name) not in installed]
    need(not missing, f"not installed here, though locked: {', '.join(missing)}; `make venv` installs it")
    assert [why for name in here if (why := why_not_licence(installed[canonicalize_name(name)]))] == []


class Said(Distribution):
    """A distribution that says what it is told to."""

    def __init__(self, *lines: str, name: str = "thing") -> None:
        self._text = "\n".join(["Metadata-Version: 2.4", f"Name: {name}", "Version: 1", *lines]) + "\n"

    def read_text(self, filename: str) -> str | None:
        return self._text if filename == "METADATA" else None

    def locate_file(self, path: object) -> Path:
        raise FileNotFoundError(path)


@pytest.mark.parametrize(
    "dist",
    [
        Said("License-Expression: MIT AND PSF-2.0"),
        Said("License-Expression: GPL-2.0-only OR MIT"),
        Said("License-Expression: (Apache-2.0 OR BSD-3-Clause)"),
        Said("Classifier: License :: OSI Approved :: BSD License"),
        Said("License: MIT"),
        Said("License-Expression: LGPL-3.0-only", name="psycopg"),
    ],
)
def test_licences_that_may_be(dist: Distribution) -> None:
    assert why_not_licence(dist) is None


@pytest.mark.parametrize(
    "dist",
    [
        Said("License-Expression: GPL-3.0-or-later"),
        Said("License-Expression: MIT AND GPL-2.0-only"),
        Said("License-Expression: Elastic-2.0"),
        Said("License-Expression: SSPL-1.0"),
        Said("License-Expression: LGPL-3.0-only"),
        Said("Classifier: License :: OSI Approved :: GNU Affero General Public License v3"),
        Said("License: see the file"),
        Said(),
        Said("License-Expression: AGPL-3.0-only", name="psycopg"),
    ],
)
def test_licences_that_may_not_be(dist: Distribution) -> None:
    assert "not permissive" in (why_not_licence(dist) or "")


def test_no_review_outlives_its_package() -> None:
    assert set(REVIEWED) <= {canonicalize_name(r.name) for r, _ in entries(LOCK)}
