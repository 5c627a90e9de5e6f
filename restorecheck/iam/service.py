"""What restorecheck itself may do: enter the configured roles, publish to the configured topics, keep its own state.

It may touch no backup and no scratch in its own name. Where runs are executions of a function, it may start those.
"""

from __future__ import annotations

from collections.abc import Iterator

from restorecheck.fence import Role
from restorecheck.fence.permissions import granted
from restorecheck.iam.conditions import READ_OBJECTS, both, of_account, via
from restorecheck.iam.document import Statement
from restorecheck.iam.estate import Bucket, Estate, Service
from restorecheck.iam.trust import entering


def statements(estate: Estate) -> Iterator[Statement]:
    """Yield what the service's own identity may do."""
    service = estate.service
    yield Statement(
        "EnterRoles",
        entering(service),
        tuple(dict.fromkeys((*(one.role for one in estate.sources), *(one.role for one in estate.scratches)))),
        why="enters exactly the roles that are configured; whatever is done to backups and scratch is done as them",
    )
    if service.topics:
        yield Statement(
            "PublishNotices",
            granted(Role.NOTIFIER, "sns", "Publish"),
            service.topics,
            why="tells people, through the topics that are configured as receivers",
        )
    if service.topic_keys:
        yield Statement(
            "UseTopicKeysThroughSns",
            READ_OBJECTS,
            service.topic_keys,
            conditions=via("sns", (topic.split(":")[3] for topic in service.topics if topic.count(":") >= 5)),
            why="the topics are encrypted under these keys",
        )
    if service.state or service.settings:
        yield from _state(estate, service)
    if service.function:
        yield from _runs(service.function)


def _state(estate: Estate, service: Service) -> Iterator[Statement]:
    own = of_account(service.account)
    buckets: list[Bucket] = [bucket for bucket in (service.state, service.settings) if bucket]
    yield Statement(
        "LookAtState",
        granted(Role.KEEPER, "s3", "GetBucketVersioning", "ListObjectsV2"),
        tuple(dict.fromkeys(estate.bucket(bucket) for bucket in buckets)),
        conditions=own,
        why="versions must be kept; and with s3:ListBucket what is not there yet is told from what is forbidden",
    )
    yield Statement(
        "ReadState",
        granted(Role.KEEPER, "s3", "GetObject"),
        tuple(dict.fromkeys(estate.below(bucket) for bucket in buckets)),
        conditions=own,
        why="reads proofs, the working copy of the store, and for functions the configuration",
    )
    if service.state:
        for sid, header, why in (
            ("WriteNewState", "s3:if-none-match", "a record is written once; S3 refuses a second one of its name"),
            ("ReplaceReadState", "s3:if-match", "what is replaced must be what was read; nothing is ever written over"),
        ):
            yield Statement(
                sid,
                granted(Role.KEEPER, "s3", "PutObject"),
                (estate.below(service.state),),
                conditions=both(own, {"Null": {header: "false"}}),
                why=why,
            )
    if service.state_keys:
        yield Statement(
            "UseStateKeysThroughS3",
            READ_OBJECTS,
            service.state_keys,
            conditions=via("s3", (service.region,)),
            why="the bucket is encrypted under these keys",
        )


def _runs(function: str) -> Iterator[Statement]:
    whole = function.rpartition(":")[0]
    yield Statement(
        "StartRuns",
        granted(Role.STARTER, "lambda", "Invoke"),
        (function,),
        why="a run is one execution of this function, by the version or alias that is configured",
    )
    yield Statement(
        "SeeRuns",
        granted(Role.STARTER, "lambda", "GetDurableExecution", "ListDurableExecutionsByFunction"),
        (whole, f"{whole}:*"),
        why="which runs are under way, and how they ended; executions lie below the versions of the function",
    )
    yield Statement(
        "KeepOwnSteps",
        ("lambda:CheckpointDurableExecution", "lambda:GetDurableExecutionState"),
        (f"{whole}:*",),
        why="the function that runs checks records its own steps, by the SDK of durable functions",
    )
