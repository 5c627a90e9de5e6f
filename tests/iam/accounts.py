"""Accounts whose roles hold exactly the policies that restorecheck asks for, and an AWS that enforces them.

The service runs as a role of its own; administrators build everything else. `declare` writes the configuration without
any AWS, so that the policies are known before there is one.
"""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from demo_world import BASE, DATABASE, MASTER, PASSWORD, REGION, SCRATCH, SOURCE, World, instance_of
from product import Product

from restorecheck.config import Config, load
from restorecheck.demo.aws.process import DemoAws
from restorecheck.fence import Fence
from restorecheck.iam import Bucket, Document, Estate, Statement, documents, estate_of
from restorecheck.ports import fence_of


def role_arn(account: str, name: str) -> str:
    return f"arn:aws:iam::{account}:role/{name}"


EXPORTS, DUMPS, REFERENCES, LAB, STATE = "exports", "nightly-dumps", "shop-references", "restorecheck-lab", "rc-state"
SERVICE, RECORDER, SURVEYOR = "restorecheck-service", "restorecheck-recorder", "restorecheck-surveyor"
STATE_PREFIX = "restorecheck/"
TOPIC = f"arn:aws:sns:{REGION}:{BASE}:backups"
OTHERS = {"recorder": role_arn(SOURCE, RECORDER), "surveyor": role_arn(SOURCE, SURVEYOR)}
"""Who bears the documents that are put on nobody whom a configuration names."""
NOBODY = {"Effect": "Allow", "Principal": {"AWS": "999999999999"}, "Action": "sts:AssumeRole"}
PAPER_KEY = "00000000-0000-4000-8000-000000000000"
FUNCTION = f"arn:aws:lambda:{REGION}:{BASE}:function:restorecheck-run:live"

ORDERS = (
    "create table orders (id int primary key, customer text not null)",
    "insert into orders select g, 'customer ' || g from generate_series(1, 500) g",
)
COUNT: dict[str, object] = {"name": "present", "sql": "select count(*) from orders", "expect": {"at_least": 1}}
OBJECTS: dict[str, object] = {"name": "count", "sql": "select count(*) from objects", "expect": {"at_least": 1}}
READ: dict[str, object] = {"name": "as-recorded", "probe": "readable", "expect": {"same_as": "live"}}


class Enforced(Product):
    """restorecheck as the role that the service runs as, and not as an account's administrator."""

    @property
    def environment(self) -> dict[str, str]:
        return super().environment | self.as_role(BASE, SERVICE)

    def as_role(self, account: str, name: str) -> dict[str, str]:
        """Return the environment of a process that is this role."""
        got = self.world.assume(role_arn(account, name), external_id=None, account=account)
        return {key.upper(): value for key, value in got.items()}


_RDS: dict[str, object] = {"type": "rds", "instance": "shop", "database": DATABASE}
_AURORA: dict[str, object] = {"type": "aurora", "cluster": "courses", "database": DATABASE}
_S3: dict[str, object] = {"type": "s3-objects", "bucket": EXPORTS, "at": "1d", "prefix": "up/"}
CHECKS: dict[str, tuple[dict[str, object], dict[str, object]]] = {
    "automated": (_RDS | {"snapshots": ["automated"]}, COUNT),
    "lent": (_RDS | {"snapshots": ["manual"]}, COUNT),
    "shared": (_RDS | {"instance": "bills", "snapshots": ["shared"]}, COUNT),
    "recorded": (_RDS | {"snapshots": ["manual"]}, READ),
    "cluster": (_AURORA | {"snapshots": ["automated"]}, COUNT),
    "cluster-lent": (_AURORA | {"snapshots": ["manual"]}, COUNT),
    "cluster-copied": (_AURORA | {"snapshots": ["manual"], "copy": True}, COUNT),
    "copied": (_S3, OBJECTS),
    "streamed": (_S3 | {"transfer": "stream", "read": "all"}, OBJECTS),
    "dumped": (
        {"type": "s3-dump", "bucket": DUMPS, "object": "shop/*", "database": DATABASE, "roles": [MASTER]},
        COUNT,
    ),
}
"""The checks by name: what each restores, and what it asks."""


