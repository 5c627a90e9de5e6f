"""Finds scratch that outlived its lease, by its tags in AWS and never from our store, and asks AWS to delete it.

`swept` has the words, `looks` lists and lets the fence judge, `shares` finds who else may see a snapshot, `sweeping`
puts them together and holds the breaker, `noted` says what is kept of it. Only `sweeping` deletes.
"""

from restorecheck.sweep.noted import noted
from restorecheck.sweep.sweeping import sweep
from restorecheck.sweep.swept import Blind, Piece, Place, State, Swept

__all__ = ["Blind", "Piece", "Place", "State", "Swept", "noted", "sweep"]
