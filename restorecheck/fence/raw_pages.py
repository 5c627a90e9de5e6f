"""Pages of ListObjectVersions as S3 wrote them, by botocore's own call: signed, judged, counted and retried as any.

botocore sorts a page into two lists, and so loses which of a version and a delete marker came first within a second.
So the body is kept aside before it is parsed, and botocore gets a small one that holds what paging needs. It does that
in `before-parse`, the event in which it looks for errors in answers of status 200; a test watches that it stays so.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from typing import Any

from restorecheck.errors import SourceError

_WHOLE = re.compile(rb"</List(?:Object)?VersionsResult>\s*\Z")
# Text of a key cannot hold a `<`, so these elements are found nowhere else.
_PAGING = re.compile(rb"<(IsTruncated|NextKeyMarker|NextVersionIdMarker|EncodingType)>[^<]*</\1>")
_CUT_OFF = b"<Error><Code>InternalError</Code><Message>the listing was cut off</Message></Error>"

_hold = threading.local()


def hang(client: Any) -> None:
    """Stand in a client of S3. What is called without `pages_of` is parsed as ever."""
    client.meta.events.register_last("before-parse.s3.ListObjectVersions", _aside)


def _aside(response_dict: dict[str, Any], **_: object) -> None:
    kept = getattr(_hold, "kept", None)
    if kept is None or response_dict["status_code"] != 200:
        return
    body = response_dict["body"]
    if not _WHOLE.search(body[-64:]):  # as an error that S3 tells after it began to answer: botocore tries again
        response_dict["status_code"], response_dict["body"] = 500, _CUT_OFF
        return
    kept[:] = [body]
    found = b"".join(match.group(0) for match in _PAGING.finditer(body))
    response_dict["body"] = b"<ListVersionsResult>" + found + b"</ListVersionsResult>"


def pages_of(call: Callable[..., dict[str, Any]], **params: Any) -> Iterator[bytes]:
    """Yield the raw pages of a listing, in order; one that breaks off raises, it never ends early."""
    marker: dict[str, str] = {}
    while True:
        kept: list[bytes] = []
        _hold.kept = kept  # botocore parses in the thread that calls
        try:
            page = call(**params, **marker)
        finally:
            _hold.kept = None
        if not kept or "IsTruncated" not in page:
            raise _unknown("a listing that does not say whether it is whole")
        yield kept[0]
        if not page["IsTruncated"]:
            return
        following = {"KeyMarker": page.get("NextKeyMarker", ""), "VersionIdMarker": page.get("NextVersionIdMarker", "")}
        if not all(following.values()):  # from a key alone, the rest of its versions would be left out
            raise _unknown("a part of a listing, and not where it goes on")
        if following == marker:
            raise _unknown("a listing in a circle")
        marker = following


def _unknown(what: str) -> SourceError:
    return SourceError(f"ListObjectVersions: S3 answered {what}", kind="unknown-answer", retryable=True)
