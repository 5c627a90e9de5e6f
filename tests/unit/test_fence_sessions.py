"""Entering an account: whose it is, with which credentials, and what every error of AWS means."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import botocore.exceptions
import botocore.parsers
import botocore.session
import pytest
from fence_cases import (
    BEGAN,
    DELETE_SNAPSHOT,
    EXPIRES,
    NAME,
    OTHER,
    PASSWORD,
    REGION,
    RUN,
    RUN_PERMIT,
    SCRATCH,
    SOURCE,
    arn,
    tags_of,
)
from recorder import Recorder, assumed, error, identity, instances, plain_environment, recording, result, snapshots

from restorecheck.errors import AwsError, PlannedError, RefusedError, SourceError
from restorecheck.failures import AWS_ERRORS, KINDS, RETRYABLE_KINDS
from restorecheck.fence import (
    Calls,
    Entrance,
    Fence,
    Hand,
    Mode,
    Outage,
    Role,
    target_of_instance,
    target_of_snapshot,
)
from restorecheck.fence.answers import of_client_error, of_no_answer
from restorecheck.fence.passage import CONFIG


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    plain_environment(monkeypatch, tmp_path)


@pytest.fixture
def aws() -> Iterator[Recorder]:
    with recording() as recorder:
        recorder.answer("AssumeRole", assumed(SCRATCH))
        recorder.answer("GetCallerIdentity", identity(SCRATCH))
        yield recorder


def entrance(account: str, external_id: str = "") -> Entrance:
    return Entrance(account, f"arn:aws:iam::{account}:role/restorecheck", external_id)


def fence_of(aws: Recorder, mode: Mode = Mode.ACT, external_id: str = "") -> Fence:
    return Fence({SOURCE: entrance(SOURCE)}, {SCRATCH: entrance(SCRATCH, external_id)}, endpoint_url=aws.url, mode=mode)


# --- who we are ---------------------------------------------------------------------------------------------------


def test_a_hand_is_given_out_once_sts_has_said_whose_account_it_is(aws: Recorder):
    aws.answer("DescribeDBSnapshots", snapshots())
    hand = fence_of(aws, external_id="restorecheck-9b27d0").hand(Role.SCRATCH, SCRATCH, REGION)
    assert list(hand.pages("rds", "DescribeDBSnapshots", "DBSnapshots")) == []
    assert aws.actions == ["AssumeRole", "GetCallerIdentity", "DescribeDBSnapshots"]
    assume = aws.asked[0]
    assert assume["RoleArn"] == f"arn:aws:iam::{SCRATCH}:role/restorecheck"
    assert assume["ExternalId"] == "restorecheck-9b27d0"
    assert assume["RoleSessionName"] == "restorecheck"


def test_without_an_external_id_none_is_sent(aws: Recorder):
    fence_of(aws).hand(Role.SCRATCH, SCRATCH, REGION)
    assert "ExternalId" not in aws.asked[0]


@pytest.mark.parametrize("actual", [SOURCE, OTHER, ""])
def test_a_role_that_leads_into_another_account_is_refused(aws: Recorder, actual: str):
    aws.answer("GetCallerIdentity", identity(actual))
    fence = fence_of(aws)
    for _ in range(2):  # and is not proven by having been asked before
        with pytest.raises(RefusedError, match=f"the scratch role of account {SCRATCH} leads into account {actual}"):
            fence.hand(Role.SCRATCH, SCRATCH, REGION, RUN_PERMIT)
    assert set(aws.actions) == {"AssumeRole", "GetCallerIdentity"}


def test_an_answer_without_an_account_is_refused(aws: Recorder):
    aws.answer("GetCallerIdentity", result("GetCallerIdentity", "<Arn>arn:aws:sts::222222222222:x</Arn>"))
    with pytest.raises(RefusedError, match="leads into account None"):
        fence_of(aws).hand(Role.SCRATCH, SCRATCH, REGION)


def test_identity_is_proven_once_for_each_set_of_credentials(aws: Recorder):
    aws.answer("AssumeRole", assumed(SCRATCH), assumed(SOURCE))
    aws.answer("GetCallerIdentity", identity(SCRATCH), identity(SOURCE))
    fence = fence_of(aws)
    for region in (REGION, "us-east-1", REGION):
        fence.hand(Role.SCRATCH, SCRATCH, region)
    assert aws.actions == ["AssumeRole", "GetCallerIdentity"]
    fence.hand(Role.SOURCE, SOURCE, REGION)
    assert aws.actions == ["AssumeRole", "GetCallerIdentity"] * 2


def test_credentials_are_taken_anew_when_they_run_out(aws: Recorder):
    aws.answer("AssumeRole", assumed(SCRATCH, timedelta(minutes=2)), assumed(SCRATCH))
    hand = fence_of(aws).hand(Role.SCRATCH, SCRATCH, REGION)
    hand.call("sts", "GetCallerIdentity")
    assert aws.actions.count("AssumeRole") == 2


@pytest.mark.parametrize(
    ("role", "account"), [(Role.SCRATCH, OTHER), (Role.SCRATCH, SOURCE), (Role.SOURCE, SCRATCH), (Role.BASE, SCRATCH)]
)
def test_an_account_that_is_not_configured_for_a_role_is_not_entered(aws: Recorder, role: Role, account: str):
    with pytest.raises(RefusedError, match=f"account {account} is not configured as a {role} account"):
        fence_of(aws).hand(role, account, REGION)
    assert aws.asked == []


@pytest.mark.parametrize(
    "permit",
    [
        replace(RUN_PERMIT, scratch_accounts=frozenset({SCRATCH, OTHER})),
        replace(RUN_PERMIT, source_accounts=frozenset({OTHER})),
    ],
)
def test_a_permit_that_was_made_elsewhere_is_refused(aws: Recorder, permit):
    with pytest.raises(RefusedError, match="the permit was not made for the accounts that are configured here"):
        fence_of(aws).hand(Role.SCRATCH, SCRATCH, REGION, permit)
    assert aws.asked == []


def test_an_entrance_that_is_filed_under_another_account_is_not_used(aws: Recorder):
    fence = Fence({}, {SCRATCH: entrance(OTHER)}, endpoint_url=aws.url)
    with pytest.raises(RefusedError, match=f"account {SCRATCH} is not configured"):
        fence.hand(Role.SCRATCH, SCRATCH, REGION)
    assert aws.asked == []


# --- what all runs share ------------------------------------------------------------------------------------------


def test_all_hands_of_a_place_share_one_passage_and_each_region_has_its_own(aws: Recorder):
    fence = fence_of(aws)
    hands = [fence.hand(Role.SCRATCH, SCRATCH, REGION, permit) for permit in (RUN_PERMIT, None, RUN_PERMIT)]
    assert len({id(hand._passage) for hand in hands}) == 1
    assert fence.hand(Role.SCRATCH, SCRATCH, "us-east-1")._passage is not hands[0]._passage
    assert aws.actions == ["AssumeRole", "GetCallerIdentity"]


def test_a_crowd_that_enters_at_once_makes_one_passage_and_nobody_gets_in_unproven(aws: Recorder):
    aws.answer("GetCallerIdentity", identity(OTHER))
    fence = fence_of(aws)

    def enter(_: int) -> Hand | str:
        try:
            return fence.hand(Role.SCRATCH, SCRATCH, REGION)
        except RefusedError as e:
            return e.message

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(enter, range(16))) == {f"the scratch role of account {SCRATCH} leads into account {OTHER}"}
        aws.answer("GetCallerIdentity", identity(SCRATCH))
        hands = list(pool.map(enter, range(16)))
    assert len({id(hand._passage) for hand in hands if isinstance(hand, Hand)}) == 1
    assert not any(isinstance(hand, str) for hand in hands)
    assert aws.actions.count("AssumeRole") == 1


def test_the_partition_of_a_region_is_looked_up_once(aws: Recorder, monkeypatch: pytest.MonkeyPatch):
    asked: list[str] = []
    look = botocore.session.Session.get_partition_for_region
    monkeypatch.setattr(
        botocore.session.Session, "get_partition_for_region", lambda s, region: asked.append(region) or look(s, region)
    )
    fence = fence_of(aws)
    for region in (REGION, "cn-north-1", REGION):
        fence.permit(source_account=SOURCE, scratch_account=SCRATCH, region=region, began=BEGAN, expires=EXPIRES)
    assert asked == [REGION, "cn-north-1"]


# --- runs that were planned under another configuration -----------------------------------------------------------

OLD_SOURCE, OLD_SCRATCH = "444444444444", "555555555555"


def test_a_fence_that_knows_two_more_accounts_enters_them_and_the_other_does_not(aws: Recorder):
    aws.answer("AssumeRole", assumed(OLD_SCRATCH))
    aws.answer("GetCallerIdentity", identity(OLD_SCRATCH))
    aws.answer("DescribeDBSnapshots", snapshots())
    fence = fence_of(aws)
    wider = fence.with_entrances(entrance(OLD_SOURCE), entrance(OLD_SCRATCH, "of-old"))
    wanted = {"source_account": OLD_SOURCE, "scratch_account": OLD_SCRATCH, "region": REGION}
    permit = wider.permit(**wanted, began=BEGAN, expires=EXPIRES, run_id=RUN, check="orders-db")
    assert permit.source_accounts == {SOURCE, OLD_SOURCE}
    assert permit.scratch_accounts == {SCRATCH, OLD_SCRATCH}
    hand = wider.hand(Role.SCRATCH, OLD_SCRATCH, REGION, permit)
    assert hand.call("rds", "DescribeDBSnapshots")["DBSnapshots"] == []
    assert aws.asked[0]["RoleArn"] == f"arn:aws:iam::{OLD_SCRATCH}:role/restorecheck"
    assert aws.asked[0]["ExternalId"] == "of-old"
    asked = len(aws.asked)
    with pytest.raises(RefusedError, match="is not configured as a scratch account"):
        fence.hand(Role.SCRATCH, OLD_SCRATCH, REGION)
    with pytest.raises(RefusedError, match="the permit was not made for the accounts"):
        fence.hand(Role.SCRATCH, SCRATCH, REGION, permit)
    with pytest.raises(RefusedError, match="the permit was not made for the accounts"):
        wider.hand(Role.SCRATCH, SCRATCH, REGION, RUN_PERMIT)
    assert len(aws.asked) == asked


def test_an_old_account_is_proven_like_any_other(aws: Recorder):
    aws.answer("GetCallerIdentity", identity(SOURCE))
    wider = fence_of(aws).with_entrances(entrance(OLD_SOURCE), entrance(OLD_SCRATCH))
    with pytest.raises(RefusedError, match=f"leads into account {SOURCE}"):
        wider.hand(Role.SCRATCH, OLD_SCRATCH, REGION)


@pytest.mark.parametrize(
    ("source", "scratch", "message"),
    [
        (SCRATCH, OLD_SCRATCH, f"account {SCRATCH} is configured as a scratch account now"),
        (OLD_SOURCE, SOURCE, f"account {SOURCE} is configured as a source account now"),
        (SCRATCH, SOURCE, "is configured as a scratch account now"),
        (OLD_SOURCE, OLD_SOURCE, f"account {OLD_SOURCE} cannot be source and scratch account of one run"),
        ("", OLD_SCRATCH, "it is not known how the source account of this run was entered"),
        (OLD_SOURCE, "", "it is not known how the scratch account of this run was entered"),
    ],
)
def test_no_account_comes_to_be_on_both_sides(aws: Recorder, source: str, scratch: str, message: str):
    fence = fence_of(aws)
    with pytest.raises(RefusedError, match=message):
        fence.with_entrances(entrance(source), entrance(scratch))
    wider = fence.with_entrances(entrance(OLD_SOURCE), entrance(OLD_SCRATCH))
    with pytest.raises(RefusedError, match="configured as a scratch account now"):  # nor by two steps
        wider.with_entrances(entrance(OLD_SCRATCH), entrance(OTHER))
    assert aws.asked == []


def test_an_entrance_without_a_role_is_none(aws: Recorder):
    with pytest.raises(RefusedError, match="it is not known how the scratch account"):
        fence_of(aws).with_entrances(entrance(OLD_SOURCE), Entrance(OLD_SCRATCH, ""))


def test_an_account_that_is_still_configured_is_entered_as_it_is_now(aws: Recorder):
    fence = fence_of(aws, external_id="of-now")
    wider = fence.with_entrances(entrance(OLD_SOURCE), replace(entrance(SCRATCH, "of-old"), role_arn="arn:of-old"))
    assert wider.hand(Role.SCRATCH, SCRATCH, REGION)._passage is fence.hand(Role.SCRATCH, SCRATCH, REGION)._passage
    assert aws.asked[0]["ExternalId"] == "of-now"


def test_a_wider_fence_shares_what_is_planned_counted_and_out_of_order(aws: Recorder):
    fence = fence_of(aws, Mode.PLAN)
    wider = fence.with_entrances(entrance(OLD_SOURCE), entrance(OLD_SCRATCH))
    permit = wider.permit(
        source_account=SOURCE, scratch_account=SCRATCH, region=REGION, began=BEGAN, expires=EXPIRES, run_id=RUN
    )
    with pytest.raises(PlannedError):
        wider.hand(Role.SCRATCH, SCRATCH, REGION, permit).call("rds", "ModifyDBInstance", **PASSWORD)
    assert [call.operation for call in fence.planned] == ["ModifyDBInstance"]
    assert fence.calls is wider.calls
    assert fence.outages() == wider.outages() == []


# --- what goes out, and whether anything comes back ---------------------------------------------------------------


def test_every_try_to_send_is_counted_by_role_account_service_and_operation(aws: Recorder):
    aws.answer("GetCallerIdentity", identity(SCRATCH), identity(SOURCE))
    aws.answer("DescribeDBInstances", error("Throttling", "Rate exceeded"), error("Oops", status=500), instances())
    fence = fence_of(aws)
    hand = fence.hand(Role.SCRATCH, SCRATCH, REGION)
    assert fence.calls.snapshot()[Role.SCRATCH, SCRATCH, "sts", "GetCallerIdentity"] == 1
    hand.call("rds", "DescribeDBInstances")
    hand.call("rds", "DescribeDBInstances")
    with pytest.raises(RefusedError):
        hand.call("rds", "DeleteDBSnapshot", **DELETE_SNAPSHOT)  # is not sent, and so not counted
    fence.hand(Role.SOURCE, SOURCE, REGION)
    counted = fence.calls.snapshot()
    assert counted == {
        (Role.BASE, "", "sts", "AssumeRole"): 2,
        (Role.SCRATCH, SCRATCH, "sts", "GetCallerIdentity"): 1,
        (Role.SCRATCH, SCRATCH, "rds", "DescribeDBInstances"): 4,
        (Role.SOURCE, SOURCE, "sts", "GetCallerIdentity"): 1,
    }
    assert sum(counted.values()) == len(aws.asked)
    counted.clear()  # a snapshot is the caller's own
    assert fence.calls.snapshot()


def test_counting_loses_nothing_among_many_threads():
    calls, called = Calls(), (Role.SCRATCH, SCRATCH, "rds", "DescribeDBInstances")
    with ThreadPoolExecutor(8) as pool:
        for _ in range(8):
            pool.submit(lambda: [calls.count(called) for _ in range(500)])
    assert calls.snapshot() == {called: 4000}


class Hours:
    """A clock that shows another hour each time it is read."""

    def __init__(self) -> None:
        self.read: list[datetime] = []

    def __call__(self) -> datetime:
        self.read.append(BEGAN + timedelta(hours=len(self.read)))
        return self.read[-1]


def test_an_outage_lasts_from_the_first_try_without_an_answer_to_the_next_answer(aws: Recorder):
    clock = Hours()
    fence = Fence({}, {SCRATCH: entrance(SCRATCH)}, endpoint_url=aws.url, now=clock)
    hand = fence.hand(Role.SCRATCH, SCRATCH, REGION)
    assert fence.outages() == []
    aws.answer("DescribeDBInstances", error("ServiceUnavailable", status=503))
    with pytest.raises(AwsError, match="ServiceUnavailable"):
        hand.call("rds", "DescribeDBInstances")
    told = Outage(
        Role.SCRATCH,
        SCRATCH,
        REGION,
        "rds",
        since=clock.read[0],
        last=clock.read[5],  # six tries
        message="DescribeDBInstances: HTTP 503 ServiceUnavailable",
    )
    assert fence.outages() == [told]
    hand.call("sts", "GetCallerIdentity")  # another service
    assert fence.outages() == [told]
    aws.answer("DescribeDBInstances", instances())
    hand.call("rds", "DescribeDBInstances")
    assert fence.outages() == []
    assert len(clock.read) == 6  # an answer does not ask what time it is


@pytest.mark.parametrize(
    ("answer", "out"),
    [
        (error("AccessDenied", status=403), False),
        (error("Throttling", "Rate exceeded"), False),
        (error("RequestLimitExceeded", status=503), False),  # somebody answers, and says why
        (error("DBInstanceNotFound", status=404), False),
        ((400, "<html>please log in</html"), True),
        ((200, "<html>please log in</html"), True),
        (error("NobodyKnows", status=500), True),
        (error("InternalFailure", status=500), True),
        ((502, ""), True),
    ],
)
def test_any_word_of_aws_is_an_answer_but_that_it_is_broken(aws: Recorder, answer: tuple[int, str], out: bool):
    hand = (fence := fence_of(aws)).hand(Role.SCRATCH, SCRATCH, REGION)
    aws.answer("DescribeDBInstances", answer)
    with pytest.raises(SourceError):
        hand.call("rds", "DescribeDBInstances")
    assert [outage.service for outage in fence.outages()] == (["rds"] if out else [])


def test_what_a_run_lacks_is_no_outage(aws: Recorder):
    aws.answer("AssumeRole", assumed(SCRATCH, timedelta(minutes=11)), error("AccessDenied", status=403))
    hand = (fence := fence_of(aws)).hand(Role.SCRATCH, SCRATCH, REGION)
    with pytest.raises(SourceError, match="Nonsense"):
        hand.call("rds", "DescribeDBInstances", Nonsense=1)
    hand._passage._session._credentials._mandatory_refresh_timeout = 15 * 60
    with pytest.raises(AwsError, match="AssumeRole"):
        hand.call("rds", "DescribeDBInstances")
    assert fence.outages() == []


def test_nobody_there_is_an_outage_of_the_service_that_was_asked(aws: Recorder):
    clock = Hours()
    fence = Fence({SOURCE: entrance(SOURCE)}, {}, endpoint_url="http://127.0.0.1:1", now=clock)
    with pytest.raises(SourceError, match="Could not connect") as raised:
        fence.hand(Role.SOURCE, SOURCE, REGION)
    assert raised.value.kind == "aws-unavailable"
    (outage,) = fence.outages()  # nobody even got so far as to ask as the source role
    assert (outage.role, outage.account, outage.region, outage.service) == (Role.BASE, "", REGION, "sts")
    assert outage.message.startswith("AssumeRole: Could not connect to the endpoint URL")
    assert (outage.since, outage.last) == (clock.read[0], clock.read[-1])


def test_the_longest_outage_is_told_first(aws: Recorder):
    aws.answer("GetCallerIdentity", identity(SCRATCH), identity(SOURCE))
    fence = Fence({SOURCE: entrance(SOURCE)}, {SCRATCH: entrance(SCRATCH)}, endpoint_url=aws.url, now=Hours())
    aws.answer("DescribeDBSnapshots", (502, ""))
    for role, account in ((Role.SCRATCH, SCRATCH), (Role.SOURCE, SOURCE), (Role.SCRATCH, SCRATCH)):
        with pytest.raises(AwsError):
            fence.hand(role, account, REGION).call("rds", "DescribeDBSnapshots")
    assert [outage.account for outage in fence.outages()] == [SCRATCH, SOURCE]


# --- credentials --------------------------------------------------------------------------------------------------


def test_no_credentials_at_all(aws: Recorder, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    with pytest.raises(SourceError, match="there are no AWS credentials in the environment") as raised:
        fence_of(aws).hand(Role.SCRATCH, SCRATCH, REGION)
    assert raised.value.kind == "credentials"


def test_half_of_the_credentials(aws: Recorder, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(SourceError, match=f"entering as scratch in account {SCRATCH}") as raised:
        fence_of(aws).hand(Role.SCRATCH, SCRATCH, REGION)
    assert raised.value.kind == "credentials"


def test_a_profile_that_is_not_there(aws: Recorder, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(SourceError, match="nobody") as raised:
        fence_of(aws).hand(Role.SCRATCH, SCRATCH, REGION)
    assert raised.value.kind == "credentials"
    assert aws.asked == []


def test_a_role_that_may_not_be_assumed_is_a_matter_of_credentials(aws: Recorder):
    aws.answer("AssumeRole", error("AccessDenied", "User: base is not authorized to perform: sts:AssumeRole", 403))
    with pytest.raises(AwsError, match=f"AssumeRole in account {SCRATCH}: AccessDenied") as raised:
        fence_of(aws).hand(Role.SCRATCH, SCRATCH, REGION)
    assert (raised.value.kind, raised.value.retryable) == ("credentials", False)


def test_a_read_that_is_not_allowed_is_a_matter_of_permission(aws: Recorder):
    aws.answer("DescribeDBSnapshots", error("AccessDenied", "not authorized to perform: rds:DescribeDBSnapshots", 403))
    hand = fence_of(aws).hand(Role.SCRATCH, SCRATCH, REGION)
    with pytest.raises(AwsError, match="DescribeDBSnapshots") as raised:
        hand.call("rds", "DescribeDBSnapshots")
    assert raised.value.kind == "permission"


def test_a_pods_identity_may_become_the_base(aws: Recorder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    (tmp_path / "token").write_text("a web identity token")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "token"))
    monkeypatch.setenv("AWS_ROLE_ARN", f"arn:aws:iam::{OTHER}:role/pod")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", aws.url)
    status, text = assumed(OTHER)
    aws.answer("AssumeRoleWithWebIdentity", (status, text.replace("AssumeRole", "AssumeRoleWithWebIdentity")))
    fence_of(aws).hand(Role.SCRATCH, SCRATCH, REGION)
    assert aws.actions == ["AssumeRoleWithWebIdentity", "AssumeRole", "GetCallerIdentity"]


def test_the_base_identity_may_do_nothing_but_enter(aws: Recorder, monkeypatch: pytest.MonkeyPatch):
    made: list[botocore.session.Session] = []
    session = botocore.session.Session
    monkeypatch.setattr("botocore.session.Session", lambda: made.append(session()) or made[-1])
    fence = fence_of(aws)
    fence.hand(Role.SCRATCH, SCRATCH, REGION)
    asked = len(aws.asked)
    base = next(s for s in made if getattr(s, "_credentials", None) and s.get_credentials().access_key == "AKIABASE")
    client = base.create_client("rds", region_name=REGION, endpoint_url=aws.url)
    for call in (client.describe_db_instances, lambda: client.delete_db_snapshot(DBSnapshotIdentifier=NAME)):
        with pytest.raises(RefusedError, match="the base role may not call rds"):
            call()
    guard = base.get_component("event_emitter")._emitter._handlers.prefix_search("before-parameter-build")[-1]
    with pytest.raises(RefusedError, match="the base identity may not look at db x"):
        guard.describe("db", "x")
    assert len(aws.asked) == asked


# --- permits and modes --------------------------------------------------------------------------------------------


def test_a_permit_knows_the_accounts_and_the_partition(aws: Recorder):
    wanted = {"source_account": SOURCE, "scratch_account": SCRATCH, "began": BEGAN, "expires": EXPIRES}
    fence = fence_of(aws)
    made = fence.permit(**wanted, region=REGION, run_id=RUN, check="orders-db", instance="orders", cluster="shop")
    assert made == RUN_PERMIT
    china = fence.permit(**wanted, region="cn-north-1")
    assert china.arn("db", SCRATCH, NAME) == f"arn:aws-cn:rds:cn-north-1:{SCRATCH}:db:{NAME}"
    assert (china.run_id, china.check, china.borrowed, china.instance) == ("", "", "", "")


@pytest.mark.parametrize(("source", "scratch", "named"), [(SOURCE, SCRATCH, SOURCE), ("", SCRATCH, SCRATCH)])
def test_a_region_that_aws_does_not_have(aws: Recorder, source: str, scratch: str, named: str):
    with pytest.raises(SourceError, match=f"in account {named}: Unknown region: 'nowhere'") as raised:
        fence_of(aws).permit(
            source_account=source, scratch_account=scratch, region="nowhere", began=BEGAN, expires=EXPIRES
        )
    assert raised.value.kind == "settings"


def test_plan_mode_notes_the_writes_of_all_hands_in_order(aws: Recorder):
    aws.answer("GetCallerIdentity", identity(SCRATCH), identity(SOURCE))
    fence = fence_of(aws, Mode.PLAN)
    scratch = fence.hand(Role.SCRATCH, SCRATCH, REGION, RUN_PERMIT)
    source = fence.hand(Role.SOURCE, SOURCE, REGION, RUN_PERMIT)
    for hand, operation, params in (
        (scratch, "ModifyDBInstance", PASSWORD),
        (source, "DeleteDBSnapshot", DELETE_SNAPSHOT),
    ):
        with pytest.raises(PlannedError):
            hand.call("rds", operation, **params)
    assert [(c.account, c.operation) for c in fence.planned] == [
        (SCRATCH, "ModifyDBInstance"),
        (SOURCE, "DeleteDBSnapshot"),
    ]
    assert fence.planned[0].params["MasterUserPassword"] == "(secret)"
    assert not any(action.startswith(("Modify", "Delete")) for action in aws.actions)


def test_in_act_mode_nothing_is_noted(aws: Recorder):
    aws.answer(
        "DescribeDBSnapshots",
        snapshots({"DBSnapshotIdentifier": NAME, "DBSnapshotArn": arn("snapshot", SCRATCH), "TagList": ""}),
    )
    fence = fence_of(aws)
    hand = fence.hand(Role.SCRATCH, SCRATCH, REGION, RUN_PERMIT)
    with pytest.raises(RefusedError, match="does not carry the tag"):
        hand.call("rds", "DeleteDBSnapshot", **DELETE_SNAPSHOT)
    assert fence.planned == []


# --- listings -----------------------------------------------------------------------------------------------------


def test_a_listing_is_read_to_its_end(aws: Recorder):
    pages = [[{"DBSnapshotIdentifier": f"s{i}"}] for i in range(3)]
    aws.answer(
        "DescribeDBSnapshots", snapshots(*pages[0], marker="a"), snapshots(*pages[1], marker="b"), snapshots(*pages[2])
    )
    hand = fence_of(aws).hand(Role.SCRATCH, SCRATCH, REGION)
    found = [s["DBSnapshotIdentifier"] for s in hand.pages("rds", "DescribeDBSnapshots", "DBSnapshots")]
    assert found == ["s0", "s1", "s2"]
    assert [asked.get("Marker") for asked in aws.asked[-3:]] == [None, "a", "b"]


def test_a_listing_of_ec2_has_another_word_for_more(aws: Recorder):
    def page(subnet: str, more: str = "") -> tuple[int, str]:
        item = f"<subnetSet><item><subnetId>{subnet}</subnetId></item></subnetSet>"
        token = f"<nextToken>{more}</nextToken>" if more else ""
        return 200, f"<DescribeSubnetsResponse>{item}{token}</DescribeSubnetsResponse>"

    aws.answer("DescribeSubnets", page("a", "t"), page("b"))
    hand = fence_of(aws).hand(Role.SCRATCH, SCRATCH, REGION)
    assert [s["SubnetId"] for s in hand.pages("ec2", "DescribeSubnets", "Subnets")] == ["a", "b"]
    assert aws.asked[-1]["NextToken"] == "t"


def test_a_listing_that_breaks_off_raises(aws: Recorder):
    aws.answer(
        "DescribeDBSnapshots", snapshots({"DBSnapshotIdentifier": "s0"}, marker="a"), error("AccessDenied", "no", 403)
    )
    hand = fence_of(aws).hand(Role.SCRATCH, SCRATCH, REGION)
    with pytest.raises(AwsError, match="AccessDenied"):
        list(hand.pages("rds", "DescribeDBSnapshots", "DBSnapshots"))


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (snapshots({"DBSnapshotIdentifier": "s0"}, marker="a"), "answers in a circle"),
        (result("DescribeDBSnapshots", ""), "answered without DBSnapshots"),
    ],
)
def test_a_listing_that_makes_no_sense_raises(aws: Recorder, answer: tuple[int, str], message: str):
    aws.answer("DescribeDBSnapshots", answer)
    hand = fence_of(aws).hand(Role.SCRATCH, SCRATCH, REGION)
    with pytest.raises(SourceError, match=message) as raised:
        list(hand.pages("rds", "DescribeDBSnapshots", "DBSnapshots"))
    assert raised.value.kind == "unknown-answer"


def test_a_tag_without_a_value_is_a_tag():
    target = target_of_instance({"TagList": [{"Key": "on"}, {"Value": "x"}, {"Key": "a", "Value": "b"}]}, SCRATCH)
    assert target.tags == {"on": "", "": "x", "a": "b"}


def test_what_aws_does_not_say_is_none_and_not_a_guess():
    described = target_of_instance({}, SCRATCH)
    assert (described.name, described.arn, described.tags, described.created) == ("", None, None, None)
    assert (described.deletion_protection, described.replicas, described.status) == (None, None, None)
    copy = target_of_snapshot({}, SCRATCH)
    assert (copy.name, copy.arn, copy.tags, copy.created, copy.snapshot_type) == ("", None, None, None, None)


# --- errors -------------------------------------------------------------------------------------------------------


def client_error(code: str | None, status: int = 400, operation: str = "X") -> botocore.exceptions.ClientError:
    details = {"Code": code, "Message": "why"} if code else {}
    return botocore.exceptions.ClientError(
        {"Error": details, "ResponseMetadata": {"HTTPStatusCode": status}}, operation
    )


@pytest.mark.parametrize("code", sorted(AWS_ERRORS))
def test_an_error_code_has_its_kind(code: str):
    found = of_client_error(client_error(code), "CopyDBSnapshot", SOURCE)
    assert (found.code, found.kind) == (code, AWS_ERRORS[code])
    assert found.retryable == (AWS_ERRORS[code] in RETRYABLE_KINDS)
    assert found.message == f"CopyDBSnapshot in account {SOURCE}: {code}: why"


@pytest.mark.parametrize(
    ("code", "status", "kind", "retryable"),
    [
        ("NobodyKnows", 400, "unknown-answer", False),
        ("NobodyKnows", 500, "aws-unavailable", True),
        ("NobodyKnows", 503, "aws-unavailable", True),
        (None, 400, "unknown-answer", False),
        (None, 502, "aws-unavailable", True),
        ("Throttling", 400, "throttled", True),
        ("AccessDenied", 500, "permission", False),  # a known code says more than the status
    ],
)
def test_an_error_code_that_nobody_knows(code: str | None, status: int, kind: str, retryable: bool):
    found = of_client_error(client_error(code, status), "CopyDBSnapshot", SOURCE)
    assert (found.kind, found.retryable, found.code) == (kind, retryable, code or "Unknown")


def test_what_is_a_page_of_html_and_no_answer_of_aws_is_told_in_one_line():
    page = {"Error": {"Code": "503", "Message": "<html>\n<h1>Bad\n  gateway</h1>\n"}}
    found = of_client_error(botocore.exceptions.ClientError(page, "X"), "CopyDBSnapshot", SOURCE)
    assert found.message == f"CopyDBSnapshot in account {SOURCE}: 503: <html> <h1>Bad gateway</h1>"


def test_an_error_without_anything_in_it():
    found = of_client_error(botocore.exceptions.ClientError({}, "X"), "CopyDBSnapshot", SOURCE)
    assert (found.message, found.kind) == (f"CopyDBSnapshot in account {SOURCE}: Unknown", "unknown-answer")


@pytest.mark.parametrize("operation", ["AssumeRole", "AssumeRoleWithWebIdentity", "GetRoleCredentials", "CreateToken"])
def test_a_denial_while_entering_names_the_entry(operation: str):
    found = of_client_error(client_error("AccessDenied", 403, operation), "DescribeDBInstances", SCRATCH)
    assert (found.kind, found.message) == ("credentials", f"{operation} in account {SCRATCH}: AccessDenied: why")


def every_botocore_error() -> list[type[botocore.exceptions.BotoCoreError]]:
    kinds = vars(botocore.exceptions).values()
    return sorted(
        (k for k in kinds if isinstance(k, type) and issubclass(k, botocore.exceptions.BotoCoreError)),
        key=lambda k: k.__name__,
    )


@pytest.mark.parametrize("kind", every_botocore_error())
def test_every_error_of_botocore_has_a_kind(kind: type[botocore.exceptions.BotoCoreError]):
    raised = kind.__new__(kind)
    Exception.__init__(raised, "what happened")
    found = of_no_answer(raised, "DescribeDBInstances", SCRATCH)
    assert found.kind in KINDS
    assert found.retryable == (found.kind in RETRYABLE_KINDS)
    assert found.message == f"DescribeDBInstances in account {SCRATCH}: what happened"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("ParamValidationError", "settings"),
        ("NoRegionError", "settings"),
        ("UnknownRegionError", "settings"),
        ("NoCredentialsError", "credentials"),
        ("PartialCredentialsError", "credentials"),
        ("CredentialRetrievalError", "credentials"),
        ("ProfileNotFound", "credentials"),
        ("UnauthorizedSSOTokenError", "credentials"),
        ("TokenRetrievalError", "credentials"),
        ("EndpointConnectionError", "aws-unavailable"),
        ("ReadTimeoutError", "aws-unavailable"),
        ("ConnectTimeoutError", "aws-unavailable"),
        ("SSLError", "aws-unavailable"),
        ("ProxyConnectionError", "aws-unavailable"),
        ("ResponseParserError", "aws-unavailable"),
    ],
)
def test_what_it_means_that_a_call_got_no_answer(name: str, kind: str):
    errors = {k.__name__: k for k in [*every_botocore_error(), botocore.parsers.ResponseParserError]}
    raised = errors[name].__new__(errors[name])
    Exception.__init__(raised, "x")
    assert of_no_answer(raised, "X", SCRATCH).kind == kind


def test_wrong_parameters_and_an_aws_that_is_not_there(aws: Recorder):
    hand = fence_of(aws).hand(Role.SCRATCH, SCRATCH, REGION)
    with pytest.raises(SourceError, match="DescribeDBInstances in account") as raised:
        hand.call("rds", "DescribeDBInstances", Nonsense=1)
    assert raised.value.kind == "settings"
    hand._passage._endpoint_url = "http://127.0.0.1:1"
    with pytest.raises(SourceError, match="Could not connect") as raised:
        hand.call("kms", "DescribeKey", KeyId="k")
    assert (raised.value.kind, raised.value.retryable) == ("aws-unavailable", True)


def test_what_is_answered_for_a_moment_only_is_asked_again(aws: Recorder):
    busy = error("Throttling", "Rate exceeded")
    aws.answer("DescribeDBInstances", busy, error("InternalFailure", "", 500), instances())
    hand = fence_of(aws).hand(Role.SCRATCH, SCRATCH, REGION)
    assert hand.call("rds", "DescribeDBInstances")["DBInstances"] == []
    assert aws.actions.count("DescribeDBInstances") == 3


def test_it_gives_up_after_six_tries(aws: Recorder):
    aws.answer("DescribeDBInstances", error("Throttling", "Rate exceeded"))
    hand = fence_of(aws).hand(Role.SCRATCH, SCRATCH, REGION)
    with pytest.raises(AwsError) as raised:
        hand.call("rds", "DescribeDBInstances")
    assert (raised.value.kind, raised.value.retryable) == ("throttled", True)
    assert aws.actions.count("DescribeDBInstances") == 6 == CONFIG.retries["total_max_attempts"]


def test_a_model_in_the_home_directory_does_not_count(aws: Recorder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    (tmp_path / "models" / "rds" / "2014-10-31").mkdir(parents=True)
    (tmp_path / "models" / "rds" / "2014-10-31" / "service-2.json").write_text("{}")
    monkeypatch.setenv("AWS_DATA_PATH", str(tmp_path / "models"))
    aws.answer("DescribeDBInstances", instances())
    hand = fence_of(aws).hand(Role.SCRATCH, SCRATCH, REGION)
    assert hand.call("rds", "DescribeDBInstances")["DBInstances"] == []


def test_tags_as_they_are_sent_are_those_that_are_read_back():
    sent = RUN_PERMIT.tags("db", SCRATCH)
    assert {tag["Key"]: tag["Value"] for tag in sent} == tags_of(arn("db", SCRATCH))


def test_objects_are_entered_as_everything_else_is(aws: Recorder):
    fence = fence_of(aws)
    courier = fence.objects(Role.SCRATCH, SCRATCH, REGION)
    assert (courier.role, courier.account) == (Role.SCRATCH, SCRATCH)
    assert courier._passage is fence.hand(Role.SCRATCH, SCRATCH, REGION)._passage
    assert courier._passage.credentials().access_key == f"ASIA{SCRATCH}"
    with pytest.raises(RefusedError, match=f"account {OTHER} is not configured as a scratch account"):
        fence.objects(Role.SCRATCH, OTHER, REGION)
    with pytest.raises(RefusedError, match="the permit was not made for the accounts"):
        fence.objects(Role.SCRATCH, SCRATCH, REGION, replace(RUN_PERMIT, source_accounts=frozenset({OTHER})))
