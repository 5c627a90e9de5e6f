"""What a test needs from the machine: skipped with a printed reason where it is missing, failed where nothing may be.

Continuous integration sets RESTORECHECK_REQUIRE=all, so that a program which is not installed cannot pass for a test
that was run.
"""

from __future__ import annotations

import os
import shutil

import pytest

_SBIN = ("/usr/sbin", "/usr/local/sbin")
"""Where servers are, which an ordinary user's PATH leaves out."""


def need(condition: object, reason: str) -> None:
    """Go on if `condition` holds; else skip the test, or fail it when RESTORECHECK_REQUIRE is `all`."""
    if condition:
        return
    if os.environ.get("RESTORECHECK_REQUIRE") == "all":
        pytest.fail(f"required by RESTORECHECK_REQUIRE=all: {reason}", pytrace=False)
    pytest.skip(reason)


def program(name: str) -> str | None:
    """Return the path of a program, for an ordinary user as for root."""
    return shutil.which(name, path=os.pathsep.join((os.environ.get("PATH", os.defpath), *_SBIN)))


def need_mariadb() -> None:
    """Go on if MariaDB's server can be made here."""
    need(program("mariadbd") and program("mariadb-install-db"), "MariaDB is not there (apt: mariadb-server-core)")


def as_root_only(reason: str) -> None:
    """Go on as root. As somebody else there is nothing to test, whatever may be required."""
    if os.geteuid() != 0:
        pytest.skip(reason)
