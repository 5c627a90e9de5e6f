"""The configuration: `load` reads config.toml and its checks, or says everything that is wrong with them.

Importing this is light on purpose (the command line's start-up): pydantic, sqlglot, APScheduler and tree-sitter are
imported by what needs them, when it needs them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from restorecheck.config.resolved import (
    Config,
    Prices,
    Programs,
    ScratchAccount,
    Service,
    SourceAccount,
    State,
    StateBucket,
)
from restorecheck.errors import Problem

Target = Literal["container", "lambda"]
"""Where restorecheck shall run."""

__all__ = [
    "Config",
    "Prices",
    "Programs",
    "ScratchAccount",
    "Service",
    "SourceAccount",
    "State",
    "StateBucket",
    "Target",
    "json_schema",
    "load",
    "review",
]


def load(path: Path) -> Config:
    """Return the configuration. Raises errors.ConfigError with all problems of all files at once."""
    from restorecheck.config import loading  # noqa: PLC0415 - see above

    return loading.load(path)


def review(path: Path, target: Target = "container") -> tuple[Config, list[Problem]]:
    """Return the configuration, and remarks on what is allowed and yet proves little.

    Raises as `load`, and for `lambda` also with all that is right and yet cannot work there.
    """
    from restorecheck.config import loading  # noqa: PLC0415 - see above

    return loading.review_for_lambda(path) if target == "lambda" else loading.review(path)


def json_schema(which: Literal["config", "check"]) -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of config.toml or of a check file."""
    from restorecheck.config import schema  # noqa: PLC0415 - see above

    return schema.json_schema(which)
