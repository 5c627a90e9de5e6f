"""What may be touched. One row per reason to refuse, and properties against a predicate that is written anew here."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fence_cases import (
    BEGAN,
    BORROWING_PERMIT,
    EXPIRES,
    NAME,
    OTHER,
    REGION,
    RUN,
    RUN_PERMIT,
    SCRATCH,
    SOURCE,
    SWEEP_PERMIT,
    arn,
    cluster,
    cluster_snapshot,
    instance,
    owners_cluster_snapshot,
    owners_snapshot,
    snapshot,
    tags_of,
)
from hypothesis import assume, given
from hypothesis import strategies as st

from restorecheck.fence import (
    TAG_EXPIRES,
    TAG_MANAGED,
    TAG_RESOURCE,
    TAG_RUN,
    Permit,
    Role,
    Target,
    lease_of,
    why_not,
)
from restorecheck.fence.decision import why_not_place, why_not_share

OTHER_RUN = "orders-db-20261120t0300z"
GOOD = [instance(), snapshot(), snapshot(SOURCE), cluster(), cluster_snapshot(), cluster_snapshot(SOURCE)]
GOOD_IDS = ["instance", "copy", "source copy", "cluster", "cluster copy", "source cluster copy"]


def without(tag: str, target: Target) -> Target:
    return replace(target, tags={k: v for k, v in (target.tags or {}).items() if k != tag})


def tagged(target: Target, **changes: str) -> Target:
    names = {"managed": TAG_MANAGED, "run": TAG_RUN, "resource": TAG_RESOURCE, "expires": TAG_EXPIRES}
    return replace(target, tags={**(target.tags or {}), **{names[k]: v for k, v in changes.items()}})


# --- what it allows ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("permit", [RUN_PERMIT, SWEEP_PERMIT], ids=["run", "sweep"])
@pytest.mark.parametrize("target", GOOD, ids=GOOD_IDS)
def test_it_lets_a_run_and_a_later_sweep_touch_what_the_run_made(target: Target, permit: Permit):
    assert why_not(target, permit) is None


@pytest.mark.parametrize("status", ["creating", "copying", "pending"])
def test_what_is_being_made_has_no_creation_time_yet(status: str):
    assert why_not(snapshot(status=status, created=None), RUN_PERMIT) is None


def test_clocks_may_differ_by_minutes():
    assert why_not(instance(created=BEGAN - timedelta(minutes=5)), RUN_PERMIT) is None
    assert why_not(instance(created=BEGAN - timedelta(minutes=5, seconds=1)), RUN_PERMIT) == "it is older than the run"


# --- one row per reason -------------------------------------------------------------------------------------------

BOTH_LISTS = "the lists of source and scratch accounts must both be known"
TWICE = "an account is configured both as source and as scratch"

TWO_LABS = replace(RUN_PERMIT, scratch_accounts=frozenset({SCRATCH, OTHER}))  # both configured; the run uses one

REFUSALS: list[tuple[Target, Permit, str]] = [
    (instance(), replace(RUN_PERMIT, scratch_accounts=frozenset()), BOTH_LISTS),
    (instance(), replace(RUN_PERMIT, source_accounts=frozenset()), BOTH_LISTS),
    (instance(), replace(RUN_PERMIT, source_accounts=frozenset({SOURCE, SCRATCH})), TWICE),
    (instance(account=OTHER, arn=arn("db", OTHER)), RUN_PERMIT, f"account {OTHER} is not one in which"),
    (snapshot(OTHER), TWO_LABS, f"account {OTHER} is not one in which"),
    (snapshot(OTHER), replace(RUN_PERMIT, source_accounts=frozenset({SOURCE, OTHER})), f"account {OTHER} is not one"),
    (instance(account=""), RUN_PERMIT, "account ? is not one in which"),
    (instance(account=SOURCE, arn=arn("db", SOURCE)), RUN_PERMIT, f"account {SOURCE} is not one in which"),
    (snapshot(OTHER), replace(RUN_PERMIT, scratch_account=OTHER), f"account {OTHER} is not one in which"),
    (snapshot(OTHER), replace(RUN_PERMIT, source_account=OTHER), f"account {OTHER} is not one in which"),
    (instance(name="orders", arn=arn("db", SCRATCH, "orders")), RUN_PERMIT, "its name does not begin with"),
    (instance(tags=None), RUN_PERMIT, "its tags are not known"),
    (instance(arn=None), RUN_PERMIT, "its ARN is not known"),
    (instance(arn=arn("db", SCRATCH, region="us-east-1")), RUN_PERMIT, "its ARN is arn:aws:rds:us-east-1"),
    (instance(arn=arn("db", SOURCE)), RUN_PERMIT, f"its ARN is {arn('db', SOURCE)}"),
    (instance(arn=arn("cluster", SCRATCH)), RUN_PERMIT, "not the one that belongs to its name, account and region"),
    (instance(tags={}), RUN_PERMIT, f"it does not carry the tag {TAG_MANAGED}"),
    (tagged(instance(), managed="True"), RUN_PERMIT, f"it does not carry the tag {TAG_MANAGED}"),
    (without(TAG_RESOURCE, instance()), RUN_PERMIT, f"its tag {TAG_RESOURCE} does not name it"),
    # What RDS does on a restore without tags: everything of the source's is there, and names the source.
    (instance(tags=tags_of(arn("snapshot", SCRATCH))), RUN_PERMIT, "the tags were copied from something else"),
    (without(TAG_RUN, instance()), RUN_PERMIT, "its name is not the one that its run gives"),
    (tagged(instance(), run=OTHER_RUN), RUN_PERMIT, "its name is not the one that its run gives"),
    (instance(), replace(RUN_PERMIT, run_id=OTHER_RUN), f"it belongs to the run {RUN}, not to {OTHER_RUN}"),
    (instance(created=None), RUN_PERMIT, "AWS does not say when it was created"),
    (instance(created=None, status=None), RUN_PERMIT, "AWS does not say when it was created"),
    (instance(created=BEGAN - timedelta(days=1)), RUN_PERMIT, "it is older than the run"),
    (instance(deletion_protection=True), RUN_PERMIT, "deletion protection is not known to be off"),
    (instance(deletion_protection=None), RUN_PERMIT, "deletion protection is not known to be off"),
    (instance(replicas=1), RUN_PERMIT, "it has, or may have, read replicas"),
    (instance(replicas=None), RUN_PERMIT, "it has, or may have, read replicas"),
    (snapshot(snapshot_type="automated"), RUN_PERMIT, "it is not a manual snapshot"),
    (snapshot(snapshot_type=None), RUN_PERMIT, "it is not a manual snapshot"),
    (instance(cluster="shop"), RUN_PERMIT, "it is in the cluster shop, which is not its run's"),
    (cluster(account=SOURCE, arn=arn("cluster", SOURCE)), RUN_PERMIT, f"account {SOURCE} is not one in which"),
    (cluster(arn=arn("db", SCRATCH)), RUN_PERMIT, "not the one that belongs to its name, account and region"),
    (cluster(tags=tags_of(arn("db", SCRATCH))), RUN_PERMIT, "the tags were copied from something else"),
    (cluster(name="shop", arn=arn("cluster", SCRATCH, "shop")), RUN_PERMIT, "its name does not begin with"),
    (cluster(created=None), RUN_PERMIT, "AWS does not say when it was created"),
    (cluster(created=BEGAN - timedelta(days=1)), RUN_PERMIT, "it is older than the run"),
    (cluster(deletion_protection=True), RUN_PERMIT, "deletion protection is not known to be off"),
    (cluster(deletion_protection=None), RUN_PERMIT, "deletion protection is not known to be off"),
    (cluster(replicas=1), RUN_PERMIT, "it replicates, or may replicate, to or from another cluster"),
    (cluster(replicas=None), RUN_PERMIT, "it replicates, or may replicate, to or from another cluster"),
    (cluster(members=None), RUN_PERMIT, "its instances are not known"),
    (cluster(members=frozenset({NAME, "reader"})), RUN_PERMIT, "the instance reader in it is not its run's"),
    (cluster_snapshot(snapshot_type="automated"), RUN_PERMIT, "it is not a manual snapshot"),
    (cluster_snapshot(snapshot_type=None), RUN_PERMIT, "it is not a manual snapshot"),
    (cluster_snapshot(OTHER), RUN_PERMIT, f"account {OTHER} is not one in which"),
    # A sweep.
    (without(TAG_EXPIRES, instance()), SWEEP_PERMIT, f"its tag {TAG_EXPIRES} is not a time"),
    (tagged(instance(), expires="tomorrow"), SWEEP_PERMIT, f"its tag {TAG_EXPIRES} is not a time"),
    (tagged(instance(), expires="2026-11-22T03:00:00"), SWEEP_PERMIT, f"its tag {TAG_EXPIRES} is not a time"),
    (instance(), replace(SWEEP_PERMIT, began=EXPIRES - timedelta(seconds=1)), "its lease runs until 2026-11-22 03:00"),
    (instance(created=BEGAN - timedelta(hours=1)), SWEEP_PERMIT, "it is older than the run"),
]


@pytest.mark.parametrize(("target", "permit", "reason"), REFUSALS, ids=[f"{i}: {r[2]}" for i, r in enumerate(REFUSALS)])
def test_it_refuses(target: Target, permit: Permit, reason: str):
    said = why_not(target, permit)
    assert said is not None
    assert reason in said


@pytest.mark.parametrize("run", ["mine", "orders-db", "orders-db-20261399t9999z", "Orders-20261121t0300z"])
def test_a_sweep_refuses_what_is_tagged_with_something_that_is_no_run_id(run: str):
    name = f"restorecheck-{run}"
    resource = arn("db", SCRATCH, name)
    target = instance(name=name, arn=resource, tags=tags_of(resource, run=run), created=SWEEP_PERMIT.began)
    assert why_not(target, SWEEP_PERMIT) == f"its tag {TAG_RUN} is not a run id"


def test_the_lease_is_read_only_as_it_is_written():
    assert lease_of(instance()) == EXPIRES
    assert lease_of(instance(tags=None)) is None
    assert lease_of(tagged(instance(), expires="2026-11-22")) is None


# --- places -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("role", "account"), [(Role.SOURCE, SOURCE), (Role.SCRATCH, SCRATCH)])
def test_a_run_may_write_in_its_two_places(role: Role, account: str):
    assert why_not_place(role, account, REGION, RUN_PERMIT) is None


PLACES: list[tuple[Role, str, object, Permit, str]] = [
    (Role.SCRATCH, SCRATCH, REGION, replace(RUN_PERMIT, source_accounts=frozenset()), BOTH_LISTS),
    (Role.SCRATCH, SCRATCH, REGION, replace(RUN_PERMIT, source_accounts=frozenset({SCRATCH})), TWICE),
    (Role.SCRATCH, SCRATCH, "us-east-1", RUN_PERMIT, "the permit is for eu-central-1, the call is for us-east-1"),
    (Role.SCRATCH, SCRATCH, None, RUN_PERMIT, "the permit is for eu-central-1, the call is for None"),
    (Role.SCRATCH, OTHER, REGION, RUN_PERMIT, f"the permit is not for account {OTHER} as scratch account"),
    (Role.SCRATCH, SOURCE, REGION, RUN_PERMIT, f"the permit is not for account {SOURCE} as scratch account"),
    (Role.SOURCE, SCRATCH, REGION, RUN_PERMIT, f"the permit is not for account {SCRATCH} as source account"),
    (Role.SCRATCH, OTHER, REGION, TWO_LABS, f"not for account {OTHER} as scratch account"),
    (Role.SCRATCH, OTHER, REGION, replace(RUN_PERMIT, scratch_account=OTHER), f"not for account {OTHER}"),
    (Role.SOURCE, "", REGION, replace(RUN_PERMIT, source_account=""), "not for account ? as source account"),
    (Role.BASE, SCRATCH, REGION, RUN_PERMIT, f"not for account {SCRATCH} as base account"),
]


@pytest.mark.parametrize(("role", "account", "region", "permit", "reason"), PLACES)
def test_it_writes_nowhere_else(role: Role, account: str, region: object, permit: Permit, reason: str):
    assert reason in (why_not_place(role, account, region, permit) or "nothing")


# --- sharing ------------------------------------------------------------------------------------------------------


def test_a_run_may_share_its_copy_and_the_snapshot_that_it_picked():
    assert why_not_share(snapshot(SOURCE), RUN_PERMIT) is None
    assert why_not_share(owners_snapshot(), BORROWING_PERMIT) is None
    assert why_not_share(cluster_snapshot(SOURCE), RUN_PERMIT) is None
    assert why_not_share(owners_cluster_snapshot(), BORROWING_PERMIT) is None


SHARES: list[tuple[Target, Permit, str]] = [
    (instance(), RUN_PERMIT, "only a snapshot can be shared"),
    (cluster(), RUN_PERMIT, "only a snapshot can be shared"),
    (cluster_snapshot(SOURCE, cluster="billing"), RUN_PERMIT, "not a snapshot of the cluster whose backups are tested"),
    (cluster_snapshot(SOURCE, cluster=None), RUN_PERMIT, "not a snapshot of the cluster whose backups are tested"),
    (cluster_snapshot(SOURCE, cluster=""), replace(RUN_PERMIT, cluster=""), "not a snapshot of the cluster"),
    (cluster_snapshot(SOURCE), replace(RUN_PERMIT, cluster=""), "not a snapshot of the cluster"),
    (owners_cluster_snapshot(), RUN_PERMIT, "its name does not begin with"),
    (owners_cluster_snapshot(account=SCRATCH), BORROWING_PERMIT, "it is not in the source account"),
    (owners_cluster_snapshot(arn=arn("snapshot", SOURCE, "before-migration")), BORROWING_PERMIT, "its ARN is arn:aws"),
    (owners_cluster_snapshot(snapshot_type="automated"), BORROWING_PERMIT, "it is not a manual snapshot"),
    (snapshot(SOURCE, instance="billing"), RUN_PERMIT, "not a snapshot of the instance whose backups are tested"),
    (snapshot(SOURCE, instance=None), RUN_PERMIT, "not a snapshot of the instance whose backups are tested"),
    (snapshot(SOURCE, instance=""), replace(RUN_PERMIT, instance=""), "not a snapshot of the instance"),
    (owners_snapshot(), RUN_PERMIT, "its name does not begin with"),
    (owners_snapshot(), replace(RUN_PERMIT, borrowed="another"), "its name does not begin with"),
    (owners_snapshot(account=SCRATCH), BORROWING_PERMIT, "it is not in the source account"),
    (owners_snapshot(), replace(BORROWING_PERMIT, source_accounts=frozenset({OTHER})), "it is not in the source"),
    (owners_snapshot(arn=None), BORROWING_PERMIT, "its ARN is not known"),
    (owners_snapshot(arn=arn("snapshot", SOURCE, "another")), BORROWING_PERMIT, "its ARN is arn:aws"),
    (owners_snapshot(snapshot_type="automated"), BORROWING_PERMIT, "it is not a manual snapshot"),
    (owners_snapshot(snapshot_type=None), BORROWING_PERMIT, "it is not a manual snapshot"),
    (owners_snapshot(instance="billing"), BORROWING_PERMIT, "not a snapshot of the instance"),
]


@pytest.mark.parametrize(("target", "permit", "reason"), SHARES)
def test_it_shares_nothing_else(target: Target, permit: Permit, reason: str):
    assert reason in (why_not_share(target, permit) or "nothing")


def test_what_was_borrowed_can_be_shared_and_nothing_more():
    assert why_not(owners_snapshot(), BORROWING_PERMIT) is not None


# --- properties ---------------------------------------------------------------------------------------------------
# The clauses once more, from the description of the fence and not from its code.


def allowed(t: Target, p: Permit) -> bool:
    tags = t.tags
    if tags is None or t.arn is None:
        return False
    run, snapshots = tags.get(TAG_RUN), ("snapshot", "cluster-snapshot")
    sweeping = p.run_id == ""
    lease = _instant(tags.get(TAG_EXPIRES))
    said = _run_time(run)
    began = said if sweeping else p.began
    made_by_now = t.created is not None and began is not None and t.created >= began - timedelta(minutes=5)
    being_made = t.created is None and t.status in ("creating", "copying", "pending")
    in_scratch = t.account == p.scratch_account and t.account in p.scratch_accounts
    our_copy = t.account == p.source_account and t.account in p.source_accounts and t.kind in snapshots
    clauses = (
        len(p.scratch_accounts) > 0,
        len(p.source_accounts) > 0,
        not p.scratch_accounts.intersection(p.source_accounts),
        in_scratch or our_copy,
        run is not None and t.name == "restorecheck-" + run,
        t.arn == f"arn:{p.partition}:rds:{p.region}:{t.account}:{t.kind}:{t.name}",
        tags.get(TAG_MANAGED) == "true",
        tags.get(TAG_RESOURCE) == t.arn,
        said is not None if sweeping else run == p.run_id,
        not sweeping or (lease is not None and lease <= p.began),
        made_by_now or being_made,
        t.kind not in ("db", "cluster") or (t.deletion_protection is False and t.replicas == 0),
        t.kind != "db" or t.cluster in (None, "", t.name),
        t.kind != "cluster" or (t.members is not None and all(member == t.name for member in t.members)),
        t.kind not in snapshots or t.snapshot_type == "manual",
    )
    return all(clauses)


def _instant(text: str | None) -> datetime | None:
    try:
        found = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return found if found.tzinfo is not None else None


def _run_time(run: str | None) -> datetime | None:
    check, _, moment = (run or "").rpartition("-")
    name_fits = check[:1].isalpha() and check == check.lower() and "--" not in check and not check.endswith("-")
    if not name_fits or not moment.endswith("z"):
        return None
    for form in ("%Y%m%dt%H%Mz", "%Y%m%dt%H%M%Sz"):
        if len(moment) == len("20261121t0300z") + (2 if "%S" in form else 0):
            try:
                return datetime.strptime(moment, form).replace(tzinfo=UTC)
            except ValueError:
                return None
    return None


accounts = st.sampled_from([SOURCE, SCRATCH, OTHER, ""])
runs = st.sampled_from([RUN, OTHER_RUN, "orders-db-20261121t030015z", "orders-db-20261399t9999z", "mine", ""])
moments = st.sampled_from(
    [BEGAN + timedelta(seconds=s) for s in (-86400, -301, -300, 0, 540, 86399, 86400, 86401, 90000)]
)
account_sets = st.frozensets(accounts, max_size=2)


@st.composite
def permits(draw: st.DrawFn) -> Permit:
    good = draw(st.sampled_from([RUN_PERMIT, SWEEP_PERMIT, TWO_LABS, replace(TWO_LABS, scratch_account=OTHER)]))
    if draw(st.integers(0, 2)):  # mostly right, or nearly nothing would be
        return good
    return replace(
        good,
        source_accounts=draw(account_sets),
        scratch_accounts=draw(account_sets),
        source_account=draw(accounts),
        scratch_account=draw(accounts),
        region=draw(st.sampled_from([REGION, "us-east-1"])),
        run_id=draw(runs),
        began=draw(moments),
        partition=draw(st.sampled_from(["aws", "aws-cn"])),
    )


@st.composite
def targets(draw: st.DrawFn) -> Target:
    target: Target = draw(st.sampled_from(GOOD))
    pools: dict[str, st.SearchStrategy[Any]] = {
        "kind": st.sampled_from(["db", "cluster", "snapshot", "cluster-snapshot"]),
        "account": accounts,
        "name": st.sampled_from([NAME, f"restorecheck-{OTHER_RUN}", "orders", "", NAME.upper()]),
        "arn": st.sampled_from([arn("db", SCRATCH), arn("snapshot", SCRATCH), arn("snapshot", SOURCE), "", None]),
        "status": st.sampled_from(["available", "creating", "copying", "deleting", None]),
        "created": st.one_of(st.none(), moments),
        "deletion_protection": st.sampled_from([False, True, None]),
        "replicas": st.sampled_from([0, 1, None]),
        "members": st.sampled_from([None, frozenset(), frozenset({NAME}), frozenset({NAME, "reader"})]),
        "cluster": st.sampled_from([None, "", NAME, "shop"]),
        "snapshot_type": st.sampled_from(["manual", "automated", "shared", None]),
        "tags": st.one_of(
            st.none(),
            st.builds(
                tags_of,
                st.sampled_from([target.arn or "", arn("db", SOURCE)]),
                runs,
                moments,
            ),
            st.dictionaries(
                st.sampled_from([TAG_MANAGED, TAG_RUN, TAG_RESOURCE, TAG_EXPIRES, "Name"]),
                st.sampled_from(["true", "false", RUN, target.arn or "", EXPIRES.isoformat(), "tomorrow", ""]),
            ),
        ),
    }
    changed = draw(st.sets(st.sampled_from(sorted(pools)), max_size=3))
    target = replace(target, **{name: draw(pools[name]) for name in sorted(changed)})
    if draw(st.booleans()):  # a whole other run's, consistently
        run = draw(runs)
        name = f"restorecheck-{run}"
        resource = arn(target.kind, target.account, name)
        target = replace(target, name=name, arn=resource, tags=tags_of(resource, run, draw(moments)))
    return target


@given(targets(), permits())
def test_it_lets_through_exactly_what_fulfils_every_clause(target: Target, permit: Permit):
    assert (why_not(target, permit) is None) == allowed(target, permit)


@given(st.sampled_from(GOOD), st.sampled_from([RUN_PERMIT, SWEEP_PERMIT]), st.data())
def test_one_unknown_is_enough_to_refuse(target: Target, permit: Permit, data: st.DataObject):
    of_kind = {"db": {"deletion_protection", "replicas"}, "cluster": {"deletion_protection", "replicas", "members"}}
    needed = {"arn", "tags", "created"} | of_kind.get(target.kind, {"snapshot_type"})
    unknown = data.draw(st.sampled_from(sorted(needed)))
    assert why_not(replace(target, **{unknown: None}), permit) is not None


def test_every_fact_of_a_target_is_among_those_that_must_be_known():
    # `status` only excuses a missing creation time, and `instance` is asked for when something is shared. AWS says no
    # `cluster` of an instance that is in none.
    asked = {"kind", "account", "name", "arn", "tags", "created", "deletion_protection", "replicas", "snapshot_type"}
    assert {field.name for field in fields(Target)} == asked | {"members", "status", "instance", "cluster"}


@given(st.sampled_from(GOOD), st.sampled_from([TAG_MANAGED, TAG_RUN, TAG_RESOURCE]), st.text(max_size=40))
def test_a_tag_of_any_other_value_refuses(target: Target, tag: str, value: str):
    assume((target.tags or {})[tag] != value)
    for permit in (RUN_PERMIT, SWEEP_PERMIT):
        assert why_not(replace(target, tags={**(target.tags or {}), tag: value}), permit) is not None
        assert why_not(without(tag, target), permit) is not None


@given(st.sampled_from(GOOD), st.text(max_size=70))
def test_any_other_name_refuses(target: Target, name: str):
    assume(name != NAME)
    assert why_not(replace(target, name=name), RUN_PERMIT) is not None
    assert why_not(replace(target, name=name, arn=arn(target.kind, target.account, name)), RUN_PERMIT) is not None


@given(
    st.sampled_from([snapshot(SOURCE), owners_snapshot(), cluster_snapshot(SOURCE), owners_cluster_snapshot()]),
    st.data(),
)
def test_an_unknown_refuses_to_share(target: Target, data: st.DataObject):
    of = "instance" if target.kind == "snapshot" else "cluster"
    unknown = data.draw(st.sampled_from(["arn", of, "snapshot_type"]))
    assert why_not_share(replace(target, **{unknown: None}), BORROWING_PERMIT) is not None
