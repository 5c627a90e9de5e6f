"""A store that cannot do what is asked says so in one error, gives nothing away, and works again by itself."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa
from postgres_server import PASSWORD, Server, embedded, server
from store_places import AT, Place, check, compared, entry, postgres_place, report

from restorecheck.errors import RestorecheckError, StoreError
from restorecheck.model import Against, Measured
from restorecheck.store import Acceptance, Routed, Store, database
from restorecheck.store.database import Database
from restorecheck.store.schema import bring_up_to_date

pytest_plugins = ("store_fixtures",)

ASKED = check(compared("y", Against("previous")))

EVERY_CALL: list[Callable[[Store], object]] = [
    lambda s: s.proofs.save(report()),
    lambda s: s.proofs.run("x"),
    lambda s: s.proofs.runs(),
    lambda s: s.proofs.last("x"),
    lambda s: s.proofs.newest(),
    lambda s: s.standings.of(["x"]),
    lambda s: list(s.standings.reports(["x"])),
    lambda s: s.ledger.considered(),
    lambda s: s.ledger.schedule("x", AT, [entry()], []),
    lambda s: s.ledger.add(entry()),
    lambda s: s.ledger.entry("x"),
    lambda s: s.ledger.waiting(),
    lambda s: s.ledger.running(),
    lambda s: s.ledger.begun(),
    lambda s: s.ledger.admit("me", lambda *_: [], AT),
    lambda s: s.ledger.claim("x", "me", None),
    lambda s: s.ledger.release("me"),
    lambda s: s.ledger.cancel("x"),
    lambda s: s.ledger.cancelled("me"),
    lambda s: s.ledger.owned("me"),
    lambda s: s.ledger.withdraw("x"),
    lambda s: s.ledger.missed(),
    lambda s: s.replicas.join("a", "serve", "h", 1, "1"),
    lambda s: s.replicas.beat("a"),
    lambda s: s.replicas.all(),
    lambda s: s.replicas.bury("a", 1),
    lambda s: s.replicas.leave("a"),
    lambda s: s.outbox.put("t", "k", {}),
    lambda s: s.outbox.pending(),
    lambda s: s.baselines.known(ASKED, AT),
    lambda s: s.baselines.accept([Acceptance("x", "y", AT, "me", "why", "z", Measured("y", "1"))]),
    lambda s: s.baselines.newest("x", "y"),
    lambda s: s.baselines.measured("x"),
    lambda s: s.baselines.acceptances("x"),
    lambda s: s.pauses.pause("x", AT),
    lambda s: s.pauses.resume("x"),
    lambda s: s.pauses.all(),
    lambda s: s.timers.claim("x", 1, "me"),
    lambda s: s.timers.last("x"),
    lambda s: s.notes.set("x", 1),
    lambda s: s.notes.get("x"),
    lambda s: s.notes.settle("x", 1),
    lambda s: s.notices.route(lambda *_: Routed()),
    lambda s: s.notices.episodes(),
    lambda s: s.notices.receivers_with_work(),
    lambda s: s.notices.claim("ops", "me", 60),
    lambda s: s.notices.delivered(1, "me", acknowledged=True),
    lambda s: s.notices.failed(1, "me", reason="refused", why="", after=1),
    lambda s: s.notices.give_up(1, "me", reason="refused", why=""),
    lambda s: s.notices.pending(),
    lambda s: s.notices.proven(),
    lambda s: s.notices.arrived(),
    lambda s: s.notices.fates(["x"]),
    lambda s: s.notices.dead(AT),
    lambda s: s.notices.standing("ops", timedelta(minutes=15)),
    lambda s: s.counters.add("runs", 1, "x", "passed"),
    lambda s: s.counters.all(),
    lambda s: s.first_seen.note("check", ["x"]),
    lambda s: s.first_seen.all("check"),
    lambda s: s.first_seen.forget("check", []),
    lambda s: s.ping(),
    lambda s: s.prune(AT),
]


@pytest.fixture(scope="module")
def mortal() -> Iterator[Server]:
    """A server that tests may stop and start."""
    with server(embedded()) as made:
        yield made


def run(store: Store, *statements: str) -> None:
    """Run statements in one transaction of the store's own."""
    with store._database.write() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


