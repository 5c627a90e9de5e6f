"""`restorecheck run` without a service tells of a broken backup by itself, and of its end."""

from __future__ import annotations

import pytest
from demo_world import connect, instance_in
from monitoring import catching, nobody
from product import Product

KEEPS = "[receivers.hook]\ntype = 'webhook'\nurl = '{}'\n[receivers.gone]\ntype = 'webhook'\nurl = '{}/key'\n"


@pytest.mark.long
def test_a_backup_that_breaks_is_told_by_the_run_that_finds_it_and_its_end_by_the_next(product: Product) -> None:
    def sql(statement: str, name: str) -> None:
        with connect(instance_in(product.world.source_rds, "shop")) as connection:
            connection.execute(statement.encode())
        product.world.snapshot("shop", name)

    with catching() as hook:
        product.more = KEEPS.format(hook.url, nobody())
        product.configure()
        product.check(receivers=["hook"])
        sql("select 1", "first")
        assert product.run("run", "shop-db").code == 0
        assert hook.posts == []

        sql("delete from orders", "empty")
        broken = product.run("run", "shop-db")
        assert broken.code == 1
        assert "could not be told" not in broken.err
        [post] = hook.posts
        [alert] = post.json["alerts"]
        labels = {"alertname": "RestoreCheckFailed", "check": "shop-db", "verdict": "broken"}
        assert (alert["status"], labels.items() <= alert["labels"].items()) == ("firing", True)

        sql("insert into orders select g, 'canary-' || g, now() from generate_series(1, 1000) g", "full")
        assert product.run("run", "shop-db").code == 0
        assert [post.json["status"] for post in hook.posts] == ["firing", "resolved"]
        assert product.run("notify", "--json").json["troubles"] == []

        tried = product.run("notify", "--test", "--json")
        assert tried.code == 3
        assert [(t["receiver"], t["arrived"]) for t in tried.json["tried"]] == [("gone", False), ("hook", True)]
        assert "/key" not in tried.out + tried.err
