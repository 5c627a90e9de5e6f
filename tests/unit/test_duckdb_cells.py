"""DuckDB's values as cells, its formats by their names, its errors as failure kinds: nothing of it asks a DuckDB."""

from __future__ import annotations

import pytest

from restorecheck.assertions.digest import digest
from restorecheck.databases.duckdb_cells import cell, projection, type_name
from restorecheck.databases.duckdb_errors import kind_of, sentence
from restorecheck.databases.duckdb_views import Dialect, Format, dialect_of, format_of, local_name
from restorecheck.model import Cell

SALT = "salt"
NAMES = ("id", "name")


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        ("42", "bigint", Cell("number", "42")),
        (
            "170141183460469231731687303715884105727",
            "hugeint",
            Cell("number", "170141183460469231731687303715884105727"),
        ),
        ("1.50", "decimal", Cell("number", "1.5")),
        ("1e+20", "double", Cell("number", "100000000000000000000")),
        ("-0.0", "double", Cell("number", "0")),
        ("nan", "double", Cell("number", "NaN")),
        ("-inf", "float", Cell("number", "-Infinity")),
        ("true", "boolean", Cell("bool", "true")),
        ("false", "boolean", Cell("bool", "false")),
        ("2026-11-20", "date", Cell("date", "2026-11-20")),
        ("infinity", "date", Cell("date", "infinity")),
        ("2026-11-20 01:02:03.5+00", "timestamp with time zone", Cell("time", "2026-11-20T01:02:03.500000+00:00")),
        ("2026-11-20 01:02:03", "timestamp_s", Cell("time", "2026-11-20T01:02:03", naive=True)),
        ("3 days 00:00:01.5", "interval", Cell("duration", "259201.5")),
        ("-3 days -01:00:00", "interval", Cell("duration", "-262800")),
        ("1 day", "interval", Cell("duration", "86400")),
        ("100000:00:00", "interval", Cell("duration", "360000000")),
    ],
)
def test_a_value_is_exact_and_canonical(text: str, name: str, expected: Cell) -> None:
    assert cell(text, name, SALT) == expected


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("1 year 3 days", "interval"),
        ("2 months", "interval"),
        ("", "interval"),
        ("a while", "interval"),
        ("0044-03-15 (BC)", "date"),
        ("20000-01-01 00:00:00+00", "timestamp with time zone"),
        ("2026-11-20 01:02:03.123456789", "timestamp_ns"),
        ("", "list"),
        ("", "json"),
        ("maybe", "boolean"),
    ],
)
def test_what_has_no_comparable_form_is_other_and_never_an_error(text: str, name: str) -> None:
    assert cell(text, name, SALT).kind == "other"


def test_a_text_leaves_as_its_digest_only() -> None:
    for name in ("varchar", "uuid", "enum", "blob"):
        assert cell("inf", name, SALT) == Cell("digest", digest("text", "inf", SALT))


def test_values_of_a_set_are_sealed_whatever_they_are() -> None:
    assert cell("1.50", "decimal", SALT, seal=True) == Cell("digest", digest("number", "1.5", SALT))
    assert cell("1 day", "interval", SALT, seal=True) == Cell("digest", digest("duration", "86400", SALT))
    assert cell(None, "interval", SALT, seal=True) == Cell("null")


def test_json_is_not_a_text_although_duckdb_keeps_it_as_one() -> None:
    assert type_name("varchar", "JSON") == "json"
    assert type_name("varchar", "VARCHAR") == "varchar"
    assert "''" in projection("json")
    assert "hex" in projection("blob")


# --- formats --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("exports/a.parquet", Format("parquet")),
        ("exports/A.CSV.GZ", Format("csv", "gz")),
        ("a.tsv", Format("tsv")),
        ("a.ndjson.zst", Format("lines", "zst")),
        ("a.json", Format("json")),
        ("a.parquet.gz", None),
        ("csv", None),
        ("a.csv/part-0", None),
        ("a.gz", None),
        ("a.exe", None),
    ],
)
def test_the_suffix_says_the_format(key: str, expected: Format | None) -> None:
    assert format_of(key) == expected