def public_calls(store: Store) -> int:
    facets = [v for k, v in vars(store).items() if not k.startswith("_")]
    names = [n for f in facets for n in vars(type(f)) if not n.startswith("_")]
    return len(names) + len({"ping", "prune"})


def test_every_call_fails_as_a_store_error_and_works_again_when_the_database_does(mortal: Server) -> None:
    place = postgres_place(mortal)
    store = place.open()
    assert len(EVERY_CALL) == public_calls(store)
    mortal.stop()
    try:
        for call in EVERY_CALL:
            with pytest.raises(StoreError) as e:
                call(store)
            assert (e.value.kind, e.value.retryable) == ("store", True)
            assert "127.0.0.1" in e.value.message
            assert e.value.hint
            assert PASSWORD not in str(e.value)
        with pytest.raises(StoreError, match="refused"):
            place.open()
    finally:
        mortal.start()
    store.ping()
    store.proofs.save(report())
    assert store.proofs.runs() == [report()]
    place.close()


def test_a_connection_that_is_cut_in_the_middle_undoes_what_was_begun(store_server: Server) -> None:
    place = postgres_place(store_server)
    store = place.open()

    def cut() -> None:
        with store._database.write() as connection:
            connection.exec_driver_sql("INSERT INTO notes VALUES ('half', '1')")
            name = connection.exec_driver_sql("SELECT current_database()").scalar_one()
            with store_server.superuser() as other:
                other.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
            connection.exec_driver_sql("INSERT INTO notes VALUES ('other half', '1')")

    with pytest.raises(StoreError) as e:
        cut()
    assert e.value.retryable
    assert store.notes.get("half") is None
    place.close()


def test_connections_that_were_lost_in_a_quiet_hour_cost_no_call(store_server: Server) -> None:
    place = postgres_place(store_server)
    store = place.open()
    store.ping()
    name = place.url.rpartition("/")[2]
    with store_server.superuser() as other:
        cut = other.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
        assert cut.rowcount > 0
    store.proofs.save(report())
    place.close()


def test_a_statement_that_takes_too_long_is_given_up(store_server: Server) -> None:
    place = postgres_place(store_server)
    store = place.open()
    with pytest.raises(StoreError, match="statement timeout") as e:
        run(store, "SET statement_timeout = 20", "SELECT pg_sleep(30)")
    assert e.value.retryable
    place.close()


def test_what_the_server_is_told_on_connecting_keeps_what_the_operator_said(store_server: Server) -> None:
    place = postgres_place(store_server)
    place.url += "?application_name=ours&options=-c%20work_mem%3D1MB"
    with place.open()._database.read() as connection:
        assert connection.exec_driver_sql("SHOW application_name").scalar_one() == "ours"
        assert connection.exec_driver_sql("SHOW work_mem").scalar_one() == "1MB"
        assert connection.exec_driver_sql("SHOW search_path").scalar_one() == "restorecheck"
        assert connection.exec_driver_sql("SHOW statement_timeout").scalar_one() == "30s"
        raw = connection.connection.dbapi_connection
        assert raw
        told = raw.info.get_parameters()
        assert told["tcp_user_timeout"] == "20000"
        assert (told["keepalives_idle"], told["keepalives_interval"], told["keepalives_count"]) == ("10", "5", "3")
        assert told["connect_timeout"] == "5"
    place.close()


