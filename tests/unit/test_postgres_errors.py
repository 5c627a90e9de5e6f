from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from restorecheck.databases.postgres_errors import (
    _TEMPLATE_WORDS,
    BY_CLASS,
    BY_STATE,
    connecting,
    kind_of,
    repeatable,
    sentence,
)
from restorecheck.failures import KINDS
from restorecheck.model import Verdict

SQL = "select count(*) from \"shop\".orders o where o.code = 'CZ'"


def test_every_kind_is_known():
    assert set(BY_STATE.values()) | set(BY_CLASS.values()) | {"question"} <= set(KINDS)


@pytest.mark.parametrize(
    ("sqlstate", "kind"),
    [
        ("XX000", "data-damaged"),
        ("XX001", "data-damaged"),
        ("58030", "data-damaged"),
        ("22021", "data-damaged"),
        ("22012", "question"),
        ("42P01", "missing-object"),
        ("42501", "question"),
        ("42601", "question"),
        ("25006", "question"),
        ("53100", "question"),
        ("53300", "database-unreachable"),
        ("57014", "timeout"),
        ("57P01", "interfered"),
        ("57P02", "connection-lost"),
        ("08006", "connection-lost"),
        ("P0001", "question"),
        ("ZZZZZ", "question"),
    ],
)
def test_sqlstates(sqlstate, kind):
    assert kind_of(sqlstate) == kind


def test_a_lost_library_is_not_damage_but_a_lost_file_is():
    library = 'could not access file "$libdir/postgis-3": No such file or directory'
    assert kind_of("58P01", library) == "question"
    assert sentence("58P01", "UndefinedFile", library, SQL).endswith("lacks a library that the query needs")
    assert kind_of("58P01", 'could not open file "base/16384/16385": No such file or directory') == "data-damaged"


def test_what_another_server_holds_is_not_missing_in_this_backup():
    """A foreign table, or dblink: the session lives on, and the connection that failed is the server's own."""
    unmapped = 'user mapping not found for user "restorecheck_reader_x", server "far"'
    far = 'could not connect to server "far"'
    assert kind_of("42704", unmapped) == kind_of("08001", far, lost=False) == "question"
    assert kind_of("42704", 'type "citext" does not exist') == "missing-object"
    assert kind_of("08001", far) == "connection-lost"
    for state, message in (("42704", unmapped), ("08001", far)):
        assert "reads from another server" in sentence(state, "", message, SQL, lost=False)
        assert "reads from another server" not in sentence(state, "", message, None, lost=False)


def test_only_the_server_may_be_accused_for_nothing_unknown():
    for state in ("", "0", "99999", "HV000", "40001"):
        assert KINDS[kind_of(state)].verdict is Verdict.UNPROVEN


@pytest.mark.parametrize(
    ("message", "kept"),
    [
        ('relation "orders" does not exist', 'relation "orders" does not exist'),
        ('relation "shop.orders" does not exist', 'relation "shop.orders" does not exist'),
        ("column o.code does not exist", "column o.code does not exist"),
        ('relation "secrets" does not exist', 'relation "…" does not exist'),
        ('invalid input syntax for type integer: "4111"', 'invalid input syntax for type integer: "…"'),
        ("function count(integer) does not exist", "function count(integer) does not exist"),
        ('invalid page in block 7 of relation "base/5/16384"', 'invalid page in block 7 of relation "base/5/16384"'),
        ("missing chunk number 0 for toast value 16400 in pg_toast_16385",
         "missing chunk number … for toast value … in pg_toast_16385"),
        ("card 4111 of Mrs. Nobody is bad", ""),
        ("division par zéro", ""),
        ("", ""),
        ("(", ""),
    ],
)  # fmt: skip
def test_only_postgresql_s_words_and_the_operator_s_are_repeated(message, kept):
    assert repeatable(message, SQL) == kept


words = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Z")), min_size=1, max_size=12)


@given(st.lists(words | st.sampled_from(sorted(_TEMPLATE_WORDS)), max_size=12), st.sampled_from(['"', "'", "", "("]))
def test_nothing_else_is_ever_repeated(parts, quote):
    message = " ".join(f"{quote}{part}{quote}" for part in parts)
    allowed = _TEMPLATE_WORDS | set(re.findall(r"\w+", SQL.lower())) | {""}
    for word in re.findall(r"\w[\w-]*", repeatable(message, SQL)):
        assert word.lower() in allowed or re.fullmatch(r"[\d_]+|pg_toast_\d+|base|global", word.lower())


def test_numbers_are_repeated_only_where_a_page_is_named():
    assert "4111" not in repeatable("value 4111 is out of range for type integer", SQL)
    assert "41111111111" not in repeatable("invalid page in block 41111111111 of relation base/1/2", SQL)


def test_our_own_statements_get_no_advice_about_questions():
    text = sentence("42501", "InsufficientPrivilege", "permission denied to create role", None)
    assert text == "the server refused with SQLSTATE 42501 (insufficient privilege): permission denied to create role"


@pytest.mark.parametrize(
    ("message", "kind", "retryable"),
    [
        ("connection to server failed: Connection refused", "database-unreachable", True),
        ("connection timeout expired", "database-unreachable", True),
        ("failed to resolve host 'x': Name or service not known", "database-unreachable", True),
        ("FATAL:  the database system is starting up", "database-unreachable", True),
        ("FATAL:  the database system is in recovery mode", "database-unreachable", True),
        ("FATAL:  sorry, too many clients already", "database-unreachable", True),
        ("FATAL:  remaining connection slots are reserved", "database-unreachable", True),
        ("SSL connection has been closed unexpectedly", "database-unreachable", True),
        ("SSL SYSCALL error: EOF detected", "database-unreachable", True),
        ("SSL error: unexpected eof while reading", "database-unreachable", True),
        ("SSL error: certificate verify failed", "tls", False),
        ("SSL error: tlsv1 alert unknown ca", "tls", False),
        ('server certificate for "a" does not match host name "b"', "tls", False),
        ("server does not support SSL, but SSL was required", "tls", False),
        ('root certificate file "/x" does not exist', "tls", False),
        ('FATAL:  password authentication failed for user "x"', "login-failed", True),
        ('FATAL:  PAM authentication failed for user "x"', "login-failed", True),
        ('FATAL:  no pg_hba.conf entry for host "x", no encryption', "login-failed", True),
        ('FATAL:  role "x" is not permitted to log in', "login-failed", True),
        ('FATAL:  permission denied for database "x"', "login-failed", False),
        ('FATAL:  database "x" does not exist', "missing-object", False),
        ('FATAL:  cannot connect to invalid database "x"', "data-damaged", False),
        ('FATAL:  invalid page in block 0 of relation "base/5/1259"', "data-damaged", False),
        ('FATAL:  could not open file "base/5/1259": No such file or directory', "data-damaged", False),
        ('FATAL:  "base/16384" is not a valid data directory', "data-damaged", False),
        ('FATAL:  could not open file "base/5/1259": Too many open files', "database-unreachable", True),
        ("FATAL:  etwas anderes", "database-unreachable", True),
        ("", "database-unreachable", True),
    ],
)
def test_connections_that_do_not_come_about(message, kind, retryable):
    assert connecting(message) == (kind, retryable)
