"""The policies in templates and modules: made from `restorecheck.iam`, with placeholders where an estate has names.

A template holds them between two comments, a module in files of its own. Nobody types one: `REGENERATE=1` writes them,
and a test holds what is there against what would be written.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from restorecheck.iam import Bucket, Document, Estate, Place, Scratch, Service, Snapshots, Source, documents, parts

ROOT = Path(__file__).parents[2]
TEMPLATES = ROOT / "deploy" / "cloudformation"
MODULES = ROOT / "deploy" / "terraform" / "modules"

ANY = Snapshots(copied=("*",), lent=("*",), shared=("*",))
"""A template does not know which checks there will be: backups of every kind, under any name."""

_BLOCK = re.compile(
    r"(?P<indent> *)# made by restorecheck\.iam: (?P<name>[^\n]+)\n(?P<body>.*?)(?P=indent)# end\n", re.DOTALL
)


@dataclass(frozen=True)
class Names:
    """How one kind of template says where it is, and what is in its parameters."""

    partition: str
    account: str
    region: str
    other_account: str  # of the source account in a scratch template, and the other way round
    own_role: str
    service_role: str
    scratch_role: str
    external_id: str
    key: str
    bucket: str
    subnet_group: str
    name: str  # of the service

    def arn(self, rest: str) -> str:
        """Return an ARN of this partition."""
        return f"arn:{self.partition}:{rest}"


CLOUDFORMATION = Names(
    partition="${AWS::Partition}",
    account="${AWS::AccountId}",
    region="${AWS::Region}",
    other_account="${SourceAccountId}",
    own_role="arn:${AWS::Partition}:iam::${AWS::AccountId}:role/OWN",
    service_role="${ServiceRoleArn}",
    scratch_role="arn:${AWS::Partition}:iam::${ScratchAccountId}:role/${ScratchRoleName}",
    external_id="${ExternalId}",
    key="${Key.Arn}",
    bucket="${Bucket}",
    subnet_group="${SubnetGroup}",
    name="${Name}",
)
TERRAFORM = Names(
    partition="${partition}",
    account="${account}",
    region="${region}",
    other_account="${source_account_id}",
    own_role="OWN",
    service_role="${service_role_arn}",
    scratch_role="${scratch_role_arn}",
    external_id="${external_id}",
    key="${key_arn}",
    bucket="${bucket}",
    subnet_group="${subnet_group}",
    name="${name}",
)
BUCKETS, ROLES, TOPICS = "@buckets@", "@roles@", "@topics@"
"""Stand for lists, whose length a template does not know."""

OUR_GROUPS, OUR_OPTIONS = ("restorecheck-*", "default.*"), ("restorecheck-*", "default:*")


def _source(names: Names, account: str, role: str) -> Source:
    buckets = (Bucket(BUCKETS, read=True, copied=True),)
    return Source("source", account, role, (names.region,), names.external_id, ANY, ANY, buckets=buckets)


def _nobody(names: Names) -> Service:
    return Service(names.service_role, names.account)


def of_source(names: Names) -> Estate:
    """Return what the template of a source account knows."""
    scratch = Scratch("scratch", "ELSEWHERE", names.scratch_role, ())
    return Estate((_source(names, names.account, names.own_role),), (scratch,), _nobody(names), names.partition)


def of_scratch(names: Names) -> Estate:
    """Return what the template of a scratch account knows."""
    place = Place(names.region, (names.subnet_group,), OUR_GROUPS, OUR_OPTIONS, OUR_GROUPS, (names.key,), names.bucket)
    scratch = Scratch("scratch", names.account, names.own_role, (place,), names.external_id)
    source = _source(names, names.other_account, "ELSEWHERE")
    return Estate((source,), (scratch,), _nobody(names), names.partition)


def of_service(names: Names, *, functions: bool) -> Estate:
    """Return what the template of the service knows: with functions, its state is in a bucket."""
    here = f"{names.region}:{names.account}"
    bucket = f"{names.name}-state-{names.account}-{names.region}"
    service = Service(
        names.own_role,
        names.account,
        names.region,
        topics=(names.arn(f"sns:{here}:{names.name}-alarms"), TOPICS),
        state=Bucket(bucket, "state/") if functions else None,
        settings=Bucket(bucket, "config/") if functions else None,
        function=names.arn(f"lambda:{here}:function:{names.name}-run:live") if functions else "",
    )
    source = Source("source", "ELSEWHERE", ROLES, ())
    return Estate((source,), (Scratch("scratch", "ELSEWHERE", ROLES, ()),), service, names.partition)


def document(estate: Estate, name: str) -> Document:
    """Return the document of a name."""
    [found] = [one for one in documents(estate) if one.name == name]
    return found


# --- CloudFormation ------------------------------------------------------------------------------------------------

LISTS = {
    f"arn:{CLOUDFORMATION.partition}:s3:::{BUCKETS}": "SourceBucketArns",
    f"arn:{CLOUDFORMATION.partition}:s3:::{BUCKETS}/*": "SourceObjectArns",
    ROLES: "RoleArns",
    TOPICS: "TopicArns",
}
"""Texts of a document that a list in the template's parameters takes the place of."""


