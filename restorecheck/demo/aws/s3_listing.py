"""Pages of ListObjectVersions and ListMultipartUploads, in S3's order, as XML. Changes nothing.

Keys come in the order of their UTF-8 bytes, which is that of Python's texts; in a key the newest is first; versions and
delete markers are mixed as they were written. A page costs what is on it, not what is in the bucket.
"""

from __future__ import annotations

import bisect
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape

from moto.s3.models import FakeBucket, FakeKey

OWNER = "<Owner><ID>75aa57f09aa0c8caeab4f8c24e99d10f8e7faeebf76c078efc7c6caea54ba06a</ID></Owner>"
HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
NAMESPACE = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
MOST = 1000


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a page: a version or delete marker, an upload, or a common prefix (`what` is None)."""

    key: str
    what: Any = None
    id: str = ""
    latest: bool = False


def versions(bucket: FakeBucket, asked: Mapping[str, str], *, restores: bool) -> bytes:
    """Return one page of ListObjectVersions. `asked`: its query; `restores`: whether to tell RestoreStatus."""
    prefix, key_marker, id_marker = (asked.get(name, "") for name in ("prefix", "key-marker", "version-id-marker"))
    found = _entries(bucket.keys, asked, id_marker, lambda key: _versions_of(bucket, key))
    page, last = _page(found, min(int(asked.get("max-keys", MOST)), MOST))
    text = _text(asked)
    lines = [f"<Name>{bucket.name}</Name><Prefix>{text(prefix)}</Prefix><KeyMarker>{text(key_marker)}</KeyMarker>"]
    lines.append(f"<VersionIdMarker>{escape(id_marker)}</VersionIdMarker>")
    lines += _frame(asked, "max-keys", "MaxKeys")
    lines.append(f"<IsTruncated>{_bool(last is not None)}</IsTruncated>")
    if last:
        lines.append(f"<NextKeyMarker>{text(last.key)}</NextKeyMarker>")
        if last.what is not None:
            lines.append(f"<NextVersionIdMarker>{last.id}</NextVersionIdMarker>")
    lines += [_version(entry, text, restores=restores) for entry in page if entry.what is not None]
    lines += _prefixes(page, text)
    return f"{HEAD}<ListVersionsResult {NAMESPACE}>{''.join(lines)}</ListVersionsResult>".encode()


def _versions_of(bucket: FakeBucket, key: str) -> list[Entry]:
    newest_first = list(reversed(bucket.keys.getlist(key, [])))
    return [Entry(key, version, str(version.version_id), n == 0) for n, version in enumerate(newest_first)]


def _version(entry: Entry, text: Callable[[str], str], *, restores: bool) -> str:
    version = entry.what
    common = (
        f"<Key>{text(entry.key)}</Key><VersionId>{entry.id}</VersionId><IsLatest>{_bool(entry.latest)}</IsLatest>"
        f"<LastModified>{version.last_modified:%Y-%m-%dT%H:%M:%S}.000Z</LastModified>{OWNER}"
    )
    if not isinstance(version, FakeKey):
        return f"<DeleteMarker>{common}</DeleteMarker>"
    more = ""
    if version.checksum_algorithm:
        more = f"<ChecksumAlgorithm>{version.checksum_algorithm}</ChecksumAlgorithm>"
        more += f"<ChecksumType>{version.checksum_type}</ChecksumType>"
    if restores and version._expiry is not None:
        going = version.status == "IN_PROGRESS"
        until = "" if going else f"<RestoreExpiryDate>{version._expiry:%Y-%m-%dT%H:%M:%S}.000Z</RestoreExpiryDate>"
        more += f"<RestoreStatus><IsRestoreInProgress>{_bool(going)}</IsRestoreInProgress>{until}</RestoreStatus>"
    return (
        f"<Version>{common}<ETag>{escape(version.etag)}</ETag>{more}<Size>{version.size}</Size>"
        f"<StorageClass>{version.storage_class}</StorageClass></Version>"
    )


def uploads(bucket: FakeBucket, asked: Mapping[str, str]) -> bytes:
    """Return one page of ListMultipartUploads."""
    prefix, key_marker, id_marker = (asked.get(name, "") for name in ("prefix", "key-marker", "upload-id-marker"))
    by_key: dict[str, list[Entry]] = {}
    begun: list[Any] = list(bucket.multiparts.values())
    for upload in sorted(begun, key=lambda u: u.initiated):
        by_key.setdefault(upload.key_name, []).append(Entry(upload.key_name, upload, upload.id))
    found = _entries(by_key, asked, id_marker, by_key.__getitem__)
    page, last = _page(found, min(int(asked.get("max-uploads", MOST)), MOST))
    text = _text(asked)
    lines = [f"<Bucket>{bucket.name}</Bucket><Prefix>{text(prefix)}</Prefix><KeyMarker>{text(key_marker)}</KeyMarker>"]
    lines.append(f"<UploadIdMarker>{escape(id_marker)}</UploadIdMarker>")
    lines += _frame(asked, "max-uploads", "MaxUploads")
    lines.append(f"<IsTruncated>{_bool(last is not None)}</IsTruncated>")
    if last:
        lines.append(f"<NextKeyMarker>{text(last.key)}</NextKeyMarker>")
        lines.append(f"<NextUploadIdMarker>{last.id}</NextUploadIdMarker>")
    lines += [
        f"<Upload><Key>{text(entry.key)}</Key><UploadId>{entry.id}</UploadId>{OWNER}"
        f"<StorageClass>{entry.what.storage or 'STANDARD'}</StorageClass>"
        f"<Initiated>{entry.what.initiated:%Y-%m-%dT%H:%M:%S}.000Z</Initiated></Upload>"
        for entry in page
        if entry.what is not None
    ]
    lines += _prefixes(page, text)
    return f"{HEAD}<ListMultipartUploadsResult {NAMESPACE}>{''.join(lines)}</ListMultipartUploadsResult>".encode()


def _entries(
    keys: Mapping[str, Any], asked: Mapping[str, str], id_marker: str, of_key: Callable[[str], list[Entry]]
) -> Iterator[Entry]:
    """Yield what comes after the markers; without `id_marker`, nothing of the marker's own key or common prefix."""
    prefix, delimiter, key_marker = (asked.get(name, "") for name in ("prefix", "delimiter", "key-marker"))
    names = sorted(keys.keys())
    place = bisect.bisect_left(names, max(prefix, key_marker))
    while place < len(names) and names[place].startswith(prefix):
        name = names[place]
        cut = name.find(delimiter, len(prefix)) if delimiter else -1
        if cut >= 0:
            common = name[: cut + len(delimiter)]
            if common != key_marker:
                yield Entry(common)
            while place < len(names) and names[place].startswith(common):
                place += 1
            continue
        place += 1
        if name != key_marker:
            yield from of_key(name)
        elif id_marker:
            yield from _after(of_key(name), id_marker)


