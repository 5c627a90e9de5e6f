"""Stands in for Terraform's AWS provider: has its schema, as `schema.json` keeps it, and makes nothing anywhere.

    python provider.py schema.json /a/socket

With it Terraform itself judges the modules: every argument and its type, every reference, what is required, and what
follows from what, up to an apply in which every name that AWS would give is made up. What a value may be is AWS's to
say, and is not looked at. Terraform is told of this process by TF_REATTACH_PROVIDERS; it speaks version 6 of the
plugin protocol, of which the few messages that matter are read and written here by hand.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
import msgpack

UNKNOWN = msgpack.ExtType(0, b"\x00")
NESTING = {"single": 1, "list": 2, "set": 3}
ACCOUNT, REGION = "222222222222", "eu-central-1"
READ: dict[str, dict[str, Any]] = {
    "aws_caller_identity": {"account_id": ACCOUNT},
    "aws_partition": {"partition": "aws", "dns_suffix": "amazonaws.com"},
    "aws_region": {"region": REGION, "name": REGION},
    "aws_availability_zones": {"names": [f"{REGION}{zone}" for zone in "abc"]},
    "aws_secretsmanager_random_password": {"random_password": "a-password"},
    "aws_secretsmanager_secret_version": {"secret_string": '{"password": "a-password"}'},
}
"""What data sources and ephemeral resources answer."""

# --- protobuf ------------------------------------------------------------------------------------------------------


def varint(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


def message(*fields: tuple[int, bytes | str | int | bool]) -> bytes:
    """Write a message: numbers of fields with their values, in which a zero or a False is left out."""
    out = b""
    for number, value in fields:
        if isinstance(value, int):
            out += varint(number << 3) + varint(int(value)) if value else b""
        else:
            raw = value.encode() if isinstance(value, str) else value
            out += varint(number << 3 | 2) + varint(len(raw)) + raw
    return out


def fields(raw: bytes) -> Iterator[tuple[int, bytes]]:
    """Read the fields of a message that have a length; numbers are passed over."""
    at = 0

    def number() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = raw[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while at < len(raw):
        tag = number()
        size = number()
        if tag & 7 == 2:
            yield tag >> 3, raw[at : at + size]
            at += size


def dynamic(value: Any) -> bytes:
    return message((1, msgpack.packb(value)))


def value_of(raw: bytes) -> Any:
    return msgpack.unpackb(dict(fields(raw))[1], strict_map_key=False)


# --- schema --------------------------------------------------------------------------------------------------------


def attribute(name: str, said: dict[str, Any], *, top: bool) -> bytes:
    read_only = said.get("computed", False)
    required = said.get("required", False)
    written = name.endswith("_wo")  # and never kept
    optional = not required and not read_only
    return message(
        (1, name),
        (2, json.dumps(said["type"])),
        (4, required),
        (5, optional),
        (6, read_only or (top and optional and not written)),
        (11, written),
    )


def block(said: dict[str, Any], *, top: bool = True) -> bytes:
    nested = [
        message((1, name), (2, block(inner, top=False)), (3, NESTING[inner["nesting"]]), (4, inner["required"]))
        for name, inner in said["blocks"].items()
    ]
    plain = [attribute(name, one, top=top) for name, one in said["attributes"].items()]
    return message(*((2, one) for one in plain), *((3, one) for one in nested))


def schema_of(said: dict[str, Any]) -> bytes:
    return message((2, block(said)))


ROLE = {"attributes": {"role_arn": {"type": "string"}}, "blocks": {}, "nesting": "list", "required": False}
PROVIDER = {"attributes": {"region": {"type": "string"}}, "blocks": {"assume_role": ROLE}}


# --- calls ---------------------------------------------------------------------------------------------------------


class Provider:
    """Answers each call of the protocol that Terraform makes."""

    def __init__(self, known: dict[str, Any]) -> None:
        self._known = known

    def schema(self, _: bytes) -> bytes:
        kinds = ((2, "resource"), (3, "data"), (8, "ephemeral"))
        maps = [
            (number, message((1, name), (2, schema_of(said))))
            for number, kind in kinds
            for name, said in self._known[kind].items()
        ]
        return message((1, message((2, block(PROVIDER, top=False)))), *maps)

    def read(self, raw: bytes) -> bytes:
        """A data source: what was asked, and what we know."""
        said = dict(fields(raw))
        return message((1, dynamic(self._answered(said))))

    def open(self, raw: bytes) -> bytes:
        """An ephemeral resource, likewise."""
        return message((3, dynamic(self._answered(dict(fields(raw))))))

    def plan(self, raw: bytes) -> bytes:
        """As proposed; what AWS will say is unknown."""
        said = dict(fields(raw))
        proposed, prior = value_of(said[3]), value_of(said[2])
        if proposed is not None:
            for name, one in self._known["resource"][said[1].decode()]["attributes"].items():
                if name.endswith("_wo"):
                    proposed[name] = None
                elif prior is None and proposed.get(name) is None and not one.get("required"):
                    proposed[name] = UNKNOWN
        return message((1, dynamic(proposed)))

    def apply(self, raw: bytes) -> bytes:
        """As planned, with names made up for what is unknown."""
        said = dict(fields(raw))
        kind, planned = said[1].decode(), value_of(said[3])
        if planned is not None:
            types = self._known["resource"][kind]["attributes"]
            for name, value in planned.items():
                if isinstance(value, msgpack.ExtType):
                    planned[name] = made_up(kind, name, types[name]["type"])
            if kind == "aws_iam_role":  # which other modules take for what it is
                planned["arn"] = f"arn:aws:iam::{ACCOUNT}:role/{planned['name']}"
        return message((1, dynamic(planned)))

    def refresh(self, raw: bytes) -> bytes:
        return message((1, dict(fields(raw))[2]))

    def upgrade(self, raw: bytes) -> bytes:
        state = json.loads(dict(fields(dict(fields(raw))[3]))[1])
        return message((1, dynamic(state)))

    def _answered(self, said: dict[int, bytes]) -> Any:
        return value_of(said[2]) | READ[said[1].decode()]


def made_up(kind: str, name: str, said: Any) -> Any:
    """Return what AWS might say."""
    if said == "string":
        service = kind.removeprefix("aws_").partition("_")[0]
        return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{kind}" if name.endswith("arn") else f"{kind}-{name}"
    return {"number": 1, "bool": False}.get(said) if isinstance(said, str) else ({} if said[0] == "map" else [])


def nothing(_: bytes) -> bytes:
    return b""


def main(known: Path, socket: Path) -> None:
    """Serve until the standard input ends."""
    provider = Provider(json.loads(known.read_text()))
    calls: dict[str, Callable[[bytes], bytes]] = {
        "GetProviderSchema": provider.schema,
        "ReadDataSource": provider.read,
        "OpenEphemeralResource": provider.open,
        "PlanResourceChange": provider.plan,
        "ApplyResourceChange": provider.apply,
        "ReadResource": provider.refresh,
        "UpgradeResourceState": provider.upgrade,
        **dict.fromkeys(("ValidateProviderConfig", "ValidateResourceConfig", "ValidateDataResourceConfig"), nothing),
        **dict.fromkeys(("ValidateEphemeralResourceConfig", "CloseEphemeralResource"), nothing),
        **dict.fromkeys(("ConfigureProvider", "StopProvider", "GetFunctions", "GetResourceIdentitySchemas"), nothing),
    }
    answers = {
        name: grpc.unary_unary_rpc_method_handler(lambda raw, _, call=call: call(raw)) for name, call in calls.items()
    }
    server = grpc.server(futures.ThreadPoolExecutor(4), options=[("grpc.max_send_message_length", 64 * 1024 * 1024)])
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("tfplugin6.Provider", answers),))
    server.add_insecure_port(f"unix:{socket}")
    server.start()
    sys.stdout.write("serving\n")
    sys.stdout.flush()
    sys.stdin.read()
    server.stop(0)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
