"""From an event to one line, in JSON or in text. Pure.

Every name and value of an event goes through here, so nothing gets out unmasked, uncut or over more than one line.
Of an error from a database server nothing is repeated but its SQLSTATE: its words can hold a row.
"""

from __future__ import annotations

import json
import math
import os
import re
import sys
import traceback
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from datetime import time as datetime_time
from typing import Any

from restorecheck.errors import RestorecheckError
from restorecheck.logs.masking import is_secret, masked

LONGEST = 2_000
"""Characters of one value; what is longer is cut."""

_LONGEST_TRACE = 4_000  # characters of the frames of an error, the innermost; no more than `masked` reads
_MOST = 50  # items of a list or a mapping
_DEEPEST = 4  # lists in lists
_FIRST = ("timestamp", "level", "event", "logger", "check", "run")
_OURS = ("timestamp", "level", "logger")  # keys that nobody else may set
_PLAIN = re.compile(r"[\w.:/@%+*-]+", re.ASCII)


def fields_of(level: str, event: Mapping[str, Any], now: datetime, *, frames: bool = False) -> dict[str, Any]:
    """Return what a line holds, in its order: ours first, everything masked. `frames` are shown of an error."""
    given = dict(event)
    error = _error_in(given.pop("exc_info", None))
    stamp = now.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    logger = safe(given.pop("logger", None))
    found = {"timestamp": stamp, "level": level, "event": safe(given.pop("event", "")), "logger": logger}
    for name in (*(n for n in _FIRST if n in given), *(n for n in given if n not in _FIRST)):
        found[f"{name}_" if name in _OURS else str(name)] = "***" if is_secret(str(name)) else safe(given[name])
    if error is not None:
        found |= {"error_type": safe(type(error).__name__), "error": safe(said(error))}
        if frames:
            trace = "".join(traceback.format_tb(error.__traceback__, limit=-20))  # frames only: no message, no value
            found["frames"] = masked(trace[-_LONGEST_TRACE:])
    return found


def _error_in(info: Any) -> BaseException | None:
    if isinstance(info, tuple):
        info = info[1]
    elif info and not isinstance(info, BaseException):
        info = sys.exc_info()[1]
    return info if isinstance(info, BaseException) else None


def said(error: BaseException) -> str:
    """Return what may be repeated of an error's message; what a database server said can hold a row, so nothing of it.

    psycopg's errors carry `sqlstate` when they come from the server; SQLAlchemy's carry the driver's error as `orig`
    and print the values of the statement after the first line.
    """
    if isinstance(error, RestorecheckError):
        return masked(error.message)
    if isinstance(orig := getattr(error, "orig", None), BaseException):
        return f"{type(orig).__name__}: {said(orig)}"
    if state := getattr(error, "sqlstate", None):
        return masked(f"SQLSTATE {state}")
    return masked(str(error).partition("\n[SQL:")[0])


def safe(value: Any, depth: int = 0) -> Any:
    """Return a value as JSON can hold it, masked and cut. Of a type that we do not know only the type's name."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value) if value.bit_length() <= 64 else f"a number of {value.bit_length()} bits"
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(value)
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Mapping | list | tuple | set | frozenset):
        return _safe_inside(value, depth)
    if isinstance(value, BaseException):
        value = f"{type(value).__name__}: {said(value)}"
    elif isinstance(value, date | datetime_time):
        value = value.isoformat()
    elif isinstance(value, os.PathLike):
        value = os.fspath(value)
    if not isinstance(value, str):
        return f"<{type(value).__name__}>"
    return _cut(masked(str(value)))


def _safe_inside(value: Any, depth: int) -> Any:
    if depth >= _DEEPEST:
        return "…"
    if isinstance(value, Mapping):
        pairs = [(_cut(masked(str(k))), v) for k, v in list(value.items())[:_MOST]]
        return {k: "***" if is_secret(k) else safe(v, depth + 1) for k, v in pairs}
    return [safe(v, depth + 1) for v in list(value)[:_MOST]]


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def as_text(fields: Mapping[str, Any]) -> str:
    """Return `time LEVEL event key=value …`; what is not one plain word is quoted, what cannot be seen is escaped."""
    head = f"{fields['timestamp']} {fields['level'].upper():<8} {_word(fields['event'])}"
    rest = (f"{re.sub(r'[^A-Za-z0-9_.-]', '_', k)}={_word(v)}" for k, v in fields.items() if k not in _FIRST[:3])
    return " ".join((head, *rest))


def _word(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if _PLAIN.fullmatch(text):
        return text
    text = json.dumps(text, ensure_ascii=False)  # escapes quotes, backslashes and line feeds
    return "".join(c if c.isprintable() else json.dumps(c)[1:-1] if c < "\x20" else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    return character.encode("ascii", "backslashreplace").decode() if character != "\x7f" else "\\x7f"
