"""`restorecheck check-config` and `restorecheck schema`: what is declared, and what may be."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from restorecheck.assertions.words import count
from restorecheck.cli import exits
from restorecheck.cli.output import emit, errors, out
from restorecheck.config import Config, json_schema, review
from restorecheck.errors import RestorecheckError


def check_config(config: Path, target: str = "container", *, as_json: bool) -> None:
    """Load everything; say that it is right, with remarks on what proves little, or all that is wrong."""
    with errors("check-config", as_json=as_json):
        if target not in {"container", "lambda"}:
            raise RestorecheckError(f"there is no target {target!r}", "say `container` or `lambda`", kind="config")
        loaded, remarks = review(config, "lambda" if target == "lambda" else "container")
    checked = _checked(loaded) if target == "lambda" else ()
    if as_json:
        names = [check.name for check in loaded.checks]
        said = [asdict(remark) for remark in remarks]
        emit("check-config", exits.PASSED, checks=names, remarks=said, target=target, checked=list(checked))
        return
    for remark in remarks:
        out.print(f"note: {remark}", markup=False, soft_wrap=True)
    questions = sum(len(check.assertions) for check in loaded.checks)
    found = f"{count(len(loaded.checks), 'check')} with {count(questions, 'assertion')}"
    for line in checked:
        out.print(f"for AWS Lambda: {line}", markup=False, soft_wrap=True)
    out.print(f"{config}: {found}, no problem found", markup=False)


def _checked(loaded: Config) -> tuple[str, ...]:
    from restorecheck.config import lambda_target

    return lambda_target.checked(loaded)


def schema(which: str) -> None:
    """Print a JSON Schema."""
    with errors("schema", as_json=False):
        if which not in {"config", "check"}:
            raise RestorecheckError(f"there is no schema {which!r}", "say `config` or `check`", kind="config")
        document = json_schema("config" if which == "config" else "check")
    print(json.dumps(document, indent=2))
