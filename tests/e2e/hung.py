"""`restorecheck` whose rounds hang for as long as the file HANG is there, while everything else goes on."""

import os
import sys
import threading
from pathlib import Path

from restorecheck.cli import main
from restorecheck.service import serving

HANG = Path(os.environ["HANG"])


class Hung(serving.Dispatcher):
    def round(self, *arguments: object) -> None:
        while HANG.exists():
            threading.Event().wait(0.05)
        super().round(*arguments)  # type: ignore[arg-type]  # as it was called


serving.Dispatcher = Hung  # type: ignore[misc]  # in this process, which is there for nothing else
sys.argv[0] = "restorecheck"
main()
