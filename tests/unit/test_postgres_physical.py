"""What the physical probes of PostgreSQL decide without a server: what is done, and what came of it."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import psycopg
import pytest
from psycopg import sql

from restorecheck.databases import postgres_prober
from restorecheck.databases.crew import Done
from restorecheck.databases.postgres_probes import amcheck, counts_agree
from restorecheck.databases.postgres_probes.extension import Functions
from restorecheck.databases.postgres_probes.inventory import Table
from restorecheck.databases.postgres_probes.keys import Sorted
from restorecheck.databases.postgres_probes.relations import Heap, Index
from restorecheck.databases.postgres_probes.sight import Task
from restorecheck.model import Flaw, Unseen

TABLE = Table(1, "public", "orders", "public.orders", "r", "p", 10, 81920, 0)
INDEX = Sorted(2, 1, "orders_pkey", "public.orders_pkey", 8192, (), ())
HEAP = Heap(1, "public.orders", ("public", "orders"), "heap", 81920, shared=False, system=False)
BTREE = Index(2, HEAP, "public.orders_pkey", ("orders_pkey",), "btree", doubtful=True, valid=True, bytes=8192,
              own_expressions=False, own_operators=False)  # fmt: skip
ALL = ("verify_heapam", 6), ("bt_index_check", 3), ("bt_index_parent_check", 4), ("gin_index_check", 1)


def functions(*names: tuple[str, int]) -> Functions:
    return Functions("1.4", {name: sql.Identifier("public", name[0]) for name in names})


def scan(kind: str, name: str = "orders_pkey") -> list[dict[str, object]]:
    return [{"Plan": {"Node Type": "Aggregate", "Plans": [
        {"Node Type": "Subquery Scan", "Plans": [{"Node Type": kind, "Index Name": name}]}]}}]  # fmt: skip


def test_a_plan_counts_only_if_it_reads_just_the_index():
    otherwise = counts_agree._otherwise
    assert otherwise(scan("Index Only Scan"), "orders_pkey") == ""
    assert "without its table" in otherwise(scan("Index Scan"), "orders_pkey")
    assert "without its table" in otherwise(scan("Seq Scan"), "orders_pkey")
    assert "another index in its place" in otherwise(scan("Index Only Scan", "orders_twin"), "orders_pkey")
    assert "alone" in otherwise([{"Plan": {"Node Type": "Result"}}], "orders_pkey")
    assert "alone" in otherwise(scan("Index Only Scan") + scan("Index Only Scan"), "orders_pkey")


@pytest.fixture
def verdicts() -> counts_agree._Verdicts:
    return counts_agree._Verdicts({1: TABLE}, {1: [INDEX]})


def both(entries: counts_agree.Count) -> Done[counts_agree._Pass]:
    return Done(Task("public.orders", lambda _: None), value=counts_agree._Pass({0: (5, 7), 1: entries}))


def test_what_differs_as_of_one_time_is_damage(verdicts):
    verdicts.again(INDEX, both((5, 7)))
    assert verdicts.flaws == []
    verdicts.again(INDEX, both((1004, 7)))
    verdicts.again(INDEX, both((5, 8)))
    verdicts.again(replace(INDEX, predicate="(n > 1)"), both((6, 8)))
    assert [flaw.message for flaw in verdicts.flaws] == [
        "public.orders holds 5 rows, its index 1,004",
        "public.orders and its index hold 5 rows each, but not with the same keys",
        "public.orders holds 5 rows that belong in it, its index 6",
    ]
    assert {flaw.kind for flaw in verdicts.flaws} == {"data-damaged"}


def test_what_differed_and_could_not_be_compared_again_is_owed(verdicts):
    task = Task("public.orders", lambda _: counts_agree._Pass({}))
    verdicts.again(INDEX, Done(task, unseen=Unseen("public.orders", "the time was over")))
    assert [(u.object, u.owed) for u in verdicts.unseen] == [("public.orders_pkey", True)]
    assert verdicts.unseen[0].reason.endswith("could not be compared again: the time was over")
    damage = Flaw("public.orders", "invalid page", "data-damaged")
    verdicts.again(INDEX, Done(task, flaw=damage))
    assert verdicts.flaws == [damage]


def test_a_large_table_is_read_in_parts_without_a_gap():
    pieces = list(counts_agree._pieces(replace(TABLE, pages=40_000, bytes=40_000 * 8192), [INDEX]))
    ranges = [(p.task.run.keywords["start"], p.task.run.keywords["end"]) for p in pieces if p.index is None]
    assert ranges == [(0, 16_384), (16_384, 32_768), (32_768, None)]


@pytest.mark.parametrize("pages", [0, 1, 32_768, 49_152, 49_153, 100_000])
def test_a_large_table_is_verified_in_parts_without_a_gap(pages):
    tasks = amcheck._of_heap(replace(HEAP, bytes=pages * 8192), functions(*ALL))
    ranges = [(t.run.keywords["first"], t.run.keywords["last"]) for t in tasks]
    if len(ranges) == 1:
        assert ranges == [(0, -1)]  # all of it
    else:
        assert ranges[0][0] == 0
        assert ranges[-1][1] == pages - 1
        assert all(before[1] + 1 == after[0] for before, after in pairwise(ranges))
    assert all(t.as_prober for t in tasks)


def test_what_amcheck_does_not_know_is_a_limit_and_what_it_lacks_is_owed():
    unseen = amcheck._of_heap(replace(HEAP, method="columnar"), functions(*ALL))
    assert (unseen.reason, unseen.owed) == ("amcheck knows no tables of columnar", False)
    assert amcheck._of_heap(HEAP, functions()).owed
    assert amcheck._of_index(BTREE, functions(("verify_heapam", 6))).owed
    gin = replace(BTREE, method="gin")
    assert not amcheck._of_index(gin, functions(("bt_index_check", 3))).owed
    assert isinstance(amcheck._of_index(gin, functions(*ALL)), list)
    own = amcheck._of_index(replace(gin, own_expressions=True), functions(*ALL))
    assert (own.owed, "not run" in own.reason) == (False, True)


def test_a_table_of_all_databases_is_checked_without_keeping_writers_out():
    (task,) = amcheck._of_index(BTREE, functions(*ALL))
    assert task.run.keywords["strong"] is not None
    (task,) = amcheck._of_index(replace(BTREE, heap=replace(HEAP, shared=True)), functions(*ALL))
    assert task.run.keywords["strong"] is None


def test_numbers_and_unknown_names_of_a_message_are_not_repeated():
    said = amcheck._repeatable('heap tuple (12,3) from table "orders" lacks matching index tuple', HEAP.names)
    assert said == 'heap tuple(…, …) from table "orders" lacks matching index tuple'
    assert "4111" not in amcheck._repeatable("tuple data of 4111 is not valid", HEAP.names)
    assert amcheck._repeatable("4111 4111 Smith", HEAP.names) == "its structure is damaged"


class Refusing:
    """A session in which whatever is tried fails."""

    closed = False

    def __init__(self, error: psycopg.Error) -> None:
        self.error, self.said = error, []

    def execute(self, statement: str) -> None:
        self.said.append(statement)


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (psycopg.errors.InsufficientPrivilege(), False),
        (psycopg.errors.FeatureNotSupported(), False),
        (psycopg.errors.LockNotAvailable(), True),
        (psycopg.errors.QueryCanceled(), True),
        (psycopg.OperationalError(), True),  # without a SQLSTATE: the session is lost
    ],
)
def test_only_what_another_attempt_may_change_is_raised(error, raised):
    session = Refusing(error)
    caught = None
    try:
        with postgres_prober.if_allowed(session):
            raise error
    except psycopg.Error as e:
        caught = e
    assert (caught is error) == raised
    assert ("ROLLBACK TO SAVEPOINT tried" in session.said) == (error.sqlstate is not None)
