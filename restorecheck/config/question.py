"""Whether an SQL text is one read query, said before a restore is spent on it. A lint, never the guard.

The guard is the database itself: a cursor takes one SELECT, in a read-only transaction, as a role that may only read;
DuckDB runs in a child process that may read the restored files and nothing else. Here an operator is told early and in
words. So when our parser does not understand a text, that alone is no complaint (a database's grammar is larger than
ours), as long as the text begins like a read query and is one statement.
"""

from __future__ import annotations

import logging
import re
from functools import cache
from typing import TYPE_CHECKING, Literal

from restorecheck.config.values import shown

if TYPE_CHECKING:
    from sqlglot import exp

Dialect = Literal["postgres", "mysql", "duckdb"]
"""As sqlglot calls them; MariaDB counts as mysql."""

_BEGINNINGS = frozenset({"select", "with", "values", "table"})
_ROOTS = ("Select", "SetOperation", "Values", "Subquery")
_WRITES = (
    "Insert", "Update", "Delete", "Merge", "Create", "Drop", "Alter", "Copy", "Set", "Command", "Transaction", "Commit",
    "Rollback", "TruncateTable",
)  # fmt: skip
_POSTGRES = (
    (r"nextval|setval", "moves a sequence"),
    (r"set_config", "changes settings of the session"),
    (r"dblink\w*|postgres_fdw_\w+", "connects to another database"),
    (r"lo_\w+|lowrite", "works on large objects"),
    (r"pg_terminate_backend|pg_cancel_backend", "ends other sessions"),
    (r"pg_sleep\w*", "only waits"),
    (r"pg_notify|pg_logical_emit_message", "sends messages"),
    (r"pg_(try_)?advisory_\w+", "takes or frees locks"),
    (r"pg_read_(binary_)?file|pg_ls_\w+|pg_stat_file|pg_file_\w+", "reads or writes files of the server"),
    (r"pg_stat_reset\w*|pg_stat_statements_reset", "resets statistics"),
    (r"pg_\w*replication_(slot|origin)\w*|pg_backup_\w+|pg_wal_replay_\w+", "runs the server"),
    (r"pg_(reload_conf|rotate_logfile|promote|export_snapshot|switch_wal|create_restore_point)", "runs the server"),
    (r"txid_current|pg_current_xact_id", "uses up a transaction id"),
    (r"aws_(s3|lambda|ml)\.\w+", "calls AWS from the database"),
)  # fmt: skip
_MYSQL = (
    (r"sleep|benchmark", "only waits"),
    (r"get_lock|release_lock|release_all_locks", "takes or frees locks"),
    (r"load_file", "reads files of the server"),
    (r"(source_pos|master_pos|master_gtid|wait_for_executed_gtid)\w*", "only waits"),
    (r"nextval|setval|lastval", "moves a sequence"),
    (r"(mysql\.)?lambda_(a?sync)", "calls AWS from the database"),
)
_FILES = "reads files by their paths"
_DUCKDB = (
    (r"read_\w+|\w+_scan|glob|sniff_csv|parquet_\w+", _FILES),
    (r"getenv|getvariable", "reads the environment"),
    (r"nextval", "moves a sequence"),
    (r"query|query_table", "runs a text as SQL"),
)
_SIDE_EFFECTS = {"postgres": _POSTGRES, "mysql": _MYSQL, "duckdb": _DUCKDB}
_TIME_NAME = re.compile(r"\w+_at", re.IGNORECASE)


def why_not(sql: str, dialect: Dialect = "postgres") -> str | None:
    """Return why an SQL text is not one read query, as a sentence with what would be right, or None."""
    if "\0" in sql:
        return "contains a NUL character, which no database takes; remove it"
    statements = _statements(sql, dialect)
    if not statements:
        return "holds no statement; write one read query, for example select count(*) from orders"
    if len(statements) > 1:
        return (
            f"holds {len(statements)} statements; write one read query, and a second [[assert]] for a second question"
        )
    if statements[0].lower() not in _BEGINNINGS and (dialect, statements[0].lower()) != ("duckdb", "from"):
        return f"begins with {shown(statements[0])} and is not a read query; begin with select, with, values or table"
    tree = _parsed(sql, dialect)
    return _why_not_tree(tree, dialect) if tree else None


def relations(sql: str, dialect: Dialect) -> frozenset[str]:
    """Return the tables that a query names without a schema, in lower case, as far as we understand the query."""
    from sqlglot import exp  # noqa: PLC0415

    tree = _parsed(sql, dialect)
    if tree is None:
        return frozenset()
    own = {name.alias.lower() for name in tree.find_all(exp.CTE)}
    tables = (table for table in tree.find_all(exp.Table) if isinstance(table.this, exp.Identifier) and not table.db)
    return frozenset(table.name.lower() for table in tables) - own


