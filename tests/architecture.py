"""The rules of the house, read from source text by `ast`: who imports whom, and what no module may do.

Nothing of the package is imported to be judged, so lazy imports, imports for type checkers and modules that no test
loads count like any other. Every rule returns its violations as `file:line: sentence`; none means that all is well.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

PACKAGE = "restorecheck"
ANYTHING = "*"


@dataclass(frozen=True, slots=True)
class Module:
    """One file of the package. `name` is dotted and without the package's own: `fence.table`; the root is empty."""

    name: str
    file: str
    tree: ast.Module


@dataclass(frozen=True, slots=True)
class Import:
    """One imported thing: a module of ours (`ours`, a dotted name as in Module) or the top name of somebody else's."""

    module: Module
    line: int
    name: str
    ours: bool


@dataclass(frozen=True, slots=True)
class Room:
    """Who a room may import: rooms of ours by their names in the table, and packages of others by their top names."""

    ours: frozenset[str]
    theirs: frozenset[str]


def room(ours: str = "", theirs: str = "") -> Room:
    """Return a room; both lists are words with spaces between them."""
    return Room(frozenset(ours.split()), frozenset(theirs.split()))


def load(top: Path) -> list[Module]:
    """Read every module under the package's directory."""
    found = []
    for path in sorted(top.rglob("*.py")):
        parts = list(path.relative_to(top).with_suffix("").parts)
        if parts[-1] == "__init__":
            parts.pop()
        file = path.relative_to(top.parent).as_posix()
        found.append(Module(".".join(parts), file, ast.parse(path.read_text(), filename=file)))
    return found


# --- imports ------------------------------------------------------------------------------------------------------


@cache
def imports(module: Module, known: frozenset[str]) -> tuple[Import, ...]:
    """Return everything that a module imports, wherever in it. `known` are the names of all modules of the package."""
    return tuple(_imports(module, known))


def _imports(module: Module, known: frozenset[str]) -> Iterator[Import]:
    for node in ast.walk(module.tree):
        for full in _targets(node, module):
            top, _, rest = full.partition(".")
            line = getattr(node, "lineno", 0)
            if top == PACKAGE:
                yield Import(module, line, _nearest(rest, known), ours=True)
            elif top not in sys.stdlib_module_names:
                yield Import(module, line, top, ours=False)


def _targets(node: ast.AST, module: Module) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        origin = _absolute(node, module)
        yield from (f"{origin}.{alias.name}" for alias in node.names)
    elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
        called = ast.unparse(node.func)
        if called in {"__import__", "import_module", "importlib.import_module"} and isinstance(node.args[0].value, str):
            yield node.args[0].value


def _absolute(node: ast.ImportFrom, module: Module) -> str:
    if not node.level:
        return node.module or ""
    here = [PACKAGE, *module.name.split(".")] if module.name else [PACKAGE]
    if not module.file.endswith("__init__.py"):
        here.pop()
    here = here[: len(here) - (node.level - 1)]
    return ".".join([*here, *([node.module] if node.module else [])])


def _nearest(name: str, known: frozenset[str]) -> str:
    """Return the module that a dotted name is in: the name of a function in it is cut off."""
    while name and name not in known:
        name = name.rpartition(".")[0]
    return name


def room_of(name: str, table: Mapping[str, Room]) -> str | None:
    """Return the table's most exact entry for a module: its own name, or the nearest `package.*` around it."""
    if name in table:
        return name
    around = name
    while around:
        if f"{around}.*" in table:
            return f"{around}.*"
        around = around.rpartition(".")[0]
    return None


def forbidden_imports(modules: Iterable[Module], table: Mapping[str, Room]) -> list[str]:
    """Return imports that the table does not allow, and modules that it does not know."""
    modules = list(modules)
    known = frozenset(m.name for m in modules)
    found = []
    for module in modules:
        here = room_of(module.name, table)
        if here is None and module.name:
            found.append(f"{module.file}:1: no entry of the import table covers {module.name}")
            continue
        allowed = table[here] if here else room()
        for one in imports(module, known):
            there = (room_of(one.name, table) or one.name) if one.ours else one.name
            names = allowed.ours if one.ours else allowed.theirs
            inside = one.ours and there in {"", here}
            if not inside and there not in names and ANYTHING not in names:
                found.append(f"{module.file}:{one.line}: {here or PACKAGE} may not import {there}")
    return list(dict.fromkeys(found))  # one line may import several names of one module


def stale_entries(modules: Iterable[Module], table: Mapping[str, Room]) -> list[str]:
    """Return what the table allows and nobody does: rooms without a module, and edges without an import."""
    modules = list(modules)
    known = frozenset(m.name for m in modules)
    inhabited: set[str] = set()
    used: set[tuple[str, str]] = set()
    for module in modules:
        here = room_of(module.name, table)
        if here is None:
            continue
        inhabited.add(here)
        for one in imports(module, known):
            used.add((here, (room_of(one.name, table) or one.name) if one.ours else one.name))
    found = [f"the import table has {name}, and no such module exists" for name in table if name not in inhabited]
    for name, allowed in table.items():
        unused = sorted(e for e in allowed.ours | allowed.theirs if e != ANYTHING and (name, e) not in used)
        if name in inhabited:
            found += [f"the import table lets {name} import {there}, and it does not" for there in unused]
    return found


