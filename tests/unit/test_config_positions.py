"""On which line a key stands: whatever tomllib knows has one."""

import tomllib

import pytest

from restorecheck.config import positions
from restorecheck.config.check_shape import CheckFile
from restorecheck.config.table import tables

LINES = '''\
# a comment
a = 1
"b.c" = """
[not.a.table]
"""

[d.e]  # a comment
f.g = 1
h = { i = 1, j.k = [2] }

[[l]]
m = [
  # a comment
  { n = 1 },
  { n = 2 },
]
[l.o]
p = 1
[[l]]
q = 'x'
[[l.r]]
[[l.r]]
s = 2026-01-01
'''


def test_positions():
    found = positions.lines(LINES)
    expected = {
        (): 1,
        ("a",): 2,
        ("b.c",): 3,
        ("d",): 7,
        ("d", "e"): 7,
        ("d", "e", "f", "g"): 8,
        ("d", "e", "h", "j", "k"): 9,
        ("l",): 11,
        ("l", 0): 11,
        ("l", 0, "m"): 12,
        ("l", 0, "m", 1, "n"): 15,
        ("l", 0, "o"): 17,
        ("l", 0, "o", "p"): 18,
        ("l", 1): 19,
        ("l", 1, "q"): 20,
        ("l", 1, "r", 0): 21,
        ("l", 1, "r", 1, "s"): 23,
    }  # fmt: skip
    assert {place: found.get(place) for place in expected} == expected


def test_what_is_not_there_is_placed_at_what_is_around_it():
    found = positions.lines(LINES)
    assert positions.line_of(found, ("l", 1, "r", 1, "missing")) == 22
    assert positions.line_of(found, ("l", 0, "m", 1, "missing", 3)) == 15
    assert positions.line_of(found, ("missing",)) == 1


def places(value, at=()):
    yield at
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from places(inner, (*at, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from places(inner, (*at, index))


@pytest.mark.parametrize(
    "text",
    [
        LINES,
        'a=1\r\n[b]\r\nc="""\r\nx\r\n"""\r\nd=2\r\n',
        "1234 = 1\n3.14 = 2\ntrue = 3\n2024-01-01 = 4\n",
        "a = '''x'''''\nb = \"\"\"y\"\"\"\"\"\nc = 0xff\nd = 07:30:00\ne = inf\n",
        '\'q "\' = 1\n"\\u00fc" = 2\n["x.y".z]\nü = 3\n'.replace("ü = 3", "w = 3"),
        "a = 1",
        "[a]\n[a.b]\n[c]\nx.y.z = 1\nx.y.w = 2\n",
        "a = [[1, 2], [{b = [3]}]]\n",
    ],
)
def test_every_place_that_tomllib_knows_has_a_line(text):
    found = positions.lines(text)
    assert [place for place in places(tomllib.loads(text)) if place not in found] == []


def test_what_the_grammar_does_not_know_is_passed_over():
    found = positions.lines("[ok]\na = 1\nb = \n[also]\nc = { d = }\n")
    assert (found[("ok",)], found[("ok", "a")]) == (1, 2)


def test_tables_that_are_not_tables_are_passed_over():
    raw = {"check": 5, "assert": {"name": "x"}, "scratch": {"limits": []}}
    assert [path for path, _, _ in tables(CheckFile, raw)] == [(), ("scratch",)]