_PLAIN = re.compile(r"(?!(?:true|false|yes|no|on|off|null|none)$)[A-Za-z][\w:./*-]*", re.IGNORECASE)
WIDTH = 120


def _scalar(text: str) -> str:
    """Write a text: in quotes only where YAML would read something else, a number or nothing."""
    if "${" in text:
        return f"!Sub {json.dumps(text)}"
    return text if _PLAIN.fullmatch(text) else json.dumps(text)


def _listed(items: list[str]) -> list[str]:
    """Return the lines of a list of texts."""
    lists = [LISTS[item] for item in items if item in LISTS]
    if not lists:
        return [f"- {_scalar(item)}" for item in items]
    if len(items) == 1:
        return [f"!Ref {lists[0]}"]
    # A list in the middle of others: CloudFormation can only join them all, and split again.
    inner = [f'!Join [",", !Ref {LISTS[item]}]' if item in LISTS else _scalar(item) for item in items]
    return [f'!Split [",", !Join [",", [{", ".join(inner)}]]]']


def _yaml(value: Any, indent: str) -> str:
    """Write a value of JSON as YAML of a template, each line ended."""
    text = ""
    for key, held in value.items():
        name = _scalar(key)
        if isinstance(held, Mapping):
            text += f"{indent}{name}:\n{_yaml(held, indent + '  ')}"
        elif isinstance(held, list) and held and isinstance(held[0], Mapping):
            text += f"{indent}{name}:\n" + _statements(held, f"{indent}  ")
        elif isinstance(held, list):
            lines = _listed(held)
            short = f"{indent}{name}: [{', '.join(line[2:] for line in lines)}]"
            if lines[0].startswith("!"):
                text += f"{indent}{name}: {lines[0]}\n"
            elif len(short) <= WIDTH and "!" not in short:
                text += f"{short}\n"
            else:
                text += f"{indent}{name}:\n" + "".join(f"{indent}  {line}\n" for line in lines)
        else:
            text += f"{indent}{name}: {_scalar(held)}\n"
    return text


def _statements(statements: list[Any], indent: str) -> str:
    whole = (_yaml(one, indent + "  ") for one in statements)
    return "".join(f"{indent}- {text[len(indent) + 2 :]}" for text in whole)


def _attached(estate: Estate, name: str, indent: str) -> str:
    """Write resources: the document as managed policies, attached to the role that it is for."""
    kind = name.capitalize()
    text = ""
    for number, part in enumerate(parts(document(estate, name)), start=1):
        body = _yaml(part.as_json(), indent + "      ")
        text += (
            f"{indent}{kind}Policy{number}:\n{indent}  Type: AWS::IAM::ManagedPolicy\n{indent}  Properties:\n"
            f"{indent}    Description: What restorecheck may do in a {name} account, part {number}\n"
            f"{indent}    Roles: [!If [MakesRole, !Ref {kind}Role, !Ref {kind}RoleName]]\n"
            f"{indent}    PolicyDocument:\n{body}\n"
        )
    return text.rstrip("\n") + "\n"