def _after(entries: list[Entry], marker: str) -> list[Entry]:
    """Return what follows the marked entry; if that was deleted meanwhile, all that is left."""
    ids = [entry.id for entry in entries]
    return entries[ids.index(marker) + 1 :] if marker in ids else entries


def _page(entries: Iterator[Entry], most: int) -> tuple[list[Entry], Entry | None]:
    """Return a page, and its last entry if more follow."""
    page: list[Entry] = []
    for entry in entries:
        if len(page) == most:
            return page, page[-1] if page else None
        page.append(entry)
    return page, None


def _frame(asked: Mapping[str, str], most: str, element: str) -> list[str]:
    lines = [f"<{element}>{int(asked.get(most, MOST))}</{element}>"]
    if asked.get("delimiter"):
        lines.append(f"<Delimiter>{_text(asked)(asked['delimiter'])}</Delimiter>")
    if asked.get("encoding-type"):
        lines.append(f"<EncodingType>{escape(asked['encoding-type'])}</EncodingType>")
    return lines


def _prefixes(page: list[Entry], text: Callable[[str], str]) -> list[str]:
    names = [entry.key for entry in page if entry.what is None]
    return [f"<CommonPrefixes><Prefix>{text(name)}</Prefix></CommonPrefixes>" for name in names]


def _text(asked: Mapping[str, str]) -> Callable[[str], str]:
    return urllib.parse.quote if asked.get("encoding-type") == "url" else escape


def _bool(value: bool) -> str:
    return "true" if value else "false"
