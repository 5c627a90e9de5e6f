"""Healthy databases of many shapes, as SQL: what a backup may hold without anything being wrong with it.

Every shape is a file in shapes/, made by the master user, as on RDS, in a database of its own that already holds the
furniture. `-- by: root` goes before what only RDS itself could do, by its superuser. Statements end with `;` before an
empty line. The first lines say which instance it lies in, and which question has which answer.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent / "shapes"
_HEAD = re.compile(r"-- (group|question|answer|exclude|database|called): (.*)\n")
_END = re.compile(r";\s*(?:\n\s*\n|\Z)")


def statements(text: str) -> list[str]:
    """Return the statements of a file, or of a part of one."""
    return [found for one in _END.split(text) if (found := re.sub(r"(?m)\A(--.*\n|\s)*", "", one).strip())]


FURNITURE = tuple(statements((HERE / "furniture.sql").read_text()))


@dataclass(frozen=True)
class Shape:
    """One shape: who does what to make it, the question that it is asked, and the number that is right."""

    name: str
    group: str  # shapes of one group lie in one instance
    steps: tuple[tuple[str, tuple[str, ...]], ...]  # `master` or `root`, and the statements
    question: str
    answer: int
    exclude: tuple[str, ...] = ()  # tables that no role made by the master can read: row security hides them
    called: str = ""  # the name of its database; empty: that of the shape
    made_as: str = ""  # how its database is made; empty: as a copy of the one that holds the furniture

    @property
    def database(self) -> str:
        """The name of its database."""
        return self.called or self.name


def read(path: Path) -> Shape:
    """Read one shape. Raises KeyError for a file that does not say what it must."""
    text = path.read_text()
    head = dict(_HEAD.findall(text))
    parts = re.split(r"(?m)^-- by: (\w+)\n", f"-- by: master\n{_HEAD.sub('', text)}")[1:]
    steps = [(who, tuple(statements(sql))) for who, sql in zip(parts[::2], parts[1::2], strict=True)]
    return Shape(
        path.stem,
        head["group"],
        tuple(step for step in steps if step[1]),
        head["question"],
        int(head["answer"]),
        tuple(head.get("exclude", "").split()),
        head.get("called", ""),
        head.get("database", ""),
    )


SHAPES = tuple(read(path) for path in sorted(HERE.glob("*.sql")) if path.name != "furniture.sql")


def of_group(name: str) -> tuple[Shape, ...]:
    """Return the shapes that lie in one instance."""
    return tuple(shape for shape in SHAPES if shape.group == name)
