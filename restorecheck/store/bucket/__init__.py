"""The state in a versioned S3 bucket, for where nothing runs: immutable records, an index per check, a working copy."""

from restorecheck.store.bucket.keeper import ConflictError, Keeper, Kept
from restorecheck.store.bucket.state import BucketState
from restorecheck.store.bucket.strays import REBUILT

__all__ = ["REBUILT", "BucketState", "ConflictError", "Keeper", "Kept"]
