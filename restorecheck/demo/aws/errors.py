"""The two ways in which the demo AWS says no: as AWS would, and as its own control endpoint."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from moto.core.exceptions import ServiceException


class AwsError(ServiceException):  # type: ignore[misc, unused-ignore]  # moto is typed only in part
    """An error as AWS answers it; `code` is the wire code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message)
        self.code, self.message = code, message


class ControlError(Exception):
    """A control call that makes no sense; its text is the answer."""


def required(values: dict[str, Any], *names: str) -> list[Any]:
    """Return required fields of a control call. Raises ControlError naming the first that is missing."""
    for name in names:
        if values.get(name) in (None, ""):
            raise ControlError(f"{name} is missing")
    return [values[name] for name in names]


def time_of(values: dict[str, Any], name: str) -> datetime | None:
    """Return a time of a control call, in UTC unless it names a zone. Raises ValueError."""
    if not values.get(name):
        return None
    at = datetime.fromisoformat(values[name])
    return at if at.tzinfo else at.replace(tzinfo=UTC)
