"""Probes, baselines and acceptances as an operator meets them: by the command line, on the demo AWS."""

from __future__ import annotations

import pytest
from demo_world import World, connect, instance_of
from product import Product

PROBES = ("readable", "counts_agree", "visibility", "amcheck", "foreign_keys", "schema", "indexes", "constraints")
MORE = (
    "create table line (id int primary key, order_id int not null references orders)",
    "insert into line select g, g from generate_series(1, 1000) g",
    "create index on line (order_id)",
    "vacuum analyze",
)


def probe(name: str, **more: object) -> dict[str, object]:
    return {"name": name.replace("_", "-"), "probe": name, **more}


def outcomes(report: dict[str, object]) -> dict[str, str]:
    return {
        f["name"]: f["outcome"] for f in report["findings"] if f["by"] == "check" and f["name"] not in ("rpo", "rto")
    }


def statements(world: World, *sql: str) -> None:
    with connect(instance_of(world.source_rds, "shop")) as connection:
        for one in sql:
            connection.execute(one.encode())


@pytest.mark.long
def test_all_probes_look_at_a_healthy_snapshot_and_the_proof_says_how_far_it_goes(product: Product, shop: World):
    statements(shop, *MORE)
    shop.snapshot("shop", "shop-1")
    same = {"expect": {"same_as": "previous"}}
    asserts = [probe(name, **(same if name == "schema" else {})) for name in PROBES]
    asserts.append(
        {"name": "growth", "sql": "select count(*) from orders", "expect": {"at_least": 0.9, "of": "previous"}}
    )
    product.check(asserts=asserts)
    first = product.run("run", "shop-db", "--json")
    learning = {"schema": "learning", "growth": "learning"}
    assert outcomes(first.report) == {a["name"]: learning.get(str(a["name"]), "pass") for a in asserts}
    assert (first.code, first.report["level"]) == (0, "read in full")
    # the next night: a table is gone, and orders are fewer
    statements(shop, "drop table line", "delete from orders where id > 500")
    shop.snapshot("shop", "shop-2")
    second = product.run("run", "shop-db", "--json")
    assert second.code == 1
    told = outcomes(second.report)
    assert (told["schema"], told["growth"], told["readable"]) == ("fail", "fail", "pass")
    assert "line" in second.report["failure"]["message"]
    # it was meant: somebody says so, and the night after is green
    said = product.run("accept", "shop-db", "schema", "growth", "--reason", "orders moved away", "--by", "ann")
    assert said.code == 0
    assert "- " in said.out
    third = product.run("run", "shop-db", "--json")
    assert (third.code, {o for n, o in outcomes(third.report).items() if n != "foreign-keys"}) == (3, {"pass"})
    assert third.report["failure"]["kind"] == "nothing-examined"  # no foreign key is left to look at
