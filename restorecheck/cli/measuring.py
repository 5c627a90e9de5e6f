"""`restorecheck metrics`: the figures of the store, as a serving process would export them, without one.

They are printed, or sent where whoever runs it says: it comes from cron, after `restorecheck run`.
"""

from __future__ import annotations

from pathlib import Path

from restorecheck import __version__
from restorecheck.cli import stores
from restorecheck.cli.output import errors
from restorecheck.config import Config, load
from restorecheck.config.receivers import Exports
from restorecheck.engines.clock import WallClock
from restorecheck.errors import RestorecheckError
from restorecheck.metrics import derived, exposition
from restorecheck.metrics.exporting import Sends, ways
from restorecheck.metrics.figures import Figures
from restorecheck.metrics.standing import Facts, Look


def metrics(config: Path, exports: Exports) -> None:
    """Send the figures of now to what `exports` names, or print them if it names nothing.

    One that fails keeps none of the others from being served.
    """
    with errors("metrics", as_json=False):
        now = figures(load(config))
        sends = [send for _, send in ways(exports, WallClock())]
        failed = [error for send in sends if (error := _tried(send, now))]
        if failed:
            raise RestorecheckError("; ".join(e.message for e in failed), failed[0].hint, kind=failed[0].kind)
    if not sends:
        print(exposition.text(now), end="")


def _tried(send: Sends, now: Figures) -> RestorecheckError | None:
    try:
        send(now)
    except RestorecheckError as e:
        return e
    return None


def figures(config: Config) -> Figures:
    """Return what the store says now. Raises StoreError: what could not be read must not pass for what is."""
    now = WallClock().now()
    with stores.opened(config) as store:
        kept = Look(store).kept(config, now)
    return derived.figures(Facts(config, now, __version__, kept))
