"""Documents that say what a table in the code says are generated from it: `REGENERATE=1 pytest tests/test_docs.py`."""

import os
import re
from pathlib import Path

import pytest

from restorecheck.cli import app, exits
from restorecheck.failures import AWS_ERRORS, INSTANCE_STATUSES, KINDS
from restorecheck.model import Verdict
from restorecheck.model.probes import PROBES

DOCS = Path(__file__).parent.parent / "docs"


def failures() -> str:
    lines = [
        "# Failure kinds",
        "",
        "Why a run is not `passed`. A kind is `broken` only when the backup itself is to blame; what we do not know is",
        "`unproven`. This page is generated from `restorecheck/failures.py`.",
    ]
    for verdict in (Verdict.BROKEN, Verdict.UNPROVEN):
        lines += ["", f"## {verdict.capitalize()}", "", "| kind | meaning | what to do |", "|---|---|---|"]
        lines += [f"| `{n}` | {k.meaning} | {k.hint} |" for n, k in KINDS.items() if k.verdict is verdict]
    lines += [
        "",
        "## AWS error codes",
        "",
        "A code that is not here is `unknown-answer`.",
        "",
        "| kind | codes |",
        "|---|---|",
    ]
    lines += [f"| `{n}` | {codes} |" for n in KINDS if (codes := _of(n, AWS_ERRORS))]
    lines += ["", "## Statuses of a restored instance", "", "| kind | statuses |", "|---|---|"]
    lines += [f"| `{n}` | {codes} |" for n in KINDS if (codes := _of(n, INSTANCE_STATUSES))]
    return "\n".join(lines) + "\n"


def _of(kind: str, table: dict[str, str]) -> str:
    return ", ".join(f"`{code}`" for code, to in sorted(table.items()) if to == kind)


@pytest.mark.parametrize(("name", "made"), [("failures.md", failures)])
def test_a_generated_page_is_what_the_code_says(name, made):
    path = DOCS / name
    if os.environ.get("REGENERATE"):
        path.write_text(made())
    assert path.read_text() == made()


def probes() -> str:
    lines = ["| probe | engines | what it does | keys | `expect` | needs |", "|---|---|---|---|---|---|"]
    for name, kind in PROBES.items():
        keys = ", ".join(f"`{key}` (must be said)" if key in kind.needs else f"`{key}`" for key in kind.keys)
        asked = ["none, or `at_most` violations"] if kind.violations else []
        asked += ["bounds with `of`, for each table"] if kind.counts else []
        asked += ["`same_as`"] if kind.compares else []
        does = f"{kind.meaning}{'; physical' if kind.physical else ''}"
        needs = ", ".join(f"`{extension}`" for extension in kind.extensions)
        lines.append(f"| `{name}` | {', '.join(kind.engines)} | {does} | {keys} | {'; '.join(asked)} | {needs} |")
    return "\n".join(lines)


def test_the_table_of_probes_is_what_the_code_says():
    path = DOCS / "assertions.md"
    head, begin, rest = path.read_text().partition("<!-- probes: generated from restorecheck/model/probes.py -->\n")
    table, end, tail = rest.partition("<!-- /probes -->\n")
    assert begin
    assert end
    if os.environ.get("REGENERATE"):
        path.write_text(f"{head}{begin}{probes()}\n{end}{tail}")
        table = f"{probes()}\n"
    assert table == f"{probes()}\n"


def test_the_exit_codes_are_documented():
    text = (DOCS / "json.md").read_text()
    for code in (exits.PASSED, exits.BROKEN, exits.USAGE, exits.UNPROVEN, exits.REFUSED_OR_LEAKED):
        assert re.search(rf"^\| {code} \|", text, re.MULTILINE), code


@pytest.mark.parametrize("page", sorted(p.name for p in DOCS.glob("*.md")))
def test_links_between_pages_lead_somewhere(page):
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", (DOCS / page).read_text()):
        assert (DOCS / target).exists(), f"{page} -> {target}"


PAGES = [DOCS.parent / "README.md", DOCS.parent / "CHANGELOG.md", *sorted(DOCS.glob("*.md"))]
COMMANDS = {c.name or c.callback.__name__ for c in app.registered_commands if c.callback} | {"demo"}


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_every_command_that_a_page_names_exists(page):
    named = re.findall(r"(?:`|^ +)restorecheck ([a-z][a-z-]+)", page.read_text(), re.MULTILINE)
    assert set(named) <= COMMANDS, page.name


@pytest.mark.parametrize("name", KINDS)
def test_a_hint_names_no_file_that_is_not_there(name):
    for path in re.findall(r"(?:docs|deploy)/[\w./-]+", KINDS[name].hint):
        assert (DOCS.parent / path).exists(), path
