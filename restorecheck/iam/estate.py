"""Where everything is that a policy names: accounts, regions, roles, keys, buckets, topics. Values, and their ARNs.

Every text may be a placeholder of a template, such as `${SourceAccount}`: it is put where it belongs and never read.
So whoever takes names from a configuration escapes what IAM would take for a pattern.
"""

from __future__ import annotations

from dataclasses import dataclass, field

ANY = ("*",)
POD_IDENTITY = "pods.eks.amazonaws.com"


@dataclass(frozen=True, slots=True)
class Snapshots:
    """Names of the snapshots of one kind in a source account, as IAM patterns; nothing: no check is of that kind."""

    copied: tuple[str, ...] = ()  # into a snapshot of ours there, because they cannot be shared
    lent: tuple[str, ...] = ()  # the owner's own manual ones, shared with the scratch account for the time of a run
    shared: tuple[str, ...] = ()  # which the owner has shared himself: nothing is done in the source account

    def __bool__(self) -> bool:
        return bool(self.copied or self.lent or self.shared)


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket and the prefix below which it matters."""

    name: str
    prefix: str = ""
    read: bool = True  # versions of it are read in the source account's name
    copied: bool = False  # versions of it are copied by the scratch role, inside S3


@dataclass(frozen=True, slots=True)
class Source:
    """An account whose backups are tested."""

    name: str
    account: str
    role: str  # ARN
    regions: tuple[str, ...]
    external_id: str = ""
    instances: Snapshots = Snapshots()
    clusters: Snapshots = Snapshots()
    keys: tuple[str, ...] = ()  # ARNs of the keys of its backups; none: every key of the account in its regions
    buckets: tuple[Bucket, ...] = ()
    manifests: tuple[Bucket, ...] = ()  # where a recorder writes


@dataclass(frozen=True, slots=True)
class Place:
    """One region of a scratch account. A kind of group of which none is named: AWS's default ones."""

    region: str
    subnet_groups: tuple[str, ...] = ()  # none: no database is restored here
    parameter_groups: tuple[str, ...] = ()
    option_groups: tuple[str, ...] = ()
    cluster_parameter_groups: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()  # ARNs
    bucket: str = ""


@dataclass(frozen=True, slots=True)
class Scratch:
    """An account in which backups are restored."""

    name: str
    account: str
    role: str  # ARN
    places: tuple[Place, ...]
    external_id: str = ""
    sources: tuple[str, ...] = ()  # names of the source accounts whose backups come here; none: all


@dataclass(frozen=True, slots=True)
class Service:
    """Who restorecheck itself is."""

    role: str  # ARN
    account: str
    region: str = ""
    topics: tuple[str, ...] = ()  # ARNs
    topic_keys: tuple[str, ...] = ()  # ARNs, if topics are encrypted under keys of the operator
    state: Bucket | None = None
    settings: Bucket | None = None  # from where functions read the configuration, if that is not in the package
    state_keys: tuple[str, ...] = ()  # ARNs, if these buckets are encrypted under keys of the operator
    function: str = ""  # ARN of the function that runs checks, with its version or alias
    runs_on: str = ""  # the service of AWS that gives it its identity: ecs-tasks.amazonaws.com, lambda.amazonaws.com
    oidc_provider: str = ""  # or the ARN of the identity provider of a cluster of Kubernetes,
    oidc_subject: str = ""  # and whom it vouches for: system:serviceaccount:NAMESPACE:NAME

    @property
    def is_tagged(self) -> bool:
        """Whether its sessions carry tags, which go along into every role that it enters.

        Those of EKS Pod Identity do, unless the association says otherwise. [EKS user guide, pod-id-abac]
        """
        return self.runs_on == POD_IDENTITY


@dataclass(frozen=True, slots=True)
class Estate:
    """Everything that policies are made from."""

    sources: tuple[Source, ...]
    scratches: tuple[Scratch, ...]
    service: Service
    partition: str = "aws"
    regions: tuple[str, ...] = field(default=())  # more regions that the scratch accounts may work in

    def sources_of(self, scratch: Scratch) -> tuple[Source, ...]:
        """Return the source accounts whose backups are restored in a scratch account."""
        return tuple(one for one in self.sources if not scratch.sources or one.name in scratch.sources)

    def scratches_of(self, source: Source) -> tuple[Scratch, ...]:
        """Return the scratch accounts that backups of a source account are restored in."""
        return tuple(one for one in self.scratches if not one.sources or source.name in one.sources)

    def rds(self, region: str, account: str, kind: str, *names: str) -> tuple[str, ...]:
        """Return ARNs of RDS: of `snapshot`, `db`, `pg` and so on."""
        return tuple(f"arn:{self.partition}:rds:{region}:{account}:{kind}:{name}" for name in names)

    def keys_of(self, source: Source) -> tuple[str, ...]:
        """Return the keys that backups of an account may be under."""
        return source.keys or tuple(
            f"arn:{self.partition}:kms:{region}:{source.account}:key/*" for region in source.regions
        )

    def bucket(self, bucket: Bucket) -> str:
        """Return the ARN of a bucket."""
        return f"arn:{self.partition}:s3:::{bucket.name}"

    def below(self, bucket: Bucket) -> str:
        """Return the ARN of everything below the prefix of a bucket."""
        return f"arn:{self.partition}:s3:::{bucket.name}/{bucket.prefix}*"

    def root(self, account: str) -> str:
        """Return the ARN by which a policy of a key leaves it to an account's own policies who of it may."""
        return f"arn:{self.partition}:iam::{account}:root"
