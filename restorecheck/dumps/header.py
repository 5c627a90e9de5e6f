"""What a dump says of itself in its first bytes: who wrote it, of what, and in which form. Pure; reads no file.

The layout of an archive's head is that of PostgreSQL's `pg_backup_archiver.c` (WriteHead, versions 1.12 to 1.16, which
are PostgreSQL 9.x to 18). Nothing is guessed: what is not recognised is `dump-damaged`, and what needs a secret is
`environment`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from restorecheck.errors import SourceError

Format = Literal["custom", "tar", "directory", "plain"]
Engine = Literal["postgresql", "mysql"]
Outer = Literal["gzip", "zstd", "lz4", "xz"]

ENOUGH = 64 * 1024
"""Bytes from the beginning of a dump that are enough to recognise it."""

_MAGIC: tuple[tuple[bytes, Outer], ...] = (
    (b"\x1f\x8b\x08", "gzip"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"\x04\x22\x4d\x18", "lz4"),
    (b"\xfd7zXZ\x00", "xz"),
)
_SKIPPABLE = re.compile(rb"[\x50-\x5f]\x2a\x4d\x18", re.DOTALL)  # a frame without data; pzstd begins with one

_SECRET: tuple[tuple[bytes, str], ...] = (
    (b"age-encryption.org/v1", "age"),
    (b"-----BEGIN AGE ENCRYPTED FILE-----", "age"),
    (b"-----BEGIN PGP MESSAGE-----", "GPG"),
    (b"Salted__", "openssl enc"),
)
_PGP_PACKETS = frozenset({0x84, 0x85, 0x86, 0x8C, 0x8D, 0x8E, 0xA4, 0xC1, 0xC3, 0xD2})
"""First bytes of a binary OpenPGP message that is encrypted (RFC 9580, tags 1, 3, 9 and 18)."""

_FORMATS: dict[int, Format] = {1: "custom", 3: "tar", 5: "directory"}
_ALGORITHMS = {0: "none", 1: "gzip", 2: "lz4", 3: "zstd"}
_VERSION = re.compile(r"(\d+)(?:\.(\d+))?")


@dataclass(frozen=True, slots=True)
class Header:
    """What a dump says of itself. A text that it does not say is empty."""

    engine: Engine
    format: Format
    archive: tuple[int, int] = (0, 0)  # version of the archive format, such as (1, 16); of a plain dump (0, 0)
    compression: str = "none"  # inside the archive: "none", "gzip", "lz4", "zstd"
    database: str = ""
    server: str = ""  # version of the server that was dumped, such as "17.11 (Debian …)"
    program: str = ""  # version of the program that wrote it
    created: datetime | None = None  # local time of the machine that wrote it: nobody says which zone
    flavour: str = ""  # "MySQL" or "MariaDB"

    @property
    def major(self) -> int:
        """The major version of the dumped server, 0 if it is not said; 9 for every 9.x."""
        found = _VERSION.match(self.server)
        return int(found.group(1)) if found else 0

    @property
    def program_major(self) -> int:
        """The major version of the program that wrote it, 0 if it is not said."""
        found = _VERSION.match(self.program)
        return int(found.group(1)) if found else 0


def outer(first: bytes) -> Outer | None:
    """Return the compression around a dump, by its first bytes."""
    for magic, name in _MAGIC:
        if first.startswith(magic):
            return name
    return "zstd" if _SKIPPABLE.match(first) else None


def recognise(first: bytes, *, table: bool = False) -> Header:
    """Return what the first bytes (up to `ENOUGH`) of a dump say. `table` says that they are a directory's toc.dat.

    Raises SourceError: `dump-damaged` for what is empty or nothing that we know, `environment` for what is encrypted or
    of a kind that nobody here can restore.
    """
    if not first:
        raise SourceError("the dump is empty: zero bytes", kind="dump-damaged")
    if first.startswith(b"PGDMP"):
        header = archive_head(first)
        return replace(header, format="directory") if table else header
    if table:
        raise SourceError("toc.dat is not the table of contents of a dump", kind="dump-damaged")
    if is_tar(first[:512]):
        return _tar(first)
    for magic, program in _SECRET:
        if first.startswith(magic):
            raise _encrypted(program)
    if plain := _plain(first):
        return plain
    if first[0] in _PGP_PACKETS and _binary(first):
        raise _encrypted("GPG, it seems")
    raise SourceError(
        f"this is no dump that we know: it begins with {_shown(first)}",
        "it may be encrypted, or compressed otherwise than with gzip, zstd, lz4 or xz; declare `decrypt` for these",
        kind="dump-damaged",
    )


# --- archives of pg_dump ----------------------------------------------------------------------------------------------


class _Bytes:
    """A cursor over the head of an archive."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 5
        self.int_size = 4

    def byte(self) -> int:
        if self._at >= len(self._data):
            raise SourceError("the dump is cut off within its first lines", kind="dump-damaged")
        value = self._data[self._at]
        self._at += 1
        return value

    def int(self) -> int:
        sign = self.byte()
        value = sum(self.byte() << (8 * place) for place in range(self.int_size))
        return -value if sign else value

    def text(self) -> str:
        length = self.int()
        if length < 0:
            return ""
        if self._at + length > len(self._data):
            raise SourceError("the dump is cut off within its first lines", kind="dump-damaged")
        value = self._data[self._at : self._at + length]
        self._at += length
        return value.decode(errors="replace")


