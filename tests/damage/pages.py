"""Pages of PostgreSQL as bytes: enough of their layout to change one thing in one place of a stopped server's files.

Layouts: "Database Page Layout" of the PostgreSQL documentation, and `nbtree.h`. Checksums are never made anew: that is
what distinguishes damage from a write.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SIZE = 8192
ALL_VISIBLE = 0x0004  # pd_flags
XMAX_COMMITTED, XMAX_INVALID, XMIN_COMMITTED, XMIN_INVALID = 0x0400, 0x0800, 0x0100, 0x0200  # t_infomask
KEYS_UPDATED = 0x2000  # t_infomask2
UNUSED, NORMAL, DEAD = 0, 1, 3  # lp_flags
LEAF = 0x0001  # btpo_flags
POSTING = 0x2000  # t_info: the tuple holds several heap TIDs


@dataclass(frozen=True)
class Item:
    """One line pointer: its number from 1, where its tuple lies in the page, and what state it is in."""

    number: int
    offset: int
    length: int
    flags: int


class File:
    """One file of a relation that is being changed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.data = bytearray(path.read_bytes())

    @property
    def pages(self) -> int:
        return len(self.data) // SIZE

    def page(self, block: int) -> memoryview:
        return memoryview(self.data)[block * SIZE : (block + 1) * SIZE]

    def save(self) -> None:
        self.path.write_bytes(self.data)

    def truncate(self, pages: int) -> None:
        del self.data[pages * SIZE :]


def items(page: memoryview) -> Iterator[Item]:
    """Yield the line pointers of a page."""
    (lower,) = struct.unpack_from("<H", page, 12)
    for number, at in enumerate(range(24, lower, 4), 1):
        (pointer,) = struct.unpack_from("<I", page, at)
        yield Item(number, pointer & 0x7FFF, pointer >> 17, (pointer >> 15) & 3)


def tuples(page: memoryview) -> list[Item]:
    """Return the line pointers that lead to a tuple."""
    return [item for item in items(page) if item.flags == NORMAL and item.length]


def point(page: memoryview, item: Item, flags: int) -> None:
    """Give a line pointer another state."""
    pointer = 0 if flags == UNUSED else item.offset | (flags << 15) | (item.length << 17)
    struct.pack_into("<I", page, 24 + 4 * (item.number - 1), pointer)


def body(page: memoryview, item: Item) -> int:
    """Return where the columns of a heap tuple begin in the page."""
    return item.offset + page[item.offset + 22]


def hints(page: memoryview, item: Item) -> int:
    """Return t_infomask of a heap tuple."""
    return int(struct.unpack_from("<H", page, item.offset + 20)[0])


def hint(page: memoryview, item: Item, value: int) -> None:
    """Set t_infomask of a heap tuple."""
    struct.pack_into("<H", page, item.offset + 20, value)


def unsettle(page: memoryview) -> None:
    """Take the page's own word that all its rows are visible away."""
    (flags,) = struct.unpack_from("<H", page, 10)
    struct.pack_into("<H", page, 10, flags & ~ALL_VISIBLE)


def is_settled(page: memoryview) -> bool:
    """Say whether the page says that all its rows are visible."""
    return bool(struct.unpack_from("<H", page, 10)[0] & ALL_VISIBLE)


def is_leaf(page: memoryview) -> bool:
    """Say whether a B-tree page is a leaf that is in use."""
    (special,) = struct.unpack_from("<H", page, 16)
    return special == SIZE - 16 and struct.unpack_from("<H", page, special + 12)[0] in (LEAF, LEAF | 0x2)


def leaves(file: File) -> list[int]:
    """Return the blocks of the leaves of a B-tree, but not the last, which has no high key."""
    found = []
    for block in range(1, file.pages):
        page = file.page(block)
        if is_leaf(page) and struct.unpack_from("<I", page, SIZE - 12)[0]:
            found.append(block)
    return found


def entries(page: memoryview) -> list[Item]:
    """Return the entries of a leaf without its high key, and without those that hold several rows."""
    return [i for i in tuples(page)[1:] if not struct.unpack_from("<H", page, i.offset + 6)[0] & POSTING]
