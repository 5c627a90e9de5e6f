"""Receivers, notices and exports in the configuration: what is right, what is remarked on, and what is never shown."""

import shutil
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import jsonschema
import pytest

from restorecheck import config
from restorecheck.config import loading, telling, web_addresses
from restorecheck.config.receivers import (
    Alertmanager,
    Apprise,
    Exports,
    Heartbeat,
    Notify,
    Secret,
    Sns,
    Webhook,
)
from restorecheck.errors import ConfigError, RestorecheckError

BASE = Path(__file__).parent / "bad_config" / "base"
PAGER = '[receivers.pager]\ntype = "alertmanager"\nurls = ["http://am-0:9093"]\n'
HOOK = '[receivers.hook]\ntype = "webhook"\nurl = "https://hooks.example.org/hunter2"\n'
SERVICE = '[notify]\nservice = ["pager"]\n'


@pytest.fixture
def base(tmp_path, monkeypatch):
    shutil.copytree(BASE, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(base: Path, more: str = "", head: str = "", defaults: str = "", top: str = "") -> None:
    text = (BASE / "config.toml").read_text().replace("[defaults]\n", f"[defaults]\n{defaults}")
    (base / "config.toml").write_text(f"{top}{text}{more}")
    check = (BASE / "checks/orders-db.toml").read_text()
    (base / "checks/orders-db.toml").write_text(check.replace("[source]", f"{head}[source]"))


def load(base: Path, more: str = "", head: str = "", defaults: str = "", top: str = "") -> config.Config:
    write(base, more, head, defaults, top)
    return config.load(Path("config.toml"))


def remarks(base: Path, more: str = "", head: str = "") -> list[str]:
    """What is remarked on, but that nobody reads every row."""
    write(base, more, head)
    _, found = config.review(Path("config.toml"))
    return [f"{remark.key}: {remark.message}" for remark in found if remark.key != "assert"]


def problems(base: Path, more: str = "", head: str = "") -> str:
    with pytest.raises(ConfigError) as caught:
        load(base, more, head)
    return str(caught.value)


# --- what is right ----------------------------------------------------------------------------------------------


def test_receivers_of_every_kind_are_read(base):
    (base / "secrets").mkdir()
    (base / "secrets/slack.url").write_text("slack://hunter2\n")
    (base / "secrets/am.token").write_text(" hunter2 \n")
    loaded = load(
        base,
        '[receivers.pager]\ntype = "alertmanager"\nurls = ["http://am-0:9093/", "https://am-1:9093/am"]\n'
        'token_file = "secrets/am.token"\n'
        f'{HOOK}token_file = "{base}/secrets/am.token"\n'
        '[receivers.topic]\ntype = "sns"\ntopic = "arn:aws-cn:sns:cn-north-1:111111111111:backups.fifo"\n'
        '[receivers.deadman]\ntype = "heartbeat"\nurl = "https://hc-ping.com/hunter2/{check}?create=1"\n'
        '[receivers.chat]\ntype = "apprise"\nurl_file = "secrets/slack.url"\n',
    )
    token = Secret(file=base / "secrets/am.token")
    assert loaded.receivers == (
        Apprise("chat", Secret(file=base / "secrets/slack.url")),
        Heartbeat("deadman", Secret("https://hc-ping.com/hunter2/{check}?create=1")),
        Webhook("hook", Secret("https://hooks.example.org/hunter2"), token),
        Alertmanager("pager", ("http://am-0:9093", "https://am-1:9093/am"), token),
        Sns("topic", "arn:aws-cn:sns:cn-north-1:111111111111:backups.fifo"),
    )
    assert loaded.receivers[0].url.read() == "slack://hunter2"
    assert "hunter2" not in repr(loaded)


def test_nobody_is_told_and_nothing_is_sent_unless_the_file_says_so(base):
    loaded = load(base)
    assert (loaded.receivers, loaded.notify, loaded.exports) == ((), Notify(), Exports())
    (check,) = loaded.checks
    assert (check.receivers, check.critical, check.owner, check.retention) == ((), False, "", None)
    assert load(base, "[notify]\n[metrics]\n").notify == Notify()


def test_when_people_are_told_is_as_the_file_says(base):
    loaded = load(
        base,
        f'{PAGER}{HOOK}[receivers.own]\ntype = "heartbeat"\nurl = "https://hc-ping.com/own"\n'
        '[notify]\nrepeat = "2h"\nescalate_after = 1\nescalate_to = ["hook"]\nservice = ["pager", "hook"]\n'
        'heartbeat = "own"\nheartbeat_every = "1m"\ntest = "1h"\nlink = "https://r.example.org/"\n'
        'runbooks = "https://wiki.example.org/runbooks/"\n',
    )
    assert loaded.notify == Notify(
        repeat=timedelta(hours=2),
        escalate_after=1,
        escalate_to=("hook",),
        service=("pager", "hook"),
        heartbeat="own",
        heartbeat_every=timedelta(minutes=1),
        test=timedelta(hours=1),
        link="https://r.example.org",
        runbooks="https://wiki.example.org/runbooks",
    )


def test_where_numbers_are_sent_is_as_the_file_says(base):
    loaded = load(
        base,
        '[metrics]\nevery = "10s"\ntextfile = "checks/../r.prom"\npushgateway = "http://push:9091/"\nemf = "a/b"\n',
    )
    file = base / "checks/../r.prom"
    assert loaded.exports == Exports(timedelta(seconds=10), file, "http://push:9091", "a/b")


def test_a_file_of_metrics_is_no_directory_and_lies_in_one(base):
    (base / "x.prom").mkdir()
    for name in ("x.prom", "config.toml/x.prom"):
        said = problems(base, f'[metrics]\ntextfile = "{name}"\n')
        assert f"metrics.textfile: {name} does not lie in a directory; write" in said


def test_days_may_be_short_with_an_aws_on_this_machine(base):
    loaded = load(
        base,
        '[notify]\nrepeat = "1s"\nheartbeat_every = "0.5s"\ntest = "1s"\n[metrics]\nevery = "0.05s"\n',
        top='endpoint_url = "http://127.0.0.1:5555"\n',
    )
    assert (loaded.notify.repeat, loaded.exports.every) == (timedelta(seconds=1), timedelta(milliseconds=50))


def test_a_check_says_who_is_told_of_it(base):
    told = 'receivers = ["pager", "hook"]\ncritical = true\nowner = "team-payments"\nretention = "35d"\n'
    for loaded in (load(base, PAGER + HOOK, head=told), load(base, PAGER + HOOK, defaults=told)):
        (check,) = loaded.checks
        assert (check.receivers, check.critical, check.owner) == (("pager", "hook"), True, "team-payments")
        assert check.retention == timedelta(days=35)


def test_what_a_check_says_of_who_is_told_outweighs_the_defaults(base):
    defaults = 'receivers = ["pager", "hook"]\ncritical = true\nowner = "us"\nretention = "35d"\n'
    head = 'receivers = []\ncritical = false\nowner = "them"\nretention = "7d"\n'
    (check,) = load(base, PAGER + HOOK, head, defaults).checks
    assert (check.receivers, check.critical, check.owner, check.retention) == ((), False, "them", timedelta(days=7))


@pytest.mark.parametrize(
    "owner", ["x", "Team Payments (DBA)", "payments@example.org", "Zahlungen und Bücher", "x" * 64]
)
def test_owners_are_what_people_are_called(base, owner):
    (check,) = load(base, head=f'owner = "{owner}"\n').checks
    assert check.owner == owner


@pytest.mark.parametrize("owner", ["x" * 65, "x ", "a\\nb", "a\\u0000", "a\\u200bb", "<!here>", "{{ x }}", 'a\\"b', ""])
def test_what_a_label_or_a_template_could_read_otherwise_is_no_owner(base, owner):
    assert "check.owner: " in problems(base, head=f'owner = "{owner}"\n')


def test_a_retention_is_as_long_as_the_next_proof_needs(base):
    schedule = 'schedule = "0 3 * * *"\n'  # 24 h and an rto of 2 h are seven tenths of 37 h 9 min
    assert 'write retention = "3d1h" or more' in problems(base, head=f'{schedule}retention = "72h"\n')
    assert load(base, head=f'{schedule}retention = "73h"\n')
    assert load(base, head='retention = "26h"\n')  # without a schedule
    for length in ("25h", "24h"):
        assert "is not longer than rpo" in problems(base, head=f'retention = "{length}"\n')


def test_a_budget_is_exact(base):
    assert load(base, "[prices]\nbudget = 49.90\n").prices.budget == Decimal("49.9")
    assert load(base, "[prices]\n").prices.budget is None


def test_more_assertions_than_can_be_measured_are_refused(base, monkeypatch):
    monkeypatch.setattr(loading, "MOST_ASSERTIONS", 1)
    assert load(base)
    monkeypatch.setattr(loading, "MOST_ASSERTIONS", 0)
    said = "config.toml:1: checks: the checks have 1 assertions, and each has series of its own in the metrics; "
    assert said + "write 0 at most" in problems(base)


# --- secrets ----------------------------------------------------------------------------------------------------


def test_a_file_that_is_not_for_our_eyes_is_for_those_of_the_service(base, monkeypatch):
    more = '[receivers.own]\ntype = "heartbeat"\nurl_file = "own.url"\n[notify]\nheartbeat = "own"\n'
    (base / "own.url").write_text("https://hc-ping.com/hunter2")
    assert "own is the heartbeat of the service already" in problems(base, more, head='receivers = ["own"]\n')
    monkeypatch.setattr(Secret, "read", _refused)
    assert config.load(Path("config.toml")).receivers == (Heartbeat("own", Secret(file=base / "own.url")),)


def _refused(secret: Secret) -> str:
    raise RestorecheckError(f"{secret.file} cannot be read") from PermissionError(13, "Permission denied")


def test_a_secret_is_read_when_it_is_used(base):
    file = base / "hook.url"
    secret = Secret(file=file)
    for text, said in (("", "must hold one line"), ("a\nb", "must hold one line"), (None, "cannot be read")):
        file.unlink(missing_ok=True)
        if text is not None:
            file.write_text(text)
        with pytest.raises(RestorecheckError, match=said):
            secret.read()
    file.write_bytes(b"\xff")
    with pytest.raises(RestorecheckError, match="cannot be read"):
        secret.read()
    file.write_text("one\n")
    assert secret.read() == "one"
    assert Secret("x").read() == "x"
    assert (bool(secret), bool(Secret("x")), bool(Secret())) == (True, True, False)


def test_without_its_library_apprise_reaches_nobody(base, monkeypatch):
    chat = '[receivers.chat]\ntype = "apprise"\nurl = "slack://hunter2"\n'
    assert load(base, chat).receivers == (Apprise("chat", Secret("slack://hunter2")),)
    monkeypatch.setattr(telling, "find_spec", lambda _: None)
    assert "receivers.chat.type: needs the library apprise, which is not installed here; run pip" in problems(
        base, chat
    )


def test_what_is_wrong_with_the_file_is_said_before_who_is_not_in_it(base):
    write(base, head='receivers = ["pager"]\n')
    (base / "config.toml").write_text("receivers = \n")
    with pytest.raises(ConfigError) as caught:
        config.load(Path("config.toml"))
    assert "is not one of the receivers" not in str(caught.value)
    write(base, head='receivers = ["pager"]\n', top='receivers = "pager"\n')
    with pytest.raises(ConfigError) as caught:
        config.load(Path("config.toml"))
    assert [p.key for p in caught.value.problems] == ["receivers"]


def test_a_critical_check_is_not_judged_by_receivers_that_are_wrong(base):
    broken = '[receivers.hook]\ntype = "webhok"\nurl = "https://hooks.example.org/"\n'
    critical = 'critical = true\nreceivers = ["hook"]\n'
    assert "check.critical" not in problems(base, broken, head=critical)
    assert "check.critical" not in problems(base, HOOK, head='critical = true\nreceivers = "hook"\n')
    assert "check.critical" in problems(base, HOOK, head=critical)
    write(base, HOOK, head="critical = true\n", defaults='receivers = "hook"\n')
    with pytest.raises(ConfigError) as caught:
        config.load(Path("config.toml"))
    assert [p.key for p in caught.value.problems] == ["defaults.receivers"]


# --- what is remarked on ----------------------------------------------------------------------------------------


def test_a_check_of_which_nobody_is_told_is_remarked_on(base):
    schedule = 'schedule = "0 3 * * *"\n'
    assert remarks(base) == []  # by hand: somebody looks at it
    watchers = "but who looks at the metrics and at `restorecheck status`"
    (said,) = remarks(base, head=schedule)
    assert said == f"receivers: nobody is told of any run {watchers}; write [receivers.…] and receivers"
    (said,) = remarks(base, PAGER + SERVICE, head=schedule)
    assert said == f"check: nobody is told of its runs {watchers}; write receivers, here or in [defaults]"
    assert remarks(base, PAGER + SERVICE, head=f'{schedule}receivers = ["pager"]\n') == []


def test_a_receiver_that_nothing_names_is_remarked_on(base):
    assert remarks(base, PAGER + HOOK + SERVICE) == [
        "receivers.hook: nothing names it; write it where it is to be told, or leave it out"
    ]
    for named in ('escalate_to = ["hook"]\n', 'heartbeat = "hook"\n'):
        hook = HOOK.replace("webhook", "heartbeat") if "heartbeat" in named else HOOK
        assert remarks(base, PAGER + hook + SERVICE + named) == []


def test_that_nobody_is_told_of_the_service_is_remarked_on(base):
    (said,) = remarks(base, PAGER + "[notify]\n", head='receivers = ["pager"]\n')
    assert said.startswith("notify.service: nobody is told of what is about no check: leaks")


def test_what_goes_through_the_open_without_tls_is_remarked_on(base):
    (base / "hook.url").write_text("http://hooks.example.org/hunter2")
    found = remarks(
        base,
        '[receivers.pager]\ntype = "alertmanager"\nurls = ["http://am-0:9093", "http://am.example.org:9093"]\n'
        '[receivers.hook]\ntype = "webhook"\nurl_file = "hook.url"\n'
        '[notify]\nservice = ["pager", "hook"]\n[metrics]\npushgateway = "http://192.0.2.1:9091"\n',
    )
    places = ["receivers.pager.urls[2]", "receivers.hook.url_file"]
    why = "what is sent there can be read and changed on its way; write https, if the receiver knows it"
    assert found == [f"{place}: {why}" for place in places]


@pytest.mark.parametrize(
    ("url", "open_"),
    [
        ("http://hooks.example.org/x", True),
        ("http://8.8.8.8/x", True),
        ("http://[2606:4700::1111]:9093", True),
        ("https://hooks.example.org/x", False),
        ("http://localhost:9093", False),
        ("http://am-0:9093", False),
        ("http://am.monitoring.svc:9093", False),
        ("http://am.monitoring.svc.cluster.local:9093", False),
        ("http://10.1.2.3:9093", False),
        ("http://[::1]:9093", False),
        ("http://[fd00::1]:9093", False),
        ("slack://hooks.example.org", False),
        ("", False),
    ],
)
def test_only_hosts_that_are_not_ours_are_in_the_open(url, open_):
    assert web_addresses.in_the_clear(url) is open_


def test_a_budget_that_nothing_is_held_against_is_remarked_on(base):
    (said,) = remarks(base, "[prices]\nbudget = 50\n")
    assert said == "prices.budget: no price is known, so nothing is held against it; write prices"
    (said,) = remarks(base, '[prices]\nbudget = 50\ncurrency = "EUR"\nstorage_gib_month = 0.1\n')
    assert said == "prices.budget: only prices in USD are added up and measured, so nothing is held against it"
    assert remarks(base, "[prices]\nbudget = 50\nsnapshot_gib_month = 0.1\n") == []


# --- JSON Schema ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("receiver", "fits"),
    [
        ({"type": "webhook", "url": "https://hooks.example.org/x"}, True),
        ({"type": "webhook", "url_file": "x", "token_file": "y"}, True),
        ({"type": "webhook"}, False),
        ({"type": "webhook", "url": "https://hooks.example.org/x", "url_file": "x"}, False),
        ({"type": "webhook", "url": "slack://x"}, False),
        ({"type": "apprise", "url": "slack://x"}, True),
        ({"type": "apprise", "url": "https://hooks.example.org/x", "token_file": "x"}, False),
        ({"type": "alertmanager", "urls": ["http://am-0:9093"]}, True),
        ({"type": "alertmanager", "urls": []}, False),
        ({"type": "alertmanager", "url": "http://am-0:9093"}, False),
        ({"type": "sns", "topic": "backups"}, False),
        ({"type": "mail", "url": "mailto://x"}, False),
    ],
)
def test_an_editor_is_told_which_keys_each_kind_of_receiver_has(receiver, fits):
    schema = config.json_schema("config")
    one = jsonschema.Draft202012Validator({"$ref": "#/$defs/Receiver", "$defs": schema["$defs"]})
    assert one.is_valid(receiver) is fits
