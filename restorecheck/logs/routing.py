"""What other libraries log, warn about, or let a thread die of, as lines of ours: warnings and worse, masked alike."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from structlog.contextvars import merge_contextvars

from restorecheck.logs.output import LEVELS, OUTPUT

_OWN_HANDLERS = ("dbos",)  # libraries that print on a handler of their own unless they find one


class _Routed(logging.Handler):
    """Turns a record of the standard library's logging into one of our lines."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record, masked like everything else."""
        try:
            event = record.getMessage()
        except Exception:  # noqa: BLE001 - arguments that do not fit the message
            event = str(record.msg)
        fields = {"event": event, "logger": record.name, "exc_info": record.exc_info}
        known = next((name for name in reversed(LEVELS) if record.levelno >= LEVELS[name]), "debug")
        OUTPUT.tell(known, merge_contextvars(None, known, fields))


def take_over() -> Callable[[], None]:
    """Route standard logging, warnings and errors that end a thread into our lines; return what undoes it."""
    handler = _Routed(logging.WARNING)
    loggers = [logging.getLogger(), *(logging.getLogger(name) for name in _OWN_HANDLERS)]
    before = [(logger, logger.handlers[:], logger.level, logger.propagate) for logger in loggers]
    hook = threading.excepthook
    for logger in loggers:
        logger.handlers = [handler]
        logger.propagate = False
    loggers[0].setLevel(logging.WARNING)
    logging.captureWarnings(capture=True)
    threading.excepthook = _thread_died

    def release() -> None:
        threading.excepthook = hook
        logging.captureWarnings(capture=False)
        for logger, handlers, level, propagate in before:
            logger.handlers, logger.propagate = handlers, propagate
            logger.setLevel(level)

    return release


def _thread_died(args: threading.ExceptHookArgs) -> None:
    if args.exc_type is not SystemExit:
        name = args.thread.name if args.thread else ""
        fields = {"event": "thread.died", "logger": "service", "thread": name, "exc_info": args.exc_value}
        OUTPUT.tell("error", merge_contextvars(None, "error", fields))
