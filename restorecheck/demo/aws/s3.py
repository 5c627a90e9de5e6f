"""S3 as it answers on the wire: moto's, with what AWS does otherwise. Keys of SSE-C and KMS are asked for here.

One lock for whatever changes or lists a bucket; objects are read without it.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import re
import threading
import urllib.parse
from typing import Any

from moto.core.common_types import TYPE_RESPONSE
from moto.s3.exceptions import PreconditionFailed, S3ClientError
from moto.s3.models import FakeDeleteMarker, FakeKey
from moto.s3.responses import S3Response
from moto.s3.utils import ARCHIVE_STORAGE_CLASSES

from restorecheck.demo.aws import access, keys, s3_access, s3_backend, s3_listing, wire
from restorecheck.demo.aws.s3_requests import Place, copy_source

Headers = dict[str, Any]
LOCK = threading.RLock()
ALGORITHMS = ("CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256")
CUSTOMER = "server-side-encryption-customer-"
KMS = {None: "KMS.NotFoundException", "Disabled": "KMS.DisabledException"}
"""The error for a key's state; any other state that is not Enabled is KMS.KMSInvalidStateException."""


class Refusal(Exception):  # noqa: N818 - a refusal of S3, with all that goes over the wire
    """An answer that moto has no word for."""

    def __init__(self, status: int, code: str, message: str, **headers: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}

    def answer(self) -> TYPE_RESPONSE:
        """Return it as moto returns answers."""
        kind, body = wire.error("rest-xml", self.code, self.message)
        return self.status, self.headers | {"content-type": kind}, body


