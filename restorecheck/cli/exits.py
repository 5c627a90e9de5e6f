"""Exit codes: what a script may rely on. Any other code means that restorecheck itself failed."""

from __future__ import annotations

from collections.abc import Iterable

from restorecheck.model import Report, Verdict

PASSED = 0
BROKEN = 1
USAGE = 2
UNPROVEN = 3
REFUSED_OR_LEAKED = 4


def code_of(reports: Iterable[Report]) -> int:
    """Return the code for these reports: a leak or refusal outweighs `broken`, which outweighs `unproven`."""
    code = PASSED
    for report in reports:
        if report.leaked or report.refused:
            return REFUSED_OR_LEAKED
        if report.verdict is Verdict.BROKEN:
            code = BROKEN
        elif report.verdict is Verdict.UNPROVEN and code == PASSED:
            code = UNPROVEN
    return code
