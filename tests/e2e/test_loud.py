"""A failed restore reaches a person by two ways, and so does a missing one: real Prometheus, real Alertmanager.

The rules are those of deploy/prometheus, in a hurry: a `for` of minutes lasts two seconds, and what is overdue after
two intervals is so after its rto. Nothing else of them is changed.
"""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import yaml
from demo_world import World, connect, instance_in, until
from monitoring import Alertmanager, Catcher, Posted, catching, start_alertmanager, to_webhook
from postgres_server import Server, embedded, server
from product import ROOT, Product, Serving, toml
from prometheus_server import Prometheus, prometheus
from replicated import SERVICE, TAKEOVER, Replicated

RULES = ROOT / "deploy" / "prometheus"
HUNG = Path(__file__).parent / "hung.py"
CHECK = "shop-db"
NUMBERS = count(1)


def hurried(text: str) -> dict[str, Any]:
    """Return rules that need not be waited for; every change must have found what it changes."""
    changes = (
        (r"(?m)^(\s*)for: \d+[mh]$", r"\1for: 2s"),
        (r"2 \* check:restorecheck_check_expected_interval_seconds:last1h", "0"),
        (r"> 300\b", "> 3"),
    )
    for pattern, instead in changes:
        text, found = re.subn(pattern, instead, text)
        assert found, f"no rule has {pattern} any more"
    return dict(yaml.safe_load(text))


@dataclass
class Scene:
    """Everything that may tell somebody something."""

    prometheus: Prometheus
    alertmanager: Alertmanager
    through: Catcher  # what Alertmanager posts
    direct: Catcher  # what restorecheck posts

    def told(self, catcher: Catcher, name: str, status: str) -> list[dict[str, str]]:
        """Return the labels of what a webhook was told."""
        return [
            {**alert["labels"], "receiver": post.json["receiver"]}
            for post in list(catcher.posts)
            for alert in post.json["alerts"]
            if alert["labels"]["alertname"] == name and alert["status"] == status
        ]

    def by_prometheus(self, name: str, status: str) -> list[dict[str, str]]:
        """Return what came from a rule, by way of Alertmanager."""
        return [labels for labels in self.told(self.through, name, status) if "reporter" not in labels]

    def by_us(self, name: str, status: str) -> list[dict[str, str]]:
        """Return what restorecheck reported, by way of Alertmanager."""
        return [labels for labels in self.told(self.through, name, status) if labels.get("reporter") == "restorecheck"]

    def straight(self, status: str, name: str = "RestoreCheckFailed") -> list[dict[str, str]]:
        """Return what restorecheck told the webhook itself."""
        return self.told(self.direct, name, status)


@contextmanager
def scene(directory: Path) -> Iterator[Scene]:
    with (
        catching() as through,
        catching() as direct,
        start_alertmanager(directory / "am", to_webhook(f"{through.url}/am")) as alertmanager,
        prometheus(
            directory / "prometheus",
            rules=[yaml.safe_load((RULES / "rules.yaml").read_text()), hurried((RULES / "alerts.yaml").read_text())],
            alertmanagers=[alertmanager.url.removeprefix("http://")],
        ) as one,
    ):
        yield Scene(one, alertmanager, through, direct)


def receivers(scene: Scene) -> str:
    """Return the tables of config.toml with which restorecheck tells both."""
    return "\n".join(
        (
            "[receivers.am]",
            'type = "alertmanager"',
            f"urls = {toml([scene.alertmanager.url])}",
            "[receivers.hook]",
            'type = "webhook"',
            f"url = {toml(f'{scene.direct.url}/direct')}",
            "[notify]",
            'service = ["am", "hook"]',
            "",
        )
    )


def declare(product: Product) -> None:
    product.check(rto="60s", rpo="25h", schedule="0 3 * * *", receivers=["am", "hook"], critical=True)


def listens(service: Serving) -> str:
    return str(service.hears("service.started")["listen"]).removeprefix("http://")


def night(product: Product, verdict: str) -> None:
    """Have the service run the check now, and wait for its verdict."""
    process = product.popen("run", "--detach", CHECK, "--json")  # beside the service, which changes what is there
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    [run] = json.loads(out)["runs"]
    with product.store() as store:
        until(lambda: any(report.run_id == run for report in store.proofs.runs()), 120)
        assert store.proofs.run(run).verdict == verdict


def lose_orders(product: Product) -> None:
    """Somebody deletes all orders, and then the nightly snapshot is taken."""
    sql(product, "delete from orders")


def bring_back_orders(product: Product) -> None:
    sql(product, "insert into orders select g, 'canary-' || g, now() from generate_series(1, 1000) g")


def sql(product: Product, statement: str) -> None:
    world = product.world
    with connect(instance_in(world.source_rds, "shop")) as connection:
        connection.execute(statement.encode())
    backup(world)


def backup(world: World) -> None:
    world.snapshot("shop", f"night-{next(NUMBERS)}")


