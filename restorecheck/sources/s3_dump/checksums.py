"""Does what was downloaded match what was recorded about it? Pure.

Three may have recorded something: S3 when it took the object (its MD5 as ETag, or a checksum of the whole object), and
whoever made the dump (an object with its SHA-256). Only what was recorded of the whole object is compared: a checksum
of checksums of parts depends on how the upload was split, and an ETag of an object under a KMS key is no MD5.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from restorecheck.model import Observation
from restorecheck.sources.versions.interface import Seen

NAME = "dump-checksum"

SUMS = frozenset({"md5", "sha256", "crc64nvme", "crc32"})
"""What is computed of every object while it is downloaded."""

_ALGORITHMS = {"SHA256": "sha256", "CRC64NVME": "crc64nvme", "MD5": "md5", "CRC32": "crc32"}
_LINE = re.compile(r"\\?(?P<sum>[0-9a-fA-F]{64})(?:[ \t]+[ *]?(?P<name>\S.*?))?\s*")
_MD5 = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Compared:
    """How one object of a dump compares with what S3 recorded of it."""

    key: str
    agreed: tuple[str, ...] = ()  # in words: who recorded what agrees
    differs: tuple[str, ...] = ()


def with_s3(key: str, sums: Mapping[str, str], head: Seen) -> Compared:
    """Compare the sums of what was downloaded (hex, by names of SUMS) with what S3 keeps of the object."""
    agreed: list[str] = []
    differs: list[str] = []
    if head.checksums.full:
        for algorithm, recorded in head.checksums.values.items():
            mine = sums.get(_ALGORITHMS.get(algorithm, ""))
            if mine is not None:
                (agreed if mine == _hex(recorded) else differs).append(f"S3's {algorithm} of the whole object")
    etag = head.etag.strip('"').lower()
    plain = head.encryption in {"", "AES256"}
    if plain and _MD5.fullmatch(etag) and "md5" in sums:
        (agreed if sums["md5"] == etag else differs).append("S3's MD5 (ETag)")
    return Compared(key, tuple(agreed), tuple(differs))


def _hex(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).hex()
    except (binascii.Error, ValueError):
        return "not base64"


@dataclass(frozen=True, slots=True)
class Recorded:
    """What the object beside a dump said. `problem` tells why it says nothing that can be used."""

    url: str
    sums: Mapping[str, str]  # by name of the file; one without a name under the empty name
    problem: str = ""
    older: bool = False  # than the dump


def read_sidecar(url: str, text: bytes, *, older: bool) -> Recorded:
    """Read lines of `sum` or `sum  name`, as sha256sum writes them."""
    sums: dict[str, str] = {}
    lines = [line for line in text.decode("utf-8", "replace").splitlines() if line.strip() and not line.startswith("#")]
    for line in lines:
        found = _LINE.fullmatch(line)
        if not found:
            return Recorded(url, {}, "it holds something else than SHA-256 sums in hex", older)
        sums[(found["name"] or "").replace("\\", "/").rpartition("/")[2]] = found["sum"].lower()
    return Recorded(url, sums, "" if sums else "it is empty", older)


def with_sidecar(recorded: Recorded, files: Mapping[str, str]) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    """Compare sums of files (hex SHA-256 by name) with what was recorded.

    Returns why nothing can be said (or nothing), the names of files that agree, and of those that differ. A single
    sum counts for a single file whatever name stands beside it: it is often that of a file that was renamed since.
    """
    if recorded.problem:
        return recorded.problem, (), ()
    if len(files) == 1 and len(recorded.sums) == 1:
        [(name, mine)], [theirs] = files.items(), recorded.sums.values()
        return ("", (name,), ()) if mine == theirs else ("", (), (name,))
    missing = [name for name in files if name not in recorded.sums]
    agree = tuple(name for name, mine in files.items() if recorded.sums.get(name) == mine)
    differ = tuple(name for name, mine in files.items() if name in recorded.sums and recorded.sums[name] != mine)
    return (f"it names no sum of {missing[0]}" if missing else ""), agree, differ


def judged(
    compared: Sequence[Compared], recorded: Recorded | None, files: Mapping[str, str], seconds: float
) -> tuple[Observation, str]:
    """Return the observation, and the line of the proof that says who had recorded a checksum."""
    expected = "what was recorded of the dump"
    differs = [f"{one.key}: {', '.join(one.differs)}" for one in compared if one.differs]
    silent = [one.key for one in compared if not one.agreed and not one.differs]
    kinds = sorted({words for one in compared for words in one.agreed})
    problem, agree, differ = with_sidecar(recorded, files) if recorded else ("", (), ())
    said = []
    if recorded and differ:
        old = "; it is older than the dump" if recorded.older else ""
        differs.append(f"{differ[0]}: the SHA-256 in {recorded.url}{old}")
    if recorded and agree and not differ and not problem:
        said.append(f"the SHA-256 in {recorded.url}")
    if kinds and not silent:
        said.append(" and ".join(kinds))
    proof = f"the bytes that were restored match {', and '.join(said)}" if said else _nobody(silent, compared)
    if differs:
        more = f", and {len(differs) - 1} more" if len(differs) > 1 else ""
        message = f"the bytes do not match what was recorded: {differs[0]}{more}"
        return Observation(NAME, expected, "differs", "object-damaged", message, seconds=seconds), message
    if problem and recorded:
        message = f"the checksum that this check relies on cannot be used: {recorded.url}: {problem}"
        return Observation(NAME, expected, "not known", "snapshot-state", message, seconds=seconds), message
    return Observation(NAME, expected, "the same" if said else "nothing was recorded", seconds=seconds), proof


def _nobody(silent: Sequence[str], compared: Sequence[Compared]) -> str:
    if silent and len(silent) < len(compared):
        return f"nobody recorded a checksum of {len(silent)} of the {len(compared)} objects of the dump"
    return "nobody recorded a checksum of the whole dump: that these are the bytes that were written is not proven"
