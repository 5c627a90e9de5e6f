"""The shapes of names: of AWS accounts, roles, keys, regions, groups and instances, currencies, our own assertions.

Each reader returns its text or raises ValueError with a sentence "what is wrong; what would be right". A shape that
is right says nothing about whether the thing exists: that is what `restorecheck doctor` asks AWS.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from ipaddress import ip_address

from restorecheck import schedule
from restorecheck.config.values import shown, veiled
from restorecheck.model.probes import PROBES

ACCOUNT = r"^[0-9]{12}$"
ACCOUNT_NAME = r"^[A-Za-z0-9_-]{1,64}$"
RECEIVER = ACCOUNT_NAME
OWNER = r'^[^\s\x00-\x1f\x7f"\\{}<>`]([^\x00-\x1f\x7f"\\{}<>`]{0,62}[^\s\x00-\x1f\x7f"\\{}<>`])?$'
TOPIC = r"^arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]{1,256}(\.fifo)?$"
NAMESPACE = r"^(?!AWS/)[A-Za-z0-9._/#-][A-Za-z0-9._/#:-]{0,254}$"  # CloudWatch's own rule for namespaces
ROLE = r"^arn:aws[a-z-]*:iam::[0-9]{12}:role/([!-~]+/)?[A-Za-z0-9_+=,.@-]{1,64}$"
EXTERNAL_ID = r"^[A-Za-z0-9_+=,.@:/-]{2,1224}$"  # IAM's own rule for sts:AssumeRole
REGION = r"^[a-z]{2,4}(-[a-z]+){1,2}-[0-9]{1,2}$"
KEY = r"^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/(mrk-[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})$"
SECURITY_GROUP = r"^sg-([0-9a-f]{8}|[0-9a-f]{17})$"
GROUP = r"^(?!default([.:-]|$))[A-Za-z0-9][A-Za-z0-9._ -]{0,254}$"
OPTION_GROUP = r"^(?!default([.:-]|$))[A-Za-z](-?[A-Za-z0-9])*$"
INSTANCE_CLASS = r"^db\.(serverless|[a-z][a-z0-9-]*\.[a-z0-9]+(\.tpc[0-9]\.mem[0-9]x)?)$"
SERVERLESS = "db.serverless"
"""The class of an instance whose cluster is scaled: Aurora alone knows it."""

CURRENCY = r"^[A-Z]{3}$"
INSTANCE = r"^(?=.{1,63}$)[a-z](-?[a-z0-9])*$"
CHECK = r"^(?=.{1,32}$)[a-z](-?[a-z0-9])*$"
ASSERTION = r"^(?=.{1,63}$)[a-z0-9]+([-_][a-z0-9]+)*$"
URL = r"^https?://[^\s/?#]+[^\s]*$"
LOOPBACK_URL = r"^https?://(127(\.[0-9]{1,3}){3}|\[::1\])(:[0-9]{1,5})?/?$"

_DEFAULT = re.compile(r"default([.:-]|$)", re.IGNORECASE)


def _matches(pattern: str, text: str) -> bool:
    """`$` alone would let a line break at the end through."""
    return re.match(pattern, text) is not None and not text.endswith("\n")


def _shape(pattern: str, wrong: str, right: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if not _matches(pattern, text):
            raise ValueError(f"{shown(text)} {wrong}; {right}")
        return text

    return read


account_id = _shape(ACCOUNT, "is not an AWS account id", 'write its 12 digits, for example "111111111111"')
account_name = _shape(
    ACCOUNT_NAME, "is not a name for an account", 'write letters, digits, _ and -, for example "production"'
)
role = _shape(
    ROLE,
    "is not the ARN of an IAM role",
    'write it in full, for example "arn:aws:iam::111111111111:role/restorecheck-source"',
)
external_id = _shape(
    EXTERNAL_ID,
    "is not an external id",
    "write 2 to 1224 letters, digits or _ + = , . @ : / -, as in the role's trust policy",
)
region = _shape(REGION, "is not the name of an AWS region", 'write it as AWS does, for example "eu-central-1"')
security_group = _shape(
    SECURITY_GROUP,
    "is not the id of a security group",
    'write the id and not the name, for example "sg-0123456789abcdef0"; a default group is not isolated',
)
instance_class = _shape(
    INSTANCE_CLASS, "is not an RDS instance class", 'write it as RDS does, for example "db.t4g.medium"'
)
currency = _shape(
    CURRENCY, "is not the code of a currency", 'write its three capital letters (ISO 4217), for example "USD"'
)
url = _shape(URL, "is not a web address", 'write it in full, for example "https://wiki.example.org/restore"')


topic = _shape(
    TOPIC,
    "is not the ARN of a topic",
    'write it in full, for example "arn:aws:sns:eu-central-1:111111111111:backups"',
)
namespace = _shape(
    NAMESPACE,
    "is not a namespace of CloudWatch",
    'write up to 255 letters, digits and . _ / # : -, not beginning with AWS/, for example "restorecheck"',
)


def receiver(text: str) -> str:
    """Read the name of a receiver. An address that stands in its place may hold a secret, and is not shown."""
    if not _matches(RECEIVER, text):
        raise ValueError(
            f'{veiled(text)} is not a name for a receiver; write letters, digits, _ and -, for example "pager"'
        )
    return text


def owner(text: str) -> str:
    """Read who owns the data: a label of metrics and of what people are told, so without what templates read."""
    if not _matches(OWNER, text) or not text.isprintable():
        raise ValueError(
            f"{shown(text)} is not the name of an owner; write up to 64 printable characters "
            'without " \\ { } < > `, for example "team-payments"'
        )
    return text


def check_name(text: str) -> str:
    """Read a check's name; see `schedule.why_not_name`."""
    if why := schedule.why_not_name(text):
        raise ValueError(f'{shown(text)} {why}; write for example "orders-db"')
    return text