@pytest.mark.long
@pytest.mark.timeout(600)
def test_a_night_that_breaks_reaches_a_person_by_two_ways_and_so_does_silence(product: Product, tmp_path: Path):
    backup(product.world)
    with scene(tmp_path / "scene") as here:
        product.more = receivers(here)
        product.configure()
        declare(product)
        with product.serving() as service:
            here.prometheus.scrape(listens(service))
            night(product, "passed")
            until(lambda: here.prometheus.values("restorecheck_run_success") == {(("check", CHECK),): 1.0}, 30)
            assert here.prometheus.alerts("RestoreCheckFailed") == []
            assert here.told(here.direct, "RestoreCheckFailed", "firing") == []

            lose_orders(product)
            night(product, "broken")
            until(lambda: here.by_prometheus("RestoreCheckFailed", "firing"), 60)
            until(lambda: here.by_us("RestoreCheckFailed", "firing"), 60)
            until(lambda: here.straight("firing"), 60)
            for labels in (
                here.by_prometheus("RestoreCheckFailed", "firing")[0],
                here.by_us("RestoreCheckFailed", "firing")[0],
                here.straight("firing")[0],
            ):
                assert (labels["check"], labels["verdict"], labels["severity"]) == (CHECK, "broken", "critical")
            [post] = here.direct.posts[-1:]
            assert "at least 1" in json.dumps(post.json)
            assert "canary" not in "".join(one.body.decode() for one in [*here.direct.posts, *here.through.posts])

            service.kill()  # right after a failure: nobody may be told that all is well
            here.prometheus.scrape()
            until(lambda: here.prometheus.alerts("RestoreCheckDown"), 60)
            assert len(here.prometheus.alerts("RestoreCheckFailed")) == 1

        with product.serving() as service:
            here.prometheus.scrape(listens(service))
            until(lambda: not here.prometheus.alerts("RestoreCheckDown"), 60)
            assert len(here.prometheus.alerts("RestoreCheckFailed")) == 1
            for said in (here.by_prometheus, here.by_us):
                assert said("RestoreCheckFailed", "resolved") == []
            assert here.straight("resolved") == []
            assert len(here.straight("firing")) == 1  # and who starts again does not repeat it

            bring_back_orders(product)
            night(product, "passed")
            until(lambda: not here.prometheus.alerts("RestoreCheckOverdue"))  # for the next minute it is not
            until(lambda: here.by_prometheus("RestoreCheckFailed", "resolved"), 90)
            until(lambda: here.by_us("RestoreCheckFailed", "resolved"), 60)
            until(lambda: here.straight("resolved"), 60)

            service.kill()
            until(lambda: here.by_prometheus("RestoreCheckDown", "firing"), 60)
            until(lambda: here.prometheus.alerts("RestoreCheckOverdue"), 120)
            until(lambda: here.by_prometheus("RestoreCheckOverdue", "firing"), 60)


@pytest.mark.long
@pytest.mark.timeout(300)
def test_a_scheduler_that_hangs_is_seen_though_the_process_answers(product: Product, tmp_path: Path):
    backup(product.world)
    hang = tmp_path / "hang"
    with scene(tmp_path / "scene") as here:
        product.more = receivers(here)
        product.configure()
        declare(product)
        with product.serving(script=HUNG, HANG=str(hang)) as service:
            here.prometheus.scrape(listens(service))
            until(lambda: here.prometheus.values("restorecheck_scheduler_last_tick_timestamp_seconds"), 30)
            assert here.prometheus.alerts("RestoreCheckSchedulerStalled") == []
            hang.touch()
            until(lambda: here.by_prometheus("RestoreCheckSchedulerStalled", "firing"), 60)
            until(lambda: here.prometheus.values("up") == {(): 1.0})  # a scrape may come to nothing on a busy machine
            until(lambda: here.prometheus.alerts("RestoreCheckDown") == [])
            hang.unlink()
            until(lambda: here.by_prometheus("RestoreCheckSchedulerStalled", "resolved"), 60)
            assert service.end(signal.SIGTERM) == 0


@pytest.fixture(scope="module")
def database() -> Iterator[Server]:
    with server(embedded(), {"max_connections": "150", "log_statement": "none"}) as running:
        yield running


@pytest.mark.long
@pytest.mark.timeout(600)
def test_a_second_replica_doubles_nothing(shop: World, tmp_path: Path, database: Server):
    name = f"restorecheck_loud_{next(NUMBERS)}"
    with database.superuser() as connection:
        connection.execute(f"create database {name}".encode())
    product = Replicated(shop, tmp_path / "home", server=database, name=name)
    product.home.mkdir()
    backup(shop)
    with scene(tmp_path / "scene") as here:
        product.more = receivers(here)
        product.configure()
        product.serve_from(product.address, SERVICE.replace(f'takeover = "{TAKEOVER:.0f}s"', 'takeover = "40s"'))
        declare(product)
        with product.replicas(2) as replicas:
            here.prometheus.scrape(*(listens(one) for one in replicas))
            for one in replicas:
                one.hears("replica.joined")
            lose_orders(product)
            night(product, "broken")
            until(lambda: here.straight("firing"), 60)
            until(lambda: here.by_prometheus("RestoreCheckFailed", "firing"), 60)
            until(lambda: here.by_us("RestoreCheckFailed", "firing"), 60)
            until(lambda: len(here.prometheus.values('restorecheck_run_success{instance!=""}')) == 1, 30)
            assert len(here.prometheus.alerts("RestoreCheckFailed")) == 1
            broken = 'max without (instance) (restorecheck_runs_total{verdict="broken"})'
            once = {(("check", CHECK), ("verdict", "broken")): 1.0}
            until(lambda: here.prometheus.values(broken) == once, 30)
            bring_back_orders(product)
            night(product, "passed")
            until(lambda: here.straight("resolved"), 60)
            until(lambda: here.by_prometheus("RestoreCheckFailed", "resolved"), 90)
            assert len(here.straight("firing")) == len(here.straight("resolved")) == 1
            assert _once(here.direct.posts)


def _once(posts: list[Posted]) -> bool:
    keys = [post.key for post in posts]
    return len(keys) == len(set(keys))