def test_a_local_name_holds_nothing_of_the_key_but_its_format() -> None:
    assert local_name(12, "../../etc/o'rders.2026.NDJSON.gz") == "00000012.jsonl.gz"
    assert local_name(7, "secrets/passwd") == "00000007"
    assert format_of(local_name(1, "x.csv.zst")) == Format("csv", "zst")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("id,name", Dialect(",", True, ("id", "name"))),
        ('"ID";"Name"', Dialect(";", True, ("id", "name"))),
        ("\ufeffname|id", Dialect("|", True, ("name", "id"))),
        ("1;a,b", Dialect(",", False, ("id", "name"))),
        ("1\tb", Dialect("\t", False, ("id", "name"))),
        ("lonely", Dialect(",", False, ("id", "name"))),
        ("", Dialect(",", False, ("id", "name"))),
    ],
)
def test_the_first_line_is_a_header_if_it_is_the_declared_names(line: str, expected: Dialect) -> None:
    assert dialect_of(line, NAMES, Format("csv")) == expected


def test_a_tsv_is_separated_by_tabs_whatever_its_first_line_looks_like() -> None:
    assert dialect_of("id,name", NAMES, Format("tsv")) == Dialect("\t", False, NAMES)


# --- errors ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "message", "stage", "kind"),
    [
        ("CatalogException", "Catalog Error: Table with name x does not exist!", "ask", "missing-object"),
        ("BinderException", 'Binder Error: Referenced column "x" not found in FROM', "ask", "missing-object"),
        ("CatalogException", "Catalog Error: Scalar Function with name x does not exist!", "ask", "question"),
        ("BinderException", "Binder Error: No function matches", "ask", "question"),
        ("ParserException", "Parser Error: syntax error", "ask", "question"),
        ("PermissionException", "Permission Error: Cannot access", "ask", "question"),
        ("ConversionException", "Conversion Error: Could not convert", "ask", "question"),
        ("ConversionException", "Conversion Error: CSV Error on Line: 3", "read", "data-damaged"),
        ("InvalidInputException", "Invalid Input Error: x", "open", "data-damaged"),
        ("IOException", "IO Error: Unexpected end of GZIP stream", "read", "data-damaged"),
        ("IOException", "IO Error: Too many open files", "read", "environment"),
        ("IOException", "IO Error: Could not read from file: Input/output error", "read", "environment"),
        ("IOException", "IO Error: No files found that match", "open", "internal"),
        ("IOException", "IO Error: x", "ask", "internal"),
        ("NotImplementedException", "codec", "open", "environment"),
        ("CatalogException", "Type with name INTT does not exist!", "open", "question"),
        ("OutOfMemoryException", "", "read", "limit"),
        ("MemoryError", "", "ask", "limit"),
        ("InterruptException", "", "ask", "timeout"),
    ],
)
def test_an_error_accuses_the_backup_only_while_a_file_is_read(name: str, message: str, stage: str, kind: str) -> None:
    assert kind_of(name, message, stage) == kind  # type: ignore[arg-type]


def test_while_a_file_is_read_nothing_of_the_message_is_repeated_but_the_line() -> None:
    message = "Conversion Error: CSV Error on Line: 3\nOriginal Line: 4111-1111,secret\nError when converting"
    said = sentence("ConversionException", message, "read", "select secret from orders")
    assert said == "DuckDB could not read it (conversion, in line 3)"


def test_of_a_refused_query_only_the_querys_own_words_are_repeated() -> None:
    said = sentence(
        "ConversionException", "Conversion Error: Could not convert string '4111' to INT32", "ask", "select 1"
    )
    assert "4111" not in said
    named = sentence(
        "CatalogException", "Catalog Error: Table with name refunds does not exist!", "ask", "from refunds"
    )
    assert named == "DuckDB refused the query (catalog): Table with name refunds does not exist"
