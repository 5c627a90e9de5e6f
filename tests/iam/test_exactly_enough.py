"""The policies of `restorecheck iam` are exactly enough: with all of them everything passes, without any one it stops.

The demo AWS enforces them as IAM would. Every statement is tried, as the documents have it: a new one is found here by
itself, and one that nothing needs fails.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from demo_world import World, furnish
from iam.accounts import Accounts, built, label, on_paper, small
from iam.stories import STORIES, Story, cleared, ran

from restorecheck.demo.aws.conditions import glob
from restorecheck.demo.aws.process import FAST, DemoAws
from restorecheck.iam import Document, Statement

IDLE = {
    ("source", "LookAtBuckets", "s3:ListBucket"): "for a key that is gone: S3 tells a missing one only to who may list",
    ("scratch", "SeeEventsAndOffers", "rds:DescribeEvents"): "when a connection to a restored database is lost",
    (
        "scratch",
        "RestoreFromShared",
        "rds:RestoreDBInstanceFromDBSnapshot",
    ): "of a shared snapshot of an instance that is not encrypted",
}
"""Actions that no story asks for, and when they are needed. That others are needed by some story is held below."""

OF_AWS = {"service.trust"}
"""Whom AWS itself, or a cluster's identity provider, runs as the service: nobody here is that."""


def _paper() -> tuple[Document, ...]:
    with tempfile.TemporaryDirectory() as home:
        return on_paper(Path(home))


PAPER = _paper()
ALLOWED = [
    (d.name, s.sid) for d in PAPER if d.name not in OF_AWS for s in d.statements if s.effect == "Allow"
]  # fmt: skip


@pytest.fixture
def workplace() -> Iterator[Path]:
    yield from _workplace()


def _workplace() -> Iterator[Path]:
    # pytest's own directories let nobody in, and under root a server that is started is somebody else
    work = Path(tempfile.mkdtemp(prefix="restorecheck-iam-", dir="/tmp"))
    work.chmod(0o711)
    yield work
    shutil.rmtree(work)


# --- a short look ----------------------------------------------------------------------------------


def test_a_run_of_an_instance_needs_its_permissions(world: World, tmp_path: Path, workplace: Path) -> None:
    accounts = small(world.aws, world, tmp_path, workplace)
    accounts.grant()
    lent = ran("lent")
    assert lent(accounts).well
    assert _stops(accounts, ("scratch", "CopyIntoOurs"), lent)  # and without each other one, below


# --- the whole of it ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def accounts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Accounts]:
    """Everything that there is a statement for, under an AWS that enforces the policies."""
    for work in _workplace():
        with DemoAws.start(timings=FAST) as aws:
            made = built(aws, furnish(aws), tmp_path_factory.mktemp("iam"), work)
            made.grant()
            yield made


@dataclass
class Needed:
    """What all stories took together."""

    by: dict[str, list[str]] = field(default_factory=dict)
    """Statement → the stories that nothing else would allow."""
    actions: set[tuple[str, str]] = field(default_factory=set)
    """Statement and action."""


@pytest.fixture(scope="module")
def needed(accounts: Accounts) -> Needed:
    """Tell every story with all policies in force."""
    found = Needed()
    for name, story in STORIES.items():
        accounts.aws.clear_calls()
        told = story(accounts)
        assert told.well, f"{name}: {told.text}\n{_refused(accounts)}"
        decisions = _decisions(accounts)
        for statement in _alone(decisions):
            found.by.setdefault(statement, []).append(name)
        found.actions |= {(statement, d["action"]) for d in decisions if d["allowed"] for statement in d["by"]}
    return found


def _decisions(accounts: Accounts) -> list[dict[str, Any]]:
    return [decision for call in accounts.aws.calls() for decision in call.get("decisions", ())]


def _refused(accounts: Accounts) -> list[dict[str, Any]]:
    return [decision for decision in _decisions(accounts) if not decision["allowed"]]


def _alone(decisions: list[dict[str, Any]]) -> set[str]:
    """Return the statements that were the only one of their side (the caller's policies, the resource's) to allow."""
    found = set()
    for decision in decisions:
        if decision["allowed"]:
            theirs = [name for name in decision["by"] if name.startswith(("trust of ", "key ", "bucket "))]
            ours = [name for name in decision["by"] if name not in theirs]
            found |= {side[0] for side in (ours, theirs) if len(side) == 1}
    return found


def _statement(accounts: Accounts, document: str, sid: str) -> tuple[Document, Statement]:
    [found] = [(d, s) for d in accounts.documents for s in d.statements if (d.name, s.sid) == (document, sid)]
    return found


def _stops(accounts: Accounts, without: tuple[str, str], story: Story) -> bool:
    """Tell a story without one statement: it must stop there and say why, and leave nothing once that is put back.

    Returns whether it stopped: a run goes on where it only wanted to look whether a key is in order.
    """
    _, statement = _statement(accounts, *without)
    accounts.grant(without)
    accounts.aws.clear_calls()
    try:
        told = story(accounts)
        refused = _refused(accounts)
    finally:
        accounts.grant()
    cleared(accounts)
    assert refused, f"nothing was refused without {without}: {told.text}"
    first = refused[0]
    assert first["action"] in statement.actions, first
    assert not statement.resources or any(glob(r, first["resource"]) for r in statement.resources), first
    if told.well:
        assert first["action"] == "kms:DescribeKey", told.text
        return False
    assert told.unproven, told.text
    lacking = {one["action"] for one in refused}
    assert any(action in told.text for action in lacking), f"{lacking} is not named in: {told.text}"
    return True


@pytest.mark.long
@pytest.mark.timeout(600)
def test_with_all_of_them_everything_passes_and_none_is_idle(accounts: Accounts, needed: Needed) -> None:
    assert [(d.name, s.sid) for d in accounts.documents for s in d.statements] == [
        (d.name, s.sid) for d in PAPER for s in d.statements
    ]
    allowed = [(d, s) for d in accounts.documents if d.name not in OF_AWS for s in d.statements if s.effect == "Allow"]
    assert [(d.name, s.sid) for d, s in allowed if f"{label(d)}: {s.sid}" not in needed.by] == []
    idle = {
        (d.name, s.sid, action)
        for d, s in allowed
        for action in s.actions
        if (f"{label(d)}: {s.sid}", action) not in needed.actions
    }
    assert idle == set(IDLE)
    assert accounts.product.estate()["ours"] == {}


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize(("document", "sid"), ALLOWED)
def test_without_one_it_stops_at_the_call_that_needs_it(
    accounts: Accounts, needed: Needed, document: str, sid: str
) -> None:
    held, _ = _statement(accounts, document, sid)
    stories = needed.by.get(f"{label(held)}: {sid}")
    assert stories, f"{document}: {sid} allows nothing that anybody asks for"
    assert any(_stops(accounts, (document, sid), STORIES[story]) for story in stories)