def time_column(sql: str, dialect: Dialect = "postgres") -> str | None:
    """Return the column that a query answers with, if its name says that it is a time (`created_at`)."""
    from sqlglot import exp  # noqa: PLC0415

    answer = _answer(sql, dialect)
    column = answer.this if isinstance(answer, exp.Max | exp.Min) else answer
    return column.name if isinstance(column, exp.Column) and _TIME_NAME.fullmatch(column.name) else None


def counts(sql: str, dialect: Dialect = "postgres") -> bool:
    """Return whether a query answers with a count, which is never below zero and never a duration."""
    from sqlglot import exp  # noqa: PLC0415

    return isinstance(_answer(sql, dialect), exp.Count)


def columns(sql: str, dialect: Dialect = "postgres") -> int | None:
    """Return how many columns a query answers with, or None if that cannot be seen (`select *`)."""
    from sqlglot import exp  # noqa: PLC0415

    tree = _parsed(sql, dialect)
    answers = tree.selects if isinstance(tree, exp.Select) else []
    return None if not answers or any(answer.is_star for answer in answers) else len(answers)


def names(sql: str, dialect: Dialect = "postgres") -> list[str] | None:
    """Return what the columns are called that a query answers with, or None if that cannot be seen (`select *`)."""
    from sqlglot import exp  # noqa: PLC0415

    tree = _parsed(sql, dialect)
    answers = tree.selects if isinstance(tree, exp.Select) else []
    found = [answer.output_name for answer in answers]
    return None if not answers or any(answer.is_star for answer in answers) or not all(found) else found


def _answer(sql: str, dialect: Dialect) -> exp.Expr | None:
    """Return the expression that a query answers with, if there is one and we understand the query."""
    from sqlglot import exp  # noqa: PLC0415

    tree = _parsed(sql, dialect)
    answers = tree.selects if isinstance(tree, exp.Select) else []
    return answers[0].unalias() if len(answers) == 1 else None


def _statements(sql: str, dialect: Dialect) -> list[str]:
    """Return the first word of each statement; comments, quotes and dollar quotes hide nothing."""
    import sqlglot  # noqa: PLC0415 - 70 ms that only checks with questions need

    try:
        tokens = sqlglot.tokenize(sql, read=dialect)
    except sqlglot.errors.SqlglotError:  # a quote that is not closed, perhaps: the database will say so
        return sql.replace("(", " ").split(maxsplit=1)[:1]
    words: list[str] = []
    fresh = True
    for token in tokens:
        if token.token_type == sqlglot.TokenType.SEMICOLON:
            fresh = True
        elif fresh and token.token_type != sqlglot.TokenType.L_PAREN:
            words.append(token.text)
            fresh = False
    return words


@cache
def _parsed(sql: str, dialect: Dialect) -> exp.Expr | None:
    """Return the tree of one statement, or None if our parser does not understand it."""
    import sqlglot  # noqa: PLC0415

    logger = logging.getLogger("sqlglot")
    before, logger.disabled = logger.disabled, True  # it warns on standard error about syntax that it does not know
    try:
        return next((tree for tree in sqlglot.parse(sql, read=dialect) if tree), None)
    except (sqlglot.errors.SqlglotError, RecursionError):
        return None
    finally:
        logger.disabled = before


def _why_not_tree(tree: exp.Expr, dialect: Dialect) -> str | None:
    from sqlglot import exp  # noqa: PLC0415

    for node in tree.find_all(*(getattr(exp, name) for name in _WRITES)):
        return f"contains {type(node).__name__.upper()}, which is not reading; write a query that only reads"
    if tree.find(exp.Into):
        return "contains SELECT … INTO, which makes a table; leave INTO out, the answer is read as it comes"
    if tree.find(exp.Lock):
        return "locks rows (FOR UPDATE or FOR SHARE); leave that out, nobody else writes to the restored copy"
    if tree.find(exp.Placeholder, exp.Parameter):
        return "contains a placeholder such as $1 or :name, which nothing fills in; write the value itself"
    if not isinstance(tree, tuple(getattr(exp, name) for name in _ROOTS)):
        return "is not a read query; write select, with, values or table"
    for function in tree.find_all(exp.Anonymous, exp.ReadCSV, exp.ReadParquet):
        if why := _side_effect(function, dialect):
            return why
    return None


def _side_effect(function: exp.Func, dialect: Dialect) -> str | None:
    from sqlglot import exp  # noqa: PLC0415

    name = (function.name if isinstance(function, exp.Anonymous) else function.sql_name()).lower()
    around = function.parent
    holder = (
        around.text("db") if around and around.text("db") else around.this.name if isinstance(around, exp.Dot) else ""
    )
    full = f"{holder.lower()}.{name}" if holder else name
    for pattern, what in _SIDE_EFFECTS[dialect]:
        if re.fullmatch(pattern, name) or re.fullmatch(pattern, full):
            return f"calls {full}(), which {what}; ask for data and nothing else"
    return None
