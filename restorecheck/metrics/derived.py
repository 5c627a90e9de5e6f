"""The figures of one moment, from facts alone. Pure: the same facts give the same figures in every process.

Only what the configuration declares has series, so that a check that has left it is silent, and their number follows
from what is declared. Where the store could not be read nothing is said of checks: a gap is seen, a made-up 0 is not.
"""

from __future__ import annotations

from restorecheck.metrics import of_accounts, of_checks, of_runs, of_service
from restorecheck.metrics.figures import Figures
from restorecheck.metrics.standing import Facts


def figures(facts: Facts) -> Figures:
    """Return every figure that these facts give."""
    made = Figures()
    of_service.put_process(made, facts)
    if facts.kept is not None:
        of_checks.put(made, facts.config, facts.kept, facts.now)
        of_runs.put(made, facts.config, facts.kept)
        of_accounts.put(made, facts.config, facts.kept)
        of_service.put(made, facts.config, facts.kept)
    return made
