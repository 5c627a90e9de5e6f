"""DuckDB reads restored files in every format; what is cut, bent or empty is never a number."""

from __future__ import annotations

from pathlib import Path

import pytest
from object_files import FORMS, ORDERS, ROWS, Asker, listing, number, orders, view

from restorecheck.assertions.digest import digest
from restorecheck.model import Cell, Expectation


@pytest.fixture
def ask() -> Asker:
    return Asker()


def declared(form: str) -> tuple[tuple[str, str], ...]:
    return () if form == "parquet" else ORDERS


@pytest.mark.parametrize("form", FORMS)
def test_every_format_is_read(form: str, tmp_path: Path, ask: Asker) -> None:
    files = {view(columns=declared(form)): (orders(tmp_path, form),)}
    assert number(ask("select count(*) + sum(total) from orders", files)) == str(ROWS + ROWS * (ROWS - 1) * 3 // 4)
    assert ask.told == [f"orders: every value of {ROWS:,} rows in 1 files was decoded"]


@pytest.mark.parametrize("form", ["csv", "jsonl.gz"])
def test_columns_need_not_be_declared(form: str, tmp_path: Path, ask: Asker) -> None:
    assert number(ask("select max(id) from orders", {view(): (orders(tmp_path, form),)})) == str(ROWS - 1)
    assert ("guessed" in ask.told[0]) == (form == "csv")


@pytest.mark.parametrize("form", ["parquet", "csv.gz", "csv.zst", "jsonl.gz", "jsonl.zst", "json"])
@pytest.mark.parametrize("share", [0.9, *(pytest.param(share, marks=pytest.mark.long) for share in (0.0, 0.3, 0.999))])
def test_a_file_that_is_cut_off_is_damage_and_not_fewer_rows(
    form: str, share: float, tmp_path: Path, ask: Asker
) -> None:
    path = orders(tmp_path, form)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    answer = ask("select count(*) from orders", {view(columns=declared(form)): (path,)}, names={path: "exports/o"})
    if form == "json" and not share:  # no byte is no row
        assert answer.kind == "missing-object"
    else:
        assert answer.kind == "data-damaged"
        assert "'exports/o'" in answer.error
    assert not answer.cells


@pytest.mark.parametrize("form", ["csv.gz", "jsonl.zst"])
def test_a_flipped_byte_inside_a_compressed_file_is_damage(form: str, tmp_path: Path, ask: Asker) -> None:
    path = orders(tmp_path, form)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    assert ask("select 1", {view(columns=ORDERS): (path,)}).kind == "data-damaged"


def test_a_zeroed_page_of_parquet_is_found_though_count_does_not_read_it(tmp_path: Path, ask: Asker) -> None:
    path = orders(tmp_path, "parquet", 50_000)
    content = bytearray(path.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 2000] = bytes(2000)
    path.write_bytes(content)
    answer = ask("select count(*) from orders", {view(): (path,)})
    assert answer.kind == "data-damaged"


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("id,name\n1,a\nx,secret\n", "line 3"),
        ("id,name\n1,a\n2\n", "line 3"),
        ("id,name\n1,a\n2,b,secret\n", "line 3"),
        ('id,name\n1,a\n2,"secret', "line 3"),
        ("identity,name\n1,secret\n", "line 1"),
    ],
)
def test_a_malformed_line_of_a_csv_is_damage_where_columns_are_declared(
    content: str, line: str, tmp_path: Path, ask: Asker
) -> None:
    path = tmp_path / "00000001.csv"
    path.write_text(content)
    answer = ask("select count(*) from orders", {view(columns=(("id", "INTEGER"), ("name", "VARCHAR"))): (path,)})
    assert answer.kind == "data-damaged"
    assert line in answer.error
    assert "secret" not in answer.error


