"""What the demo AWS tells of what happened: DescribeEvents, reboots, and events that a test stages."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import psycopg
import pytest
from demo_world import SOURCE, World, connect, gone, instance_in, until

from restorecheck.demo.aws.process import DemoAwsError


def messages(world: World, **asked: Any) -> list[str]:
    return [event["Message"] for event in world.source_rds.describe_events(**asked)["Events"]]


def of(name: str, kind: str = "db-instance") -> dict[str, str]:
    return {"SourceIdentifier": name, "SourceType": kind}


def test_the_life_of_an_instance_is_told_in_its_order(world: World):
    world.database("shop")
    world.source_rds.modify_db_instance(DBInstanceIdentifier="shop", MasterUserPassword="another-password")
    until(lambda: len(messages(world)) == 2)
    world.source_rds.delete_db_instance(DBInstanceIdentifier="shop", SkipFinalSnapshot=True)
    gone(world.source_rds, "shop")
    assert messages(world, **of("shop")) == [
        "DB instance created.",
        "Reset master credentials.",
        "DB instance deleted.",
    ]


def test_a_reboot_stops_it_in_order_and_starts_it_where_it_was(world: World):
    made = world.database("shop", "create table t ()")
    with connect(made) as connection:
        world.source_rds.reboot_db_instance(DBInstanceIdentifier="shop")
        until(lambda: messages(world, **of("shop"))[-1:] == ["DB instance restarted."])
        with pytest.raises(psycopg.Error):
            connection.execute("select 1")
    again = instance_in(world.source_rds, "shop")
    assert again["Endpoint"] == made["Endpoint"]
    with connect(again) as connection:
        connection.execute("select * from t")
    assert messages(world, EventCategories=["availability"]) == ["DB instance shutdown.", "DB instance restarted."]


def test_a_crash_is_told_of_by_nobody(world: World):
    made = world.database("shop", "create table t ()")
    with connect(made) as connection:
        world.aws.crash(SOURCE, "shop")
        with pytest.raises(psycopg.Error):
            until(lambda: connection.execute("select pg_sleep(0.05)") and None)
    assert until(lambda: _answers(made))
    assert messages(world, **of("shop")) == ["DB instance created."]


def _answers(made: dict[str, Any]) -> bool:
    try:
        with connect(made) as connection:
            return connection.execute("select * from t").fetchall() == []
    except psycopg.OperationalError:
        return False


def test_a_fault_and_a_test_can_let_aws_tell_of_something(world: World):
    made = world.database("shop")
    world.aws.fault(kill_query="pg_sleep", event="Applying off-line patches to DB instance.")
    with connect(made) as connection, pytest.raises(psycopg.Error):
        connection.execute("select pg_sleep(20)")
    world.aws.event(SOURCE, "shop", "DB instance stopped.", "notification")
    told = world.source_rds.describe_events(**of("shop"))["Events"]
    assert [(e["Message"], e["EventCategories"]) for e in told[1:]] == [
        ("Applying off-line patches to DB instance.", ["maintenance"]),
        ("DB instance stopped.", ["notification"]),
    ]
    assert told[0]["SourceArn"] == made["DBInstanceArn"]


def test_events_are_found_by_time_kind_and_name_and_by_nobody_else(world: World):
    world.database("shop")
    world.cluster("many")
    assert messages(world, **of("many", "db-cluster")) == ["DB cluster created."]
    assert messages(world, SourceType="db-cluster") == ["DB cluster created."]
    [event] = world.source_rds.describe_events(**of("shop"))["Events"]
    at, second = event["Date"], timedelta(seconds=1)
    assert messages(world, **of("shop"), StartTime=at - second, EndTime=at + second) == ["DB instance created."]
    assert messages(world, **of("shop"), StartTime=at - 3 * second, EndTime=at - second) == []
    assert world.scratch_rds.describe_events()["Events"] == []


def test_a_long_list_comes_in_pages(world: World):
    world.database("shop")
    for number in range(25):
        world.aws.event(SOURCE, "shop", f"{number}", "notification")
    pages = world.source_rds.get_paginator("describe_events").paginate(PaginationConfig={"PageSize": 20})
    told = [[event["Message"] for event in page["Events"]] for page in pages]
    assert [len(page) for page in told] == [20, 6]
    assert told[0][1:] + told[1] == [str(number) for number in range(25)]


def test_what_cannot_be_asked_is_refused(world: World):
    with pytest.raises(world.source_rds.exceptions.ClientError, match="SourceType is required"):
        messages(world, SourceIdentifier="shop")
    with pytest.raises(world.source_rds.exceptions.ClientError, match="Invalid source type"):
        messages(world, SourceType="db-thing")
    with pytest.raises(world.source_rds.exceptions.ClientError, match="14 days"):
        messages(world, Duration=60 * 24 * 15)
    with pytest.raises(DemoAwsError, match="not found"):
        world.aws.event(SOURCE, "nothing", "x", of="db-cluster")
