"""What stands in front of moto: who calls, may he, shall the call fail, what is written into the call log.

Order: outage → identity → fault → policies, if they are enforced, else trust (AssumeRole) and buckets alone → moto,
which hands RDS to rds.py.
"""

from __future__ import annotations

import contextlib
import io
import socket
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

from restorecheck.demo.aws import access, authorising, keys, s3_access, wire
from restorecheck.demo.aws.control import Control
from restorecheck.demo.aws.estate import Estate
from restorecheck.demo.aws.faults import Call
from restorecheck.demo.aws.inventory import EstateInventory

Environ = dict[str, Any]
Answer = tuple[int, list[tuple[str, str]], bytes]

REASONS = {
    200: "OK",
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    500: "Internal Server Error",
    501: "Not Implemented",
    503: "Service Unavailable",
}
SILENT = 0
"""In place of an HTTP status: no answer at all."""
NO_ANSWER = "no answer"
"""The error in the call log of a call that an outage left without an answer."""
UNAVAILABLE = "The request has failed due to a temporary failure of the server."


class Application:
    """The WSGI application of one estate."""

    def __init__(self, estate: Estate) -> None:
        self._estate, self._control = estate, Control(estate)
        self._inventory = EstateInventory(estate)
        self._moto = DomainDispatcherApplication(create_backend_app)

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer one HTTP request."""
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(body)
        path = environ.get("PATH_INFO", "")
        if path.startswith("/demo/") and "HTTP_AUTHORIZATION" not in environ:  # a bucket may be called so
            method, query = environ["REQUEST_METHOD"], environ.get("QUERY_STRING", "")
            status, content = self._control.answer(method, path.removeprefix("/demo/"), query, body)
            headers = [("Content-Type", "application/json"), ("Content-Length", str(len(content)))]
            start_response(f"{status} {REASONS[status]}", headers)
            return [content]
        status, headers, content = self._aws(environ, body)
        if status == SILENT:
            with contextlib.suppress(KeyError, OSError):
                environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
            raise ConnectionResetError("an outage")  # the server then forgets the connection, and says nothing
        if environ["REQUEST_METHOD"] == "HEAD":  # its answer has no body, not even that of an error
            content = b""
        start_response(f"{status} {REASONS.get(status, 'Answer')}", headers)
        return [content]

    def _aws(self, environ: Environ, body: bytes) -> Answer:
        request = wire.read(environ, body)
        began = time.monotonic()
        who = access.identify(request.access_key)
        account, role = (who.account, who.role) if who else ("", "unknown")
        call = wire.call(request.service, request.operation, account, role, request.parameters)
        done, answer = False, self._in_an_outage(request) or _not_identified(request, who)
        hearing: authorising.Hearing | None = None
        if answer is None:
            assert who is not None  # _not_identified has answered
            if authorising.concerns(who, self._estate.iam):
                hearing = authorising.Hearing(self._estate.iam, self._inventory, who, request.region)
            done, answer = self._decide(environ, request, call, who, hearing)
        self._estate.calls.add(
            {
                "time": datetime.now(UTC).isoformat(),
                "account": account,
                "role": role,
                "service": request.service,
                "region": request.region,
                "operation": request.operation,
                "parameters": wire.public(request.parameters),
                "status": answer[0],
                "carried_out": done,
                "error": NO_ANSWER
                if answer[0] == SILENT
                else wire.error_code(answer[0], {k.lower(): v for k, v in answer[1]}, answer[2]),
                "seconds": round(time.monotonic() - began, 4),
            }
            | ({"decisions": hearing.decisions} if hearing else {})
        )
        return answer

    def _in_an_outage(self, request: wire.Request) -> Answer | None:
        how = self._estate.outage
        if how is None:
            return None
        return (SILENT, [], b"") if how == "closed" else _error(request, 503, "ServiceUnavailable", UNAVAILABLE)

    def _decide(
        self,
        environ: Environ,
        request: wire.Request,
        call: Call,
        who: access.Identity,
        hearing: authorising.Hearing | None,
    ) -> tuple[bool, Answer]:
        """Return whether the call was carried out, and the answer."""
        fault = self._estate.faults.strike(call, ["code"])
        if fault and not fault.carried_out:
            return False, _error(request, fault.http_status, str(fault.code), fault.text(call))
        refused = hearing.refusal(request, environ) if hearing else _unlet(request, environ, who)
        if refused and refused.body:
            return False, (refused.status, [("Content-Type", "text/xml")], refused.body)
        if refused:
            return False, _error(request, refused.status, refused.code, refused.message)
        account = who.account
        if request.s3 and request.s3.operation != "CreateBucket":  # what is in a bucket is its owner's, whoever puts it
            account = s3_access.owner_of(request.s3.place.bucket) or account
        if hearing and request.service == "kms":  # by its ARN, and if its policy allows it, a key of another account
            account = keys.owner_of(str(request.parameters.get("KeyId"))) or account
        environ["HTTP_X_MOTO_ACCOUNT_ID"] = account
        answer = self._ask_moto(environ)
        done = answer[0] < 400
        if fault:  # its answer gets lost on the way back
            answer = _error(request, fault.http_status, str(fault.code), fault.text(call))
        return done, answer

    def _ask_moto(self, environ: Environ) -> Answer:
        told: list[Any] = []
        content = b"".join(self._moto(environ, lambda status, headers, _=None: told.extend((status, headers))))
        return int(told[0].split()[0]), list(told[1]), content


def _unlet(request: wire.Request, environ: Environ, who: access.Identity) -> authorising.Refusal | None:
    """Return the refusal of a role or a bucket; what a caller's own policies say is not asked."""
    if request.service == "sts" and request.operation == "AssumeRole":
        arn = request.parameters.get("RoleArn", "")
        if not access.may_assume(who, arn, request.parameters.get("ExternalId")):
            message = f"User: {who.arn} is not authorized to perform: sts:AssumeRole on resource: {arn}"
            return authorising.Refusal(403, "AccessDenied", message)
    why_not = s3_access.refusal(who, request.s3, environ) if request.s3 else None
    return authorising.Refusal(403, "AccessDenied", why_not) if why_not else None


def _not_identified(request: wire.Request, who: access.Identity | None) -> Answer | None:
    """Return the refusal of a caller without valid credentials; None if he has them."""
    if request.access_key is None:
        return _error(request, 403, "MissingAuthenticationToken", "Missing Authentication Token")
    if who is None or who.token != request.token:
        code = "UnrecognizedClientException" if request.protocol == "json" else "InvalidClientTokenId"
        return _error(request, 403, code, "The security token included in the request is invalid.")
    if who.expired:
        code = "ExpiredTokenException" if request.protocol == "json" else "ExpiredToken"
        return _error(request, 403, code, "The security token included in the request is expired")
    return None


def _error(request: wire.Request, status: int, code: str, message: str) -> Answer:
    kind, content = wire.error(request.protocol, code, message)
    return status, [("Content-Type", kind), ("Content-Length", str(len(content)))], content