class S3Api(S3Response):  # type: ignore[misc, unused-ignore]  # moto is typed only in part
    """One call to S3."""

    def bucket_response(self, request: Any, full_url: str, headers: Any) -> TYPE_RESPONSE:
        """Answer a call about a bucket."""
        with LOCK:
            try:
                return super().bucket_response(request, full_url, headers)
            except Refusal as no:
                return no.answer()

    def key_response(self, request: Any, full_url: str, headers: Any) -> TYPE_RESPONSE:
        """Answer a call about an object."""
        with contextlib.nullcontext() if request.method in {"GET", "HEAD"} else LOCK:
            try:
                return super().key_response(request, full_url, headers)
            except Refusal as no:
                return no.answer()

    # --- lists -------------------------------------------------------------------------------------------------------

    def list_object_versions(self) -> TYPE_RESPONSE:
        """ListObjectVersions."""
        bucket, asked = self.backend.get_bucket(self.bucket_name), self._asked()
        if asked.get("version-id-marker") and not asked.get("key-marker"):
            message = "A version-id marker cannot be specified without a key marker."
            raise Refusal(400, "InvalidArgument", message)
        restores = "RestoreStatus" in self.headers.get("x-amz-optional-object-attributes", "")
        return 200, {"content-type": "application/xml"}, s3_listing.versions(bucket, asked, restores=restores)

    def list_multipart_uploads(self) -> TYPE_RESPONSE:
        """ListMultipartUploads."""
        bucket = self.backend.get_bucket(self.bucket_name)
        return 200, {"content-type": "application/xml"}, s3_listing.uploads(bucket, self._asked())

    def _asked(self) -> dict[str, str]:
        query = urllib.parse.urlsplit(self.uri).query
        return dict(urllib.parse.parse_qsl(query.replace("+", "%2B"), keep_blank_values=True))

    # --- reading -----------------------------------------------------------------------------------------------------

    def _get_key(self, validate_storage_class: bool = True) -> Any:
        """Find what GET, HEAD and GetObjectAttributes are about."""
        version = self.querystring.get("versionId", [None])[0]
        found = self._found(Place(self.bucket_name, self.parse_key_name(), version))
        if isinstance(found, FakeDeleteMarker):
            marked = {
                "x_amz_delete_marker": "true",
                "x_amz_version_id": str(found.version_id),
                "last_modified": found.last_modified.strftime("%a, %d %b %Y %H:%M:%S GMT"),
            }
            if version is None:
                raise Refusal(404, "NoSuchKey", "The specified key does not exist.", **marked)
            message = "The specified method is not allowed against this resource."
            raise Refusal(405, "MethodNotAllowed", message, allow="DELETE", **marked)
        answer = super()._get_key(validate_storage_class)
        self._check_customer_key(answer[0], f"x-amz-{CUSTOMER}")
        return answer

    def _found(self, place: Place) -> Any:
        bucket = self.backend.get_bucket(place.bucket)
        if place.version is None:
            return bucket.keys.get(place.key)
        versions = s3_backend.versions_of(bucket, place.key)
        return next((v for v in versions if str(v.version_id) == place.version), None)

    def get_object(self) -> TYPE_RESPONSE:
        """GetObject."""
        key, _ = self._get_key()
        self._check_kms(key)
        status, headers, body = super().get_object()
        return status, headers | self._about(key), body

    def head_object(self, bucket_name: str, query: Any, key_name: str, headers: Any) -> TYPE_RESPONSE:
        """HeadObject: no errors with a body."""
        del bucket_name, key_name
        try:
            key, not_modified = self._get_key(validate_storage_class=False)
        except S3ClientError as e:
            return (412 if isinstance(e, PreconditionFailed) else 404), {}, ""
        if not_modified:
            return 304, {}, ""
        told = dict(key.metadata) | key.response_dict | self._about(key) | {"Accept-Ranges": "bytes"}
        if headers.get("x-amz-checksum-mode") == "ENABLED" and key.checksum_algorithm and key.checksum_value:
            self._check_kms(key)
            parts = f"-{key.checksum_parts}" if key.checksum_type == "COMPOSITE" else ""
            told[f"x-amz-checksum-{key.checksum_algorithm.lower()}"] = key.checksum_value + parts
            told["x-amz-checksum-type"] = key.checksum_type
        if (part := query.get("partNumber", [None])[0]) and key.multipart:
            told["x-amz-mp-parts-count"] = str(len(key.multipart.partlist))
            told["content-length"] = str(key.multipart.parts[int(part)].size)
            return 206, told, ""
        return 200, told, ""

    def _about(self, key: Any) -> Headers:
        about: Headers = {}
        if self.backend.get_bucket(self.bucket_name).versioning_status:
            about["x-amz-version-id"] = key.version_id
        if customer := getattr(key, "customer_key", None):
            about |= {f"x-amz-{CUSTOMER}algorithm": "AES256", f"x-amz-{CUSTOMER}key-md5": customer}
        return about

    def _check_customer_key(self, key: Any, header: str) -> None:
        """Refuse an object under a customer's own key unless the call brings it."""
        wanted, given = getattr(key, "customer_key", None), self.headers.get(header + "key-MD5")
        if wanted and not given:
            message = (
                "The object was stored using a form of Server Side Encryption. The correct parameters must be provided "
                "to retrieve the object."
            )
            raise Refusal(400, "InvalidRequest", message)
        if given and not wanted:
            message = "The encryption parameters are not applicable to this object."
            raise Refusal(400, "InvalidRequest", message)
        if wanted and given != wanted:
            raise Refusal(403, "AccessDenied", "Access Denied")

    def _check_kms(self, key: Any) -> None:
        """Refuse an object whose key cannot be used; that of S3 itself is for its own account alone."""
        if not str(key.encryption).startswith("aws:kms") or not key.kms_key_id:
            return
        who = access.identify(self.access_key)
        if keys.is_default(key.kms_key_id) and (who is None or who.account != key.kms_key_id.split(":")[4]):
            raise Refusal(403, "AccessDenied", "Access Denied")
        _check_state(key.kms_key_id)

    # --- copying -----------------------------------------------------------------------------------------------------

    def _source(self) -> Any:
        """Find what is copied, and check all that S3 checks of it. Raises Refusal."""
        place = copy_source(str(self.headers["x-amz-copy-source"]))
        found = self._found(place)
        if isinstance(found, FakeDeleteMarker):
            if place.version is None:
                raise Refusal(404, "NoSuchKey", "The specified key does not exist.")
            message = "The source of a copy request may not specifically refer to a delete marker by version id."
            raise Refusal(400, "InvalidRequest", message)
        if found is None:
            what = "key" if place.version is None else "version"
            raise Refusal(404, f"NoSuch{what.capitalize()}", f"The specified {what} does not exist.")
        if_match = self.headers.get("x-amz-copy-source-if-match")
        if if_match and if_match.strip('"') != found.etag.strip('"'):
            raise Refusal(412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold")
        restored = 'ongoing-request="false"' in found.response_dict.get("x-amz-restore", "")
        if found.storage_class in ARCHIVE_STORAGE_CLASSES and not restored:
            message = "The source object of the COPY operation is not in the active tier."
            raise Refusal(403, "ObjectNotInActiveTierError", message)
        self._check_customer_key(found, f"x-amz-copy-source-{CUSTOMER}")
        self._check_kms(found)
        return found

    def copy_object(self) -> TYPE_RESPONSE:
        """CopyObject."""
        self._source()
        here = self._found(Place(self.bucket_name, self.parse_key_name()))
        if self.headers.get("If-None-Match") == "*" and here is not None and not isinstance(here, FakeDeleteMarker):
            raise PreconditionFailed("If-None-Match")
        key_id = self._kms_key()
        status, headers, body = super().copy_object()
        if status == 200:
            self._keep_keys(self._found(Place(self.bucket_name, self.parse_key_name())), key_id)
        return status, headers, body

    def upload_part_copy(self) -> TYPE_RESPONSE:
        """UploadPartCopy."""
        size = self._source().size
        wanted = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("x-amz-copy-source-range", f"bytes=0-{size - 1}"))
        if wanted is None or not int(wanted[1]) <= int(wanted[2]) < size:
            raise Refusal(400, "InvalidArgument", f"Range specified is not valid for source object of size: {size}")
        return super().upload_part_copy()

    # --- writing -----------------------------------------------------------------------------------------------------

    def put_object(self) -> TYPE_RESPONSE:
        """PutObject."""
        key_id = self._kms_key()
        status, headers, body = super().put_object()
        if status == 200:
            new = self._found(Place(self.bucket_name, self.parse_key_name()))
            self._keep_keys(new, key_id)
            headers |= self._about(new)
        return status, headers, body

    def _key_response_post(self, request: Any, body: bytes, bucket_name: str, query: Any, key_name: str) -> Any:
        """CreateMultipartUpload, CompleteMultipartUpload, RestoreObject."""
        bucket = self.backend.get_bucket(bucket_name)
        begun, key_id = set(bucket.multiparts), self._kms_key() if "uploads" in query else None
        upload = bucket.multiparts.get(query.get("uploadId", [""])[0])
        answer = super()._key_response_post(request, body, bucket_name, query, key_name)
        if "uploads" in query:
            for new in set(bucket.multiparts) - begun:
                self._keep_keys(bucket.multiparts[new], key_id)
        elif upload is not None and (made := self._made_of(bucket, key_name, upload)):
            made.kms_key_id, made.customer_key = upload.kms_key_id, getattr(upload, "customer_key", None)
            _mark(made)
        return answer

    @staticmethod
    def _made_of(bucket: Any, key: str, upload: Any) -> Any:
        versions = s3_backend.versions_of(bucket, key)
        return next((v for v in versions if getattr(v, "multipart", None) is upload), None)

    def _kms_key(self) -> str | None:
        """Return the ARN of the KMS key that a new object goes under; None if under none. Raises Refusal."""
        named = self.headers.get("x-amz-server-side-encryption-aws-kms-key-id")
        how = self.headers.get("x-amz-server-side-encryption")
        if how is None and (default := s3_access.default_key(self.bucket_name)):
            _check_state(default)
            return default
        if not str(how).startswith("aws:kms"):
            return None
        who = access.identify(self.access_key)
        account = who.account if who else self.current_account
        arn = keys.arn_of(account, self.region, named or "alias/aws/s3")
        if arn is None:
            raise Refusal(400, "KMS.NotFoundException", f"Key {named} does not exist")
        _check_state(arn)
        return arn

    def _keep_keys(self, new: Any, key_id: str | None) -> None:
        if key_id:
            new.kms_key_id = key_id
            if isinstance(new, FakeKey):  # an upload is marked when it is complete
                _mark(new)
        new.customer_key = self.headers.get(f"x-amz-{CUSTOMER}key-MD5")

    def _get_checksum(self, response_headers: Headers) -> tuple[str, str | None]:
        """Return algorithm and checksum of what is uploaded, checked; S3 computes one if none is sent."""
        body = self.body or b""
        md5 = self.headers.get("Content-MD5")
        if md5 and md5 != base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode():
            raise Refusal(400, "BadDigest", "The Content-MD5 you specified did not match what we received.")
        algorithm = str(self.headers.get("x-amz-sdk-checksum-algorithm") or s3_backend.PLAIN).upper()
        sent = None
        for name in ALGORITHMS:
            header = f"x-amz-checksum-{name.lower()}"
            trailer = re.search(rb"\r\n" + header.encode() + rb":\s*([^\r\n]+)", self.raw_body[-300:])
            if found := self.headers.get(header) or (trailer[1].decode() if trailer else None):
                algorithm, sent = name, found
        actual = s3_backend.compute_checksum(body, algorithm).decode()
        if sent and sent != actual:
            raise Refusal(400, "BadDigest", f"The {algorithm} you specified did not match the calculated checksum.")
        response_headers[f"x-amz-checksum-{algorithm.lower()}"] = actual
        return algorithm, actual


def _mark(new: Any) -> None:
    """Let an object under a KMS key say so: that of its bucket is in no header."""
    if new.kms_key_id and not str(new.encryption).startswith("aws:kms"):
        new.encryption = "aws:kms"


def _check_state(arn: str) -> None:
    """Raises Refusal if a KMS key cannot be used."""
    state = keys.state(arn)
    if state != "Enabled":
        raise Refusal(400, KMS.get(state, "KMS.KMSInvalidStateException"), f"{arn} is {state or 'not there'}.")
