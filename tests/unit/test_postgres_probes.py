"""Which tables a probe is meant for, in which pieces they are read, and what the pieces come to."""

from __future__ import annotations

import pytest

from restorecheck.databases import postgres_probes
from restorecheck.databases.crew import Done
from restorecheck.databases.interface import Login
from restorecheck.databases.pace import Pace
from restorecheck.databases.postgres_probes.inventory import Table, chosen, shown
from restorecheck.databases.postgres_probes.reading import PIECE, Sums, gathered, pieces
from restorecheck.databases.postgres_probes.sight import GaveUpError, Sight, Task
from restorecheck.errors import QueryError
from restorecheck.model import Answer, Assertion, Examined, Expectation, Flaw, Measure, Probe, Unseen

MIB = 2**20
LOGIN = Login("127.0.0.1", 5432, "reader", "secret", "shop")


def table(name="public.orders", oid=1, pages=0, size=0, toast=0):
    schema, _, own = name.partition(".")
    return Table(oid, schema, own, name, "r", "p", pages, size, toast)


def piece_of(one):
    return pieces(one)[0]


def done(value):
    task = Task("public.orders", lambda _: None)
    if isinstance(value, Unseen):
        return Done(task, unseen=value)
    return Done(task, value=value)


def flawed(message="broken"):
    return Done(Task("public.orders", lambda _: None), flaw=Flaw("public.orders", message, "data-damaged"))


@pytest.mark.parametrize(
    ("probe", "names", "meant"),
    [
        (Probe("readable"), {"public.orders"}, True),
        (Probe("readable", tables=("public.*",)), {"public.orders"}, True),
        (Probe("readable", tables=("public.*",)), {"audit.log"}, False),
        (Probe("readable", tables=("public.events",)), {"public.events_2026", "public.events"}, True),
        (Probe("readable", exclude=("*.log",)), {"audit.log"}, False),
        (Probe("readable", tables=("*",), exclude=("public.events",)), {"public.events_2026", "public.events"}, False),
        (Probe("readable", tables=("public.Orders",)), {"public.orders"}, False),
    ],
)
def test_patterns_mean_tables_and_the_partitions_of_what_they_name(probe, names, meant):
    assert chosen(probe, names) is meant


@pytest.mark.parametrize(
    ("schema", "name", "text"),
    [
        ("public", "orders", "public.orders"),
        ("Größe", "my table", "Größe.my table"),
        ("a.b", 'c"d', '"a.b"."c""d"'),
        ("public", "x\x1b[31m\n", "public.x\\x1b[31m\\x0a"),
    ],
)
def test_a_name_is_shown_so_that_it_neither_misleads_nor_controls_a_terminal(schema, name, text):
    assert shown(schema, name) == text


def test_an_empty_table_is_one_piece_without_an_end():
    (only,) = pieces(table())
    assert (only.first, only.end, only.pages) == (0, None, "")


def test_a_large_table_is_cut_into_pieces_that_leave_no_page_out():
    cut = pieces(table(pages=40_000, size=40_000 * 8192))
    assert len(cut) == 5
    assert [p.first for p in cut[1:]] == [p.end for p in cut[:-1]]
    assert (cut[0].first, cut[-1].end) == (0, None)
    assert all(PIECE * 0.5 <= p.weight <= PIECE * 1.5 for p in cut)
    assert sum(p.weight for p in cut) >= 40_000 * 8192
    assert (cut[0].pages, cut[-1].pages) == ("blocks 0 to 8,191", "from block 32,768 on")


def test_no_crumb_is_left_at_the_end():
    assert len(pieces(table(pages=8_300, size=8_300 * 8192))) == 1


def test_long_values_beside_a_small_heap_are_cut_as_well():
    assert len(pieces(table(pages=10, size=10 * 8192, toast=10 * PIECE))) == 10


def test_a_fingerprint_does_not_depend_on_order_and_sees_rows_that_cancel_each_other():
    a, b = Sums(1, 5, 5), Sums(1, -7, -7)
    assert (a + b).fingerprint == (b + a).fingerprint
    assert (a + a).fingerprint != Sums(2).fingerprint
    assert (a + a + b).fingerprint != b.fingerprint
    assert Sums(3, -1, -1).fingerprint == f"pg1:3:{'f' * 32}:{'f' * 16}"