def declare(world: World, home: Path, work: Path, checks: Iterable[str] = tuple(CHECKS)) -> Enforced:
    """Write a configuration with some of the checks, and a topic that is told."""
    more = f'[receivers.topic]\ntype = "sns"\ntopic = "{TOPIC}"\n'
    made = Enforced(world, home, top={"workplace": str(work)}, more=more)
    made.configure(bucket=LAB)
    for name in checks:
        source, asked = CHECKS[name]
        made.declare(name, source, [asked], rpo="9d")
        path = made.home / "checks" / f"{name}.toml"
        if source["type"] == "aurora":
            serverless = '[scratch]\ninstance_class = "db.serverless"\ncapacity = [0.5, 2]\n'
            path.write_text(path.read_text().replace("[scratch]\n", serverless))
        if asked is READ:
            path.write_text(path.read_text() + f'\n[reference.live]\nbucket = "{REFERENCES}"\nobject = "shop/*.json"\n')
    return made


def on_paper(home: Path) -> tuple[Document, ...]:
    """Return the documents of these accounts without any AWS; keys have other names there, statements have not."""
    world = World(
        aws=SimpleNamespace(url="http://127.0.0.1:1"),  # type: ignore[arg-type] - nobody calls it
        source_role=role_arn(SOURCE, "restorecheck-source"),
        scratch_role=role_arn(SCRATCH, "restorecheck-scratch"),
        source_key=key_arn(SOURCE, PAPER_KEY),
        scratch_key=key_arn(SCRATCH, PAPER_KEY),
        vpc="vpc-0",
        security_group="sg-00000000",
        source_rds=None,
        scratch_rds=None,
    )
    made = declare(world, home, home)
    return documents(estate(load(made.home / "config.toml"), world, key_arn(BASE, PAPER_KEY)))


def key_arn(account: str, key: str) -> str:
    return f"arn:aws:kms:{REGION}:{account}:key/{key}"


def estate(config: Config, world: World, state_key: str) -> Estate:
    """Return where everything is, with what no configuration of today names: the keys, the state, the function."""
    found = estate_of(config, service=role_arn(BASE, SERVICE), function=FUNCTION)
    service = replace(
        found.service, region=REGION, state=Bucket(STATE, STATE_PREFIX), state_keys=(state_key,), account=BASE
    )
    [source] = found.sources
    return replace(found, sources=(replace(source, keys=(world.source_key,)),), service=service)


def label(document: Document) -> str:
    """Return the name by which the demo AWS tells of a document's statements."""
    words = {"identity": "", "scp": "", "trust": "trust of ", "key": "key ", "bucket": "bucket "}
    return words[document.kind] + (document.on if words[document.kind] else document.name)


@dataclass
class Accounts:
    """Everything that the checks need, and the policies in force."""

    product: Enforced
    documents: tuple[Document, ...]

    @property
    def world(self) -> World:
        return self.product.world

    @property
    def aws(self) -> DemoAws:
        return self.product.world.aws

    def grant(self, *without: tuple[str, str], beside: Sequence[tuple[str, Statement]] = ()) -> None:
        """Put all documents in force, but for some statements, named by document and Sid, and with others beside."""
        scps: dict[str, list[dict[str, Any]]] = {}
        for document in self.documents:
            left = [s for s in document.statements if (document.name, s.sid) not in without]
            left += [s for name, s in beside if name == document.name]
            text = {"Version": "2012-10-17", "Statement": [s.as_json() for s in left]}
            if document.kind == "scp":
                scps.setdefault(document.on, []).append(text)
            else:
                self._put(document, json.dumps(text))
        self.aws.enforce(scps=scps)

    def _put(self, document: Document, text: str) -> None:
        on = OTHERS.get(document.name, document.on)
        account, _, name = on.removeprefix("arn:aws:iam::").partition(":role/")
        match document.kind:
            case "identity":
                client = self.aws.client("iam", account)
                client.put_role_policy(RoleName=name, PolicyName=document.name, PolicyDocument=text)
            case "trust":
                if '"Statement": []' in text:  # IAM takes no policy that says nothing: somebody who is not there
                    text = json.dumps({"Version": "2012-10-17", "Statement": [NOBODY]})
                if name != SERVICE:  # whom AWS itself runs as it: nobody here does
                    self.aws.client("iam", account).update_assume_role_policy(RoleName=name, PolicyDocument=text)
            case "bucket":
                self.aws.client("s3", SOURCE).put_bucket_policy(Bucket=document.on, Policy=text)
            case "key":
                account = document.on.split(":")[4]
                self.aws.client("kms", account).put_key_policy(KeyId=document.on, PolicyName="default", Policy=text)

    @contextmanager
    def acting(self) -> Iterator[Fence]:
        """Return the fence of the service, in this process."""
        with pytest.MonkeyPatch.context() as patch:
            for name, value in self.product.environment.items():
                patch.setenv(name, value)
            yield fence_of(load(self.product.home / "config.toml"))


