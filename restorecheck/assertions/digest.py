"""Canonical texts of cells, and the salted digests under which values leave a database. The one place for both.

Whoever asks the database and whoever judges the answer must come to the same digest, so both come here. A digest keeps
the kind of the value that it hides in clear (`text:3f…`), so that a text is never taken for a number.
"""

from __future__ import annotations

import hashlib
import hmac
from datetime import UTC, datetime
from decimal import Decimal

from restorecheck.model import Cell


def digest(kind: str, text: str, salt: str) -> str:
    """Return `kind:` and the hex SHA-256 (HMAC) of a value's canonical text under the salt of this run.

    A text that is not valid UTF-8, its stray bytes as surrogates, has a digest as well: it equals nothing declared.
    """
    message = f"{kind}\0{text}".encode(errors="surrogateescape")
    return f"{kind}:{hmac.digest(salt.encode(), message, hashlib.sha256).hex()}"


def canonical(cell: Cell) -> str:
    """Return the one text that all equal values of a kind share: `1.50` → `1.5`, a time → ISO 8601 in UTC.

    Raises ValueError or ArithmeticError when the cell's text is not of its kind.
    """
    if cell.kind in ("number", "duration"):
        return _plain(Decimal(cell.text))
    if cell.kind == "time":
        return instant(cell).isoformat()
    return cell.text


def sealed(cell: Cell, salt: str) -> Cell:
    """Return the cell as its digest; NULL and what cannot be compared stay what they are."""
    if cell.kind in ("null", "other", "digest"):
        return cell
    return Cell("digest", digest(cell.kind, canonical(cell), salt))


def hidden_kind(cell: Cell) -> str:
    """Return the kind of the value that a digest hides."""
    return cell.text.partition(":")[0]


def instant(cell: Cell) -> datetime:
    """Return a `time` or `date` cell as a moment: a time without a zone is read as UTC, a date as its midnight in UTC.

    Raises ValueError when the text is neither.
    """
    moment = datetime.fromisoformat(cell.text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _plain(number: Decimal) -> str:
    """Return a number without exponent and without trailing zeros, exactly: no context rounds it."""
    if not number.is_finite():
        return str(number)
    text = f"{number:f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text
