"""Where scratch is put: subnets with room, no public route, security groups that let in nobody from outside."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Any

from restorecheck.doctor.diagnosis import Described, Hand, Ill, said
from restorecheck.errors import AwsError, SourceError
from restorecheck.model import Placement

_LEADS_OUT = (
    "CarrierGatewayId",
    "CoreNetworkArn",
    "EgressOnlyInternetGatewayId",
    "InstanceId",
    "LocalGatewayId",
    "NatGatewayId",
    "NetworkInterfaceId",
    "TransitGatewayId",
    "VpcPeeringConnectionId",
)


def _group(hand: Hand, place: Placement) -> tuple[str, tuple[str, ...]]:
    """Return the VPC and the subnets of the subnet group."""
    try:
        answer = hand.call("rds", "DescribeDBSubnetGroups", DBSubnetGroupName=place.subnet_group)
    except AwsError as e:
        if e.kind == "placement":
            raise Ill(f"there is no subnet group {place.subnet_group}", "make it, or correct `subnet_group`") from e
        raise
    groups = said(answer, "DBSubnetGroups", place.subnet_group)
    if len(groups) != 1:
        raise SourceError(f"AWS described {len(groups)} subnet groups {place.subnet_group}", kind="unknown-answer")
    subnets = said(groups[0], "Subnets", place.subnet_group)
    names = tuple(said(subnet, "SubnetIdentifier", place.subnet_group) for subnet in subnets)
    if not names:
        raise Ill(f"the subnet group {place.subnet_group} has no subnets", "give it private subnets in two zones")
    return said(groups[0], "VpcId", place.subnet_group), names


def subnets(hand: Hand, place: Placement) -> str:
    """Look whether the subnets are there and have addresses left."""
    vpc, names = _group(hand, place)
    found = list(hand.pages("ec2", "DescribeSubnets", "Subnets", SubnetIds=list(names)))
    missing = sorted(set(names) - {subnet.get("SubnetId") for subnet in found})
    if missing:
        raise SourceError(f"AWS does not describe {', '.join(missing)}", kind="unknown-answer")
    free = sum(said(subnet, "AvailableIpAddressCount", "a subnet") for subnet in found)
    if not free:
        raise Ill(f"the subnets of {place.subnet_group} have no address left", "free some, or add a subnet")
    return f"{place.subnet_group}: {len(names)} subnets in {vpc}, {free} free addresses"


def routes(hand: Hand, place: Placement) -> str:
    """Look for a way to an internet gateway in the route table of every subnet, its own or the VPC's main one."""
    vpc, names = _group(hand, place)
    asked = [{"Name": "vpc-id", "Values": [vpc]}]
    tables = list(hand.pages("ec2", "DescribeRouteTables", "RouteTables", Filters=asked))
    of_subnet: dict[str, Described] = {}
    main: Described | None = None
    for table in tables:
        for association in said(table, "Associations", "a route table"):
            if association.get("Main"):
                main = table
            elif subnet := association.get("SubnetId"):
                of_subnet[subnet] = table
    ways_out: set[str] = set()
    for name in names:
        its = of_subnet.get(name, main)
        if its is None:
            raise SourceError(f"AWS shows no route table of {name}, nor a main one of {vpc}", kind="unknown-answer")
        public, out = _ways(its)
        if public:
            raise Ill(
                f"{name} has a public route: {public[0]} in {its.get('RouteTableId', 'its route table')}",
                "take subnets without a route to an internet gateway",
            )
        ways_out |= out
    note = f"; there is a way out through {', '.join(sorted(ways_out))}: scratch needs none" if ways_out else ""
    return f"no subnet of {place.subnet_group} has a public route{note}"


def _ways(table: Described) -> tuple[list[str], set[str]]:
    """Return the routes to an internet gateway, and other gateways that lead out of the VPC."""
    public: list[str] = []
    out: set[str] = set()
    for route in said(table, "Routes", "a route table"):
        gateway = route.get("GatewayId") or ""
        to = route.get("DestinationCidrBlock") or route.get("DestinationIpv6CidrBlock") or "a prefix list"
        if gateway.startswith("igw-"):  # to whatever destination: 0.0.0.0/0 can be written as two halves
            public.append(f"{to} to {gateway}")
        out |= {route[kind] for kind in _LEADS_OUT if route.get(kind)}
        out |= {gateway} if gateway.startswith("vgw-") else set()
    return public, out


def security_groups(hand: Hand, place: Placement) -> str:
    """Look whether the groups are there, in the subnets' VPC, and let in somebody but not everybody."""
    vpc, _ = _group(hand, place)
    wanted = list(place.security_groups)
    try:
        groups = list(hand.pages("ec2", "DescribeSecurityGroups", "SecurityGroups", GroupIds=wanted))
    except AwsError as e:
        if e.code.startswith("InvalidGroup"):
            raise Ill(e.message, "make the security group, or correct `security_groups`") from e
        raise
    missing = sorted(set(wanted) - {group.get("GroupId") for group in groups})
    if missing:
        raise SourceError(f"AWS does not describe {', '.join(missing)}", kind="unknown-answer")
    for group in groups:
        if said(group, "VpcId", group["GroupId"]) != vpc:
            raise Ill(f"{group['GroupId']} is in {group['VpcId']}, the subnets are in {vpc}", "take groups of that VPC")
        _must_be_closed(group)
    if not any(group["IpPermissions"] for group in groups):
        raise Ill(f"{', '.join(wanted)} let in nobody", "let in the database's port from where restorecheck runs")
    outward = sorted(g["GroupId"] for g in groups if any(map(_everybody, _ranges(g.get("IpPermissionsEgress") or ()))))
    note = f"; {', '.join(outward)} let scratch call out to everywhere: it needs no egress" if outward else ""
    return f"{', '.join(wanted)} in {vpc}, nothing open to everybody{note}"


def _must_be_closed(group: Described) -> None:
    """Raise Ill if a group lets in everybody, SourceError if it cannot be told whom it lets in."""
    name = group["GroupId"]
    for permission in said(group, "IpPermissions", name):
        for range_ in _ranges([permission]):
            if _everybody(range_):
                raise Ill(f"{name} lets in everybody ({range_})", "let in only where restorecheck runs")
        if permission.get("PrefixListIds"):
            raise SourceError(f"{name} lets in a prefix list, whose entries the doctor may not read", kind="permission")


def _ranges(permissions: Any) -> Iterator[str]:
    for permission in permissions:
        yield from (said(r, "CidrIp", "an IP range") for r in permission.get("IpRanges") or ())
        yield from (said(r, "CidrIpv6", "an IP range") for r in permission.get("Ipv6Ranges") or ())


def _everybody(range_: str) -> bool:
    # The halves of the address space count: together they are all of it.
    return ipaddress.ip_network(range_, strict=False).prefixlen <= 1
