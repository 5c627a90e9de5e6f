"""Text from outside on its way to people: one printable line, cut, without secrets, paths, live links or markup.

What a restored database or AWS says is hostile input: a table may be named so that a chat calls everybody, or shows a
link of somebody else's choice. When in doubt it is blunted; the proof keeps the text as it was.
"""

from __future__ import annotations

import re

from restorecheck.logs import masked

LONGEST = 300
"""Characters of one text in a notice."""

_READ = 4_000  # characters of a text that are looked at; one more shows `masked` that it breaks off
_LINK = re.compile(r"(h)tt(ps?:)", re.IGNORECASE)
_PATH = re.compile(r"(?<![\w/.~*%+…-])/(?!aws/)(?:[^\s/'\"(),;:]+/)+(?=[^\s/'\"(),;:])")
"""A path of this machine but for its last name; not what follows a host or a bucket, nor a log group of AWS."""
_CALL = re.compile(r"@(?=(?:everyone|here|channel|all|room|team)\b)", re.IGNORECASE)
_BLUNT = str.maketrans({"<": "(", ">": ")", "`": "'"})  # <!channel>, <https://…|text>, <b>: Slack and HTML


def clean(text: str, longest: int = LONGEST) -> str:
    """Return a text from outside as one line that can be shown to people, at most `longest` characters."""
    visible = "".join(c if c.isprintable() else " " for c in masked(text[: _READ + 1]))
    blunt = _CALL.sub("(at)", _LINK.sub(r"\1xx\2", _PATH.sub("…/", visible))).translate(_BLUNT)
    return cut(" ".join(blunt.split()), longest)


def cut(text: str, longest: int) -> str:
    """Return at most so many characters of a text; `…` at its end says that there was more."""
    return text if len(text) <= longest else text[: longest - 1].rstrip() + "…"
