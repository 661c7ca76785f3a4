"""Localisation: whose sensor it is among several people, and on which part of the body it is worn."""

from kinebind.tasks.locate.choose import How, choose
from kinebind.tasks.locate.parts import PartsFound, locate_parts
from kinebind.tasks.locate.people import PeopleFound, locate_people

__all__ = ["How", "PartsFound", "PeopleFound", "choose", "locate_parts", "locate_people"]
