"""How a function becomes a durable one, and how an invocation says that it is to be made again. Nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aws_durable_execution_sdk_python import durable_execution
from aws_durable_execution_sdk_python.exceptions import InvocationError


def durable(function: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Return a function that Lambda may suspend and invoke again; it is called with the event and the SDK's context."""
    made: Callable[[Any, Any], Any] = durable_execution(function)
    return made


def again(why: str) -> Exception:
    """Return what ends this invocation so that Lambda makes it again, a few times, with the same records.

    Anything else that is raised outside of a step ends the execution, and with it the run before its teardown.
    """
    return InvocationError(why)
