"""The message that docs/notifications.md shows is one that would be sent. Set REGENERATE=1 to write it."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from workflow.scripted import NOW, POINT, RUN, check

from restorecheck.alerts import checks, episodes
from restorecheck.alerts.checks import Matter
from restorecheck.alerts.episodes import Policy
from restorecheck.alerts.wording import subject, text
from restorecheck.assertions import verdict
from restorecheck.config.receivers import Notify
from restorecheck.model import Finding, Outcome, Report

PAGE = Path(__file__).parents[2] / "docs" / "notifications.md"
PART = re.compile(r"(?<=<!-- message -->\n).*?(?=<!-- /message -->)", re.DOTALL)


def message() -> str:
    """Return the third night of a broken backup."""
    declared = check(schedule="0 3 * * *", owner="team-shop")
    matter = Matter("orders-db", declared, Notify(link="https://restorecheck.example.org"))
    counted = "41 is less than the expected 1,000"
    findings = (
        Finding("enough-orders", Outcome.FAIL, "at least 1,000", "41", counted, "assertion-failed"),
        Finding("newest-order", Outcome.PASS, "at most 15 min before the backup", "4 min"),
    )
    result, failure = verdict(findings, restores=False)
    episode = None
    for night in range(3):
        now = NOW + timedelta(days=night)
        ended = now + timedelta(minutes=24)
        run = RUN.replace("1121", f"{1121 + night}")
        point = replace(POINT, id=f"rds:orders-{now:%Y-%m-%d}-02-00", created=now - timedelta(hours=1))
        report = Report(run, "orders-db", result, now, ended, failure, point, findings)
        found = checks.of_run(matter, report, NOW - timedelta(hours=23, minutes=37))
        change = episodes.failed(episode, found, Policy(timedelta(hours=4), ("pager",)), ended)
        episode = change.episode
    [addressed] = change.said
    return f"{subject(addressed.notice)}\n\n{text(addressed.notice)}".strip()


def test_the_message_of_the_page_is_what_would_be_sent():
    made = f"```text\n{message()}\n```"
    if os.environ.get("REGENERATE"):
        PAGE.write_text(PART.sub(lambda _: f"\n{made}\n\n", PAGE.read_text()))
    found = PART.search(PAGE.read_text())
    assert found is not None
    assert found[0].strip() == made
