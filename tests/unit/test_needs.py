"""What probes need in a restored database before they can look."""

from __future__ import annotations

from workflow.scripted import check

from restorecheck.model import Assertion, Expectation, Probe
from restorecheck.model.probes import PROBES
from restorecheck.sources.needs import READING, needs_of


def asking(*probes: tuple[str, str | None]) -> tuple[Assertion, ...]:
    return tuple(
        Assertion(f"a{i}", "", Expectation(), probe=Probe(name), database=database)
        for i, (name, database) in enumerate(probes)
    )


def test_each_database_gets_the_extensions_of_the_probes_that_look_into_it():
    probes = asking(("visibility", None), ("amcheck", None), ("amcheck", "billing"), ("amcheck", "billing"))
    assert needs_of(check(assertions=probes), "shop") == {
        "shop": ("amcheck", "pg_visibility"),
        "billing": ("amcheck",),
    }


def test_queries_and_probes_that_need_nothing_ask_for_nothing():
    assert needs_of(check(), "shop") == {}
    assert needs_of(check(assertions=asking(("schema", None), ("extensions", "billing"))), "shop") == {}


def test_a_probe_that_reads_rows_names_its_database():
    probes = asking(("readable", None), ("foreign_keys", "billing"), ("amcheck", "billing"))
    assert needs_of(check(assertions=probes), "shop") == {"shop": (), "billing": ("amcheck",)}


def test_every_probe_that_is_said_to_read_rows_is_one():
    assert set(PROBES) >= READING
