"""Passwords of scratch databases, derived instead of stored: HMAC of a service key over the run and the user.

Whoever holds the service key and knows a run id can derive them again, so a run that is taken up after a crash needs
no secret in its records. The key itself never leaves this object.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import string
from pathlib import Path

from restorecheck.errors import RestorecheckError

_ALPHABET = string.ascii_letters + string.digits  # RDS forbids / " @ and space; Oracle and MySQL more

LENGTH = 32
"""Characters; RDS allows 8 to 128 for PostgreSQL, 8 to 41 for MySQL. 32 of 62 letters are 190 bits."""

_KEY_BYTES = 32


class Passwords:
    """Derives passwords from one service key."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def of(self, run_id: str, user: str) -> str:
        """Return the password of `user` in the scratch database of this run: always the same."""
        digest = hmac.digest(self._key, f"{run_id}\0{user}".encode(), hashlib.sha512)
        number = int.from_bytes(digest)
        letters = []
        for _ in range(LENGTH):
            number, place = divmod(number, len(_ALPHABET))
            letters.append(_ALPHABET[place])
        return "".join(letters)

    def salt(self, run_id: str) -> str:
        """Return the salt of this run's digests, so that equal texts of two runs are not recognisable as equal."""
        return hmac.digest(self._key, f"{run_id}\0salt".encode(), hashlib.sha256).hex()


def _make(path: Path) -> None:
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_hex(_KEY_BYTES) + "\n")
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()


def service_key(path: Path) -> bytes:
    """Return the service key in a file, made on first use and readable by its owner only.

    Raises RestorecheckError `config` for a file that holds none.
    A key that two processes make at the same moment is the same key: the file is linked into place, and the first wins.
    """
    try:
        if not os.path.exists(path):  # Path.exists raises where a directory may not be searched
            _make(path)
        key = bytes.fromhex(path.read_text().strip())
    except (OSError, ValueError):
        key = b""
    if len(key) != _KEY_BYTES:
        raise RestorecheckError(
            f"{path} is not a service key that can be read",
            "put the right one back, or delete it: a new one is made, and runs under way cannot be opened any more",
            kind="config",
        )
    return key