def test_tables_of_others_in_the_same_database_are_left_alone(store_server: Server) -> None:
    place = postgres_place(store_server)
    name = place.url.rpartition("/")[2]
    with store_server.superuser(name) as other:
        other.execute("CREATE TABLE public.runs (theirs int)")
        other.execute("CREATE TABLE public.alembic_version (version_num text)")
        other.execute("INSERT INTO public.alembic_version VALUES ('theirs')")
        place.open().proofs.save(report())
        assert other.execute("SELECT version_num FROM public.alembic_version").fetchall() == [("theirs",)]
        assert other.execute("SELECT count(*) FROM public.runs").fetchall() == [(0,)]
        found = other.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone()
        assert found == (2,)
    place.close()


def test_a_user_who_may_not_make_the_schema_is_told_what_to_do(store_server: Server) -> None:
    place = postgres_place(store_server)
    with store_server.superuser() as other:
        other.execute("DROP ROLE IF EXISTS guest")
        other.execute("CREATE ROLE guest LOGIN PASSWORD 'guest-password'")
    at = place.url.rpartition("@")[2]
    guest = Place(f"postgresql://guest:guest-password@{at}")
    with pytest.raises(RestorecheckError, match="permission denied") as e:
        guest.open()
    assert e.value.kind == "config"
    assert "schema restorecheck" in e.value.hint
    with store_server.superuser(at.rpartition("/")[2]) as other:
        other.execute("CREATE SCHEMA restorecheck AUTHORIZATION guest")
    guest.open().ping()
    guest.close()


def test_what_a_database_refuses_is_not_repeated(place: Place, store: Store) -> None:
    """Neither the values of a row, nor the statement, nor the password are in what is said."""
    with pytest.raises(StoreError) as e:
        run(store, *["INSERT INTO notes VALUES ('row-secret', '1')"] * 2)
    assert "refused a value" in e.value.message
    assert not e.value.retryable
    assert e.value.__suppress_context__
    for secret in ("row-secret", "INSERT", PASSWORD):
        assert secret not in e.value.message + e.value.hint
    if not place.sqlite:
        too_long = replace(report(), run_id="r" * 65)
        with pytest.raises(StoreError, match="refused a value") as e:
            store.proofs.save(too_long)
        assert "rrr" not in e.value.message


def test_a_save_that_fails_half_way_leaves_nothing(store: Store) -> None:
    store.proofs.save(report(hours=1))
    with pytest.raises(StoreError):
        run(store, "DELETE FROM runs", "DELETE FROM nowhere")
    assert store.proofs.runs() == [report(hours=1)]


def test_a_pooler_that_drops_what_we_say_is_refused(store_server: Server) -> None:
    place = postgres_place(store_server)
    database = Database(place.url, lambda: 0.0)
    database.engine = sa.create_engine(database.engine.url)  # without the options
    with pytest.raises(RestorecheckError, match="pooler that drops `options`") as e:
        bring_up_to_date(database)
    assert e.value.kind == "config"
    with database.engine.connect() as connection:
        assert sa.inspect(connection).get_table_names() == []
    database.close()


def test_one_that_is_frozen_in_the_middle_of_a_transaction_does_not_keep_the_others_waiting(
    store_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = postgres_place(store_server)
    other = place.open()  # with all the time that a living one has
    monkeypatch.setattr(database, "FROZEN", "1s")
    frozen = place.open()
    stands, moves = threading.Event(), threading.Event()
    said: list[StoreError] = []

    def freeze(*_: object) -> list[str]:
        stands.set()
        moves.wait(60)
        return []

    def decide() -> None:
        try:
            frozen.ledger.admit("frozen", freeze, AT)
        except StoreError as e:
            said.append(e)

    thread = threading.Thread(target=decide)
    thread.start()
    assert stands.wait(60)  # and so it holds the lock of the ledger
    assert other.ledger.schedule("orders-db", AT, [entry()], []) == [entry().run_id]
    moves.set()
    thread.join(60)
    assert said
    assert frozen.ledger.entry(entry().run_id) is not None  # it works again
    place.close()
