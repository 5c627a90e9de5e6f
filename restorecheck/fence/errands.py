"""What one job on objects takes, told as a line of wishes: send this, call that, wait. Whoever runs them sends.

A job is a generator, so that thousands need no thread each. It asks for every request by its parameters, which are
judged where they are sent, once for each try. Nothing here talks to AWS.
"""

from __future__ import annotations

import random
from base64 import b64encode
from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

from restorecheck.errors import RestorecheckError, SourceError
from restorecheck.fence import object_requests
from restorecheck.fence.object_requests import Reply, error_of
from restorecheck.fence.reading import Digests, Reading, asked_of
from restorecheck.fence.table import Role
from restorecheck.sources.versions.interface import Checksums, Copy, Head, Place, Read, Seen

TRIES = 6
"""How often one request is sent before it has failed, as everywhere in the fence."""


class Sender(Protocol):
    """In whose name something is sent."""

    @property
    def account(self) -> str:
        """The account that it is in."""

    @property
    def role(self) -> Role:
        """In which role."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How objects are split. Bytes."""

    whole_copy: int = 5 * 1024**3  # S3 copies no more in one request
    copy_part: int = 512 * 1024**2
    write_part: int = 8 * 1024**2  # what is relayed is in memory in such pieces
    parts: int = 10_000  # S3 takes no more


@dataclass(frozen=True, slots=True)
class Send:
    """A wish: send one request, and give back its Reply. `take` gets the bytes of an answer that `accept` likes."""

    by: Sender
    operation: str
    params: dict[str, Any]
    take: Callable[[bytes], None] | None = None
    slow: bool = False  # `take` may take its time: no more bytes come than it has taken, and it is called by the runner
    accept: Callable[[Reply], bool] = lambda reply: reply.status in {200, 206}


@dataclass(frozen=True, slots=True)
class Call:
    """A wish: make one call as any other is made, and give back its answer, or raise what it raised."""

    by: Sender
    operation: str
    params: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Together:
    """A wish: make calls at the same time, and give back their answers, or raise what the first of them raised."""

    calls: Sequence[Call]


@dataclass(frozen=True, slots=True)
class Pause:
    """A wish: go on after about so many seconds."""

    seconds: float


Wish = Send | Call | Together | Pause
Errand = Generator[Wish, Any, Seen]


def errand(job: Read | Head | Copy, by: Sender, source: Sender | None, sizes: Sizes) -> Errand:
    """Return a job as an errand. What goes wrong with it is in its result. A Copy with a `source` is relayed."""
    if isinstance(job, Read):
        place, steps = job.place, _read(job, by)
    elif isinstance(job, Head):
        place, steps = job.place, _head(job, by)
    elif source is not None:
        place, steps = job.to, _relay(job, by, source, sizes)
    elif job.size > sizes.whole_copy:
        place, steps = job.to, _copy_in_parts(job, by, sizes)
    else:
        place, steps = job.to, _copy(job, by)
    try:
        return (yield from steps)
    except RestorecheckError as e:
        return Seen(place, error=e)


def _again(error: RestorecheckError, tried: int) -> Pause:
    """Return how long to wait before the next try; raise the error if there is none."""
    if not error.retryable or tried >= TRIES:
        raise error
    return Pause(min(20.0, 0.25 * 2**tried) * random.uniform(0.5, 1.0))  # noqa: S311 - spreads load, hides nothing


def _sent(send: Send) -> Generator[Wish, Any, Reply]:
    """Send until it works or cannot."""
    tried = 0
    while True:
        reply: Reply = yield send
        error = error_of(send.operation, send.by.account, reply, send.by.role)
        if error is None:
            return reply
        tried += 1
        yield _again(error, tried)


def _seen(place: Place, headers: Any, size: int, digests: dict[str, str] | None = None) -> Seen:
    etag = headers.get("etag", "").strip('"')
    return Seen(
        place,
        size=size,
        etag=etag,
        checksums=Checksums(*object_requests.checksums_of(headers, etag)),
        digests=digests or {},
        storage_class=headers.get("x-amz-storage-class") or "STANDARD",
        encryption=headers.get("x-amz-server-side-encryption", ""),
        key=headers.get("x-amz-server-side-encryption-aws-kms-key-id", ""),
        archive=object_requests.archive_of(headers),
        metadata=object_requests.metadata_of(headers),
        modified=object_requests.modified_of(headers),
    )


