"""The XML of ListObjectVersions → entries, in the order in which S3 wrote them. Pure.

Read here and not by botocore, which sorts versions and delete markers into two lists and so loses which came first
within a second, and takes several times as long. An answer that is not what S3 writes is an error, never an end.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import pairwise
from urllib.parse import unquote_plus
from xml.etree import ElementTree

from restorecheck.errors import SourceError
from restorecheck.sources.versions.history import Entry

_ROOTS = frozenset({"ListVersionsResult", "ListObjectVersionsResult"})
_KINDS = {"Version": False, "DeleteMarker": True}  # element → whether it is a marker


def entries(pages: Iterable[bytes]) -> Iterator[Entry]:
    """Yield the versions and delete markers of raw pages. Raises SourceError `unknown-answer`; a retry may help."""
    for page in pages:
        try:
            yield from _in_order(list(_entries(page)))
        except (ElementTree.ParseError, KeyError, ValueError) as e:  # UnicodeDecodeError is a ValueError
            raise _unknown(f"S3 answered a listing that cannot be read ({type(e).__name__})") from e


def _entries(page: bytes) -> Iterator[Entry]:
    # Nothing that expands: S3 writes no document type. It is decoded here, or another encoding could hide one.
    if b"<!DOCTYPE" in page or b"<!ENTITY" in page:
        raise _unknown("S3 answered a listing with a document type")
    parser = ElementTree.XMLParser()  # noqa: S314 - nothing is expanded, see above
    parser.feed(page.decode())
    root = parser.close()
    _, brace, name = root.tag.rpartition("}")
    if name not in _ROOTS:
        raise _unknown(f"S3 answered <{name}> where a listing of versions was asked for")
    space = root.tag[: -len(name)] if brace else ""
    encoded = root.findtext(f"{space}EncodingType") == "url"
    skip = len(space)
    for element in root:
        kind = element.tag[skip:]
        if kind in _KINDS:
            yield _entry(element, skip, _KINDS[kind], encoded)


def _in_order(page: list[Entry]) -> list[Entry]:
    """Return a page as it stands; but some servers write all versions and then all markers, and those are merged.

    S3 does not, and its order is believed whatever the times say. Of a page that was split, the times must tell: where
    a version and a marker are of one second and neither is the latest, nobody can know, and nothing is guessed.
    """
    markers = sum(entry.marker for entry in page)
    if not markers or not all(entry.marker for entry in page[-markers:]):
        return page
    if all(a.key < b.key or (a.key == b.key and a.modified >= b.modified) for a, b in pairwise(page)):
        return page
    page.sort(key=lambda entry: (entry.key, -entry.modified.timestamp(), not entry.latest))
    for a, b in pairwise(page):
        if (a.key, a.modified) == (b.key, b.modified) and a.marker != b.marker and not a.latest:
            raise SourceError(
                "the server lists versions apart from delete markers, and two of one second cannot be put in order",
                kind="unknown-answer",
            )
    return page


def _entry(element: ElementTree.Element, skip: int, marker: bool, encoded: bool) -> Entry:
    said: dict[str, str] = {}
    algorithms: tuple[str, ...] = ()
    for child in element:
        name = child.tag[skip:]
        if name == "ChecksumAlgorithm":
            algorithms = (*algorithms, child.text or "")
        else:
            said[name] = child.text or ""
    key, version, latest = said["Key"], said["VersionId"], said["IsLatest"]
    if encoded and ("%" in key or "+" in key):
        key = unquote_plus(key, errors="strict")
    if not key or not version or latest not in {"true", "false"}:
        raise _unknown("S3 listed a version without its key, its id, or whether it is the latest")
    modified = datetime.fromisoformat(said["LastModified"])
    modified = modified.astimezone(UTC) if modified.tzinfo else modified.replace(tzinfo=UTC)
    if marker:
        return Entry(key, version, latest == "true", modified, True)
    size = int(said["Size"])
    if size < 0:
        raise _unknown("S3 listed a version of a negative size")
    return Entry(
        key,
        version,
        latest == "true",
        modified,
        False,
        size,
        said["ETag"].strip('"'),
        said.get("StorageClass") or "STANDARD",
        algorithms,
        said.get("ChecksumType") == "FULL_OBJECT",
    )


def _unknown(message: str) -> SourceError:
    return SourceError(message, kind="unknown-answer", retryable=True)
