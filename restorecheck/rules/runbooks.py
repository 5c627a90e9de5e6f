"""The runbooks: one page of Markdown for every alert, and for every notice that the service sends itself.

Read from the package as it was installed, or from docs/ of a checkout; only pages that are there can be named.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

_PACKAGE = Path(__file__).parents[1]


def place() -> Path:
    """Return the directory in which the runbooks are."""
    installed = _PACKAGE / "runbooks"
    return installed if installed.is_dir() else _PACKAGE.parent / "docs" / "runbooks"


@cache
def names() -> tuple[str, ...]:
    """Return the names of all runbooks, sorted: those of alerts and of notices."""
    return tuple(sorted(path.stem for path in place().glob("*.md")))


def runbook(name: str) -> str | None:
    """Return one runbook as Markdown; None if there is none of this name."""
    return (place() / f"{name}.md").read_text("utf-8") if name in names() else None