@pytest.mark.parametrize("name", ["t", "orders", "every", "count", "COLUMNS", 'a"b', "columns(*)"])
def test_every_column_is_decoded_whatever_one_of_them_is_called(name: str, tmp_path: Path, ask: Asker) -> None:
    path = tmp_path / "00000001.csv"
    path.write_text("a,1\nb,x\n")
    columns = ((name, "VARCHAR"), ("id", "INTEGER"))
    assert ask("select 1", {view(columns=columns): (path,)}).kind == "data-damaged"
    path.write_text("a,1\nb,2\n")
    assert number(ask("select sum(id) from orders", {view(columns=columns): (path,)})) == "3"


def test_the_damaged_one_of_several_files_is_named(tmp_path: Path, ask: Asker) -> None:
    good = orders(tmp_path, "jsonl")
    bad = tmp_path / "00000002.jsonl"
    bad.write_text('{"id": 1}\n{"id":')
    other = tmp_path / "00000003.jsonl"
    other.write_bytes(good.read_bytes())
    answer = ask("select 1", {view(columns=ORDERS): (good, bad, other)})
    assert answer.error.startswith("'orders': file 2 of 3: DuckDB could not read it (invalid input, in line")


def test_csv_files_of_one_view_may_differ_in_their_dialect(tmp_path: Path, ask: Asker) -> None:
    contents = ["id,name\r\n1,a\r\n", "name;id\nb;2\n", "3|c", "", "id,name\n"]
    paths = []
    for count, content in enumerate(contents, 1):
        paths.append(tmp_path / f"{count:08d}.csv")
        paths[-1].write_text(content, newline="")
    files = {view(columns=(("id", "INTEGER"), ("name", "VARCHAR"))): tuple(paths)}
    assert number(ask("select sum(id) * 10 + count(distinct name) from orders", files)) == "63"


# --- nothing there --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", ["", "id,name\n"])
def test_a_view_without_a_row_is_something_missing(content: str, tmp_path: Path, ask: Asker) -> None:
    path = tmp_path / "00000001.csv"
    path.write_text(content)
    columns = (("id", "INTEGER"), ("name", "VARCHAR"))
    assert ask("select count(*) from orders", {view(columns=columns): (path,)}).kind == "missing-object"
    assert number(ask("select count(*) from orders", {view(columns=columns, empty=True): (path,)})) == "0"


def test_a_view_without_a_file_is_something_missing_unless_that_is_declared_fine(ask: Asker) -> None:
    assert ask("select count(*) from orders", {view(): ()}).kind == "missing-object"
    assert number(ask("select count(*) from orders", {view(empty=True): ()})) == "0"
    assert number(ask("select count(id) from orders", {view(columns=ORDERS, empty=True): ()})) == "0"


def test_an_empty_view_of_unknown_columns_accuses_the_question_and_not_the_backup(ask: Asker) -> None:
    answer = ask("select count(id) from orders", {view(empty=True): ()})
    assert answer.kind == "question"
    assert "declare them" in answer.error


@pytest.mark.parametrize("name", ["00000001.exe", "00000001"])
def test_a_format_that_the_name_does_not_say_accuses_the_question(name: str, tmp_path: Path, ask: Asker) -> None:
    path = tmp_path / name
    path.write_text("id\n1\n")
    assert ask("select 1", {view(): (path,)}).kind == "question"


def test_columns_of_parquet_cannot_be_declared(tmp_path: Path, ask: Asker) -> None:
    assert ask("select 1", {view(columns=ORDERS): (orders(tmp_path, "parquet"),)}).kind == "question"


def test_a_type_that_does_not_exist_accuses_the_question(tmp_path: Path, ask: Asker) -> None:
    columns = (("id", "INTT"), *ORDERS[1:])
    assert ask("select 1", {view(columns=columns): (orders(tmp_path, "csv"),)}).kind == "question"


def test_a_file_that_is_gone_is_our_own_fault(tmp_path: Path, ask: Asker) -> None:
    assert ask("select 1", {view(): (tmp_path / "00000001.csv",)}).kind == "internal"
    assert ask("select 1", {view(): (tmp_path / "00000001.csv.gz",)}).kind == "internal"


