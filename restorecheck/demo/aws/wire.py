"""What a request says, before anybody acts on it, and how an error looks in each of AWS's protocols. Pure.

REST services have no operation name on the wire. That of S3 is found out; for the others "GET /path" stands in for it.
"""

from __future__ import annotations

import json
import re
import urllib.parse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape

from restorecheck.demo.aws import s3_requests
from restorecheck.demo.aws.faults import Call

SECRETS = re.compile(r"password|secret|token", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Request:
    """One request to AWS."""

    service: str
    region: str
    operation: str
    parameters: dict[str, Any]
    access_key: str | None
    token: str | None
    protocol: str
    """query, ec2, json or rest-xml."""
    s3: s3_requests.S3Request | None = None
    """What it asks of S3."""


def read(environ: Mapping[str, Any], body: bytes) -> Request:
    """Read a WSGI request. Never fails: what is not there is empty."""
    scope = re.search(
        r"Credential=([^/,\s]+)/[^/]*/([^/]*)/([^/]*)/aws4_request", environ.get("HTTP_AUTHORIZATION", "")
    )
    key, region, service = scope.groups() if scope else (None, "", "")
    token = environ.get("HTTP_X_AMZ_SECURITY_TOKEN")
    content = environ.get("CONTENT_TYPE", "")
    if target := environ.get("HTTP_X_AMZ_TARGET"):
        return Request(service, region, target.split(".")[-1], _json(body), key, token, "json")
    if "x-www-form-urlencoded" in content:
        form = dict(urllib.parse.parse_qsl(body.decode(errors="replace"), keep_blank_values=True))
        operation = form.pop("Action", "")
        form.pop("Version", None)
        return Request(service, region, operation, form, key, token, "ec2" if service == "ec2" else "query")
    if service == "s3":
        request = s3_requests.read(environ)
        return Request(service, region, request.operation, request.parameters(), key, token, "rest-xml", request)
    operation = f"{environ.get('REQUEST_METHOD')} {environ.get('PATH_INFO')}"
    protocol = "rest-xml" if service in {"route53", "cloudfront"} else "json"
    return Request(service, region, operation, {}, key, token, protocol)


def _json(body: bytes) -> dict[str, Any]:
    try:
        parsed = json.loads(body or b"{}")
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}


def call(service: str, operation: str, account: str, role: str, parameters: Mapping[str, Any]) -> Call:
    """Return what faults are matched against."""
    if service == "s3":
        bucket, key = (str(parameters.get(name, "")) for name in ("Bucket", "Key"))
        return Call(service, operation, account, role, (bucket, key, f"{bucket}/{key}"))
    return Call(service, operation, account, role, tuple(_names(parameters)))


def _names(parameters: Mapping[str, Any]) -> Iterator[str]:
    """Yield the values of parameters that name resources."""
    for key, value in parameters.items():
        named = re.search(r"(Identifier|Name|Id|Arn|ARN)s?(\.|$)", key)
        if named and isinstance(value, str) and not SECRETS.search(key):
            yield value


def public(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters without secrets, for the call log."""
    return {key: "****" if SECRETS.search(key) else value for key, value in parameters.items()}


def error(protocol: str, code: str, message: str) -> tuple[str, bytes]:
    """Return content type and body of an error in a protocol."""
    if protocol == "json":
        return "application/x-amz-json-1.1", json.dumps({"__type": code, "message": message}).encode()
    inner = f"<Code>{escape(code)}</Code><Message>{escape(message)}</Message>"
    if protocol == "ec2":
        text = f"<Response><Errors><Error>{inner}</Error></Errors><RequestID>demo</RequestID></Response>"
    elif protocol == "rest-xml":
        text = f"<Error>{inner}<RequestId>demo</RequestId></Error>"
    else:
        text = f"<ErrorResponse><Error><Type>Sender</Type>{inner}</Error><RequestId>demo</RequestId></ErrorResponse>"
    return "text/xml", f'<?xml version="1.0" encoding="UTF-8"?>\n{text}'.encode()


def error_code(status: int, headers: Mapping[str, str], body: bytes) -> str | None:
    """Read the code of an error answer, for the call log; None if it is none."""
    if status < 400:
        return None
    if found := re.search(rb"<Code>([^<]*)</Code>", body):
        return found[1].decode(errors="replace")
    code = _json(body).get("__type") or headers.get("x-amzn-errortype") or str(status)
    return str(code).split("#")[-1].split(":")[0]
