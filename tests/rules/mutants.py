"""Rules with one thing changed: a number, a time, a comparison, a label, or an operand that is left out.

Each must be noticed by the cases. Numbers and times are changed by little, so that a case that is far from the
threshold does not count.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from rules.promtool import WHOLE, Rules

TOKEN = re.compile(
    r'"[^"]*"|\d+[smhd]\b|[A-Za-z_][A-Za-z0-9_:]*|\d+(?:\.\d+)?|[<>=!]=|[<>]|\s+|.',
)
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
TURNED = {">": ("<", ">="), ">=": ("<=", ">"), "<": (">", "<="), "==": ("!=",), "!=": ("=",)}
SETS = ("or", "and", "unless")

EQUIVALENT = {
    # The step of a subquery: a little finer or coarser, it finds the same newest sample.
    ("check:restorecheck_check_info:last1h", "1m -> 59s"),
    ("check:restorecheck_check_info:last1h", "1m -> 61s"),
}


@dataclass(frozen=True)
class Mutant:
    rule: str
    change: str
    rules: Rules
    alerts: frozenset[str]  # whose cases may notice


def mutants() -> Iterator[Mutant]:
    """Yield every mutant that is not known to mean the same."""
    for kind, rules in (("alert", WHOLE.alerts), ("record", WHOLE.recorded)):
        for n, rule in enumerate(rules):
            name = rule[kind]
            alerts = frozenset({name} if kind == "alert" else WHOLE.users(name))
            for change, mutant in _of_rule(rule):
                changed = [*rules[:n], mutant, *rules[n + 1 :]]
                whole = Rules(WHOLE.recorded, changed) if kind == "alert" else Rules(changed, WHOLE.alerts)
                if (name, change) not in EQUIVALENT:
                    yield Mutant(name, change, whole.about(alerts), alerts)


def _of_rule(rule: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    if "alert" in rule:
        said = rule.get("for", "0s")
        for changed in _times(said):
            yield f"for {said} -> {changed}", {**rule, "for": changed}
    for change, expr in of_expression(rule["expr"]):
        yield change, {**rule, "expr": expr}


def of_expression(expr: str) -> Iterator[tuple[str, str]]:
    """Yield what was changed, and the expression with the change."""
    tokens = TOKEN.findall(expr)
    assert "".join(tokens) == expr

    def put(n: int, text: str, until: int | None = None) -> str:
        return "".join([*tokens[:n], text, *tokens[(until or n + 1) :]])

    for n, token in enumerate(tokens):
        for changed in _changed(token):
            yield f"{token} -> {changed}", put(n, changed)
        if token == "(" and "".join(tokens[:n]).rstrip().endswith(("without", "ignoring")):
            end = tokens.index(")", n)
            labels = [label for label in tokens[n + 1 : end] if label.isidentifier()]
            for label in labels:
                rest = ", ".join(one for one in labels if one != label)
                yield f"without {label}", put(n, f"({rest})", end + 1)
        if token == "{" and "}" in tokens[n:]:
            yield "any label", put(n, "", tokens.index("}", n) + 1)
        if token in SETS:
            begin, end = _operands(tokens, n)
            matching = re.match(r"\s*(?:ignoring|on) \([^)]*\)", "".join(tokens[n + 1 :]))
            skipped = len(TOKEN.findall(matching.group())) if matching else 0
            yield f"nothing before {token}", put(begin, "", n + 1 + skipped)
            yield f"nothing after {token}", put(n, "", end)


def _changed(token: str) -> tuple[str, ...]:
    if re.fullmatch(r"\d+[smhd]", token):
        return _times(token)
    if re.fullmatch(r"[\d.]+", token):
        number = float(token)
        if number == 0:
            return "60", "-1"
        if number < 10 and number == int(number):
            return f"{number + 1:g}", f"{number - 1:g}"
        return f"{number * 1.2:.7g}", f"{number * 0.8:.7g}"
    return TURNED.get(token, ())


def _times(said: str) -> tuple[str, ...]:
    """Return a little less and a little more: a minute, of a minute a second, of days an hour."""
    seconds = int(said[:-1]) * SECONDS[said[-1]]
    little = 1 if seconds == 60 else 3600 if seconds >= 86400 else 60
    return tuple(f"{changed}s" for changed in (seconds - little, seconds + little) if changed >= 0)


def _operands(tokens: list[str], n: int) -> tuple[int, int]:
    """Return where the left operand of the set operator begins, and where the right one ends."""
    begin = _edge(tokens, range(n - 1, -1, -1), "(", ")") + 1
    return begin, _edge(tokens, range(n + 1, len(tokens)), ")", "(")


def _edge(tokens: list[str], positions: range, out: str, into: str) -> int:
    depth = 0
    for n in positions:
        depth += (tokens[n] == into) - (tokens[n] == out)
        if depth < 0 or (depth == 0 and tokens[n] in SETS):
            return n
    return positions.stop
