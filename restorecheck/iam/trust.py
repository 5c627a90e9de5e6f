"""Who may enter which role: the service the roles of the accounts, by their external ids, and AWS the service's own.

No account as a whole is ever let in, and no wildcard.
"""

from __future__ import annotations

from collections.abc import Iterator

from restorecheck.fence import Role
from restorecheck.fence.permissions import granted
from restorecheck.iam.conditions import TAGS_OF_SESSIONS
from restorecheck.iam.document import Conditions, Statement
from restorecheck.iam.estate import Scratch, Service, Source


def entering(service: Service) -> tuple[str, ...]:
    """Return the actions that entering a role comes to: of the role's trust policy, and of the policy of who enters."""
    return (*granted(Role.BASE, "sts", "AssumeRole"), *(TAGS_OF_SESSIONS if service.is_tagged else ()))


def of_account(role: Source | Scratch, service: Service) -> Iterator[Statement]:
    """Yield who may enter the role of an account."""
    conditions: Conditions = {"StringEquals": {"sts:ExternalId": role.external_id}} if role.external_id else {}
    yield Statement(
        "ServiceEnters",
        entering(service),
        conditions=conditions,
        principals=(service.role,),
        why="the identity that restorecheck runs as, and nobody else; the external id keeps others who share that"
        " identity from being sent here",
    )


def of_service(service: Service) -> Iterator[Statement]:
    """Yield who may run as the service: a service of AWS for this account, or one service account of Kubernetes."""
    if service.runs_on:
        yield Statement(
            "AwsRunsUs",
            entering(service),
            service=service.runs_on,
            conditions={"StringEquals": {"aws:SourceAccount": service.account}} if "ecs" in service.runs_on else {},
            why="AWS gives the running service this identity",
        )
    if service.oidc_provider:
        issuer = service.oidc_provider.partition(":oidc-provider/")[2]
        yield Statement(
            "ClusterVouches",
            granted(Role.BASE, "sts", "AssumeRoleWithWebIdentity"),
            federated=service.oidc_provider,
            conditions={"StringEquals": {f"{issuer}:sub": service.oidc_subject, f"{issuer}:aud": "sts.amazonaws.com"}},
            why="one service account of one cluster, by the token that the cluster signs",
        )
