"""The commands, as the command line knows them: names, options, help. What each does is in a module of `cli`.

Importing one of these modules adds its commands; the order here is that of the help.
"""

from restorecheck.cli.commands import setup, runs, steering, evidence, demo  # noqa: F401, I001 - the order of the help
