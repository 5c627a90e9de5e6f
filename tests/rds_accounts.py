"""Both accounts of a run, and a database, that answer what a test says: for the sources of RDS and Aurora."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from restorecheck.databases.interface import ALONE, NEEDS, Beside, DatabaseSeen, Login
from restorecheck.errors import AwsError, QueryError
from restorecheck.fence import Permit, Role
from restorecheck.model import Answer


def aws_error(code: str, kind: str = "settings") -> AwsError:
    return AwsError(code, f"{code}, said AWS", kind=kind, retryable=False)


@dataclass
class FakeAccounts:
    """Both accounts: answers by operation (a value, an error, or a list that is used up), and what was called."""

    answers: dict[str, Any] = field(default_factory=dict)
    called: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)

    def permit(self, **values: Any) -> Permit:
        return Permit(frozenset({"111111111111"}), frozenset({"222222222222"}), **values)

    def hand(self, role: Role, account: str, region: str, permit: Permit | None = None) -> FakeHand:
        return FakeHand(self, role, account)

    def answer(self, side: str, operation: str, params: dict[str, Any]) -> Any:
        self.called.append((side, operation, params))
        found = self.answers.get(f"{side} {operation}", self.answers.get(operation, {}))
        if isinstance(found, list):
            found = found.pop(0) if len(found) > 1 else found[0]
        if isinstance(found, Exception):
            raise found
        return found


@dataclass
class FakeHand:
    accounts: FakeAccounts
    role: Role
    account: str

    def call(self, service: str, operation: str, **params: Any) -> Any:
        return self.accounts.answer(str(self.role), operation, params)

    def pages(self, service: str, operation: str, key: str, **params: Any) -> Iterator[Any]:
        yield from self.call(service, operation, **params).get(key, [])


ORDERS = (DatabaseSeen("orders", 3),)


class FakeDatabase:
    """A Database that answers, or raises what it is given. Notes who logged in."""

    def __init__(
        self,
        error: QueryError | None = None,
        seen: tuple[DatabaseSeen, ...] | QueryError = ORDERS,
        answers: tuple[Answer, ...] | None = None,
    ) -> None:
        self.error, self.seen, self.answers = error, seen, answers
        self.logins: list[Login] = []
        self.needs: Mapping[str, tuple[str, ...]] = {}

    def prepare(self, master: Login, reader: Login, needs: Mapping[str, tuple[str, ...]] = NEEDS) -> None:
        self.logins += [master, reader]
        self.needs = needs
        if self.error:
            raise self.error

    def knock(self, reader: Login) -> str:
        return "18.6"

    def databases(self, reader: Login) -> tuple[DatabaseSeen, ...]:
        if isinstance(self.seen, QueryError):
            raise self.seen
        return self.seen

    def ask(
        self, reader: Login, assertions: Any, salt: str, within: timedelta, beside: Beside = ALONE
    ) -> tuple[Answer, ...]:
        if self.answers is not None:
            return self.answers
        return tuple(Answer(assertion.name, 1) for assertion in assertions)
