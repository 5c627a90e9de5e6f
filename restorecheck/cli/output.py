"""How everything is printed: results to standard output, prose to standard error, one JSON object with `--json`."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

from rich.console import Console

from restorecheck import __version__
from restorecheck.cli import exits
from restorecheck.errors import ConfigError, RefusedError, RestorecheckError
from restorecheck.failures import kind as failure_kind
from restorecheck.model import Verdict

WIDTH = 118
"""Columns of a table that goes to a file or a pipe."""


class Results(Console):
    """What a command prints as its result."""

    def on_broken_pipe(self) -> None:
        """Say so to whoever knows the exit code, which rich would make that of `broken`."""
        raise BrokenPipeError


class Prose(Console):
    """What is said besides."""

    def on_broken_pipe(self) -> None:
        """Go on in silence: that nobody reads the progress of a run any more must not end the run."""
        self.quiet = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), self.file.fileno())


out = Results(highlight=False, width=None if sys.stdout.isatty() or "COLUMNS" in os.environ else WIDTH)
err = Prose(stderr=True, highlight=False)


def emit(command: str, code: int, **content: Any) -> None:
    """Print the one JSON object of a command."""
    print(json.dumps({"restorecheck": __version__, "command": command, "exit_code": code, **content}, indent=2))


@contextmanager
def errors(command: str, *, as_json: bool) -> Iterator[None]:
    """Turn our own errors into a clear line with a hint (or an object) and the documented exit code."""
    try:
        yield
    except RestorecheckError as e:
        _fail(command, e, as_json=as_json)


def _fail(command: str, e: RestorecheckError, *, as_json: bool) -> NoReturn:
    code = _code(e)
    hint = e.hint or (failure_kind(e.kind).hint if not isinstance(e, ConfigError) else "")
    if as_json:
        problems = [
            {"path": p.path, "line": p.line, "key": p.key, "message": p.message} for p in getattr(e, "problems", ())
        ]
        emit(command, code, error={"kind": e.kind, "message": e.message, "hint": hint, "problems": problems})
    else:
        said = e.message if isinstance(e, ConfigError) else f"restorecheck: {e.message}"
        err.print(said, markup=False, soft_wrap=True)
        if hint:
            err.print(f"  hint: {hint}", markup=False, soft_wrap=True)
    raise SystemExit(code)


def _code(e: RestorecheckError) -> int:
    if isinstance(e, RefusedError):
        return exits.REFUSED_OR_LEAKED
    if e.kind in {"config", "internal"}:
        return exits.USAGE
    return exits.BROKEN if failure_kind(e.kind).verdict is Verdict.BROKEN else exits.UNPROVEN