def test_the_pieces_of_a_table_are_added_up():
    orders = table(pages=40_000, size=40_000 * 8192)
    cut = pieces(orders)
    found = gathered(
        [(p, done(Sums(10, 1, 1))) for p in cut], fingerprints=True, unseen=(), left_out=3
    )  # fmt: skip
    assert found == Examined(
        "table",
        1,
        left_out=3,
        measures=(Measure("public.orders", 50, Sums(50, 5, 1).fingerprint),),
        rows=50,
        bytes=40_000 * 8192,
    )


def test_damage_in_one_piece_names_its_blocks_and_leaves_no_measure():
    orders, lines = table(pages=40_000, size=40_000 * 8192), table("public.lines", 2)
    cut = pieces(orders)
    results = [(p, done(Sums(10, 1, 1))) for p in cut[:3]] + [(cut[3], flawed()), (cut[4], done(Sums(1)))]
    found = gathered([*results, (piece_of(lines), done(Sums(4)))], fingerprints=False, unseen=(), left_out=0)
    assert (found.count, found.flawed, found.rows) == (2, 1, 35)
    assert found.flaws[0].message == "broken (blocks 24,576 to 32,767)"
    assert found.measures == (Measure("public.lines", 4),)


def test_a_value_that_its_own_type_cannot_show_is_a_flaw_too():
    found = gathered(
        [(piece_of(table()), done(Flaw("public.orders", "no such label")))], fingerprints=True, unseen=(), left_out=0
    )
    assert (found.count, found.flawed, found.flaws[0].message) == (1, 1, "no such label")


def test_what_was_not_read_is_told_once_for_each_table():
    orders, lines = table(pages=40_000, size=40_000 * 8192), table("public.lines", 2)
    cut = pieces(orders)
    over = Unseen("public.orders", "the time was over")
    results = [(p, done(Sums(10))) for p in cut[:3]] + [(p, done(over)) for p in cut[3:]]
    foreign = Unseen("public.far", "a foreign table", owed=False)
    found = gathered(
        [*results, (piece_of(lines), done(Unseen("public.lines", "no")))],
        fingerprints=True,
        unseen=(foreign,),
        left_out=0,
    )
    assert found.unseen == (
        Unseen("public.orders", "2 of 5 parts: the time was over"), Unseen("public.lines", "no"), foreign,
    )  # fmt: skip
    assert (found.count, found.unseen_count, found.owed, found.measures) == (1, 3, 2, ())


def test_only_the_first_flaws_are_told_and_all_are_counted():
    found = gathered(
        [(piece_of(table(f"public.t{n}", n)), flawed()) for n in range(30)], fingerprints=True, unseen=(), left_out=0
    )
    assert (found.flawed, len(found.flaws)) == (30, 20)


@pytest.mark.parametrize(
    ("probe", "pieces_", "line"),
    [
        ("indexes", [("a", 1)], "indexes: 0 of 1 index"),
        ("indexes", [("a", 1), ("b", 1)], "indexes: 0 of 2 indexes"),
        ("readable", [("a", 3 * 2**30)], "readable: 0 of 1 table, 0.0 of 3.0 GiB, 0 MiB/s"),
        ("no such probe", [("a", 1), ("b", 1)], "no such probe: 0 of 2 pieces"),
    ],
)
def test_progress_speaks_of_what_the_probe_counts(probe, pieces_, line):
    assert Pace(probe, pieces_, lambda: 0.0, lambda _: None).line(1.0) == line


def sight(probe):
    def connect(_):
        raise QueryError("could not connect", kind="database-unreachable")

    return Sight(Probe(probe), LOGIN, LOGIN, 10.0, lambda: 0.0, lambda _: None, connect, lambda _: None)


def asked(probe):
    return postgres_probes.answer(Assertion("a", "", Expectation(), probe=Probe(probe)), sight(probe))


def test_every_probe_of_postgresql_has_a_place():
    assert {"readable", "row_counts", "amcheck", "databases"} <= set(postgres_probes.LOOKS)
    assert "check_table" not in postgres_probes.LOOKS


def test_a_probe_that_postgresql_does_not_have_is_a_wrong_question():
    assert asked("check_table") == Answer("a", error="PostgreSQL has no probe 'check_table'", kind="question")


@pytest.mark.parametrize("probe", ["readable", "row_counts"])
def test_a_server_that_cannot_be_reached_is_an_answer(probe):
    assert asked(probe) == Answer("a", error="could not connect", kind="database-unreachable")


def test_a_probe_that_gives_up_is_an_answer(monkeypatch):
    def look(_):
        raise GaveUpError("could-not-look", "not here")

    monkeypatch.setattr(postgres_probes, "LOOKS", {"amcheck": look})
    assert asked("amcheck") == Answer("a", error="not here", kind="could-not-look")
