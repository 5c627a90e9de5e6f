"""What there is in a source account that could be tested, and a first check for each: for `restorecheck init`.

`survey` and `buckets` look, through the hand that they are given, and only read; `found` is what they bring back.
`judging` says what cannot be tested and why, `dumps` recognises dumps by their keys; `proposals` makes a check for each
of the others (`database_checks`, `bucket_checks`), `declaring` the config.toml. Nothing here writes a file.
"""

from restorecheck.discovery.declaring import Answers, Place
from restorecheck.discovery.found import Blind, Survey
from restorecheck.discovery.judging import Ground
from restorecheck.discovery.proposals import Draft, LeftOut, Proposal, Wishes, propose
from restorecheck.discovery.survey import Hand, survey

__all__ = [
    "Answers",
    "Blind",
    "Draft",
    "Ground",
    "Hand",
    "LeftOut",
    "Place",
    "Proposal",
    "Survey",
    "Wishes",
    "propose",
    "survey",
]
