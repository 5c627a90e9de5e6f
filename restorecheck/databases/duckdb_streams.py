"""Whether a compressed file decompresses to its end. Needed because DuckDB does not say.

DuckDB 2.0 takes a Zstandard file that is cut off for a shorter one, and does not look at the checksum of a gzip file;
both would be a count of rows that is wrong and green. The bytes are decompressed once, and thrown away.
"""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path
from typing import BinaryIO

_CHUNK = 1024 * 1024
_SMALL = 8 * 1024
"""Bytes of a Zstandard file at one time: 4 of them can stand for 128 KiB."""


class CutOffError(Exception):
    """The file ends before its compressed stream does, or its checksum does not match."""


class NoZstandardError(Exception):
    """The library that decompresses Zstandard is not installed."""


def read_through(path: Path, packed: str) -> None:
    """Decompress a file (`packed` is `gz`, `zst`, or empty for one that is not compressed) to its end.

    Raises CutOffError (also for no byte at all, which is no stream), NoZstandardError, OSError.
    """
    if packed and not path.stat().st_size:
        raise CutOffError
    if packed == "gz":
        try:
            with gzip.open(path) as stream:
                while stream.read(_CHUNK):
                    pass
        except (EOFError, gzip.BadGzipFile, zlib.error):
            raise CutOffError from None
    elif packed == "zst":
        with path.open("rb") as stream:
            _through_zstandard(stream)


def _through_zstandard(stream: BinaryIO) -> None:
    try:
        import zstandard  # noqa: PLC0415 - an optional dependency
    except ImportError:
        raise NoZstandardError from None
    decompressor = zstandard.ZstdDecompressor(max_window_size=2**31)
    frame = decompressor.decompressobj()
    inside = False
    try:
        while chunk := stream.read(_SMALL):
            while chunk:
                frame.decompress(chunk)
                inside = not frame.eof
                chunk = frame.unused_data if frame.eof else b""
                if frame.eof:
                    frame = decompressor.decompressobj()
    except zstandard.ZstdError:
        raise CutOffError from None
    if inside:
        raise CutOffError