def assertion_name(text: str) -> str:
    """Read an assertion's name: it becomes a label of metrics and a line of a proof."""
    if not _matches(ASSERTION, text):
        raise ValueError(
            f"{shown(text)} is not a name for an assertion; write up to 63 lower-case letters and digits "
            'with single hyphens or underscores between them, for example "orders-present"'
        )
    return text


def probe(text: str) -> str:
    """Read the name of a probe."""
    if text not in PROBES:
        near = difflib.get_close_matches(text.lower(), PROBES, n=1, cutoff=0.6)
        right = f"did you mean {near[0]}?" if near else f"the probes are {', '.join(sorted(PROBES))}"
        raise ValueError(f"{shown(text)} is not a probe; {right}")
    return text


def _stored(what: str, example: str) -> Callable[[str], str]:
    """Return a reader of the identifiers that RDS stores in lower case."""

    def read(text: str) -> str:
        if text.startswith("arn:"):
            raise ValueError(f"{shown(text)} is an ARN; write the {what}'s name alone, the part after the last colon")
        if not _matches(INSTANCE, text):
            if text != text.lower() and _matches(INSTANCE, text.lower()):
                raise ValueError(f'{shown(text)} has capital letters, and RDS stores none; write "{text.lower()}"')
            article = "an RDS instance" if what == "instance" else "an Aurora cluster"
            raise ValueError(
                f"{shown(text)} is not the name of {article}; write 1 to 63 letters, digits and single hyphens, "
                f'beginning with a letter, for example "{example}"'
            )
        return text

    return read


instance = _stored("instance", "orders-prod")
cluster = _stored("cluster", "shop-prod")


def database(text: str) -> str:
    """Read the name of a database. PostgreSQL allows 63 bytes of anything but NUL."""
    if not text or len(text.encode()) > 63 or not text.isprintable():
        raise ValueError(f'{shown(text)} is not the name of a database; write 1 to 63 bytes, for example "orders"')
    return text


def login(text: str) -> str:
    """Read the name of a role or user of a database, of which the same holds."""
    try:
        return database(text)
    except ValueError:
        raise ValueError(f'{shown(text)} is not the name of a role; write 1 to 63 bytes, for example "app"') from None


def key(text: str) -> str:
    """Read the ARN of a KMS key. Aliases are refused: what one points to can change, and aws/rds cannot be shared."""
    if "alias/aws/" in text:
        raise ValueError(
            f"{shown(text)} is AWS's own default key, which no other account can use; "
            "write the ARN of a customer managed key (arn:aws:kms:…:key/…)"
        )
    if "alias/" in text:
        raise ValueError(
            f"{shown(text)} is an alias, and may point elsewhere tomorrow; write the key's ARN (arn:aws:kms:…:key/…)"
        )
    if not _matches(KEY, text):
        raise ValueError(
            f"{shown(text)} is not the ARN of a KMS key; write it in full, for example "
            '"arn:aws:kms:eu-central-1:222222222222:key/1234abcd-12ab-34cd-56ef-1234567890ab"'
        )
    return text


def _group(pattern: str, what: str, example: str, instead: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if _DEFAULT.match(text):
            raise ValueError(f"{shown(text)} is a default {what}; {instead}")
        if not _matches(pattern, text):
            raise ValueError(f'{shown(text)} is not the name of a {what}; write for example "{example}"')
        return text

    return read


subnet_group = _group(
    GROUP,
    "subnet group",
    "restorecheck",
    "name one made for scratch, of private subnets without a route to the internet",
)
parameter_group = _group(
    GROUP,
    "parameter group",
    "restorecheck-postgres17",
    "name one of your own, or leave the key out: AWS then takes its default",
)
cluster_parameter_group = _group(
    GROUP,
    "cluster parameter group",
    "restorecheck-aurora-postgresql17",
    "name one of your own, or leave the key out: AWS then takes its default",
)
option_group = _group(
    OPTION_GROUP,
    "option group",
    "restorecheck-mysql8",
    "name one of your own, or leave the key out: AWS then takes its default",
)


def loopback_url(text: str) -> str:
    """Read the address of an AWS that runs here. Any other host would be sent our signed requests."""
    found = re.match(LOOPBACK_URL, text)
    if not found or text.endswith("\n") or not _is_address(found[1]):
        raise ValueError(
            f"{shown(text)} is not on this machine; endpoint_url is for the demo AWS alone: "
            'write a loopback address, for example "http://127.0.0.1:5555", or leave it out for the real AWS'
        )
    return text


def _is_address(host: str) -> bool:
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def account_of(arn: str) -> str:
    """Return the account id in an ARN of the shapes above."""
    return arn.split(":")[4]


def region_of(arn: str) -> str:
    """Return the region in an ARN of the shapes above."""
    return arn.split(":")[3]
