"""`restorecheck serve`: wakes on schedule, runs checks side by side, survives being killed at any moment.

A composition root. `serving` is the life of the process, `current` the configuration it works with, `health` what it
knows of itself. Nothing here decides about verdicts.
"""

from restorecheck.service.serving import HALTED, Service, serve

__all__ = ["HALTED", "Service", "serve"]
