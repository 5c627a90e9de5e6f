"""What a test needs from the machine: skipped with a printed reason where it is missing, failed where nothing may be.

Continuous integration sets RESTORECHECK_REQUIRE=all, so that a program which is not installed cannot pass for a test
that was run.
"""

from __future__ import annotations

import os

import pytest


def need(condition: object, reason: str) -> None:
    """Go on if `condition` holds; else skip the test, or fail it when RESTORECHECK_REQUIRE is `all`."""
    if condition:
        return
    if os.environ.get("RESTORECHECK_REQUIRE") == "all":
        pytest.fail(f"required by RESTORECHECK_REQUIRE=all: {reason}", pytrace=False)
    pytest.skip(reason)
