"""The check files of the demo: six checks of four kinds of source. Text, as an operator would write it."""

from __future__ import annotations

from restorecheck.demo.aws.process import REGION

ANSWERS = 1_943_200
"""Rows in the table that a real `terraform destroy` took away, with the automated snapshots, in February 2026."""

PAGES = 4_000
UPLOADS = 240


def _check(name: str, scratch: str, source: str, asserts: str) -> str:
    return (
        f'[check]\nname = "{name}"\nrpo = "25h"\nrto = "10m"\n\n'
        f'[source]\naccount = "production"\nregion = "{REGION}"\n{source}\n'
        f'[scratch]\naccount = "{scratch}"\n\n{asserts}'
    )


def _assert(name: str, sql: str, expect: str, more: str = "") -> str:
    return f'[[assert]]\nname = "{name}"\nsql = "{sql}"\nexpect = {{ {expect} }}\n{more}\n'


def _probe(probe: str, database: str) -> str:
    return f'[[assert]]\nname = "{probe.replace("_", "-")}"\nprobe = "{probe}"\ndatabase = "{database}"\n\n'


CHECKS = {
    "courses-db": _check(
        "courses-db",
        "lab",
        'type = "aurora"\ncluster = "courses-prod"\n',
        _assert("answers-present", "select count(*) from answer", f"at_least = {ANSWERS}", 'database = "courses"\n')
        + _assert(
            "answers-fresh",
            "select max(given_at) from answer",
            'at_most = "15m", before = "backup"',
            'database = "courses"\n',
        )
        + _assert(
            "no-orphans",
            "select a.id from answer a left join course c on c.id = a.course_id where c.id is null",
            "no_rows = true",
            'database = "courses"\n',
        )
        + "".join(_probe(probe, "courses") for probe in ("readable", "counts_agree", "amcheck")),
    ),
    "orders-db": _check(
        "orders-db",
        "lab",
        'type = "rds"\ninstance = "orders-prod"\ndatabase = "shop"\n',
        _assert("orders-present", "select count(*) from orders", "at_least = 1000"),
    ),
    "billing-db": _check(
        "billing-db",
        "full",
        'type = "rds"\ninstance = "billing-prod"\ndatabase = "billing"\n',
        _assert("invoices-present", "select count(*) from invoice", "at_least = 500"),
    ),
    "uploads": _check(
        "uploads",
        "lab",
        'type = "s3-objects"\nbucket = "courses-uploads"\nprefix = "uploads/"\nat = "12h"\nread = "all"\n',
        _assert("uploads-present", "select count(*) from objects", f"equals = {UPLOADS}")
        + _assert(
            "grades-complete",
            "select count(*) from grades where score is null",
            "equals = 0",
            'files = { grades = { path = "grades/*.csv", columns = { student = "INTEGER", score = "INTEGER" } } }\n',
        ),
    ),
    "forum-dump": _check(
        "forum-dump",
        "lab",
        'type = "s3-dump"\nbucket = "nightly-dumps"\nobject = "forum/*.dump"\ndatabase = "forum"\nroles = ["owner"]\n',
        _assert("posts-present", "select count(*) from post", "at_least = 4000"),
    ),
    "wiki-dump": _check(
        "wiki-dump",
        "lab",
        'type = "s3-dump"\nbucket = "nightly-dumps"\nobject = "wiki/*.sql.gz"\ndatabase = "wiki"\n',
        _assert("pages-present", "select count(*) from page", "at_least = 1"),
    ),
}
"""Check files by the name of the check."""
