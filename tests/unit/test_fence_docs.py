"""The tables in docs/fence.md are those of the code. Set REGENERATE=1 to write them."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from restorecheck.fence import TABLE
from restorecheck.fence.parameters import ALLOWED

PAGE = Path(__file__).parents[2] / "docs" / "fence.md"


def operations() -> str:
    rows = [
        f"| {role} | {service} | `{operation}` | {effect} |"
        for role, services in TABLE.items()
        for service, held in services.items()
        for operation, effect in held.items()
    ]
    return "\n".join(["| role | service | operation | effect |", "|---|---|---|---|", *rows])


def parameters() -> str:
    rows = [f"| `{name}` | {', '.join(f'`{p}`' for p in sorted(held))} |" for name, held in ALLOWED.items()]
    return "\n".join(["| operation | parameters |", "|---|---|", *rows])


@pytest.mark.parametrize(("name", "made"), [("operations", operations), ("parameters", parameters)])
def test_the_tables_of_the_page_are_those_of_the_code(name: str, made: Callable[[], str]):
    part = re.compile(rf"(?<=<!-- {name} -->\n).*?(?=<!-- /{name} -->)", re.DOTALL)
    if os.environ.get("REGENERATE"):
        PAGE.write_text(part.sub(lambda _: f"\n{made()}\n\n", PAGE.read_text()))
    found = part.search(PAGE.read_text())
    assert found is not None
    assert found[0].strip() == made()


def test_the_page_names_every_tag_that_decides():
    text = PAGE.read_text()
    for tag in ("managed", "run", "resource", "expires"):
        assert f"`restorecheck:{tag}`" in text
