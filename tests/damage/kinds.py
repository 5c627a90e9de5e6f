"""The ways in which a stopped server's files are damaged: one function each, which changes one thing in one place.

Each is something that hardware, a file system or a faulty copy was seen to do. One of them is harmless: whoever finds
it finds too much.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pages
from cluster import Cluster
from pages import SIZE, File, Item

BLOCK = 300
"""Of the table of answers: in the middle, settled, and not one that was changed late."""


@dataclass(frozen=True)
class Kind:
    """One kind of damage."""

    name: str
    apply: Callable[[Cluster], None]
    harmless: bool = False
    harmless_with_checksums: bool = False  # PostgreSQL itself puts it right


KINDS: list[Kind] = []


def kind(name: str, **more: bool) -> Callable[[Callable[[Cluster], None]], Callable[[Cluster], None]]:
    def named(apply: Callable[[Cluster], None]) -> Callable[[Cluster], None]:
        KINDS.append(Kind(name, apply, **more))
        return apply

    return named


# --- heap ---------------------------------------------------------------------------------------------------------
# A row of answers: id at 0 (8 bytes), submission_id at 8 (4), correct at 12, then the text with a header of one byte.


def _answers(cluster: Cluster) -> tuple[File, memoryview, Item]:
    file = File(cluster.file("answer"))
    page = file.page(BLOCK)
    assert pages.is_settled(page)
    return file, page, pages.tuples(page)[5]


def _in_row(cluster: Cluster, offset: int, change: Callable[[int], int]) -> None:
    file, page, item = _answers(cluster)
    at = pages.body(page, item) + offset
    assert page[at] != change(page[at])
    page[at] = change(page[at])
    file.save()


@kind("heap: 1 ASCII character changed in a text value")
def _(cluster: Cluster) -> None:
    _in_row(cluster, 20, lambda byte: byte ^ 1)


@kind("heap: text byte becomes invalid UTF-8")
def _(cluster: Cluster) -> None:
    _in_row(cluster, 20, lambda _: 0xFF)


@kind("heap: bit of an integer column flipped (a foreign key)")
def _(cluster: Cluster) -> None:
    _in_row(cluster, 8 + 1, lambda byte: byte ^ 0x40)


@kind("heap: low bit of the primary key flipped (a duplicate)")
def _(cluster: Cluster) -> None:
    _in_row(cluster, 0, lambda byte: byte ^ 1)


@kind("heap: unindexed boolean flipped")
def _(cluster: Cluster) -> None:
    _in_row(cluster, 12, lambda byte: byte ^ 1)


@kind("heap: row deleted, page no longer all-visible")
def _(cluster: Cluster) -> None:
    file, page, item = _answers(cluster)
    _delete(cluster, page, item)
    pages.unsettle(page)
    file.save()


@kind("heap: page overwritten with garbage")
def _(cluster: Cluster) -> None:
    _overwrite(cluster, 0, SIZE)


@kind("heap: page body garbage, header and line pointers intact")
def _(cluster: Cluster) -> None:
    file, page, _ = _answers(cluster)
    (upper,) = struct.unpack_from("<H", page, 14)
    page[upper:SIZE] = random.Random(5).randbytes(SIZE - upper)
    file.save()


@kind("heap: length of a text value")
def _(cluster: Cluster) -> None:
    _in_row(cluster, 13, lambda byte: byte + 2 * 9)  # a short header: (length << 1) | 1


@kind("heap: row of a future transaction")
def _(cluster: Cluster) -> None:
    file, page, item = _answers(cluster)
    struct.pack_into("<I", page, item.offset, cluster.committed + 1_000_000_000)
    pages.hint(page, item, pages.hints(page, item) & ~(pages.XMIN_INVALID))
    file.save()


@kind("heap: row marked as deleted")
def _(cluster: Cluster) -> None:
    file, page, item = _answers(cluster)
    _delete(cluster, page, item)
    file.save()


@kind("heap: line pointer marked unused")
def _(cluster: Cluster) -> None:
    file, page, item = _answers(cluster)
    pages.point(page, item, pages.UNUSED)
    file.save()


@kind("heap: garbage in the page header")
def _(cluster: Cluster) -> None:
    file, page, _ = _answers(cluster)
    struct.pack_into("<H", page, 12, 0xFFF0)
    file.save()


@kind("heap: byte in the free hole of a page", harmless=True)
def _(cluster: Cluster) -> None:
    file = File(cluster.file("submission"))  # its last page is half empty
    page = file.page(file.pages - 1)
    lower, upper = struct.unpack_from("<HH", page, 12)
    assert upper - lower > 64
    page[(lower + upper) // 2] ^= 0xFF
    file.save()


@kind("heap: page zeroed")
def _(cluster: Cluster) -> None:
    _zero(cluster, "answer", BLOCK)


@kind("heap: torn page, 512 bytes of zeros")
def _(cluster: Cluster) -> None:
    file, page, _ = _answers(cluster)
    page[4096:4608] = bytes(512)
    file.save()


@kind("heap: two pages swapped")
def _(cluster: Cluster) -> None:
    file = File(cluster.file("answer"))
    one, other = bytes(file.page(BLOCK)), bytes(file.page(BLOCK + 40))
    file.page(BLOCK)[:], file.page(BLOCK + 40)[:] = other, one
    file.save()


@kind("heap: stale page (a lost write)")
def _(cluster: Cluster) -> None:
    file = File(cluster.file("answer"))
    old = File.__new__(File)
    old.path, old.data = file.path, bytearray(cluster.stale["answer"])
    assert bytes(old.page(BLOCK)) != bytes(file.page(BLOCK)), "nothing was deleted from this page"
    file.page(BLOCK)[:] = old.page(BLOCK)
    file.save()


@kind("heap: file truncated by 20 pages")
def _(cluster: Cluster) -> None:
    _truncate(cluster, "answer", 20)


@kind("heap: file truncated to nothing")
def _(cluster: Cluster) -> None:
    cluster.file("answer").write_bytes(b"")


@kind("heap: file missing")
def _(cluster: Cluster) -> None:
    cluster.file("answer").unlink()


# --- long values --------------------------------------------------------------------------------------------------
# A chunk: chunk_id (4 bytes), chunk_seq (4), then the bytes with a header of four.


def _in_chunk(cluster: Cluster, relation: str, size: int) -> None:
    file = File(cluster.file(f"toast of {relation}"))
    page = file.page(file.pages // 2)
    item = max(pages.tuples(page), key=lambda i: i.length)
    at = pages.body(page, item) + 12 + item.length // 2
    if size == 1:
        page[at] ^= 0x01
    else:
        page[at : at + size] = random.Random(6).randbytes(size)
    file.save()


@kind("long value (external): byte flipped")
def _(cluster: Cluster) -> None:
    _in_chunk(cluster, "plain_document", 1)


@kind("long value (pglz): byte flipped")
def _(cluster: Cluster) -> None:
    _in_chunk(cluster, "pglz_document", 1)


@kind("long value (pglz): 64 bytes overwritten")
def _(cluster: Cluster) -> None:
    _in_chunk(cluster, "pglz_document", 64)


@kind("long value (lz4): byte flipped")
def _(cluster: Cluster) -> None:
    _in_chunk(cluster, "lz4_document", 1)


@kind("long value (lz4): 64 bytes overwritten")
def _(cluster: Cluster) -> None:
    _in_chunk(cluster, "lz4_document", 64)


@kind("long values: page zeroed")
def _(cluster: Cluster) -> None:
    _zero(cluster, "toast of plain_document", 3)


@kind("long values: file truncated by 20 pages")
def _(cluster: Cluster) -> None:
    _truncate(cluster, "toast of plain_document", 20)


@kind("long values: leaf of their index zeroed")
def _(cluster: Cluster) -> None:
    _zero(cluster, "toast index of plain_document", 1)


# --- indexes ------------------------------------------------------------------------------------------------------


def _leaf(cluster: Cluster) -> tuple[File, memoryview, Item]:
    file = File(cluster.file("answer_pkey"))
    page = file.page(pages.leaves(file)[100])
    return file, page, pages.entries(page)[20]


@kind("index: byte of a key flipped")
def _(cluster: Cluster) -> None:
    file, page, item = _leaf(cluster)
    page[item.offset + 8 + 2] ^= 0x04
    file.save()


@kind("index: entry leads to another row")
def _(cluster: Cluster) -> None:
    file, page, item = _leaf(cluster)
    (number,) = struct.unpack_from("<H", page, item.offset + 4)
    struct.pack_into("<H", page, item.offset + 4, number + 1 if number < 50 else number - 1)
    file.save()


@kind("index: entry removed")
def _(cluster: Cluster) -> None:
    file, page, item = _leaf(cluster)
    pages.point(page, item, pages.DEAD)
    file.save()


@kind("index: leaf zeroed")
def _(cluster: Cluster) -> None:
    file = File(cluster.file("answer_pkey"))
    file.page(pages.leaves(file)[100])[:] = bytes(SIZE)
    file.save()


@kind("index: whole index stale")
def _(cluster: Cluster) -> None:
    cluster.file("answer_pkey").write_bytes(cluster.stale["answer_pkey"])


@kind("index: file truncated by 20 pages")
def _(cluster: Cluster) -> None:
    _truncate(cluster, "answer_pkey", 20)


@kind("index: file missing")
def _(cluster: Cluster) -> None:
    cluster.file("answer_pkey").unlink()


# --- what is beside -----------------------------------------------------------------------------------------------


@kind("visibility map: a page that is not settled is said to be", harmless_with_checksums=True)
def _(cluster: Cluster) -> None:
    heap, maps = File(cluster.file("answer")), File(cluster.file("answer", "_vm"))
    unsettled = [block for block in range(heap.pages) if not pages.is_settled(heap.page(block))]
    assert unsettled
    for block in unsettled:
        at = 24 + block // 4
        maps.data[at] |= 0x03 << (2 * (block % 4))
    maps.save()


@kind("commit log zeroed")
def _(cluster: Cluster) -> None:
    path = cluster.server.data / "pg_xact" / "0000"
    path.write_bytes(bytes(len(path.read_bytes())))


@kind("catalog: page of pg_attribute zeroed")
def _(cluster: Cluster) -> None:
    file = File(cluster.file("pg_attribute"))
    block = next(b for b in range(file.pages) if b"submission_id" in bytes(file.page(b)))
    file.page(block)[:] = bytes(SIZE)
    file.save()


def _delete(cluster: Cluster, page: memoryview, item: Item) -> None:
    struct.pack_into("<I", page, item.offset + 4, cluster.committed)
    pages.hint(page, item, (pages.hints(page, item) & ~pages.XMAX_INVALID) | pages.XMAX_COMMITTED)
    (mask,) = struct.unpack_from("<H", page, item.offset + 18)
    struct.pack_into("<H", page, item.offset + 18, mask | pages.KEYS_UPDATED)


def _overwrite(cluster: Cluster, start: int, end: int) -> None:
    file = File(cluster.file("answer"))
    file.page(BLOCK)[start:end] = random.Random(4).randbytes(end - start)
    file.save()


def _zero(cluster: Cluster, relation: str, block: int) -> None:
    file = File(cluster.file(relation))
    file.page(block)[:] = bytes(SIZE)
    file.save()


def _truncate(cluster: Cluster, relation: str, count: int) -> None:
    file = File(cluster.file(relation))
    assert file.pages > count + 2, relation
    file.truncate(file.pages - count)
    file.save()


def every() -> Iterator[Kind]:
    """Yield every kind of damage."""
    yield from KINDS
