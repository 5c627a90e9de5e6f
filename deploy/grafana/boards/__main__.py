"""`python -m boards` writes the dashboards into the directory beside this package. It touches nothing else."""

from __future__ import annotations

import sys
from pathlib import Path

from boards.written import written

DIRECTORY = Path(__file__).resolve().parent.parent / "dashboards"


def main() -> None:
    """Write every dashboard, and say which."""
    for name, text in written().items():
        (DIRECTORY / name).write_text(text)
        sys.stdout.write(f"{DIRECTORY / name}\n")


if __name__ == "__main__":
    main()