def _block(template: str, name: str, indent: str) -> str:
    """Write what belongs between the two comments of a name."""
    if name.startswith("service on "):
        estate = of_service(CLOUDFORMATION, functions=name.endswith("Lambda"))
        return _yaml(document(estate, "service").as_json(), indent)
    estate = {"source": of_source, "scratch": of_scratch}[template](CLOUDFORMATION)
    if name in {"source", "scratch"}:
        return _attached(estate, name, indent)
    said = document(estate, name.removesuffix(" as text")).as_json()
    if name.endswith(" as text"):
        text = json.dumps(said["Statement"])
        place = re.escape(f"arn:{CLOUDFORMATION.partition}:s3:::{BUCKETS}/*")
        text = re.sub(f'\\["{place}"\\]', '["${SourceObjects}"]', text)
        if "${SourceObjects}" not in text:
            return f"{indent}Value: !Sub |\n{indent}  {text}\n"
        objects = """{SourceObjects: !Join ['","', !Ref SourceObjectArns]}"""
        return f"{indent}Value: !Sub\n{indent}  - |\n{indent}    {text}\n{indent}  - {objects}\n"
    return _statements(said["Statement"], indent) if name.endswith(".key") else _yaml(said, indent)


def template_with_policies(path: Path) -> str:
    """Return a template as it ought to be: every policy in it made anew."""

    def made(found: re.Match[str]) -> str:
        indent, name = found["indent"], found["name"]
        return f"{indent}# made by restorecheck.iam: {name}\n{_block(path.stem, name, indent)}{indent}# end\n"

    return _BLOCK.sub(made, path.read_text())


# --- Terraform -----------------------------------------------------------------------------------------------------

TERRAFORM_LISTS = {
    f"arn:{TERRAFORM.partition}:s3:::{BUCKETS}": "bucket_arns",
    f"arn:{TERRAFORM.partition}:s3:::{BUCKETS}/*": "object_arns",
    ROLES: "role_arns",
    TOPICS: "topic_arns",
}


def _hcl(value: Any) -> Any:
    """Return a value of JSON in which lists that a variable takes the place of are markers."""
    if isinstance(value, Mapping):
        return {key: _hcl(held) for key, held in value.items()}
    if not isinstance(value, list):
        return value
    lists = [TERRAFORM_LISTS[item] for item in value if isinstance(item, str) and item in TERRAFORM_LISTS]
    if not lists:
        return [_hcl(item) for item in value]
    rest = [f'"{item}"' for item in value if item not in TERRAFORM_LISTS]
    held = lists[0] if not rest else f"concat([{', '.join(rest)}], {lists[0]})"
    return f"@@${{jsonencode({held})}}@@"


def _tftpl(said: dict[str, Any]) -> str:
    text = json.dumps(_hcl(said), indent=2)

    def bare(found: re.Match[str]) -> str:
        return str(json.loads(found[0]))[2:-2]

    return re.sub(r'"@@(?:[^"\\]|\\.)*@@"', bare, text) + "\n"


def module_policies() -> dict[Path, str]:
    """Return every policy file of the modules, as it ought to be."""
    found: dict[Path, str] = {}
    estates = {
        "source-account": of_source(TERRAFORM),
        "scratch-account": of_scratch(TERRAFORM),
    }
    wanted = {
        "source-account": ("source.trust", "source.key", "source.bucket"),
        "scratch-account": ("scratch.trust", "scratch.key"),
    }
    for runs_on, functions in (("ecs-tasks", False), ("lambda", True)):
        said = document(of_service(TERRAFORM, functions=functions), "service").as_json()
        found[MODULES / "service-identity" / "policies" / f"service-{runs_on}.json.tftpl"] = _tftpl(said)
    for module, estate in estates.items():
        directory = MODULES / module / "policies"
        for name in wanted[module]:
            found[directory / f"{name}.json.tftpl"] = _tftpl(document(estate, name).as_json())
        kind = module.removesuffix("-account")
        for number, part in enumerate(parts(document(estate, kind)), start=1):
            found[directory / f"{kind}-{number}.json.tftpl"] = _tftpl(part.as_json())
    return found
