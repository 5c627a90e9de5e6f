"""What botocore raised → our errors with a failure kind. Nobody outside the fence needs to know botocore's."""

from __future__ import annotations

import botocore.exceptions
import botocore.parsers

from restorecheck.errors import AwsError, SourceError
from restorecheck.failures import RETRYABLE_KINDS, of_aws_error
from restorecheck.fence.denials import hint_of, hint_of_head, hint_of_key
from restorecheck.fence.table import Role

_ENTERING = frozenset(
    {"AssumeRole", "AssumeRoleWithWebIdentity", "CreateOAuth2Token", "CreateToken", "GetRoleCredentials"}
)
_OURS = (
    botocore.exceptions.ParamValidationError,
    botocore.exceptions.NoRegionError,
    botocore.exceptions.UnknownRegionError,
    botocore.exceptions.InvalidRegionError,
    botocore.exceptions.InvalidEndpointConfigurationError,
)
_IDENTITY = (
    botocore.exceptions.NoCredentialsError,
    botocore.exceptions.PartialCredentialsError,
    botocore.exceptions.CredentialRetrievalError,
    botocore.exceptions.UnknownCredentialError,
    botocore.exceptions.ProfileNotFound,
    botocore.exceptions.ConfigNotFound,
    botocore.exceptions.ConfigParseError,
    botocore.exceptions.InvalidConfigError,
    botocore.exceptions.InfiniteLoopConfigError,
    botocore.exceptions.MissingDependencyException,
    botocore.exceptions.RefreshWithMFAUnsupportedError,
    botocore.exceptions.TokenRetrievalError,
    botocore.exceptions.SSOError,
    botocore.exceptions.LoginError,
)


def kind_of(code: str, status: int) -> str:
    """Return the failure kind of an AWS error: by its code or, if nobody knows that, by its HTTP status."""
    kind = of_aws_error(code)
    return "aws-unavailable" if kind == "unknown-answer" and status >= 500 else kind


def reason_of(code: str, status: int, operation: str) -> str:
    """Return the failure kind by which a call that failed is counted: there, who may not enter has no credentials."""
    kind = kind_of(code, status)
    return "credentials" if kind == "permission" and operation in _ENTERING else kind


def of_client_error(
    error: botocore.exceptions.ClientError, operation: str, account: str, role: Role | None = None
) -> AwsError:
    """Return what an error that AWS answered means, and which permission the role lacks if it says so."""
    details = error.response.get("Error", {})
    code = details.get("Code", "") or "Unknown"
    kind = kind_of(code, error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    if kind == "permission" and error.operation_name in _ENTERING:  # botocore enters when credentials run out
        kind, operation = "credentials", error.operation_name
    said = " ".join(str(details.get("Message", "")).split())  # what is no answer of AWS may be a page of HTML
    message = f"{operation} in account {account}: {code}: {said}".rstrip(": ")
    return AwsError(code, message, _hint(role, kind, operation, message), kind=kind, retryable=kind in RETRYABLE_KINDS)


def _hint(role: Role | None, kind: str, operation: str, message: str) -> str:
    """Return which permission is missing, as far as AWS says it; empty: what the kind of failure says must do."""
    if kind in {"permission", "credentials"}:
        bare = role is not None and operation.startswith("Head")
        return hint_of(role, message) or (hint_of_head(role, operation) if role and bare else "")
    return hint_of_key(role) if kind == "key-access" and role else ""


def of_no_answer(
    error: botocore.exceptions.BotoCoreError | botocore.parsers.ResponseParserError, doing: str, account: str
) -> SourceError:
    """Return what it means that a call got no answer from AWS; `doing` names the call."""
    message = f"{doing} in account {account}: {error}"
    if isinstance(error, _OURS):
        return SourceError(message, kind="settings")
    if isinstance(error, _IDENTITY):
        return SourceError(message, kind="credentials")
    return SourceError(message, kind="aws-unavailable", retryable=True)
