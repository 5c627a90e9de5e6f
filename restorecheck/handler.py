"""The service on AWS Lambda: three functions of one package. `run` is a durable one; a schedule calls the others.

A composition root, and nothing else: see `functions`. Standard output is for CloudWatch's embedded metric format alone;
what is logged goes to standard error, as lines of JSON.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from restorecheck.engines.clock import WallClock
from restorecheck.functions.house import Call, House, log


def run(event: Any, context: Any) -> Any:
    """Go on with one run, {"run": "<check>-<time>"}, as far as this invocation gets. A durable function."""
    return _durable()(event, context)


def tick(event: Any, context: Call) -> Any:
    """Schedule what is due, begin it, hear what ended, tell whom it concerns, measure. Of a schedule: every 5 minutes.

    Raises when anything of it failed, so that Lambda counts an error; everything else was done all the same.
    """
    del event
    return _house().tick(context)


def sweep(event: Any, context: Call) -> Any:
    """Delete what runs left in the scratch accounts whose lease has expired. Of a schedule: every hour."""
    del event
    return _house().sweep(context)


@cache
def _house() -> House:
    log(os.environ)
    return House(os.environ, Path(tempfile.gettempdir()) / "restorecheck", WallClock())


@cache
def _durable() -> Callable[[Any, Any], Any]:
    from restorecheck.functions.running import durable  # noqa: PLC0415 - the SDK, which the others do not need

    return durable(_house().run)
