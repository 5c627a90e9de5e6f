"""The documents: nothing without a row of the table, nothing that AWS does not know, nothing wider than it must."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from iam_cases import (
    BASE,
    EVERYTHING,
    FUNCTION,
    REGION,
    ROLES,
    SCRATCH,
    SERVICE,
    SOURCE,
    conditions,
    described,
    fits,
    keys_of,
    needed_by,
    types_of,
)

from restorecheck.errors import RestorecheckError
from restorecheck.fence import TABLE, Role
from restorecheck.fence.permissions import UNGRANTED, actions_of, granted
from restorecheck.iam import Document, Estate, Place, Scratch, Service, Snapshots, Source, Statement, documents, parts
from restorecheck.iam.conditions import DEPENDENTS
from restorecheck.iam.document import INLINE, MOST
from restorecheck.iam.estate import POD_IDENTITY

MADE = {document.name: document for document in documents(EVERYTHING)}
IN_PODS = {d.name: d for d in documents(replace(EVERYTHING, service=replace(EVERYTHING.service, runs_on=POD_IDENTITY)))}
ALLOWED = [(d, s) for d in MADE.values() for s in d.statements if s.effect == "Allow"]
GLOBAL = {"aws:PrincipalArn", "aws:RequestedRegion", "aws:ResourceAccount", "aws:TagKeys", "aws:SourceAccount"}
"""Condition keys that AWS has for every call that has such a thing."""


def allowed(name: str) -> set[str]:
    return {action for s in MADE[name].statements if s.effect == "Allow" for action in s.actions}


# --- from the table, and from nothing else ----------------------------------------------------------------------------


def test_every_row_of_the_table_comes_to_actions_or_is_named_as_what_no_policy_grants():
    for role, services in TABLE.items():
        for service, operations in services.items():
            for operation in operations:
                assert actions_of(role, service, operation) or f"{service}:{operation}" in UNGRANTED


def test_what_is_not_in_the_table_is_granted_to_nobody():
    assert granted(Role.RECORDER, "s3", "PutObject", "GetObject", "DeleteObjects") == ("s3:PutObject",)
    with pytest.raises(KeyError):
        actions_of(Role.SCRATCH, "rds", "Nothing") and actions_of(Role.SCRATCH, "glue", "StartJobRun")


@pytest.mark.parametrize("name", ROLES)
def test_a_role_may_do_exactly_what_its_rows_need(name: str):
    needed = needed_by(ROLES[name]) - {"sts:AssumeRoleWithWebIdentity"}  # which a trust policy grants, and no other
    assert allowed(name) - set(DEPENDENTS) == needed
    assert "sts:AssumeRoleWithWebIdentity" in allowed("service.trust")


def test_what_no_row_names_is_named_with_the_call_that_needs_it():
    used = {action for _, statement in ALLOWED for action in statement.actions} | {"sts:TagSession"}
    rows = needed_by(set(Role))
    assert {action for action in used if action not in rows} == set(DEPENDENTS)
    assert all(DEPENDENTS.values())


def test_sessions_that_carry_tags_are_let_in_with_them_everywhere():
    """[EKS user guide, Pod Identity: its tags are transitive; IAM user guide: without TagSession the call fails]"""
    for name, sid in (("service.trust", "AwsRunsUs"), ("service", "EnterRoles")):
        [one] = [s for s in IN_PODS[name].statements if s.sid == sid]
        assert one.actions == ("sts:AssumeRole", "sts:TagSession")
    for name in ("source.trust", "scratch.trust"):
        assert IN_PODS[name].statements[0].actions == ("sts:AssumeRole", "sts:TagSession")
    assert described("sts:TagSession") is not None
    assert not any("sts:TagSession" in allowed(name) for name in MADE)


# --- what AWS knows ---------------------------------------------------------------------------------------------------


def test_every_action_exists():
    named = {action for d in MADE.values() for s in d.statements for action in s.actions}
    assert [action for action in sorted(named) if described(action) is None] == []


def test_every_resource_type_that_an_action_must_be_allowed_on_is_covered():
    for document in MADE.values():
        if document.kind != "identity":
            continue
        for action in allowed(document.name) - {"lambda:CheckpointDurableExecution", "lambda:GetDurableExecutionState"}:
            arns = {
                arn for s in document.statements if s.effect == "Allow" and action in s.actions for arn in s.resources
            }
            service = action.partition(":")[0]
            for kind, required in types_of(action).items():
                if required:
                    assert any(fits(service, kind, arn) for arn in arns), (document.name, action, kind)


def test_every_resource_is_of_a_type_that_one_of_its_actions_has():
    for document, statement in ALLOWED:
        if document.kind not in {"identity", "bucket"}:
            continue
        for arn in statement.resources:
            types = [(a.partition(":")[0], kind) for a in statement.actions for kind in types_of(a)]
            assert (arn == "*" and not types) or any(fits(service, kind, arn) for service, kind in types), (
                arn,
                statement,
            )


def test_a_star_stands_only_where_aws_knows_nothing_narrower():
    for document, statement in ALLOWED:
        if document.kind == "key":
            assert statement.resources == ("*",)  # of a key's policy: this key
        elif "*" in statement.resources:
            assert not any(types_of(action) for action in statement.actions), statement
            assert statement.conditions or statement.sid == "SeeNamesOfBuckets"


def test_every_condition_key_is_one_of_the_call_or_of_what_it_is_about():
    for document in MADE.values():
        for statement in document.statements:
            for name in conditions(statement):
                if name in GLOBAL or document.kind == "trust":
                    continue
                known = f"{name.partition('/')[0]}/" if "/" in name else name
                for action in statement.actions:
                    # A tag condition on what cannot have one would never hold: AWS names the resources that can.
                    assert known in keys_of(action) | GLOBAL, (document.name, statement.sid, action, name)


def test_only_the_policy_that_takes_away_speaks_of_everything_but():
    for document in MADE.values():
        for statement in document.statements:
            assert bool(statement.but) <= (document.kind == "scp")
            assert statement.effect == "Deny" or not any("*" in action for action in statement.actions)
            assert statement.effect == "Deny" or document.kind != "scp"


def test_every_statement_has_a_name_of_its_own_and_says_why():
    for document in MADE.values():
        sids = [statement.sid for statement in document.statements]
        assert len(set(sids)) == len(sids), document.name
        for statement in document.statements:
            assert statement.sid.isalnum()
            assert statement.why
            assert statement.actions or statement.but
            assert bool(statement.principals or statement.service or statement.federated) == (
                document.kind in {"trust", "key", "bucket"}
            )


# --- what is held apart -----------------------------------------------------------------------------------------------


def statement(name: str, sid: str) -> Statement:
    [found] = [one for one in MADE[name].statements if one.sid == sid]
    return found


@pytest.mark.parametrize("name", ["source", "scratch"])
def test_whatever_makes_tags_and_whatever_changes_or_removes_is_held_to_tags_and_names(name: str):
    makes = {"rds:AddTagsToResource", "rds:CreateDBInstance"}
    for one in MADE[name].statements:
        if one.effect == "Deny" or not any(a.startswith("rds:") for a in one.actions):
            continue
        changing = any(a.startswith(("rds:Delete", "rds:Modify")) for a in one.actions)
        if changing and one.sid not in {"LendOwnersSnapshots", "RemoveClustersWithoutSnapshot"}:
            assert one.conditions == {"StringEquals": {"aws:ResourceTag/restorecheck:managed": "true"}}
            assert all(arn.endswith(":restorecheck-*") for arn in one.resources)
        if makes & set(one.actions) and one.sid not in {"AddToOurClusters", "UseGroups"}:
            assert one.conditions["StringEquals"] == {"aws:RequestTag/restorecheck:managed": "true"}
            assert all(arn.endswith(":restorecheck-*") for arn in one.resources)


def test_nothing_in_a_source_account_may_touch_what_runs_there():
    writes = [a for a in allowed("source") if a.startswith("rds:") and not a.startswith("rds:Describe")]
    for one in MADE["source"].statements:
        if one.effect == "Allow" and set(one.actions) & set(writes):
            assert all(":snapshot:" in arn or ":cluster-snapshot:" in arn for arn in one.resources)
    assert "rds:DeleteDBInstance" in statement("source", "NeverTouchDatabases").actions


def test_an_owners_snapshot_may_be_lent_and_nothing_else():
    lend = statement("source", "LendOwnersSnapshots")
    assert set(lend.actions) == {"rds:ModifyDBSnapshotAttribute", "rds:ModifyDBClusterSnapshotAttribute"}
    assert lend.conditions == {"StringNotEquals": {"aws:ResourceTag/restorecheck:managed": "true"}}


def test_a_service_in_the_scratch_account_may_still_enter_the_source_accounts():
    """The policy of the account holds for the service as well, if it runs there: as docs/infrastructure.md begins."""
    here = SERVICE.replace(BASE, SCRATCH)
    for role in (SERVICE, here):
        service = replace(EVERYTHING.service, role=role, account=role.split(":")[4])
        [scp] = [d for d in documents(replace(EVERYTHING, service=service)) if d.name == "scratch.scp"]
        [elsewhere] = [s for s in scp.statements if s.actions == ("sts:AssumeRole",)]
        assert elsewhere.conditions == {"StringNotEquals": {"aws:ResourceAccount": SCRATCH, "aws:PrincipalArn": role}}


def test_keys_are_used_through_services_alone():
    for document, one in ALLOWED:
        for action in one.actions:
            if action.startswith("kms:") and action != "kms:DescribeKey":
                assert one.conditions["StringEquals"]["kms:ViaService"], (document.name, one.sid)
            if action == "kms:CreateGrant":
                assert one.conditions["Bool"] == {"kms:GrantIsForAWSResource": "true"}


def test_nothing_is_let_in_by_a_wildcard_and_the_external_id_is_asked_for():
    for document in MADE.values():
        for one in document.statements:
            assert not any("*" in principal for principal in one.principals)
    assert statement("source.trust", "ServiceEnters").principals == (SERVICE,)
    assert statement("scratch.trust", "ServiceEnters").conditions == {
        "StringEquals": {"sts:ExternalId": "another-external-id"}
    }


def test_writes_to_buckets_say_whose_the_bucket_is_and_that_nothing_is_written_over():
    for document, one in ALLOWED:
        if document.kind == "identity" and any(a.startswith("s3:") for a in one.actions) and "*" not in one.resources:
            assert one.conditions["StringEquals"]["aws:ResourceAccount"], one.sid
    assert statement("recorder", "WriteManifests").conditions["Null"] == {"s3:if-none-match": "false"}
    assert statement("service", "ReplaceReadState").conditions["Null"] == {"s3:if-match": "false"}


# --- what there is not, and how large ---------------------------------------------------------------------------------


def test_what_no_check_needs_is_not_there():
    [source], [scratch] = EVERYTHING.sources, EVERYTHING.scratches
    owner_shares = replace(source, instances=Snapshots(shared=("*",)), clusters=Snapshots(), buckets=(), manifests=())
    poor = replace(
        EVERYTHING,
        sources=(owner_shares,),
        scratches=(replace(scratch, places=(Place(REGION, ("restorecheck",)),)),),
        service=Service(SERVICE, BASE),
    )
    made = {document.name: document for document in documents(poor)}
    assert set(made) == {
        *("service", "source", "source.trust", "source.key"),
        *("scratch", "scratch.trust", "scratch.scp", "surveyor"),
    }
    writing = {a for s in made["source"].statements if s.effect == "Allow" for a in s.actions if ":Describe" not in a}
    assert writing == set()
    scratch_actions = {a for s in made["scratch"].statements if s.effect == "Allow" for a in s.actions}
    assert not {a for a in scratch_actions if a.startswith("s3:")}
    assert (
        not {"rds:RestoreDBClusterFromSnapshot", "rds:CreateDBInstance", "rds:CopyDBClusterSnapshot"} & scratch_actions
    )
    assert {s.sid for s in made["service"].statements} == {"EnterRoles"}


def test_where_any_snapshot_may_be_copied_the_copy_is_still_held_to_our_names():
    [source] = EVERYTHING.sources
    any_name = replace(source, instances=Snapshots(("*",)), clusters=Snapshots(lent=("*",)))
    [made] = [d for d in documents(replace(EVERYTHING, sources=(any_name,))) if d.name == "source"]
    held = {s.sid: s for s in made.statements}
    assert "CopyIntoOurs" not in held  # it would allow nothing that CopyFromBackups does not
    assert held["CopyFromBackups"].actions == ("rds:CopyDBSnapshot",)
    assert held["TagOurs"].resources == (f"arn:aws:rds:{REGION}:{SOURCE}:snapshot:restorecheck-*",)
    assert held["NeverMakeUntagged"].effect == "Deny"
    assert held["LendOwnersSnapshots"].actions == ("rds:ModifyDBClusterSnapshotAttribute",)


def test_a_scratch_account_for_objects_alone_restores_no_database():
    [scratch] = EVERYTHING.scratches
    objects = replace(EVERYTHING, scratches=(replace(scratch, places=(Place(REGION, bucket="scratch-lab"),)),))
    [made] = [document for document in documents(objects) if document.name == "scratch"]
    actions = {a for s in made.statements if s.effect == "Allow" for a in s.actions}
    assert {a for a in actions if a.startswith(("rds:", "kms:")) and not a.startswith("rds:Describe")} == {
        "kms:Decrypt"
    }


def test_several_accounts_have_documents_of_their_own_and_see_their_own_partners_only():
    [source], [scratch] = EVERYTHING.sources, EVERYTHING.scratches
    other = replace(source, name="archive", account="444444444444", buckets=(*source.buckets, *source.manifests))
    full = replace(scratch, name="full", account="555555555555", sources=("archive",))
    two = replace(EVERYTHING, sources=(source, other), scratches=(replace(scratch, sources=("production",)), full))
    made = {document.name: document for document in documents(two)}
    assert {"source.archive", "source.archive.trust", "scratch.full.key", "scratch.lab.scp"} <= set(made)
    assert SOURCE not in json.dumps(made["scratch.full"].as_json())
    assert "555555555555" not in json.dumps(made["source.production.key"].as_json()).replace(SCRATCH, "")


def test_a_document_for_each_of_several_copied_buckets():
    [source] = EVERYTHING.sources
    more = replace(source, buckets=(*source.buckets, replace(source.buckets[1], name="more-exports")))
    names = {document.name for document in documents(replace(EVERYTHING, sources=(more,)))}
    assert {"source.bucket.shop-exports", "source.bucket.more-exports"} <= names


def test_every_document_is_as_large_as_aws_takes():
    for document in MADE.values():
        for part in parts(document):
            assert part.size <= MOST[part.kind]
        if document.kind == "identity":
            assert document.size <= INLINE, document.name


def test_what_is_too_large_is_divided_and_nothing_is_lost():
    arns = tuple(f"arn:aws:rds:{REGION}:{SOURCE}:snapshot:rds:a-database-number-{n}-*" for n in range(200))
    whole = Document(
        "source", "identity", (*MADE["source"].statements, Statement("Many", ("rds:CopyDBSnapshot",), arns))
    )
    divided = parts(whole)
    assert [part.name for part in divided] == [f"source-{n}" for n in range(1, len(divided) + 1)]
    assert all(part.size <= MOST["identity"] for part in divided)
    assert {arn for part in divided for s in part.statements if s.sid.startswith("Many") for arn in s.resources} == set(
        arns
    )
    assert {s.sid for s in MADE["source"].statements} <= {s.sid for part in divided for s in part.statements}
    for part in divided:
        assert len({s.sid for s in part.statements}) == len(part.statements)


def test_what_cannot_be_divided_or_not_so_often_is_an_error():
    arns = tuple(f"arn:aws:rds:{REGION}:{SOURCE}:snapshot:rds:a-database-number-{n}-*" for n in range(2000))
    huge = Statement("Many", ("rds:CopyDBSnapshot",), arns)
    with pytest.raises(RestorecheckError, match="managed policies, and a role may have 10"):
        parts(Document("source", "identity", (huge,)))
    with pytest.raises(RestorecheckError, match="AWS takes 5,120"):
        parts(Document("scratch.scp", "scp", (huge,)))
    one = replace(huge, resources=(f"arn:aws:s3:::{'x' * 7000}",))
    assert len(parts(Document("source", "identity", (one,)))) >= 1


def test_every_text_may_be_a_placeholder():
    names = ("A", "R", "P", "K", "B", "G", "E", "F")
    of = {name: f"${{{name}}}" for name in names}
    estate = Estate(
        (
            Source(
                "source",
                of["A"],
                of["R"],
                (of["P"],),
                of["E"],
                Snapshots(("rds:*",), ("*",)),
                keys=(of["K"],),
                buckets=(replace(EVERYTHING.sources[0].buckets[1], name=of["B"], prefix=""),),
            ),
        ),
        (Scratch("scratch", of["A"], of["R"], (Place(of["P"], (of["G"],), keys=(of["K"],), bucket=of["B"]),)),),
        Service(of["R"], of["A"], of["P"], topics=(of["K"],), topic_keys=(of["K"],), function=of["F"]),
    )
    text = json.dumps([document.as_json() for document in documents(estate)])
    assert all(placeholder in text for placeholder in of.values())
    assert next(document.name for document in documents(estate)) == "service"


def test_who_starts_runs_starts_one_function_and_sees_its_executions():
    assert statement("service", "StartRuns").resources == (FUNCTION,)
    assert statement("service", "SeeRuns").resources == (
        FUNCTION.removesuffix(":live"),
        FUNCTION.replace(":live", ":*"),
    )