def archive_head(first: bytes) -> Header:
    """Read the head of an archive of pg_dump. Raises SourceError `dump-damaged`."""
    read = _Bytes(first)
    version = (read.byte(), read.byte())
    read.byte()  # the revision, always 0
    if version[0] != 1 or not 10 <= version[1] <= 99:
        raise SourceError(f"the dump says that its format is {version[0]}.{version[1]}", kind="dump-damaged")
    read.int_size = read.byte()
    offset_size, form = read.byte(), read.byte()
    if read.int_size not in (4, 8) or offset_size not in (4, 8) or form not in _FORMATS:
        raise SourceError("the first bytes of the dump are damaged", kind="dump-damaged")
    compression = _algorithm(read.byte()) if version >= (1, 15) else ("gzip" if read.int() else "none")
    seconds, minutes, hours, day, month, year, _ = (read.int() for _ in range(7))
    try:
        created = datetime(year + 1900, month + 1, day, hours, minutes, min(seconds, 59))  # noqa: DTZ001 - as said
    except ValueError:
        created = None
    database, server, program = read.text(), read.text(), read.text()
    return Header("postgresql", _FORMATS[form], version, compression, database, server, program, created)


def _algorithm(number: int) -> str:
    return _ALGORITHMS.get(number, f"algorithm {number}")


def is_tar(block: bytes) -> bool:
    """Say whether 512 bytes are the head of a tar member: its checksum is right."""
    if len(block) < 512 or not any(block):
        return False
    said = block[148:156].strip(b" \0")
    if not re.fullmatch(rb"[0-7]+", said):
        return False
    return int(said, 8) == sum(block) - sum(block[148:156]) + 8 * 32


def _tar(first: bytes) -> Header:
    name = first[:100].split(b"\0")[0]
    if name.split(b"/")[-1] != b"toc.dat":
        raise SourceError(
            "this is a tar file, but none that pg_dump wrote: its first member is not toc.dat",
            "a directory dump that was packed with tar must be unpacked by the one who stores it",
            kind="environment",
        )
    if b"/" in name.removeprefix(b"./"):
        raise SourceError("this is a tar file of a directory, not a tar dump", kind="environment")
    return replace(recognise(first[512:]), format="tar")


# --- scripts ----------------------------------------------------------------------------------------------------------

_DUMPED_FROM = re.compile(rb"^-- Dumped from database version (.+)$", re.MULTILINE)
_DUMPED_BY = re.compile(rb"^-- Dumped by pg_dump version (.+)$", re.MULTILINE)
_DATABASE = re.compile(rb"^-- Name: (.+?); Type: DATABASE;", re.MULTILINE)
_MYSQL = re.compile(rb"^(?:/\*M?!.{0,60}\*/\s*;?\s*)?-- (MySQL|MariaDB) dump +(.*)$", re.MULTILINE)
_MYSQL_DATABASE = re.compile(rb"^-- Host: .*?\s{2,}Database: (.*)$", re.MULTILINE)
_MYSQL_SERVER = re.compile(rb"^-- Server version\s+(\S+)", re.MULTILINE)


def _plain(first: bytes) -> Header | None:
    """Return the header of a script that a dump program wrote, or None."""
    text = first.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text.startswith(b"--\n-- PostgreSQL database cluster dump"):
        raise SourceError(
            "this is a dump of a whole cluster (pg_dumpall), not of one database",
            "dump each database with pg_dump",
            kind="environment",
        )
    if re.match(rb"--\r?\n-- PostgreSQL database dump\s", text):
        database = _first(_DATABASE, text)
        return Header(
            "postgresql",
            "plain",
            database=database,
            server=_first(_DUMPED_FROM, text),
            program=_first(_DUMPED_BY, text),
        )
    if found := _MYSQL.match(text):
        flavour = found.group(1).decode()
        return Header(
            "mysql",
            "plain",
            database=_first(_MYSQL_DATABASE, text),
            server=_first(_MYSQL_SERVER, text),
            program=found.group(2).decode(errors="replace").strip(),
            flavour=flavour,
        )
    return None


def _first(pattern: re.Pattern[bytes], text: bytes) -> str:
    found = pattern.search(text)
    return found.group(1).decode(errors="replace").strip() if found else ""


def _encrypted(program: str) -> SourceError:
    return SourceError(
        f"the dump is encrypted ({program})",
        "declare `decrypt`: a command that reads the object and writes the dump",
        kind="environment",
    )


def _binary(first: bytes) -> bool:
    return sum(byte >= 0x80 or byte < 9 for byte in first[:512]) > min(len(first), 512) // 4


def _shown(first: bytes) -> str:
    """Return the first bytes as hex, never as text: they may be of a row."""
    return first[:8].hex(" ")
