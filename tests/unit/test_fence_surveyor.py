"""A surveyor of the fence: reads what there is in a source account, and can do nothing else."""

import pytest

from restorecheck.errors import RefusedError
from restorecheck.fence import Fence
from restorecheck.fence.table import TABLE, Effect, Role
from restorecheck.model import Entrance

SOURCE, SCRATCH = "111111111111", "222222222222"


def test_it_only_reads():
    effects = {effect for operations in TABLE[Role.SURVEYOR].values() for effect in operations.values()}
    assert effects == {Effect.READ}


def test_it_reads_no_object_and_opens_no_snapshot():
    operations = {name for service in TABLE[Role.SURVEYOR].values() for name in service}
    assert not operations & {"GetObject", "HeadObject", "DescribeDBSnapshotAttributes"}


def test_it_does_not_enter_a_scratch_account():
    fence = Fence({}, {SCRATCH: Entrance(SCRATCH, f"arn:aws:iam::{SCRATCH}:role/x")})
    with pytest.raises(RefusedError, match=SCRATCH):
        fence.surveyor(Entrance(SCRATCH, f"arn:aws:iam::{SCRATCH}:role/x"), "eu-central-1")
