"""`restorecheck check-config` and `restorecheck schema`: what is declared, and what may be."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from restorecheck.assertions.words import count
from restorecheck.cli import exits
from restorecheck.cli.output import emit, errors, out
from restorecheck.config import json_schema, review
from restorecheck.errors import RestorecheckError


def check_config(config: Path, *, as_json: bool) -> None:
    """Load everything; say that it is right, with remarks on what proves little, or all that is wrong."""
    with errors("check-config", as_json=as_json):
        loaded, remarks = review(config)
    if as_json:
        names = [check.name for check in loaded.checks]
        emit("check-config", exits.PASSED, checks=names, remarks=[asdict(remark) for remark in remarks])
        return
    for remark in remarks:
        out.print(f"note: {remark}", markup=False, soft_wrap=True)
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
