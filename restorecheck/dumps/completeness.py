"""Whether all of a dump is there: what pg_restore and psql do not notice when it is missing.

A script that was cut off between two statements, a cut directory file, a tar file without its end: each restores
without one error. So the end of each is looked for here. Reads files, writes none; no content ever gets into a message.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path

from restorecheck.dumps.header import Format, Header, Outer, is_tar
from restorecheck.dumps.unpacking import Layer, decompressed, read
from restorecheck.errors import SourceError

TAIL = 4096
"""Bytes at the end of a script in which its last words stand."""

_SUFFIXES: Mapping[str, Outer | None] = {"": None, ".gz": "gzip", ".lz4": "lz4", ".zst": "zstd"}
_DATA_NAME = re.compile(r"(?:\d+|blobs?_\d+)\.dat(\.gz|\.lz4|\.zst)?")
_ENTRY = re.compile(r"^(\d+); \d+ \d+ (.+)$", re.MULTILINE)


def damaged(what: str, hint: str = "") -> SourceError:
    """Return the error that says what is missing."""
    return SourceError(what, hint, kind="dump-damaged")


# --- what each form can show ------------------------------------------------------------------------------------------


def unprovable(header: Header, outer: Sequence[Layer] = ()) -> tuple[str, ...]:
    """Say in plain words how far a restore of this form proves that the dump is what was written."""
    form = f"{header.format} dump"
    for layer in outer:
        if layer.checked:
            return (f"the {layer.name} around the {form} has a checksum: a changed byte is noticed",)
    told = "only the object's checksum shows it"
    if outer:
        missed = "a changed byte inside a value may restore without an error"
        return (f"the {outer[-1].name} around the {form} has no checksum: {missed}; {told}",)
    if header.compression == "gzip":
        noticed = "noticed as a rule, in the schema only where it breaks a statement"
        return (f"gzip inside the {form}: a changed byte in the rows is {noticed}",)
    inside = "" if header.compression == "none" else f", compressed with {header.compression},"
    missed = "a changed byte inside a value restores without an error"
    return (f"a {form}{inside} has no checksum of its own: {missed}; {told}",)


# --- scripts ----------------------------------------------------------------------------------------------------------

_LAST_WORDS = {
    "postgresql": re.compile(rb"^-- PostgreSQL database dump complete\s*$", re.MULTILINE),
    "mysql": re.compile(rb"^-- Dump completed( on .*)?\s*$", re.MULTILINE),
}


def script_end(engine: str, tail: bytes) -> None:
    """Look for the last words of a script in its last `TAIL` bytes. Raises SourceError `dump-damaged`."""
    found = None
    for found in _LAST_WORDS[engine].finditer(tail):  # noqa: B007 - the last one
        pass
    if found is None:
        raise damaged(
            "the script is cut off: its last words (dump complete) are missing",
            "mysqldump leaves them out with --skip-comments and --compact; dump without these"
            if engine == "mysql"
            else "",
        )
    for line in tail[found.end() :].split(b"\n"):
        text = line.strip()
        if text and text != b"--" and not text.startswith((b"\\unrestrict ", b"/*M!", b"/*!")):
            raise damaged("after the script's last words comes something else")


# --- tar --------------------------------------------------------------------------------------------------------------


def tar_members(path: Path) -> dict[str, tuple[int, int]]:
    """Walk a tar file to its end; returns where each member's content is: offset and size.

    pg_restore hangs on a tar file that is cut off (seen with 17.11), so this comes first. Raises SourceError.
    """
    members: dict[str, tuple[int, int]] = {}
    total = path.stat().st_size
    with path.open("rb") as file:
        while True:
            at = file.tell()
            block = file.read(512)
            if len(block) < 512:
                raise damaged(f"the tar file is cut off after {at} bytes: its end mark is missing")
            if not any(block):
                if len(second := file.read(512)) < 512 or any(second):
                    raise damaged(f"the tar file is cut off after {at} bytes: its end mark is not whole")
                if any(file.read()):
                    raise damaged("after the end mark of the tar file comes something else")
                return members
            if not is_tar(block):
                raise damaged(f"the tar file is damaged at byte {at}: no member begins there")
            size = _size(block[124:136])
            if size is None or at + 512 + size > total:
                raise damaged(f"the tar file is cut off within the member that begins at byte {at}")
            members[block[:100].split(b"\0")[0].decode(errors="replace").removeprefix("./")] = (at + 512, size)
            file.seek(at + 512 + (size + 511) // 512 * 512)


def _size(field: bytes) -> int | None:
    if field[0] & 0x80:  # base 256, above 8 GiB
        return int.from_bytes(bytes([field[0] & 0x7F]) + field[1:])
    text = field.strip(b" \0")
    return int(text, 8) if re.fullmatch(rb"[0-7]+", text) else None


def tar_data(path: Path, members: Mapping[str, tuple[int, int]], listing: str) -> None:
    """Look that every table's data is in a tar dump, to its end. Raises SourceError `dump-damaged`."""
    for number in data_entries(listing):
        name = f"{number}.dat"
        if name not in members:
            raise damaged(f"the data file {name}, which the table of contents names, is missing from the tar file")
        offset, size = members[name]
        with path.open("rb") as file:
            file.seek(offset + max(size - 64, 0))
            _copy_end(name, file.read(min(size, 64)))


