"""What a failing database is called: one StoreError with one sentence.

Never passes on a statement, its parameters or the values that a constraint names: only what kind of thing went wrong.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from restorecheck.errors import StoreError

_PASSING = (sa.exc.OperationalError, sa.exc.InterfaceError, sa.exc.InternalError, sa.exc.TimeoutError)
_ABOUT_VALUES = (sa.exc.DataError, sa.exc.IntegrityError)
_LONGEST = 300

MEND = "put a good copy back, or move it away: a new one is made"
_HINTS = {
    "full": "make room: what could not be written is tried again",
    "locked": "another process holds the store; it is tried again",
    "readonly": "let the user that restorecheck runs as write there",
    "malformed": MEND,
    "not a database": MEND,
}
_DEFAULT_HINT = "see that the database is up and can be reached and written; it is tried again"


@contextmanager
def translate(masked: str) -> Iterator[None]:
    """Turn whatever SQLAlchemy raises into StoreError. `masked` names the store without its password."""
    try:
        yield
    except sa.exc.SQLAlchemyError as e:
        why = reason(e)
        hint = next((hint for word, hint in _HINTS.items() if word in why), _DEFAULT_HINT)
        # the original is left out on purpose: its text may name values of the row that was refused
        raise StoreError(f"the store {masked} failed: {why}", hint, retryable=isinstance(e, _PASSING)) from None


def reason(e: sa.exc.SQLAlchemyError) -> str:
    """Return why a call failed, in one line that holds no value of a row and no parameter."""
    if isinstance(e, sa.exc.TimeoutError):
        return "all connections are in use"
    original = e.orig if isinstance(e, sa.exc.DBAPIError) else None
    if original is None:
        return type(e).__name__
    state = getattr(original, "sqlstate", None)
    if isinstance(e, _ABOUT_VALUES):
        return f"it refused a value ({type(original).__name__}{f', {state}' if state else ''})"
    said = (getattr(getattr(original, "diag", None), "message_primary", None) if state else None) or str(original)
    return " ".join(said.split())[:_LONGEST]


def is_damaged(e: sa.exc.SQLAlchemyError) -> bool:
    """Tell whether SQLite found that the file is not, or no longer, a database."""
    # SQLITE_CORRUPT, SQLITE_NOTADB, the low byte of the extended codes. [sqlite.org/rescode.html]
    original = e.orig if isinstance(e, sa.exc.DBAPIError) else None
    return getattr(original, "sqlite_errorcode", 0) & 0xFF in {11, 26}
