"""Prints the part of requirements.lock that chosen extras need, with its hashes: what the image installs, and no more.

    python requirements.py [--lock FILE] [--project FILE] [--extra NAME ...] [--without PACKAGE ...]
    python requirements.py --build      what makes a wheel of the project

The lock says of each package which others brought it in (`# via`); what nobody chosen brought in is left out. It is
read, never changed, and no index is asked. Standard library only: it runs before anything is installed. `pip check`
afterwards says whether anything is missing.
"""

from __future__ import annotations

import argparse
import re
import sys
import tomllib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROJECT = "restorecheck (pyproject.toml)"
"""How the lock calls us."""


@dataclass(frozen=True, slots=True)
class Locked:
    """One package of the lock: its lines as they stand there, and who brought it in."""

    name: str
    lines: tuple[str, ...]
    via: frozenset[str]


def normal(name: str) -> str:
    """Return a package's name as an index spells it, without extras."""
    return re.sub(r"[-_.]+", "-", re.split(r"[\[<>=!~; ]", name, maxsplit=1)[0]).lower()


def read(lock: str) -> Iterator[Locked]:
    """Yield the packages of a lock. Raises ValueError if one does not say who brought it in."""
    for block in re.split(r"^(?=[A-Za-z0-9])", lock, flags=re.MULTILINE)[1:]:
        lines = [line for line in block.splitlines() if line.strip()]
        remarks = [line.strip().removeprefix("#").strip() for line in lines if line.strip().startswith("#")]
        via = frozenset(word for line in remarks for word in [line.removeprefix("via").strip()] if word)
        name = normal(lines[0])
        if not via:
            raise ValueError(f"{name} does not say who brought it in")
        yield Locked(name, tuple(line for line in lines if not line.strip().startswith("#")), via)


def chosen(locked: Sequence[Locked], asked: Collection[str]) -> list[Locked]:
    """Return `asked` and all that they bring in. Raises ValueError for what is not locked."""
    if missing := set(asked) - {one.name for one in locked}:
        raise ValueError(f"not in the lock: {', '.join(sorted(missing))}")
    names, before = set(asked), -1
    while before != len(names):
        before = len(names)
        names |= {one.name for one in locked if any(normal(who) in names for who in one.via - {PROJECT})}
    return [one for one in locked if one.name in names]


def wanted(project: Mapping[str, Any], extras: Sequence[str], without: Collection[str]) -> set[str]:
    """Return the packages that a project asks for itself, with extras. Raises ValueError for what it does not know."""
    offered = project["project"]["optional-dependencies"]
    if unknown := [name for name in extras if name not in offered]:
        raise ValueError(f"no such extra: {', '.join(unknown)}; there are {', '.join(offered)}")
    optional = {normal(line) for name in extras for line in offered[name]}
    less = {normal(name) for name in without}
    if less - optional:
        raise ValueError(f"not brought in by these extras: {', '.join(sorted(less - optional))}")
    return ({normal(line) for line in project["project"]["dependencies"]} | optional) - less


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the part, and return the exit code."""
    here = Path(__file__).resolve().parents[2]
    parser = argparse.ArgumentParser(description="Prints the part of requirements.lock that chosen extras need.")
    parser.add_argument("--lock", type=Path, default=here / "requirements.lock")
    parser.add_argument("--project", type=Path, default=here / "pyproject.toml")
    parser.add_argument("--extra", action="append", default=[])
    parser.add_argument("--without", action="append", default=[], metavar="PACKAGE", help="of the extras themselves")
    parser.add_argument("--build", action="store_true", help="what makes a wheel of the project, and nothing else")
    options = parser.parse_args(arguments)
    try:
        project = tomllib.loads(options.project.read_text())
        if options.build:
            asked = {normal(line) for line in project["build-system"]["requires"]}
        else:
            asked = wanted(project, options.extra, options.without)
        found = chosen(list(read(options.lock.read_text())), asked)
    except (OSError, ValueError) as e:
        sys.stderr.write(f"requirements: {e}\n")
        return 2
    sys.stdout.write("".join(line + "\n" for one in found for line in one.lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