# --- directories ------------------------------------------------------------------------------------------------------


def data_entries(listing: str) -> list[int]:
    """Return the numbers of the table-of-contents entries that have a data file, from `pg_restore -l`."""
    return [int(number) for number, rest in _ENTRY.findall(listing) if rest.startswith("TABLE DATA ")]


def blob_entries(listing: str) -> list[int]:
    """Return the numbers of the entries of large objects."""
    return [int(number) for number, rest in _ENTRY.findall(listing) if rest.split(" ")[0] in ("BLOBS", "BLOB")]


def directory_data(directory: Path, listing: str, heed: Callable[[], None]) -> None:
    """Read every data file of a directory dump to its end. Raises SourceError `dump-damaged`, and what `heed` raises.

    Every file that the table of contents names is there, and every file ends as its form ends.
    """
    names = {path.name for path in directory.iterdir() if path.is_file()}
    for number in data_entries(listing):
        if not any(f"{number}.dat{suffix}" in names for suffix in _SUFFIXES):
            raise damaged(f"the data file {number}.dat, which the table of contents names, is missing")
    _large_objects(directory, listing, names)
    for name in sorted(names):
        if found_name := _DATA_NAME.fullmatch(name):
            tail = b""
            for block in _content(directory / name, _SUFFIXES[found_name.group(1) or ""]):
                heed()
                tail = (tail + block)[-64:] if len(block) < 64 else block[-64:]
            if not name.startswith("blob"):
                _copy_end(name, tail)


def _large_objects(directory: Path, listing: str, names: AbstractSet[str]) -> None:
    """Look that every large object of every list is there, and every list."""
    if blob_entries(listing) and not any(name.startswith("blobs") and name.endswith(".toc") for name in names):
        raise damaged("the table of contents of the large objects is missing")
    for name in sorted(n for n in names if n.startswith("blobs") and n.endswith(".toc")):
        if not (directory / name).stat().st_size:
            raise damaged(f"{name}, the list of large objects, is empty")
        for line in (directory / name).read_bytes().splitlines(keepends=True):
            found = re.fullmatch(rb"\d+ (blob_\d+\.dat)\n", line)
            if found is None:
                raise damaged(f"{name}, the list of large objects, is cut off")
            if not any(found.group(1).decode() + suffix in names for suffix in _SUFFIXES):
                raise damaged(f"{found.group(1).decode()}, a large object, is missing")


def _content(path: Path, compression: Outer | None) -> Iterator[bytes]:
    if compression is None:
        return read((path,))
    return _named(path.name, decompressed(compression, read((path,))))


def _named(name: str, blocks: Iterator[bytes]) -> Iterator[bytes]:
    try:
        yield from blocks
    except SourceError as e:
        raise SourceError(f"{name}: {e.message}", e.hint, kind=e.kind) from None


def _copy_end(name: str, tail: bytes) -> None:
    """Look for the end mark of COPY, or the empty lines that end a list of INSERTs, at the end of a table's data."""
    if not tail.endswith((b"\\.\n\n\n", b";\n\n\n")) and tail.strip(b"\n"):
        raise damaged(f"{name}, the rows of a table, is cut off: its end mark is missing")
    if not tail:
        raise damaged(f"{name}, the rows of a table, is empty: not even its end mark is there")


def check(form: Format, path: Path, listing: str, heed: Callable[[], None]) -> None:
    """Look whether an archive is whole, as far as its form lets one. Raises SourceError `dump-damaged`."""
    if form == "directory":
        directory_data(path, listing, heed)
    elif form == "tar":
        tar_data(path, tar_members(path), listing)
