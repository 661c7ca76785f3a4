"""Localisation: whose sensor it is among several people, and on which part of the body it is worn.

`locate` answers it for a recording, by any matcher. `locate_people` and `locate_parts` judge embeddings of windows.
"""

from kinebind.tasks.locate.choose import How, choose
from kinebind.tasks.locate.parts import PartsFound, locate_parts
from kinebind.tasks.locate.people import PeopleFound, locate_people
from kinebind.tasks.locate.result import Finding, LocateResult
from kinebind.tasks.locate.whole import locate

__all__ = [
    "Finding", "How", "LocateResult", "PartsFound", "PeopleFound", "choose", "locate", "locate_parts", "locate_people",
]  # fmt: skip
