"""Where an instance lies: subnet group, VPC, security groups and parameter group. Reads moto's EC2 and RDS."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from moto.ec2.models import ec2_backends
from moto.rds.models import rds_backends

from restorecheck.demo.aws.errors import AwsError

Wire = dict[str, Any]


def placement(account: str, region: str, asked: Wire) -> Wire:
    """Return the instance fields that say where it lies. Raises the errors of RDS about what does not exist."""
    group = _subnet_group(account, region, asked.get("DBSubnetGroupName"))
    public = asked.get("PubliclyAccessible")
    if public is None:  # AWS's default: public if an internet gateway is attached, and the default VPC has one
        public = asked.get("DBSubnetGroupName") is None or _has_gateway(account, region, group["VpcId"])
    zone = asked.get("AvailabilityZone") or group.pop("_zone")
    group.pop("_zone", None)
    return {
        "DBSubnetGroup": group,
        "PubliclyAccessible": bool(public),
        "AvailabilityZone": zone,
        "VpcSecurityGroups": _security_groups(account, region, group["VpcId"], asked.get("VpcSecurityGroupIds")),
    }


def _subnet_group(account: str, region: str, name: str | None) -> Wire:
    if name is None or name.lower() == "default":
        return {
            "DBSubnetGroupName": "default",
            "DBSubnetGroupDescription": "default",
            "SubnetGroupStatus": "Complete",
            "VpcId": _default_vpc(account, region),
            "_zone": region + "a",
        }
    found = rds_backends[account][region].subnet_groups.get(name.lower())
    if found is None:
        raise AwsError("DBSubnetGroupNotFoundFault", f"DBSubnetGroup '{name}' not found.")
    subnets = found.subnets
    return {
        "DBSubnetGroupName": found.name,
        "DBSubnetGroupDescription": found.description,
        "SubnetGroupStatus": "Complete",
        "VpcId": found.vpc_id,
        "Subnets": subnets,
        "DBSubnetGroupArn": found.arn,
        "_zone": subnets[0]["SubnetAvailabilityZone"]["Name"] if subnets else region + "a",
    }


def _security_groups(account: str, region: str, vpc: str, ids: Sequence[str] | None) -> list[Wire]:
    backend = ec2_backends[account][region]
    if not ids:  # the default group of the subnet group's VPC
        groups = [g for g in backend.groups.get(vpc, {}).values() if g.name == "default"]
        return [{"VpcSecurityGroupId": g.id, "Status": "active"} for g in groups]
    for name in ids:
        group = backend.get_security_group_from_id(name)
        if group is None:
            raise AwsError("InvalidParameterValue", f"Invalid security group , groupId= {name}, groupName=.")
        if group.vpc_id != vpc:
            message = f"The DB instance and EC2 security group are in different VPCs. {name} is not in {vpc}."
            raise AwsError("InvalidVPCNetworkStateFault", message)
    return [{"VpcSecurityGroupId": name, "Status": "active"} for name in ids]


def parameter_group(account: str, region: str, name: str | None, family: str) -> str:
    """Return the name of the parameter group. Raises DBParameterGroupNotFound."""
    default = f"default.{family}"
    if name is None or name == default:
        return default
    if name not in rds_backends[account][region].db_parameter_groups:
        raise AwsError("DBParameterGroupNotFound", f"DBParameterGroup not found: {name}")
    return name


def cluster_parameter_group(account: str, region: str, name: str | None, family: str) -> str:
    """Return the name of a cluster's parameter group. Raises DBClusterParameterGroupNotFound."""
    default = f"default.{family}"
    if name is None or name == default:
        return default
    if name not in rds_backends[account][region].db_cluster_parameter_groups:
        raise AwsError("DBClusterParameterGroupNotFound", f"DBClusterParameterGroup not found: {name}")
    return name


def _default_vpc(account: str, region: str) -> str:
    vpcs = ec2_backends[account][region].describe_vpcs()
    return next((str(vpc.id) for vpc in vpcs if str(vpc.is_default).lower() == "true"), "vpc-default")


def _has_gateway(account: str, region: str, vpc: str) -> bool:
    gateways = ec2_backends[account][region].internet_gateways.values()
    return any(attachment["VpcId"] == vpc for gateway in gateways for attachment in gateway.attachments)
