"""Patterns of keys. Pure."""

from __future__ import annotations

import re
from functools import cache


@cache
def pattern(text: str) -> re.Pattern[str]:
    """Return a pattern of keys as a regular expression: `*` stops at `/`, `**` does not, all else is itself."""
    pieces = re.split(r"(\*\*|\*)", text)
    return re.compile("".join({"*": "[^/]*", "**": ".*"}.get(p) or re.escape(p) for p in pieces), re.DOTALL)
