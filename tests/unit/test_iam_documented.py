"""docs/iam.md says what the code does: `REGENERATE=1 pytest tests/unit/test_iam_documented.py`."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from iam_cases import BASE, EVERYTHING, SCRATCH, SOURCE

from restorecheck.fence.permissions import UNGRANTED
from restorecheck.iam import Statement, documents
from restorecheck.iam.conditions import DEPENDENTS
from restorecheck.iam.document import INLINE, MANAGED, MOST

PAGE = Path(__file__).parents[2] / "docs" / "iam.md"
WHOSE = {SOURCE: "SOURCE", SCRATCH: "SCRATCH", BASE: "SERVICE"}


def of_documents() -> str:
    lines: list[str] = []
    for document in documents(EVERYTHING):
        lines += [f"### {document.name}", "", f"{document.kind}: {plain(document.about)}.", ""]
        lines += ["| statement | actions | on | when | why |", "|---|---|---|---|---|"]
        lines += [row(statement) for statement in document.statements]
        lines.append("")
    return "\n".join(lines)


def row(statement: Statement) -> str:
    sid = f"`{statement.sid}`" if statement.effect == "Allow" else f"**deny** `{statement.sid}`"
    actions = ", ".join(f"`{action}`" for action in statement.actions)
    if statement.but:
        actions = "everything but " + ", ".join(f"`{action}`" for action in statement.but)
    on = "<br>".join(f"`{resource}`" for resource in dict.fromkeys(map(short, statement.resources))) or "the role"
    cells = [sid, actions, on, "<br>".join(when(statement)) or "always", plain(statement.why)]
    return f"| {' | '.join(cells)} |"


def short(arn: str) -> str:
    """Leave out of an ARN what is the same in all of them."""
    if arn.count(":") < 5:
        return arn
    _, _, service, _, account, name = arn.split(":", 5)
    return f"{service}:{WHOSE.get(account, '')}:{name}" if account else f"{service}:::{name}"


def when(statement: Statement) -> Iterator[str]:
    who = [*statement.principals, statement.service, statement.federated]
    for principal in filter(None, who):
        yield f"by `{short(principal)}`"
    for operator, keys in statement.conditions.items():
        for key, value in keys.items():
            said = ", ".join(value) if isinstance(value, tuple) else value
            yield f"{operator} `{key}`: `{plain(said)}`"


def plain(text: str) -> str:
    for account, name in WHOSE.items():
        text = text.replace(account, name)
    return text.replace("|", "\\|")


def of_dependents() -> str:
    rows = [f"| `{action}` | {why} |" for action, why in DEPENDENTS.items()]
    return "\n".join(["| action | why |", "|---|---|", *rows]) + "\n"


def of_ungranted() -> str:
    rows = [f"| `{call}` | {why} |" for call, why in UNGRANTED.items()]
    return "\n".join(["| call | why |", "|---|---|", *rows]) + "\n"


def of_sizes() -> str:
    words = {
        "identity": "one managed policy",
        "trust": "the trust policy of a role",
        "key": "the policy of a key",
        "bucket": "the policy of a bucket",
        "scp": "a service control policy",
    }
    rows = [f"| {words[kind]} | {most:,} |" for kind, most in MOST.items()]
    rows += [f"| all inline policies of a role | {INLINE:,} |", f"| managed policies of a role | {MANAGED} policies |"]
    return "\n".join(["| of | characters at most |", "|---|---|", *rows]) + "\n"


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("documents", of_documents),
        ("dependents", of_dependents),
        ("ungranted", of_ungranted),
        ("sizes", of_sizes),
    ],
)
def test_the_page_says_what_the_code_does(name: str, made):
    part = re.compile(rf"(?<=<!-- {name} -->\n).*?(?=<!-- /{name} -->)", re.DOTALL)
    if os.environ.get("REGENERATE"):
        PAGE.write_text(part.sub(lambda _: f"\n{made()}\n", PAGE.read_text()))
    found = part.search(PAGE.read_text())
    assert found is not None
    assert found[0].strip() == made().strip()