def importers(modules: Iterable[Module], name: str) -> set[str]:
    """Return the names of the modules that import somebody else's package, or a module of ours or anything under it."""
    modules = list(modules)
    known = frozenset(m.name for m in modules)
    ours = name in known
    return {
        one.module.name
        for module in modules
        for one in imports(module, known)
        if one.ours == ours and (one.name == name or one.name.startswith(f"{name}."))
    }


def cycle(table: Mapping[str, Room]) -> list[str]:
    """Return rooms that depend on each other in a circle; empty: dependencies point one way."""
    try:
        TopologicalSorter({name: allowed.ours - {ANYTHING} for name, allowed in table.items()}).prepare()
    except CycleError as e:
        return [str(name) for name in e.args[1]]
    return []


# --- what no module may do ----------------------------------------------------------------------------------------

VAGUE = frozenset({"utils", "util", "helpers", "helper", "manager", "managers", "common", "misc"})
UNSTEADY = frozenset({"time", "random", "uuid", "os", "secrets", "threading", "asyncio", "contextlib"})


def vague_names(modules: Iterable[Module]) -> list[str]:
    """Return modules and packages whose name says nothing."""
    return [f"{m.file}:1: a name that says nothing" for m in modules if VAGUE & set(m.name.split("."))]


def undocumented(module: Module) -> list[str]:
    """Return the module, public classes and public functions that have no docstring."""
    found = [] if ast.get_docstring(module.tree) else [f"{module.file}:1: the module has no docstring"]
    bodies: list[ast.Module | ast.ClassDef] = [module.tree]
    while bodies:
        for node in bodies.pop().body:
            if not isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            if node.name.startswith("_") or any(ast.unparse(d).endswith("overload") for d in node.decorator_list):
                continue
            if not ast.get_docstring(node):
                found.append(f"{module.file}:{node.lineno}: {node.name} has no docstring")
            if isinstance(node, ast.ClassDef):
                bodies.append(node)
    return found


def prints(module: Module) -> list[str]:
    """Return calls of `print`."""
    calls = (n for n in ast.walk(module.tree) if isinstance(n, ast.Call))
    return [f"{module.file}:{c.lineno}: prints" for c in calls if isinstance(c.func, ast.Name) and c.func.id == "print"]


def naive_times(module: Module) -> list[str]:
    """Return calls that make a time without a zone. (The constructor and `strptime` are ruff's to judge, DTZ.)"""
    found = []
    for node in ast.walk(module.tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        if ast.unparse(node.func.value).rpartition(".")[2] not in {"datetime", "date"}:
            continue
        zones = [*node.args, *(k.value for k in node.keywords if k.arg == "tz")]
        needed = {"now": 1, "fromtimestamp": 2}.get(node.func.attr, 0)
        zoneless = needed and (len(zones) < needed or ast.unparse(zones[-1]) == "None")
        if zoneless or node.func.attr in {"utcnow", "utcfromtimestamp", "today"}:
            found.append(f"{module.file}:{node.lineno}: a time without a zone")
    return found


def unreplayable(module: Module) -> list[str]:
    """Return what a workflow may not contain, because replaying it would unwind, differ or go astray.

    A durable wait may unwind the stack: whatever stands in `finally` or `__exit__` then runs although the run goes on.
    Outside steps there is no clock, no chance and no environment. Only a failed step may be caught.
    """
    found = []
    for node in ast.walk(module.tree):
        wrong = ""
        if isinstance(node, ast.Try | ast.TryStar) and node.finalbody:
            wrong = "finally: a wait unwinds through it"
        elif isinstance(node, ast.With | ast.AsyncWith):
            wrong = "with: a wait unwinds through it"
        elif isinstance(node, ast.ExceptHandler) and not (node.type and ast.unparse(node.type) == "StepFailedError"):
            wrong = "catches more than StepFailedError"
        elif isinstance(node, ast.Attribute) and node.attr in {"now", "utcnow", "today"} and _reads_clock(node):
            wrong = "reads the clock outside a step"
        elif unsteady := UNSTEADY & {name.partition(".")[0] for name in _targets(node, module)}:
            wrong = f"imports {', '.join(sorted(unsteady))}: what it gives differs on replay"
        if wrong:
            found.append(f"{module.file}:{getattr(node, 'lineno', 0)}: {wrong}")
    return found


def _reads_clock(node: ast.Attribute) -> bool:
    return ast.unparse(node.value).rpartition(".")[2] in {"datetime", "date", "clock", "_clock"}
