"""Which of a check's assertions are compared with a reference. Pure."""

from __future__ import annotations

from restorecheck.model import Against, Assertion, Check


def against(assertion: Assertion) -> Against | None:
    """Return the reference that an assertion is held against; None: it is held against none."""
    for said in (assertion.expect.same_as, assertion.expect.of):
        if said is not None and said.kind == "reference":
            return said
    return None


def asked(check: Check, reference: str) -> tuple[Assertion, ...]:
    """Return the assertions of a check that are compared with this reference."""
    found = ((assertion, against(assertion)) for assertion in check.assertions)
    return tuple(assertion for assertion, said in found if said is not None and said.reference == reference)
