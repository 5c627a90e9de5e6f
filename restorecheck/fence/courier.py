"""Objects in bulk, read, looked at, copied and written in the name of one role under one permit.

botocore's own calls would cost several times as much, so these requests go out by the AWS common runtime. They are
judged by the same judgement as every other call, before each try, and built from the judged parameters alone, here and
at once: nobody else sees them in between. Deletes and the calls of multipart uploads go through botocore.
"""

from __future__ import annotations

import hashlib
import io
import time
from base64 import b64decode
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any

import awscrt.auth  # type: ignore[import-untyped]
import awscrt.http  # type: ignore[import-untyped]
import botocore.exceptions

from restorecheck import __version__
from restorecheck.errors import SourceError
from restorecheck.fence.answers import kind_of, of_client_error, of_no_answer
from restorecheck.fence.decision import Permit
from restorecheck.fence.errands import Send, Sizes, errand
from restorecheck.fence.object_requests import Written, address_of, error_of, request_of
from restorecheck.fence.passage import Passage
from restorecheck.fence.raw_pages import pages_of
from restorecheck.fence.rounds import STALL, Rounds
from restorecheck.fence.table import Role
from restorecheck.fence.wire import Flight, Wire
from restorecheck.sources.versions.interface import Copy, Head, Objects, Read, Seen

_AGENT = f"restorecheck/{__version__}"
_CONFIG_SECONDS = 5.0  # AWS takes a signature for minutes


