"""`restorecheck serve`: the signals and the logs of the service; the service itself is `restorecheck.service`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import cast, get_args

from restorecheck import logs, service
from restorecheck.cli.output import errors
from restorecheck.errors import RestorecheckError


def serve(config: Path, listen: str | None, log_format: str, log_level: str) -> None:
    """Serve until a signal says to stop, and exit with the documented code."""
    with errors("serve", as_json=False):
        if log_format not in get_args(logs.Format) or log_level not in {"debug", "info", "warning", "error"}:
            raise RestorecheckError(
                f"--log-format {log_format} --log-level {log_level} is not known",
                "formats are json, text and auto; levels are debug, info, warning and error",
                kind="config",
            )
        logs.configure(fmt=cast("logs.Format", log_format), level=log_level)
        code = service.serve(config, listen=listen)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # threads that still wait for an answer of AWS are not waited for
