"""Figures as a file for node_exporter's textfile collector, or for whoever else reads Prometheus's text from a disk.

The file is there whole or not at all: the collector may read it at any moment, and half a file is half the checks.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from restorecheck.errors import RestorecheckError
from restorecheck.metrics.exposition import text
from restorecheck.metrics.figures import Figures

SUFFIX = ".prom"
"""How the name of a file must end that the collector reads."""

MODE = 0o644
"""The collector is another user. There is nothing in the figures that others may not read."""


def write(path: Path, figures: Figures) -> None:
    """Put the figures into a file in place of what it held.

    Raises RestorecheckError `config`, and then the file is as it was. Until the new one is whole it has another name,
    in the same directory, which the collector does not read.
    """
    if path.suffix != SUFFIX:
        raise RestorecheckError(
            f"{path} would be read by nobody", f"node_exporter reads files whose names end in {SUFFIX}", kind="config"
        )
    unfinished = ""
    try:
        handle, unfinished = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text(figures))
            file.flush()
            os.fchmod(file.fileno(), MODE)
            os.fsync(file.fileno())  # or a power cut could leave the new name with nothing in it
        os.replace(unfinished, path)
    except OSError as e:
        if unfinished:
            with suppress(OSError):
                os.unlink(unfinished)
        raise RestorecheckError(
            f"{path} cannot be written: {e.strerror or e}",
            "its directory must exist and be writable for us, and the disk must have room",
            kind="config",
            retryable=True,
        ) from e