def _head(job: Head, by: Sender) -> Errand:
    reply = yield from _sent(Send(by, "HeadObject", {**asked_of(job.place), "ChecksumMode": "ENABLED"}))
    return _seen(job.place, reply.headers, _length(reply, "HeadObject", by))


def _length(reply: Reply, operation: str, by: Sender) -> int:
    said = reply.headers.get("content-length", "")
    if not said.isascii() or not said.isdigit():
        message = f"{operation} in account {by.account}: S3 did not say how long the object is"
        raise SourceError(message, kind="unknown-answer")
    return int(said)


# --- reading -------------------------------------------------------------------------------------------------------


def _read_through(reading: Reading, by: Sender, slow: bool) -> Generator[Wish, Any, None]:
    """Read to the end, over as many tries as are allowed."""
    tried = 0
    while True:
        before = reading.received
        reply: Reply = yield Send(by, "GetObject", reading.params(), reading.take, slow, reading.accept)
        if reading.wrong:
            raise SourceError(f"GetObject in account {by.account}: {reading.wrong}", kind="unknown-answer")
        if not reading.missing:  # whatever became of the connection then
            return
        error = error_of("GetObject", by.account, reply, by.role)
        if error is None:
            message = f"GetObject in account {by.account}: the answer ended before the object did"
            error = SourceError(message, kind="aws-unavailable", retryable=True)
        if reading.received == before:
            tried += 1  # a try that brought something on is none of those that are limited: the object has an end
        yield _again(error, tried)


def _read(job: Read, by: Sender) -> Errand:
    digests = Digests(job.digests)
    sink = job.sink
    if sink is None:
        take: Callable[[bytes], None] = digests.update
    else:

        def take(piece: bytes) -> None:
            digests.update(piece)
            sink(piece)

    reading = Reading(job.place, take)
    yield from _read_through(reading, by, slow=sink is not None)
    return _seen(job.place, reading.headers, reading.received, digests.hex())


# --- copying -------------------------------------------------------------------------------------------------------


def _written(place: Place) -> dict[str, Any]:
    return {"Bucket": place.bucket, "Key": place.key, "ExpectedBucketOwner": place.owner}


def _copied(job: Copy) -> dict[str, Any]:
    source = {"Bucket": job.source.bucket, "Key": job.source.key, "VersionId": job.source.version}
    return {
        "CopySource": source,
        "CopySourceIfMatch": f'"{job.etag}"',
        "ExpectedSourceBucketOwner": job.source.owner,
    }


def _copy(job: Copy, by: Sender) -> Errand:
    directives = {"MetadataDirective": "COPY", "TaggingDirective": "REPLACE", "AnnotationDirective": "EXCLUDE"}
    reply = yield from _sent(Send(by, "CopyObject", {**_written(job.to), **_copied(job), **directives}))
    return Seen(
        job.to,
        size=job.size,
        etag=object_requests.etag_of_copy(reply.body),
        checksums=Checksums(*object_requests.checksums_of_copy(reply.body)),
        encryption=reply.headers.get("x-amz-server-side-encryption", ""),
        key=reply.headers.get("x-amz-server-side-encryption-aws-kms-key-id", ""),
    )


def _made_as(headers: Any) -> dict[str, Any]:
    """Return the parameters that give a new object what the source has beside its bytes."""
    made: dict[str, Any] = {name: headers[header] for name, header in object_requests.MADE.items() if header in headers}
    if metadata := object_requests.metadata_of(headers):
        made["Metadata"] = metadata
    return made