def built(aws: DemoAws, world: World, home: Path, work: Path) -> Accounts:
    """Furnish everything, as administrators."""
    encrypted = {"StorageEncrypted": True, "KmsKeyId": world.source_key}
    world.database("bills", *ORDERS, **encrypted)
    world.cluster("courses", *ORDERS, **encrypted)
    aws.automated_cluster_snapshot(SOURCE, "courses")
    world.snapshot("bills", "bills-weekly")
    world.share("bills-weekly")
    world.cluster_snapshot("courses", "courses-weekly")
    found = small(aws, world, home, work, tuple(CHECKS))
    _objects(aws, world)
    return found


def small(aws: DemoAws, world: World, home: Path, work: Path, checks: Iterable[str] = ("lent",)) -> Accounts:
    """Furnish what one check of an instance needs."""
    aws.role(BASE, SERVICE, trusted=[BASE])
    for name in (RECORDER, SURVEYOR):
        aws.role(SOURCE, name, trusted=[SOURCE])
    aws.client("ec2", SCRATCH).authorize_security_group_ingress(
        GroupId=world.security_group, IpProtocol="tcp", FromPort=5432, ToPort=5432, CidrIp="10.77.0.0/16"
    )
    world.database("shop", *ORDERS, StorageEncrypted=True, KmsKeyId=world.source_key)
    aws.automated_snapshot(SOURCE, "shop")
    world.snapshot("shop", "weekly")
    state_key = aws.client("kms", BASE).create_key()["KeyMetadata"]["Arn"]
    _buckets(world, state_key)
    aws.client("sns", BASE).create_topic(Name="backups")
    made = declare(world, home, work, checks)
    return Accounts(made, documents(estate(load(made.home / "config.toml"), world, state_key)))


def _buckets(world: World, state_key: str) -> None:
    """Make all buckets; three of them encrypt what is put into them."""
    for bucket in (EXPORTS, DUMPS):
        world.bucket(bucket)
    for name, account, key, versioning in (
        (LAB, SCRATCH, world.scratch_key, ""),
        (STATE, BASE, state_key, "Enabled"),
        (REFERENCES, SOURCE, world.source_key, "Enabled"),
    ):
        rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}}
        s3 = world.bucket(name, account, versioning=versioning)
        s3.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration={"Rules": [rule]})


def _objects(aws: DemoAws, world: World) -> None:
    """Write the objects that are backed up: one of many parts, one under a key, and a dump."""
    under = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": world.source_key}
    s3 = aws.client("s3", SOURCE)
    at = (datetime.now(UTC) - timedelta(days=2)).replace(microsecond=0)
    for key, body in {"up/a": b"one", "up/b": b"x" * (9 * 1024**2), "up/c": b"two"}.items():
        version = s3.put_object(Bucket=EXPORTS, Key=key, Body=body, **(under if key == "up/c" else {}))["VersionId"]
        aws.backdate(SOURCE, EXPORTS, key, version, at)
    body = base64.b64encode(_dump(world, aws.state()["postgres_bin"])).decode()
    aws.history(SOURCE, DUMPS, [{"key": "shop/1.dump", "base64": body, "at": datetime.now(UTC) - timedelta(hours=2)}])


def _dump(world: World, programs: str) -> bytes:
    shop = instance_of(world.source_rds, "shop")
    assert shop is not None
    where = shop["Endpoint"]
    return subprocess.run(
        [f"{programs}/pg_dump", "--format", "custom", "--no-owner", "--dbname", DATABASE],
        env={"PGHOST": where["Address"], "PGPORT": str(where["Port"]), "PGUSER": MASTER, "PGPASSWORD": PASSWORD},
        capture_output=True,
        check=True,
    ).stdout
