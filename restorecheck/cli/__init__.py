"""The command line. Every command is a thin composition in a module of its own, imported when it is called.

Prose and progress go to standard error, results to standard output; `--json` prints one object with a stable shape
(docs/json.md). Nothing here decides: it puts parts together and prints.
"""

from __future__ import annotations

from restorecheck.cli import commands  # noqa: F401 - it adds them
from restorecheck.cli.root import app

INTERNAL = 70
"""EX_SOFTWARE of sysexits.h. Python's own 1 would read as `broken`."""


def main() -> None:
    """Run the command line. What we did not foresee ends with a code that no verdict has."""
    import os
    import sys

    try:
        app(prog_name="restorecheck")
    except Exception as e:
        if os.environ.get("RESTORECHECK_TRACEBACK"):
            raise
        print(
            f"restorecheck: internal error: {type(e).__name__}: {e}\n"
            "  hint: this is a bug; run it again with RESTORECHECK_TRACEBACK=1 and report what it prints",
            file=sys.stderr,
        )
        raise SystemExit(INTERNAL) from e
