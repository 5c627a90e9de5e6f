"""The manifest: what the questions of one check came to at one time, as one JSON object. Pure.

Numbers, fingerprints and names only. What is not exactly of this format is refused, never guessed at.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from typing import Any

import pydantic

from restorecheck.model import Measured

FORMAT = "restorecheck-manifest/1"
"""Changes with the meaning of anything in a manifest, fingerprints included: two formats are never compared."""

MOST = 64 << 20
"""Bytes of a manifest; a larger one is not read."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """Everything that was recorded at once."""

    format: str
    check: str
    reference: str
    recorded_at: datetime  # by the server's clock, before the first question
    engine: str  # postgresql, mysql
    server_version: str
    answers: tuple[Measured, ...]  # each says by which question it was measured


class NoManifestError(ValueError):
    """These bytes are no manifest that can be used; says why, without any of them."""


def written(manifest: Manifest) -> bytes:
    """Return a manifest as JSON. Raises NoManifestError if it is larger than would be read."""
    plain = _adapter().dump_python(replace(manifest, recorded_at=manifest.recorded_at.astimezone(UTC)), mode="json")
    answers = [{name: value for name, value in one.items() if value or name == "value"} for one in plain["answers"]]
    body = json.dumps({**plain, "answers": answers}, indent=1, ensure_ascii=False).encode() + b"\n"
    if len(body) > MOST:
        raise NoManifestError(f"the manifest would have {len(body):,} bytes, and {MOST:,} are allowed")
    return body


def read(body: bytes) -> Manifest:
    """Return the manifest in an object. Raises NoManifestError."""
    try:
        manifest: Manifest = _adapter().validate_json(body, strict=True)
    except pydantic.ValidationError as e:
        first = e.errors(include_input=False, include_url=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        # of an error in JSON itself pydantic's message quotes nothing but the position
        raise NoManifestError(f"it is no manifest ({where or first['msg']})") from None
    if manifest.format != FORMAT:
        raise NoManifestError(f"it is of another format than {FORMAT}")
    if manifest.recorded_at.tzinfo is None:
        raise NoManifestError("it does not say in which zone its time is")
    names = [one.assertion for one in manifest.answers]
    if len(names) != len(set(names)):
        raise NoManifestError("it answers one assertion twice")
    if not all(one.question for one in manifest.answers):
        raise NoManifestError("it does not say what was asked")
    return replace(manifest, answers=tuple(_in_order(one) for one in manifest.answers))


def _in_order(one: Measured) -> Measured:
    return replace(one, measures=tuple(sorted(one.measures, key=lambda m: m.object)), lines=tuple(sorted(one.lines)))


@cache
def _adapter() -> pydantic.TypeAdapter[Any]:
    return pydantic.TypeAdapter(Manifest)
