"""The keys of the first rows of an answer, on their way into evidence. Nothing of them is in the answer itself.

Pure but for the one call that keeps them, which is made when an answer stands, and never changes what it says.
"""

from __future__ import annotations

import codecs
import unicodedata
from collections.abc import Sequence
from dataclasses import replace

from restorecheck.databases.interface import Beside, Keep
from restorecheck.errors import RestorecheckError
from restorecheck.model import Answer, Assertion, Samples

LONGEST = 200
"""At most so many characters are kept of one value; `…` says that there were more."""


class Sampling:
    """The keys of one answer."""

    def __init__(self, name: str, samples: Samples, keep: Keep | None) -> None:
        self._name, self._samples, self._keep = name, samples, keep
        self._at: tuple[int, ...] = ()
        self._rows: list[dict[str, str | None]] = []

    @property
    def limit(self) -> int:
        """Of how many rows keys are taken; 0 if nobody keeps them."""
        return self._samples.limit if self._keep else 0

    def find(self, columns: Sequence[str]) -> str:
        """Find the keys among the columns of the answer, and return what is wrong with them, in a sentence."""
        found = []
        for key in self._samples.keys:
            at = [i for i, column in enumerate(columns) if column == key]
            at = at or [i for i, column in enumerate(columns) if column.casefold() == key.casefold()]
            if len(at) != 1:
                return f"the query answers {'several columns' if at else 'no column'} named {key}"
            found += at
        self._at = tuple(found)
        return ""

    def add(self, row: Sequence[bytes | None]) -> None:
        """Take the keys of a row, if they are among those that are kept."""
        if len(self._rows) < self.limit:
            texts = (_text(row[at]) for at in self._at)
            self._rows.append(dict(zip(self._samples.keys, texts, strict=True)))

    def kept(self, answer: Answer) -> Answer:
        """Keep what was taken, and return the answer with how many rows that is of, or why it could not be done."""
        if answer.error or not answer.rows:
            return answer
        if self._keep is None:
            return replace(answer, unsampled="no directory is configured for it")
        try:
            return replace(answer, sampled=self._keep(self._name, self._rows))
        except RestorecheckError as e:  # a backup is as broken without evidence as with it
            return replace(answer, unsampled=e.message)


def sampling_of(assertion: Assertion, beside: Beside) -> Sampling | None:
    """Return what takes the keys of this assertion, if any are to be kept."""
    if assertion.samples is None or not assertion.expect.no_rows:
        return None
    return Sampling(assertion.name, assertion.samples, beside.evidence)


def _text(raw: bytes | None) -> str | None:
    """Return a value as a person can look it up: its text, or hexadecimal what is none."""
    if raw is None:
        return None
    start = raw[: LONGEST * 4 + 4]  # a character has at most four bytes
    reading = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    text = reading.decode(start, final=len(start) == len(raw))  # what was cut may end within a character
    if any(unicodedata.category(c) in ("Cc", "Cs") and c not in "\t\r\n" for c in text):
        text = f"0x{start.hex()}"
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
