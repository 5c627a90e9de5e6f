"""What was measured, as the bytes that are kept of it; and text, as every database takes it. Pure.

The layout of what was measured is that of `Measured`, packed with zlib.
"""

from __future__ import annotations

import json
import zlib

from restorecheck.durable import decode, encode
from restorecheck.errors import StoreError
from restorecheck.model import Measured


def packed(measured: Measured) -> bytes:
    """Return the bytes that `unpacked` turns back."""
    text = json.dumps(encode(measured, Measured), separators=(",", ":"))  # escapes what no UTF-8 can hold
    return zlib.compress(text.encode())


def unpacked(data: bytes) -> Measured:
    """Return what was packed. Raises StoreError for bytes that are not that."""
    try:
        measured: Measured = decode(json.loads(zlib.decompress(data)), Measured)
    except (zlib.error, ValueError) as e:  # pydantic's error is a ValueError as well
        raise StoreError("a baseline in the store is damaged", "restore the store from its backup") from e
    return measured


def clean(text: str) -> str:
    """Return text that every database takes: PostgreSQL has no NUL, and UTF-8 has no half characters."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()
