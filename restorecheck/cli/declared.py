"""`restorecheck check-config` and `restorecheck schema`: what is declared, and what may be."""

from __future__ import annotations

import json
from pathlib import Path

from restorecheck.assertions.words import count
from restorecheck.cli import exits
from restorecheck.cli.output import emit, errors, out
from restorecheck.config import json_schema, load
from restorecheck.errors import RestorecheckError


def check_config(config: Path, *, as_json: bool) -> None:
    """Load everything; say that it is right, or all that is wrong."""
    with errors("check-config", as_json=as_json):
        loaded = load(config)
    if as_json:
        emit("check-config", exits.PASSED, checks=[check.name for check in loaded.checks])
        return
    questions = sum(len(check.assertions) for check in loaded.checks)
    found = f"{count(len(loaded.checks), 'check')} with {count(questions, 'assertion')}"
    out.print(f"{config}: {found}, no problem found", markup=False)


def schema(which: str) -> None:
    """Print a JSON Schema."""
    with errors("schema", as_json=False):
        if which not in {"config", "check"}:
            raise RestorecheckError(f"there is no schema {which!r}", "say `config` or `check`", kind="config")
        document = json_schema("config" if which == "config" else "check")
    print(json.dumps(document, indent=2))