# --- answers --------------------------------------------------------------------------------------------------------


def test_the_objects_are_a_table(tmp_path: Path, ask: Asker) -> None:
    one = {"key": "a", "version": "v1", "size": 12, "last_modified": "2026-11-20T01:02:03.5+02:00", "etag": None}
    path = listing(tmp_path, [one, {**one, "key": "b", "size": 30}])
    assert number(ask("select sum(size) from objects", objects=path)) == "42"
    assert ask("select max(last_modified) from objects", objects=path).cells == (
        Cell("time", "2026-11-19T23:02:03.500000+00:00"),
    )
    assert ask("select key from objects where checksum is null and etag is null limit 1", objects=path).cells == (
        Cell("digest", digest("text", "a", "a salt of this run")),
    )


def test_the_table_of_objects_cannot_be_a_view_as_well(tmp_path: Path, ask: Asker) -> None:
    assert ask("select 1", {view("objects"): (orders(tmp_path, "csv"),)}).kind == "question"


def test_a_set_comes_back_as_digests_up_to_a_cap(tmp_path: Path, ask: Asker) -> None:
    members = Expectation(members=(Cell("number", "1"),))
    answer = ask("select range % 3 from range(20000)", expect=members)
    assert (answer.rows, answer.more, len(answer.cells)) == (10_000, True, 10_000)
    assert {c.kind for c in answer.cells} == {"digest"}
    assert len(set(answer.cells)) == 3


def test_rows_are_counted_and_not_taken_where_none_may_be(tmp_path: Path, ask: Asker) -> None:
    nothing = Expectation(no_rows=True)
    answer = ask("select range, 'secret' from range(7)", expect=nothing)
    assert (answer.rows, answer.more, answer.columns, answer.cells) == (7, False, 2, ())
    assert ask("select 1 from range(20000)", expect=nothing).more


def test_several_columns_are_not_taken_at_all(ask: Asker) -> None:
    answer = ask("select 1, 'secret'")
    assert (answer.columns, answer.rows, answer.cells, answer.error) == (2, 0, (), "")


def test_a_second_row_is_noticed(ask: Asker) -> None:
    answer = ask("select 1 from range(2)")
    assert (answer.rows, answer.more) == (1, True)


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ("select null", "null"),
        ("select [1, 2]", "other"),
        ("select time '10:00'", "other"),
        ("select null::integer[]", "null"),
        ("select 'a'::blob", "digest"),
        ("select uuid()", "digest"),
        ("select '{}'::json", "other"),
        ("select current_date", "date"),
        ("select now()", "time"),
        ("select interval 3 hour", "duration"),
        ("select true", "bool"),
        ("select sum(range)::uhugeint from range(3)", "number"),
    ],
)
def test_every_type_has_its_cell(sql: str, kind: str, ask: Asker) -> None:
    assert [c.kind for c in ask(sql).cells] == [kind]


def test_an_answer_that_is_too_large_is_refused(ask: Asker) -> None:
    answer = ask("select repeat('x', 9000000)")
    assert (answer.kind, answer.cells) == ("question", ())


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ("select count(*) from refunds", "missing-object"),
        ("select nope from orders", "missing-object"),
        ("select no_such_function(1)", "question"),
        ("selec 1", "question"),
        ("select name::integer from orders", "question"),
        ("select 1; select 2", "question"),
        ("", "question"),
        ("select $1", "question"),
        ("insert into orders values (1)", "question"),
    ],
)
def test_an_error_has_its_kind_and_no_value(sql: str, kind: str, tmp_path: Path, ask: Asker) -> None:
    answer = ask(sql, {view(columns=ORDERS): (orders(tmp_path, "csv"),)})
    assert answer.kind == kind
    assert answer.error
    assert "name 1" not in answer.error