class Courier:
    """Objects of one account and region as one role, with the permit of one run or with none: then it only reads."""

    def __init__(
        self,
        passage: Passage,
        permit: Permit | None = None,
        *,
        sizes: Sizes | None = None,
        stall: float = STALL,
        hurry: float = 1.0,
        page_size: int = 1000,
    ) -> None:
        self._passage, self._permit = passage, permit
        self._sizes, self._stall, self._hurry, self._page_size = sizes or Sizes(), stall, hurry, page_size
        self._credentials: Any = None  # as they were when the signer was made
        self._signer: Any = None
        self._config: Any = None  # how requests without a body are signed
        self._config_made = 0.0
        self._wires: dict[str, Wire] = {}

    @property
    def role(self) -> Role:
        """In whose name it sends."""
        return self._passage.role

    @property
    def account(self) -> str:
        """The account that it is in."""
        return self._passage.account

    # --- what sources ask for --------------------------------------------------------------------------------------

    def pages(self, bucket: str, owner: str, prefix: str) -> Iterator[bytes]:
        """Yield the raw XML of every page of ListObjectVersions, in order. Raises AwsError, SourceError."""

        def call(**params: Any) -> dict[str, Any]:
            return self.call("ListObjectVersions", params)

        asked = {"Bucket": bucket, "ExpectedBucketOwner": owner, "Prefix": prefix, "MaxKeys": self._page_size}
        return pages_of(call, **asked)

    def read(self, jobs: Iterable[Read], at_once: int) -> Iterator[Seen]:
        """Read objects to their end. A sink is called in the thread that asks for results, and may be slow."""
        return self._run(jobs, at_once)

    def head(self, jobs: Iterable[Head], at_once: int) -> Iterator[Seen]:
        """Look at objects, with the checksums that S3 keeps."""
        return self._run(jobs, at_once)

    def copy(self, jobs: Iterable[Copy], at_once: int) -> Iterator[Seen]:
        """Copy versions inside S3. Closing the iterator breaks off what is under way and aborts its uploads."""
        return self._run(jobs, at_once)

    def relay(self, source: Objects, jobs: Iterable[Copy], at_once: int) -> Iterator[Seen]:
        """Read by `source`, another courier, and write by this one; memory is bounded whatever the sizes."""
        if not isinstance(source, Courier):
            raise TypeError("a courier relays what another courier reads")
        return self._run(jobs, at_once, source)

    def _run(self, jobs: Iterable[Read | Head | Copy], at_once: int, source: Courier | None = None) -> Iterator[Seen]:
        sizes = self._sizes

        def held(job: Read | Head | Copy) -> int:
            return 2 * min(job.size, sizes.write_part) if source is not None and isinstance(job, Copy) else 0

        errands = ((errand(job, self, source, sizes), held(job)) for job in jobs)
        return Rounds(stall=self._stall, hurry=self._hurry).run(errands, at_once)

    # --- what errands ask for --------------------------------------------------------------------------------------

    def call(self, operation: str, params: dict[str, Any]) -> dict[str, Any]:
        """Make one call through botocore. Raises what Hand.call raises."""
        return self._passage.call(self._permit, "s3", operation, params)

    def launch(
        self, send: Send, done: Callable[[Flight], None], take: Callable[[Flight, bytes], None] | None
    ) -> Flight:
        """Judge, sign and send one request. What it raises (RefusedError, PlannedError, SourceError) was not sent."""
        operation, params, passage = send.operation, send.params, self._passage
        passage.judge("s3", operation, params, self._permit)
        wire = self._wire(params["Bucket"])
        written = request_of(operation, params, wire.address.prefix)
        request = self._signed(written, wire.address.named, params.get("ChecksumSHA256"))
        flight = Flight(send.accept, take, partial(self._landed, operation, done))
        passage.traffic.sending(passage.place, "s3", operation)
        wire.send(request, flight)
        return flight

    def _wire(self, bucket: str) -> Wire:
        """Return the connections to where a bucket answers."""
        if bucket not in self._wires:
            address = address_of(self._passage.client("s3").meta.endpoint_url, bucket)
            self._wires[bucket] = self._passage.wires.to(address, self._passage.trust)
        return self._wires[bucket]

    def _landed(self, operation: str, done: Callable[[Flight], None], flight: Flight) -> None:
        """Tell the traffic whether anything came back, and then whoever waits."""
        reply = flight.reply
        with suppress(Exception):  # whatever came back, counting it breaks nothing: somebody waits
            self._count_failure(operation, flight)
        if not flight.cut_off and (reply.broken or reply.status >= 500):
            error = error_of(operation, self.account, reply)
            if reply.broken or (error is not None and error.kind == kind_of("", 500)):
                self._passage.traffic.unanswered(self._passage.place, "s3", f"{operation}: {error}")
                done(flight)
                return
        if not reply.broken:
            self._passage.traffic.answered(self._passage.place, "s3")
        done(flight)

    def _count_failure(self, operation: str, flight: Flight) -> None:
        error = None if flight.unwanted else error_of(operation, self.account, flight.reply)
        if error is not None:
            self._passage.traffic.failed(self._passage.place, "s3", operation, error.kind)

    def _signed(self, written: Written, host: str, checksum: str | None) -> awscrt.http.HttpRequest:
        headers = [("Host", host), ("User-Agent", _AGENT), *written.headers]
        digest = awscrt.auth.AwsSignedBodyValue.EMPTY_SHA256
        if written.method == "PUT":
            headers.append(("Content-Length", str(len(written.body))))
        if written.body:
            digest = b64decode(checksum).hex() if checksum else hashlib.sha256(written.body).hexdigest()
        request = awscrt.http.HttpRequest(
            written.method,
            written.target,
            awscrt.http.HttpHeaders(headers),
            io.BytesIO(written.body) if written.body else None,
        )
        signed: awscrt.http.HttpRequest = awscrt.auth.aws_sign_request(request, self._signing(digest)).result()
        return signed

    def _signing(self, digest: str) -> Any:
        """Return how a request with a body of this digest is signed now. That of no body is used for some seconds."""
        signer, now = self._provider(), time.monotonic()
        bare = digest == awscrt.auth.AwsSignedBodyValue.EMPTY_SHA256
        if bare and self._config is not None and now - self._config_made < _CONFIG_SECONDS:
            return self._config
        config = awscrt.auth.AwsSigningConfig(
            credentials_provider=signer,
            region=self._passage.region,
            service="s3",
            use_double_uri_encode=False,
            should_normalize_uri_path=False,  # a key is no path: `a//b` and `../x` are names like any other
            signed_body_value=digest,
            signed_body_header_type=awscrt.auth.AwsSignedBodyHeaderType.X_AMZ_CONTENT_SHA_256,
        )
        if bare:
            self._config, self._config_made = config, now
        return config

    def _provider(self) -> Any:
        """Return who signs: with the credentials of the passage, which refresh themselves."""
        try:
            found = self._passage.credentials()
        except botocore.exceptions.ClientError as e:
            raise of_client_error(e, f"entering as {self.role}", self.account, self.role) from e
        except botocore.exceptions.BotoCoreError as e:
            raise of_no_answer(e, f"entering as {self.role}", self.account) from e
        if found is None:
            raise SourceError("there are no AWS credentials in the environment", kind="credentials")
        if found != self._credentials:
            self._signer = awscrt.auth.AwsCredentialsProvider.new_static(
                found.access_key, found.secret_key, found.token
            )
            self._credentials, self._config = found, None
        return self._signer
