"""What may not leave this process in a log line or an answer, and what is put in its place. Pure but for one list.

Recognises secrets by the name they are given (`password=…`), by their form (AWS keys, tokens, PEM keys, our own derived
passwords and keys) and by their value (`hide`). When in doubt it masks: a log line that says too little is repaired by
looking, a secret in a log collector by changing it everywhere.
"""

from __future__ import annotations

import re

MASK = "***"

_LONGEST_READ = 4_000  # characters of a text that are looked at; the rest is dropped unseen
_SHORTEST_HIDDEN = 6  # a shorter value would be found in every second word

_NAMES = (
    "password", "passwd", "passphrase", "pwd", "secret", "token", "externalid", "apikey", "accesskey", "accesskeyid",
    "privatekey", "servicekey", "keymaterial", "credential", "authorization", "cookie", "signature", "salt", "pgpass",
)  # fmt: skip
"""Names of secrets without their hyphens and underscores; a name that ends in one of them, or begins, counts."""

_SEPARATED = re.compile(r"[^a-z0-9]+")
_hidden: frozenset[str] = frozenset()


def hide(*values: str) -> None:
    """Mask these very values from now on, wherever they appear: external ids, the password of the store."""
    global _hidden  # noqa: PLW0603 - one process, one list; replaced as a whole, so readers need no lock
    _hidden |= {v for v in values if len(v) >= _SHORTEST_HIDDEN}


def is_secret(name: str) -> bool:
    """Say whether what goes by this name is a secret: `MasterUserPassword`, `external_id`, `X-Amz-Security-Token`."""
    plain = _SEPARATED.sub("", name.lower())
    return any(plain.startswith(n) or plain.endswith((n, n + "s")) for n in _NAMES)


_NAME = (
    r"(?:pass(?:word|wd|phrase)|pgpass|pwd|secret|(?<!expired)(?<!invalidclient)token|external[_-]?id|api[_-]?key"
    r"|access[_-]?key|private[_-]?key|service[_-]?key|key[_-]?material|\bsalt)[A-Za-z0-9_-]{0,20}"
)  # `ExpiredToken: …` and `InvalidClientTokenId: …` are errors of AWS, and what follows is their message
_VALUE = (
    r"""(?:b?\\+(?P<q>["']).*?(?:\\+(?P=q)|$)"""  # \"…\", as in JSON inside JSON
    r"""|b?"(?:[^"\\]|\\.)*(?:"|\\?$)|b?'(?:[^'\\]|\\.)*(?:'|\\?$)|[^\s"'\\]\S*)"""
)

_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL), MASK),
    (re.compile(r"\b((?:authorization|(?:set-)?cookie)[\"'\\]*\s{0,9}[:=]).*", re.IGNORECASE), rf"\1 {MASK}"),
    (re.compile(r"(?<=:/)(/{0,2})\S*@"), rf"\1{MASK}@"),  # up to the last @ of the word: a password may hold one
    (re.compile(rf"({_NAME}[\"'\\]*\s{{0,9}}[:=]\s{{0,9}}){_VALUE}", re.IGNORECASE | re.DOTALL), rf"\1{MASK}"),
    (re.compile(r"(signature\s{0,9}=\s{0,9})\S+", re.IGNORECASE), rf"\1{MASK}"),  # not `SignatureDoesNotMatch: …`
    (re.compile(r"(\bpassword\s{1,9})'(?:[^']|'')*(?:'|\Z)", re.IGNORECASE), rf"\1{MASK}"),  # SQL: PASSWORD '…'
    (re.compile(r"SCRAM-SHA-(?:1|256)\$\S+"), MASK),
    (re.compile(r"(?<![A-Za-z0-9])(?:AKIA|ASIA)[A-Z0-9]{12,}"), MASK),
    (re.compile(r"\beyJ[\w-]{10,}\.[\w-]+(?:\.[\w-]*)?"), MASK),  # a JSON web token
    (re.compile(r"[A-Za-z0-9/+=_-]{100,}"), MASK),  # a session token; no name or path of ours is that long
    (re.compile(r"(?<![0-9A-Za-z])[0-9a-fA-F]{64}(?![0-9A-Za-z])"), MASK),  # the service key, a salt, a digest of a row
)

_MIXED = re.compile(
    # exactly as long as a password of ours (32) or a secret access key (40), and of all kinds of characters
    r"(?<![A-Za-z0-9/+=])(?=[^\s]{0,39}[a-z])(?=[^\s]{0,39}[A-Z])(?=[^\s]{0,39}[0-9])"
    r"(?:[A-Za-z0-9]{32}|[A-Za-z0-9/+=]{40})(?![A-Za-z0-9/+=])"
)


def masked(text: str) -> str:
    """Return a text with `***` for every secret that is recognised. Reads 4,000 characters and drops the rest."""
    dropped = len(text) > _LONGEST_READ
    if dropped:  # also the last word, and what follows the last space: half a secret is not recognised as one
        text = text[:_LONGEST_READ]
    for value in sorted(_hidden, key=len, reverse=True):
        text = text.replace(value, MASK)
    for pattern, instead in _PATTERNS:
        text = pattern.sub(instead, text)
    text = _MIXED.sub(MASK, text)
    if dropped:
        space = max(text.rfind(c) for c in " \t\n")
        text = text[: max(space, 0)] + "…"
    return text
