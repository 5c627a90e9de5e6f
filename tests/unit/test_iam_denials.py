"""What a denial of AWS says is missing, in words that an operator can act on; and nothing that it does not say."""

from __future__ import annotations

import botocore.exceptions
import pytest
from fence_cases import SCRATCH

from restorecheck.fence import Role
from restorecheck.fence.answers import of_client_error
from restorecheck.fence.denials import hint_of
from restorecheck.fence.object_requests import Reply, error_of

USER = f"User: arn:aws:sts::{SCRATCH}:assumed-role/restorecheck-scratch/restorecheck is not authorized to perform:"
SNAPSHOT = f"arn:aws:rds:eu-central-1:{SCRATCH}:snapshot:restorecheck-orders-20261121t0300z"


@pytest.mark.parametrize(
    ("role", "said", "hint"),
    [
        (
            Role.SCRATCH,
            (
                f"{USER} rds:CopyDBSnapshot on resource: {SNAPSHOT} because no identity-based policy allows the"
                " rds:CopyDBSnapshot action"
            ),
            (
                f"the scratch role lacks rds:CopyDBSnapshot on {SNAPSHOT}:"
                " compare its policy with what `restorecheck iam --only scratch` prints"
            ),
        ),
        (
            Role.SCRATCH,
            (
                f"You are not authorized to perform this operation. {USER} ec2:DescribeSubnets because no"
                " identity-based policy allows the ec2:DescribeSubnets action"
            ),
            (
                "the scratch role lacks ec2:DescribeSubnets: compare its policy with what"
                " `restorecheck iam --only scratch` prints"
            ),
        ),
        (
            Role.SOURCE,
            (
                f'{USER} s3:GetObjectVersion on resource: "arn:aws:s3:::dumps/a b" because no resource-based policy'
                " allows the s3:GetObjectVersion action"
            ),
            (
                "the policy of the key, bucket or topic itself does not give the source role s3:GetObjectVersion on"
                " arn:aws:s3:::dumps/a b: compare it with the documents of keys and buckets that `restorecheck iam`"
                " prints"
            ),
        ),
        (
            Role.SCRATCH,
            f"{USER} rds:DeleteDBInstance on resource: {SNAPSHOT} with an explicit deny in a service control policy",
            (
                f"a service control policy forbids the scratch role rds:DeleteDBInstance on {SNAPSHOT}:"
                " find its statement with Deny"
            ),
        ),
        (
            Role.SCRATCH,
            f"{USER} rds:DeleteDBInstance on resource: {SNAPSHOT} with an explicit deny in an identity-based policy",
            (
                f"an identity-based policy forbids the scratch role rds:DeleteDBInstance on {SNAPSHOT}:"
                " find its statement with Deny"
            ),
        ),
        (
            Role.KEEPER,
            (
                f"{USER} s3:PutObject on resource: arn:aws:s3:::state/x because no VPC endpoint policy allows the"
                " s3:PutObject action"
            ),
            "no VPC endpoint policy gives the service s3:PutObject on arn:aws:s3:::state/x: ask whoever keeps it",
        ),
        (
            Role.SOURCE,
            (
                "User: arn:aws:iam::333333333333:user/x is not authorized to perform: sts:AssumeRole on resource:"
                " arn:aws:iam::111111111111:role/restorecheck-source"
            ),
            (
                "the service lacks sts:AssumeRole on arn:aws:iam::111111111111:role/restorecheck-source: compare its"
                " own policy with what `restorecheck iam --only service` prints, and who may enter that role, and by"
                " which external id, with `restorecheck iam --only source`"
            ),
        ),
        (
            None,
            f"{USER} s3:PutObject on resource: arn:aws:s3:::b/k.",
            "the role lacks s3:PutObject on arn:aws:s3:::b/k: compare its policy with what `restorecheck iam` prints",
        ),
        (Role.SCRATCH, "Access Denied", ""),
    ],
)
def test_a_denial_says_what_is_missing_and_what_to_compare(role: Role | None, said: str, hint: str):
    assert hint_of(role, said) == hint


def denied(code: str, message: str, operation: str) -> botocore.exceptions.ClientError:
    answer = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": 403}}
    return botocore.exceptions.ClientError(answer, operation)


def test_an_error_carries_its_hint_and_one_without_such_words_leaves_it_to_its_kind():
    said = f"{USER} rds:CopyDBSnapshot on resource: {SNAPSHOT}"
    error = of_client_error(denied("AccessDenied", said, "CopyDBSnapshot"), "CopyDBSnapshot", SCRATCH, Role.SCRATCH)
    assert error.kind == "permission"
    assert error.hint.startswith(f"the scratch role lacks rds:CopyDBSnapshot on {SNAPSHOT}")
    bare = of_client_error(denied("AccessDenied", "no", "CopyDBSnapshot"), "CopyDBSnapshot", SCRATCH, Role.SCRATCH)
    assert (bare.kind, bare.hint) == ("permission", "")
    other = of_client_error(
        denied("DBSnapshotNotFound", said, "CopyDBSnapshot"), "CopyDBSnapshot", SCRATCH, Role.SCRATCH
    )
    assert other.hint == ""


def test_who_may_not_enter_a_role_reads_whose_policies_decide():
    said = "User: x is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::2:role/r"
    error = of_client_error(denied("AccessDenied", said, "AssumeRole"), "DescribeDBInstances", SCRATCH, Role.SCRATCH)
    assert error.kind == "credentials"
    assert "--only service" in error.hint
    assert "external id" in error.hint


def test_a_key_that_rds_may_not_use_names_all_that_it_takes():
    said = "The specified KMS key [k] does not exist, is not enabled or you do not have access to it."
    error = of_client_error(
        denied("KMSKeyNotAccessibleFault", said, "CopyDBSnapshot"), "CopyDBSnapshot", SCRATCH, Role.SCRATCH
    )
    assert error.kind == "key-access"
    assert "the scratch role lacks one of kms:DescribeKey, kms:CreateGrant" in error.hint
    assert "`restorecheck iam --only scratch`" in error.hint
    assert of_client_error(denied("KMSKeyNotAccessibleFault", said, "X"), "X", SCRATCH).hint == ""


@pytest.mark.parametrize(
    ("role", "needed"), [(Role.SOURCE, "s3:GetObjectVersion"), (Role.SCRATCH, "s3:GetObject or s3:GetObjectVersion")]
)
def test_of_a_head_which_has_no_words_the_call_says_what_it_takes(role: Role, needed: str):
    hint = of_client_error(denied("403", "Forbidden", "HeadObject"), "HeadObject", SCRATCH, role).hint
    assert f"HeadObject takes {needed}, and of what is encrypted kms:Decrypt" in hint
    assert f"--only {role}" in hint
    found = error_of("HeadObject", SCRATCH, Reply(403), role)
    assert found is not None
    assert found.hint == hint
    nameless = error_of("HeadObject", SCRATCH, Reply(403))
    assert nameless is not None
    assert nameless.hint == ""


def test_an_object_that_may_not_be_copied_carries_s3s_own_words():
    said = (
        f"{USER} s3:PutObject on resource: &quot;arn:aws:s3:::scratch/k&quot; because no identity-based policy allows"
    )
    body = f"<Error><Code>AccessDenied</Code><Message>{said} the s3:PutObject action</Message></Error>".encode()
    found = error_of("CopyObject", SCRATCH, Reply(403, {}, body), Role.SCRATCH)
    assert found is not None
    assert found.hint.startswith("the scratch role lacks s3:PutObject on arn:aws:s3:::scratch/k:")
