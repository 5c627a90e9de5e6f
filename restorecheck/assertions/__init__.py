"""The vocabulary of assertions and what becomes of the answers: findings, objectives, the verdict. All of it is pure.

Nothing here asks a database, reads a clock or knows an engine. What it must never do is to let an answer pass that it
could not compare, and to put a text that a database returned into a message.
"""

from restorecheck.assertions.baselines import measured
from restorecheck.assertions.conclusion import PHASE, judge_all, objectives, verdict
from restorecheck.assertions.difference import difference
from restorecheck.assertions.digest import canonical, digest, sealed
from restorecheck.assertions.judgement import judge
from restorecheck.assertions.levels import level, proven

__all__ = [
    "PHASE",
    "canonical",
    "difference",
    "digest",
    "judge",
    "judge_all",
    "level",
    "measured",
    "objectives",
    "proven",
    "sealed",
    "verdict",
]
