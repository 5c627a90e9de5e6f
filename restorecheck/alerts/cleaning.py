"""Text from outside on its way to people: one printable line, cut, without secrets, markup that acts, or live links.

What a restored database or AWS says is hostile input: a table may be named so that a chat calls everybody, or shows a
link of somebody else's choice. When in doubt it is blunted; the proof keeps the text as it was.
"""

from __future__ import annotations

import re

from restorecheck.logs import masked

LONGEST = 300
"""Characters of one text in a notice."""

_READ = 4_000  # characters of a text that are looked at
_LINK = re.compile(r"\b(h)tt(ps?:)", re.IGNORECASE)
_CALL = re.compile(r"@(?=(?:everyone|here|channel|all|room|team)\b)", re.IGNORECASE)
_BLUNT = str.maketrans({"<": "(", ">": ")", "`": "'"})  # <!channel>, <https://…|text>, <b>: Slack and HTML


def clean(text: str, longest: int = LONGEST) -> str:
    """Return a text from outside as one line that can be shown to people, at most `longest` characters."""
    visible = "".join(c if c.isprintable() else " " for c in masked(text[:_READ]))
    blunt = _CALL.sub("(at)", _LINK.sub(r"\1xx\2", visible)).translate(_BLUNT)
    return cut(" ".join(blunt.split()), longest)


def cut(text: str, longest: int) -> str:
    """Return at most so many characters of a text; `…` at its end says that there was more."""
    return text if len(text) <= longest else text[: longest - 1].rstrip() + "…"