def _copy_in_parts(job: Copy, by: Sender, sizes: Sizes) -> Errand:
    head = yield from _looked_at(job, by)
    size = max(sizes.copy_part, -(-job.size // sizes.parts))
    ranges = [(first, min(first + size, job.size) - 1) for first in range(0, job.size, size)]

    def part(number: int, upload: str) -> Call:
        first, last = ranges[number - 1]
        asked = {"PartNumber": number, "UploadId": upload, "CopySourceRange": f"bytes={first}-{last}"}
        return Call(by, "UploadPartCopy", {**_written(job.to), **_copied(job), **asked})

    def parts(upload: str) -> Generator[Wish, Any, list[dict[str, Any]]]:
        done: list[dict[str, Any]] = []
        while len(done) < len(ranges):
            numbers = range(len(done) + 1, min(len(done) + 8, len(ranges)) + 1)  # eight at once
            answers = yield Together([part(number, upload) for number in numbers])
            done += [
                {"PartNumber": number, "ETag": answer["CopyPartResult"]["ETag"]}
                for number, answer in zip(numbers, answers, strict=True)
            ]
        return done

    etag = yield from _uploaded(job.to, by, _made_as(head.headers), parts)
    return Seen(job.to, size=job.size, etag=etag)


def _looked_at(job: Copy, by: Sender) -> Generator[Wish, Any, Reply]:
    """Look at the object that is to be moved in parts: it must be the one that was listed."""
    head = yield from _sent(Send(by, "HeadObject", asked_of(job.source)))
    if _length(head, "HeadObject", by) != job.size or head.headers.get("etag", "").strip('"') != job.etag:
        raise _another("HeadObject", by)
    return head


def _another(operation: str, by: Sender) -> SourceError:
    message = f"{operation} in account {by.account}: the object is not the one that was listed"
    return SourceError(message, kind="snapshot-state")


def _uploaded(
    to: Place,
    by: Sender,
    made: dict[str, Any],
    parts: Callable[[str], Generator[Wish, Any, list[dict[str, Any]]]],
) -> Generator[Wish, Any, str]:
    """Make an object of parts, and return its ETag. What cannot be finished is aborted."""
    where = _written(to)
    upload = (yield Call(by, "CreateMultipartUpload", {**where, **made}))["UploadId"]
    try:
        done = yield from parts(upload)
        finished = {**where, "UploadId": upload, "MultipartUpload": {"Parts": done}}
        answer = yield Call(by, "CompleteMultipartUpload", finished)
    except RestorecheckError:
        with suppress(RestorecheckError):  # what went wrong first counts; the teardown aborts what is left
            yield Call(by, "AbortMultipartUpload", {**where, "UploadId": upload})
        raise
    return str(answer.get("ETag", "")).strip('"')


def _relay(job: Copy, by: Sender, source: Sender, sizes: Sizes) -> Errand:
    digests = Digests(frozenset({"sha256"}))
    if job.size <= sizes.write_part:
        piece = bytearray()
        reading = Reading(job.source, piece.extend, whole=job.size)
        yield from _read_through(reading, source, slow=False)
        _as_listed(job, reading, source)
        body = bytes(piece)
        digests.update(body)
        made = digests.hex()
        sums = {"ChecksumSHA256": b64encode(bytes.fromhex(made["sha256"])).decode()}
        params = {**_written(job.to), **_made_as(reading.headers), **sums, "Body": body}
        reply = yield from _sent(Send(by, "PutObject", params))
        return _seen(job.to, reply.headers, len(body), made)
    head = yield from _looked_at(job, source)
    size = max(sizes.write_part, -(-job.size // sizes.parts))

    def parts(upload: str) -> Generator[Wish, Any, list[dict[str, Any]]]:
        done: list[dict[str, Any]] = []
        for first in range(0, job.size, size):
            piece = bytearray()
            reading = Reading(job.source, piece.extend, first=first, last=min(first + size, job.size) - 1)
            yield from _read_through(reading, source, slow=False)
            _as_listed(job, reading, source)
            body = bytes(piece)
            digests.update(body)
            asked = {"PartNumber": len(done) + 1, "UploadId": upload, "Body": body}
            answer = yield Call(by, "UploadPart", {**_written(job.to), **asked})
            done.append({"PartNumber": len(done) + 1, "ETag": answer["ETag"]})
        return done

    etag = yield from _uploaded(job.to, by, _made_as(head.headers), parts)
    return Seen(job.to, size=job.size, etag=etag, digests=digests.hex())


def _as_listed(job: Copy, reading: Reading, source: Sender) -> None:
    if reading.headers.get("etag", "").strip('"') != job.etag:
        raise _another("GetObject", source)
