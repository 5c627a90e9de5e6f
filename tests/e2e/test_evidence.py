"""Evidence as an operator meets it: the keys of rows that should not be there, on his disk and nowhere else."""

from __future__ import annotations

import json
import stat

import pytest
from product import Product


@pytest.mark.long
def test_keys_of_rows_are_in_the_evidence_and_nowhere_else(product: Product):
    product.top["evidence"] = "evidence"
    product.configure()
    asked = {
        "name": "nobody",
        "sql": "select customer, id from orders where id > 990 order by id",
        "expect": {"no_rows": True},
        "samples": {"keys": ["customer"], "limit": 3},
    }
    product.check(asserts=[asked])
    product.world.snapshot("shop", "shop-1")
    ran = product.run("run", "shop-db", "--json")
    assert (ran.code, ran.report["verdict"]) == (1, "broken")
    said = "10 rows were found where there must be none; the keys of 3 of them are kept as evidence"
    assert said in ran.report["failure"]["message"]

    run_id = ran.report["run_id"]
    place = product.home / "evidence" / run_id
    kept = place / "nobody.json"
    assert json.loads(kept.read_text()) == {
        "run": run_id,
        "check": "shop-db",
        "assertion": "nobody",
        "rows": [{"customer": f"canary-{n}"} for n in (991, 992, 993)],
    }
    assert [stat.S_IMODE(path.stat().st_mode) for path in (place, kept)] == [0o700, 0o600]

    shown, listed = product.run("show", run_id), product.run("history")
    assert f"evidence        {place}" in shown.out
    whole = product.run("show", run_id, "--json")
    for text in (ran.out, ran.err, shown.out, shown.err, listed.out, whole.out):
        assert "canary-" not in text
    files = [path for path in product.home.rglob("*") if path.is_file() and path != kept]
    assert files
    assert [path for path in files if b"canary-" in path.read_bytes()] == []


@pytest.mark.long
def test_a_broken_backup_is_broken_also_where_evidence_cannot_be_kept(product: Product):
    product.top["evidence"] = "evidence"
    product.configure()
    asked = {"sql": "select id from orders", "expect": {"no_rows": True}, "samples": {"keys": ["id"]}}
    product.check(asserts=[{"name": "nobody", **asked}])
    product.world.snapshot("shop", "shop-1")
    (product.home / "evidence").symlink_to("/dev/null/nowhere")
    ran = product.run("run", "shop-db", "--json")
    assert (ran.code, ran.report["failure"]["kind"]) == (1, "assertion-failed")
    assert "1,000 rows were found where there must be none; evidence could not be kept: " in ran.out
