"""What a MySQL client says while it loads a script → complaints. Pure; no text of a row is kept.

The numbers are those of the servers' own lists (MySQL 8.0 Error Message Reference, MariaDB Error Codes). A message is
repeated only for numbers whose message holds names alone.
"""

from __future__ import annotations

import re

from restorecheck.dumps.complaints import Complaint, Sort

_LINE = re.compile(
    r"^(?:--------------.*|ERROR (?P<code>\d+)(?: \((?P<state>\w{5})\))?(?: at line (?P<line>\d+))?: (?P<text>.*))$"
)

_LACKS = {
    1115,
    1126,
    1127,
    1128,
    1193,
    1227,
    1231,
    1235,
    1238,
    1273,
    1286,
    1289,
    1419,
    1449,
    1524,
    1525,
    1548,
    3719,
    4031,
}
"""An unknown character set, collation, engine, plug-in or variable; a right or a definer that is not here."""

_TROUBLE = {1040, 1041, 1053, 1129, 1317, 2002, 2003, 2006, 2013, 2026, 2027, 2055}
_FULL = {3, 1021, 1114}
_DATA = {
    1022: "a key that is there twice",
    1048: "no value where there must be one",
    1062: "a key that is there twice",
    1136: "a row with another number of values than columns",
    1169: "a key that is there twice",
    1264: "a value out of its range",
    1265: "a value that does not fit its column",
    1292: "a value that is none of its type",
    1300: "a text that is invalid in its character set",
    1364: "no value where there must be one",
    1366: "a value that is none of its type",
    1367: "a value that is none of its type",
    1406: "a value that is too long",
    3140: "a text that is no JSON",
    3819: "a row that breaks a check",
    3988: "a text that is invalid in its character set",
    4025: "a row that breaks a check",
}
_RULES = {1022, 1062, 1169, 3819, 4025}
"""Rules that another flavour reads otherwise: which texts are the same by a collation, how deep a JSON may go."""
_FOLLOWS = {1049: "database", 1051: "table", 1054: "column", 1146: "table", 1176: "key", 1305: "routine", 1356: "table"}
_REFERENCES = {1215, 1216, 1217, 1451, 1452, 1822, 1824}
_GARBLED = {1064, 1065, 1149}
"""What the parser does not understand: the dump is damaged, or of a server that speaks otherwise."""

_SHOWN = 200


def complaint(line: str, *, same: bool) -> Complaint | None:
    """Return what a line of the client's errors complains of; None: it is none.

    `same` says that the server here understands all that the dumped one did.
    """
    found = _LINE.match(line)
    if found is None:
        return (
            Complaint(Sort.UNKNOWN, "the client said something that is no error of a server") if line.strip() else None
        )
    if found["code"] is None:
        return None
    code, where = int(found["code"]), f" at line {found['line']}" if found["line"] else ""
    state = found["state"] or ""
    if code in _LACKS:
        return Complaint(Sort.LACK, f"{found['text'][:_SHOWN]}{where}", sqlstate=state)
    if code in _TROUBLE:
        return Complaint(Sort.TROUBLE, f"the server went away ({code}){where}", sqlstate=state)
    if code in _FULL:
        return Complaint(Sort.FULL, f"no room on the disk ({code}){where}", sqlstate=state)
    if code in _DATA:
        sort = Sort.ORDER if code in _RULES and not same else Sort.DATA
        return Complaint(sort, f"{_DATA[code]} ({code}){where}", sqlstate=state)
    if code in _REFERENCES:
        return Complaint(Sort.REFERENCE, f"a row that points to one that is not there ({code}){where}", sqlstate=state)
    if code in _FOLLOWS:
        return Complaint(Sort.FOLLOWS, f"a {_FOLLOWS[code]} that is not there ({code}){where}", sqlstate=state)
    if code in _GARBLED and same:
        return Complaint(Sort.DAMAGE, f"a statement that is none ({code}){where}", sqlstate=state)
    if code in _GARBLED:  # so it is not carried out, and what needs it fails after it
        return Complaint(Sort.LACK, f"a statement that this server does not understand ({code}){where}", sqlstate=state)
    return Complaint(Sort.UNKNOWN if same else Sort.LACK, f"error {code}{where}", sqlstate=state)
