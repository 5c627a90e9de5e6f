"""A fingerprint of the rows of an answer, whatever their order. Pure; it keeps two numbers and no value.

It is compared with what another run, or the recording at the source, came to: so it has no salt, and what goes into it
must not change between releases. A change of it needs another `DOMAIN`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from restorecheck.assertions.digest import canonical
from restorecheck.model import Cell

DOMAIN = b"restorecheck rows 1"
"""What every row's hash begins with."""

_WIDTH = 2**256


class RowsDigest:
    """The multiset of the rows that were added: how many, and the sum of their SHA-256, modulo 2^256.

    A sum, not an exclusive or: two equal rows must not cancel each other out.
    """

    def __init__(self) -> None:
        self.rows = 0
        self._sum = 0

    def add(self, cells: Sequence[Cell]) -> None:
        """Add one row. Texts are given in clear (kind `text`): they are hashed, and not kept.

        A value that cannot be compared (kind `other`) has its text hashed as it is: the caller puts what the server
        sent into it.
        """
        row = hashlib.sha256(DOMAIN)
        row.update(len(cells).to_bytes(4, "big"))
        for cell in cells:
            for part in (cell.kind, "naive" if cell.naive else "", _text(cell)):
                encoded = part.encode(errors="surrogateescape")
                row.update(len(encoded).to_bytes(8, "big"))
                row.update(encoded)
        self.rows += 1
        self._sum = (self._sum + int.from_bytes(row.digest(), "big")) % _WIDTH

    def hex(self) -> str:
        """Return the fingerprint so far, such as `rows1:12:9f86…`: it begins with how it was made."""
        return f"rows1:{self.rows}:{self._sum:064x}"


def _text(cell: Cell) -> str:
    try:
        return canonical(cell)
    except (ValueError, ArithmeticError):  # not of its kind: as it came
        return cell.text
