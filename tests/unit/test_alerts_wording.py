"""What notices say, and what never gets into one."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from workflow.scripted import NOW, POINT, RUN, check

from restorecheck.alerts import checks, episodes, service
from restorecheck.alerts.checks import UNSCHEDULED, Matter
from restorecheck.alerts.cleaning import LONGEST, clean
from restorecheck.alerts.episodes import Policy
from restorecheck.alerts.wording import ALERTS, SUBJECT, link, runbook, subject, text
from restorecheck.config.receivers import Notify
from restorecheck.durable import encode
from restorecheck.model import (
    About,
    Episode,
    Failure,
    Finding,
    Leftover,
    Miss,
    Notice,
    Outcome,
    Report,
    Symptom,
    Turn,
    Verdict,
)

NOTIFY = Notify(link="https://backups.example.org/", runbooks="https://runbooks.example.org/restorecheck")
CHECK = check(schedule="0 3 * * *", owner="team-shop")
MATTER = Matter("orders-db", CHECK, NOTIFY)
HOUR = timedelta(hours=1)


def finding(name: str = "present", observed: str = "41", message: str = "41 where at least 1,000", **more: object):
    fields = {"outcome": Outcome.FAIL, "expected": "at least 1,000", "kind": "assertion-failed", **more}
    return Finding(name, observed=observed, message=message, **fields)  # type: ignore[arg-type]


def report(verdict: Verdict = Verdict.BROKEN, failure: Failure | None = None, **more: object) -> Report:
    failures = {
        Verdict.BROKEN: Failure("assertion-failed", "judge", "present: 41 where at least 1,000", "compare the data"),
        Verdict.UNPROVEN: Failure("quota", "restore", "InstanceQuotaExceeded: no more", "raise the quota"),
        Verdict.PASSED: None,
    }
    fields = {"point": POINT, "findings": (finding(),) if verdict is Verdict.BROKEN else (), **more}
    return Report(
        RUN, "orders-db", verdict, NOW, NOW + timedelta(minutes=24), failure or failures[verdict], **fields  # type: ignore[arg-type]
    )  # fmt: skip


def broken(count: int = 1) -> Episode:
    episode = None
    for n in range(count):
        found = replace(checks.of_run(MATTER, report(), NOW - 9 * HOUR), id=f"{n}", at=NOW + n * 24 * HOUR)
        episode = episodes.failed(episode, found, Policy(HOUR, ("pager",)), found.at).episode
    assert episode
    return episode


# --- a run -----------------------------------------------------------------------------------------------------------


def test_a_notice_of_a_broken_backup_has_all_that_one_needs_at_night():
    notice = checks.of_run(MATTER, report(), NOW - 24 * HOUR)
    assert notice.title == "orders-db is broken: present: 41 where at least 1,000"
    assert (notice.key, notice.id) == ("restorecheck/run/orders-db", f"restorecheck/run/orders-db@{RUN}:broken")
    assert (notice.severity, notice.verdict, notice.kind) == ("critical", Verdict.BROKEN, "assertion-failed")
    assert notice.meaning == "an assertion does not hold"
    assert notice.hint == "compare the data"
    assert notice.symptoms == (Symptom("present", "at least 1,000", "41", "41 where at least 1,000"),)
    assert (notice.recovery_point, notice.recovery_point_at) == (POINT.id, POINT.data_time or POINT.created)
    assert notice.last_pass == NOW - 24 * HOUR
    assert notice.again == "restorecheck run orders-db"
    assert notice.owner == "team-shop"
    assert notice.hold == 24 * HOUR + CHECK.rto + HOUR / 2


def test_a_run_that_broke_off_says_where_and_by_what():
    notice = checks.of_run(MATTER, report(Verdict.UNPROVEN))
    assert notice.title == "orders-db is unproven: an AWS quota is used up (restore)"
    assert notice.severity == "warning"
    assert notice.symptoms == (Symptom("restore", "", "", "InstanceQuotaExceeded: no more"),)
    assert "- restore\n  InstanceQuotaExceeded: no more" in text(notice)


def test_a_run_that_found_no_point_says_nothing_of_one():
    notice = checks.of_run(MATTER, report(Verdict.UNPROVEN, point=None))
    assert (notice.recovery_point, notice.recovery_point_at) == ("", None)
    assert "recovery point" not in text(notice)
    assert "last pass:      not known" in text(notice)


def test_a_critical_check_is_critical_whatever_the_verdict():
    matter = replace(MATTER, check=replace(CHECK, critical=True))
    assert checks.of_run(matter, report(Verdict.UNPROVEN)).severity == "critical"


def test_a_check_that_is_not_declared_holds_for_long_and_belongs_to_nobody():
    notice = checks.of_run(Matter("orders-db", None, Notify()), report())
    assert (notice.hold, notice.owner, notice.runbook, notice.link) == (UNSCHEDULED, "", "", "")
    assert checks.of_run(Matter("x", replace(CHECK, schedule=None), NOTIFY), report()).hold == UNSCHEDULED


def test_a_notice_holds_over_the_longest_gap_of_its_schedule():
    weekdays = replace(CHECK, schedule="0 3 * * mon-fri", timezone="UTC")
    assert replace(MATTER, check=weekdays).hold == timedelta(days=3) + CHECK.rto + timedelta(minutes=30)


@pytest.mark.parametrize(
    ("notify", "expected"),
    [
        (Notify(), ""),
        (Notify(link="https://x/"), "https://x/runbooks/RestoreCheckFailed"),
        (Notify(link="https://x", runbooks="https://y"), "https://y/RestoreCheckFailed"),
    ],
)
def test_runbooks_are_where_somebody_said_or_where_the_service_shows_them(notify: Notify, expected: str):
    assert runbook(notify, About.RUN) == expected


def test_the_runbook_of_an_assertion_or_a_check_says_more_than_ours():
    own = finding(runbook="https://own.example.org/orders")
    assert checks.of_run(MATTER, report(findings=(own,))).runbook == "https://own.example.org/orders"
    matter = replace(MATTER, check=replace(CHECK, runbook="https://own.example.org/all"))
    assert checks.of_run(matter, report(Verdict.UNPROVEN)).runbook == "https://own.example.org/all"


def test_links_end_at_the_service():
    assert (link(NOTIFY), link(Notify())) == ("https://backups.example.org/", "")


def test_what_passed_and_what_only_warns_is_no_symptom():
    findings = tuple(finding(f"f-{o}", outcome=o) for o in Outcome)
    names = [s.name for s in checks.of_run(MATTER, report(findings=findings)).symptoms]
    assert names == ["f-fail", "f-error", "f-learning"]


def test_at_most_ten_symptoms_are_told_and_the_rest_is_counted():
    def symptoms(count: int) -> list[str]:
        found = checks.of_run(MATTER, report(findings=tuple(finding(f"f{n}") for n in range(count))))
        return [s.name for s in found.symptoms]

    assert symptoms(10) == [f"f{n}" for n in range(10)]
    assert symptoms(24) == [*(f"f{n}" for n in range(9)), "and 15 more"]


def test_what_a_run_left_behind_is_part_of_what_is_told():
    left = (Leftover("arn:aws:rds:eu-central-1:222222222222:db:restorecheck-orders-db-1"),)
    notice = checks.of_run(MATTER, report(leaked=left))
    assert notice.symptoms[0] == Symptom("left behind", "nothing", "1 thing", "restorecheck-orders-db-1")
    assert (
        checks.of_run(MATTER, report(Verdict.PASSED, leaked=left)).title == "orders-db passed, and left 1 thing behind"
    )


def test_a_pass_says_what_it_ends():
    episode = broken(3)
    passing = replace(report(Verdict.PASSED), ended=NOW + 72 * HOUR)
    notice = episodes.passed(episode, checks.of_pass(MATTER, passing, episode)).said[0].notice
    assert notice.title == "orders-db passed: it was broken for 3 d, 3 runs in a row"
    assert notice.turn is Turn.RESOLVED
    assert notice.recovery_point == POINT.id
    assert subject(notice) == "[RESOLVED] orders-db passed: it was broken for 3 d, 3 runs in a row"
    assert "since:" not in text(notice)


# --- not a run -------------------------------------------------------------------------------------------------------


def test_a_missed_time_says_why_and_what_makes_up_for_it():
    down = checks.of_miss(MATTER, Miss("orders-db", NOW, "down"), NOW)
    assert down.title == "orders-db: no run at 2026-11-21 03:00 UTC: nobody served at that time"
    assert (down.key, down.severity) == ("restorecheck/missed/orders-db", "warning")
    late = checks.of_miss(MATTER, Miss("orders-db", NOW, "overlapped", "run-2"), NOW)
    assert late.title.endswith("the run before had not begun yet, and run-2 is to make up for it")
    assert late.run_id == "run-2"


def test_a_pass_says_that_it_makes_up_for_missed_times():
    found = checks.of_miss(MATTER, Miss("orders-db", NOW, "down"), NOW)
    episode = episodes.failed(None, found, Policy(HOUR, ("pager",)), NOW).episode
    assert episode
    assert checks.of_pass(MATTER, report(Verdict.PASSED), episode).title == (
        "orders-db passed: 1 time of its schedule had been missed"
    )


def test_a_pause_says_what_goes_on_meanwhile():
    notice = checks.of_pause(MATTER, [broken()], None, NOW)
    assert notice.title == "orders-db is paused until it is resumed, while it is broken"
    assert checks.of_pause(MATTER, [broken()], "2026-12-01", NOW).title.startswith(
        "orders-db is paused until 2026-12-01"
    )
    assert (notice.turn, notice.severity, notice.key) == (Turn.TOLD, "warning", "restorecheck/paused/orders-db")


def test_a_removal_is_told_under_one_id_for_each_trouble():
    one, other = (checks.of_removal(Matter("orders-db", None, NOTIFY), [broken()], NOW + n * HOUR) for n in (0, 1))
    assert one.id == other.id
    assert one.title == "orders-db left the configuration, while it is broken"
    assert (one.again, one.owner) == ("", "team-shop")


def test_what_is_told_of_the_service():
    leak = service.of_leak("3 pieces", NOW, NOTIFY)
    assert leak.title == "something of restorecheck's is left in AWS and costs money: 3 pieces"
    assert leak.runbook.endswith("/RestoreCheckResourceLeaked")
    assert service.of_trip("12 of 14", NOW, NOTIFY).key == "restorecheck/sweep"
    waits = service.of_receiver("pager", 2, NOW - HOUR, NOW, NOTIFY)
    assert waits.title == "the receiver pager has not been reached for 1 h; 2 notices wait for it"
    assert (waits.severity, waits.key) == ("critical", "restorecheck/receiver/pager")


def test_a_trial_says_that_it_is_none_and_ends():
    fired, over = service.trial("pager", NOW, NOTIFY)
    assert (fired.turn, over.turn, fired.key == over.key, fired.id != over.id) == (
        Turn.FIRING,
        Turn.RESOLVED,
        True,
        True,
    )
    assert (fired.severity, fired.about) == ("info", About.TEST)
    assert "this is not an alarm" in subject(fired)


def test_whatever_a_notice_is_about_has_a_name():
    assert set(ALERTS) == set(About)
    assert len(set(ALERTS.values())) == len(About)


# --- as text ---------------------------------------------------------------------------------------------------------


def test_the_subject_tells_new_from_old():
    notice = checks.of_run(MATTER, report())
    assert subject(notice) == "[BROKEN] orders-db is broken: present: 41 where at least 1,000"
    assert subject(replace(notice, turn=Turn.REPEATED)).startswith("[STILL BROKEN] orders-db")
    assert subject(checks.of_pause(MATTER, [broken()], None, NOW)).startswith("[NOTE] orders-db is paused")
    missed = checks.of_miss(MATTER, Miss("orders-db", NOW, "down"), NOW)
    assert subject(missed).startswith("[MISSED] orders-db: no run at")


def test_a_repeat_says_since_when_and_how_often():
    later = datetime(2026, 11, 23, 3, 24, tzinfo=UTC)
    body = text(replace(checks.of_run(MATTER, report()), turn=Turn.REPEATED, count=3, at=later))
    assert "since:          2026-11-21 03:24 UTC, 3 times in a row\n" in body


# --- hostile words ---------------------------------------------------------------------------------------------------

HOSTILE = [
    "line\nbreak\r\nand\ttab",
    "\x1b[31mred\x1b[0m \x00 nul \x07",
    "\u202egnp.exe right to left \u2066 \u200b zero width \ufeff",
    "half \ud800 a character",
    "x" * 100_000,
    "\n" * 5_000 + "late",
    "<!channel> <https://evil.example|click> <script>alert(1)</script>",
    "see https://evil.example/a and HTTP://evil.example/b or _https://evil.example",
    "a b" + " " * 3_985 + "password=hunter22hunter22",
    "@everyone @here @channel come",
    "`rm -rf` ```block```",
    "password=hunter22 and token: abcdefgh",
    "AKIAABCDEFGHIJKLMNOP",
    "postgresql://joe:secret@db.internal/shop",
]


@pytest.mark.parametrize("hostile", HOSTILE, ids=range(len(HOSTILE)))
def test_what_a_database_says_cannot_do_anything_in_a_notice(hostile: str):
    bad = finding(hostile, hostile, hostile, expected=hostile)
    failure = Failure("assertion-failed", "judge", hostile, hostile)
    point = replace(POINT, id=hostile)
    left = (Leftover(hostile, hostile),)
    judged = report(failure=failure, findings=(bad,) * 12, point=point, leaked=left)
    off = report(Verdict.UNPROVEN, Failure("tls", hostile, hostile, hostile), point=point)
    for notice in (
        checks.of_run(MATTER, judged),
        checks.of_run(MATTER, off),
        checks.of_pass(MATTER, replace(judged, verdict=Verdict.PASSED, failure=None), broken()),
        service.of_leak(hostile, NOW, NOTIFY),
        service.of_trip(hostile, NOW, NOTIFY),
        service.of_untold(hostile, 1, hostile, NOW, NOTIFY),
    ):
        harmless(notice)


def harmless(notice: Notice) -> None:
    texts = [notice.title, notice.hint, notice.recovery_point, notice.meaning]
    texts += [part for s in notice.symptoms for part in (s.name, s.expected, s.observed, s.message)]
    assert all(part.isprintable() for part in texts)
    assert all(len(part) <= LONGEST for part in texts)
    encode(notice, Notice)  # it crosses as JSON
    body = text(notice)
    body.encode()
    assert len(body) < 15_000
    assert all(c.isprintable() or c == "\n" for c in body)
    whole = "".join(texts)
    assert "`" not in whole.replace(notice.hint, "")  # which may name a command of ours
    for forbidden in ("<", ">", "http:", "https:", "HTTP:", "@everyone", "@here", "@channel", "hunter22", "AKIA"):
        assert forbidden not in whole
    assert ":secret@" not in whole
    line = subject(notice)
    assert line.isascii()
    assert line.isprintable()
    assert len(line) <= SUBJECT


@given(st.text())
def test_whatever_is_cleaned_is_one_printable_line(found: str):
    said = clean(found)
    assert said.isprintable()
    assert len(said) <= LONGEST
    assert said == said.strip()
    said.encode()
    assert clean(said) == said


def test_a_path_of_this_machine_does_not_leave_it():
    said = clean('/var/lib/restorecheck/work/orders-db-1/dump cannot be written: see "/srv/pg/data/base/1/2", /tmp/a/b')
    assert said == '…/dump cannot be written: see "…/2", …/b'
    assert clean("dir:/var/lib/pg/x path=/var/lib/pg/y") == "dir:…/x path=…/y"
    for plain in ("s3://dumps/orders/2026/x", "hxxps://host/a/b", "arn:aws:rds:eu:1:db/a/b", "a/b/c", "1:/aws/rds/x"):
        assert clean(plain) == plain


def test_words_that_findings_have_stay_as_they_are():
    for plain in ("41 where at least 1,000", "rds:orders-2026-11-21", "s3://dumps/x?versionId=1", "größer: 3 d 4 h"):
        assert clean(plain) == plain
