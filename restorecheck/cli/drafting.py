"""A draft of checks, without those that configuration refuses: one odd name must not cost all the others their check.

Decides only which files are tried; what is done with them is its caller's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from restorecheck.discovery import Draft, LeftOut
from restorecheck.errors import ConfigError, Problem


def sound(
    draft: Draft, directory: str, beside: Mapping[str, str], act: Callable[[Mapping[str, str]], None]
) -> tuple[Draft, dict[str, str]]:
    """Do something with the files of a draft, and return both.

    A check that configuration refuses, such as one of something with a name that nobody thought of, is left out with
    what was said of it, and the others stay.
    """
    while draft.proposals:
        files = {f"{directory}/{one.name}.toml": one.text for one in draft.proposals} | dict(beside)
        try:
            act(files)
        except ConfigError as e:
            ours = {one.name: f"{directory}/{one.name}.toml" for one in draft.proposals}
            wrong = {
                name: problem
                for problem in reversed(e.problems)
                for name, file in ours.items()
                if Path(problem.path).parts[-2:] == Path(file).parts[-2:]
            }
            if not wrong:
                raise
            left = [LeftOut(one.source, _refused(wrong[one.name])) for one in draft.proposals if one.name in wrong]
            kept = tuple(one for one in draft.proposals if one.name not in wrong)
            draft = replace(draft, proposals=kept, left_out=(*draft.left_out, *left))
        else:
            return draft, files
    return draft, {}


def _refused(problem: Problem) -> str:
    return f"write its check by hand, because what would be written is refused: {problem.key}: {problem.message}"
