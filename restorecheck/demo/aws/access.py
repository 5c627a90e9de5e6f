"""Who calls, judging by the access key, and whether a role may be assumed. Reads moto's IAM and STS.

Every account has an administrator with a well-known key, for building scenarios; what a role may do beyond being
assumed is for `authorising`, if it was turned on (a fault can deny a role any action). Signatures are not checked.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from moto.core.utils import utcnow
from moto.iam.exceptions import NotFoundException
from moto.iam.models import iam_backends
from moto.sts.models import sts_backends

from restorecheck.demo.aws.trust import Caller, lets_in

ADMINISTRATOR_KEY = "AKIADEMO"
"""Followed by the account's 12 digits: the 20 characters of an access key id. Any secret goes with it."""
ADMINISTRATOR = "administrator"
PARTITION = "aws"


@dataclass(frozen=True, slots=True)
class Identity:
    """A caller."""

    account: str
    role: str
    """Name of the role, or `administrator`."""
    arn: str
    """ARN of the role (not of its session) or of the administrator."""
    token: str | None = None
    """The session token that must come with the key."""
    expired: bool = False
    session: str = ""
    """Name of the role's session."""

    @property
    def told(self) -> str:
        """Who he is in AWS's messages: the session, not the role."""
        if not self.session:
            return self.arn
        return f"arn:aws:sts::{self.account}:assumed-role/{self.role}/{self.session}"


def identify(access_key: str | None) -> Identity | None:
    """Return whose key it is, or None if nobody's."""
    if not access_key:
        return None
    if found := re.fullmatch(rf"{ADMINISTRATOR_KEY}(\d{{12}})", access_key):
        return Identity(found[1], ADMINISTRATOR, f"arn:aws:iam::{found[1]}:user/{ADMINISTRATOR}")
    for account, partitions in list(sts_backends.items()):
        session = partitions[PARTITION].get_assumed_role_from_access_key(access_key)
        if session:
            role, expired = str(session.role_arn), session.expiration < utcnow()
            name = role.rsplit("/", maxsplit=1)[-1]
            return Identity(account, name, role, session.session_token, expired, session.session_name)
    return None


def may_assume(caller: Identity, role_arn: str, external_id: str | None) -> bool:
    """Say whether the role exists and its trust policy lets the caller in."""
    parts = role_arn.split(":", 5)
    if len(parts) != 6 or parts[2] != "iam" or not parts[5].startswith("role/"):
        return False
    try:
        role = iam_backends[parts[4]][PARTITION].get_role_by_arn(role_arn)
    except NotFoundException:
        return False
    return lets_in(role.assume_role_policy_document, Caller(caller.account, caller.arn, external_id))


def make_role(account: str, name: str, trusted: list[str], external_id: str | None) -> str:
    """Make a role that accounts or roles (12 digits or ARNs) may assume, or change whom it trusts; returns its ARN."""
    principals = [f"arn:aws:iam::{t}:root" if re.fullmatch(r"\d{12}", t) else t for t in trusted]
    statement: dict[str, object] = {
        "Effect": "Allow",
        "Principal": {"AWS": principals},
        "Action": "sts:AssumeRole",
    }
    if external_id is not None:
        statement["Condition"] = {"StringEquals": {"sts:ExternalId": external_id}}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    backend = iam_backends[account][PARTITION]
    try:
        role = backend.get_role(name)
        role.assume_role_policy_document = document
    except NotFoundException:
        role = backend.create_role(name, document, "/", "", "", [], "3600")
    return str(role.arn)
