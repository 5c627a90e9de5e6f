"""What AWS Lambda gives to one run: numbers that nobody can raise, and what we keep of them. Pure data."""

from __future__ import annotations

from datetime import timedelta

INVOCATION = timedelta(minutes=15)
"""The longest that an invocation, and so a step, may last. Source: Lambda quotas, function timeout."""

LONGEST_EXAMINE = timedelta(minutes=13)
"""What we let all questions take: the rest is for the start, opening, a look at events, and the record."""

LARGEST = 262_144
"""Bytes of one record. Source: the service's "STEP output payload size must be less than or equal to 262144 bytes"."""

OPERATIONS = 3000
"""Of one execution. Source: Lambda quotas. One more fails the execution, and nothing would be torn down."""

RESERVE = 300
"""Operations that no wait of the way there may use."""

SPARE = 100
"""Operations for what is begun again: steps whose invocation died, looks that found too little time."""
