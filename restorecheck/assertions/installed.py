"""What of an answer is this machine's and not the backup's, left out before it is compared with another time. Pure.

A dump names its extensions and not their versions: whoever restores it gets those that are installed there. So another
version says that a server was upgraded, here or at the source, and nothing about the dump.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from restorecheck.model import Answer, Assertion, Check, Known, S3DumpSource


def comparable(check: Check, assertion: Assertion, answer: Answer, known: Known | None) -> tuple[Answer, Known | None]:
    """Return an answer, and what it is held against, without what is of whoever restored either."""
    if not isinstance(check.source, S3DumpSource) or assertion.probe is None or assertion.probe.name != "extensions":
        return answer, known
    if answer.examined is not None:
        answer = replace(answer, examined=replace(answer.examined, lines=_names(answer.examined.lines)))
    if known is not None and known.measured is not None:
        known = replace(known, measured=replace(known.measured, lines=_names(known.measured.lines)))
    return answer, known


def _names(lines: Sequence[str]) -> tuple[str, ...]:
    """Return the names of extensions, of lines such as `citext 1.6`."""
    return tuple(line.rpartition(" ")[0] or line for line in lines)
