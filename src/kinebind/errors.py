"""The errors that Kinebind raises on purpose: each says what is wrong and what to do about it."""

from __future__ import annotations


class KinebindError(Exception):
    """Base of all errors that Kinebind raises on purpose."""


class InputError(KinebindError, ValueError):
    """Input that cannot be used.

    what: what is wrong, naming the file, column or argument.
    fix: what the user can do about it; the command line shows it on a line of its own.
    """

    def __init__(self, what: str, fix: str = "") -> None:
        self.what = what
        self.fix = fix
        super().__init__(f"{what} {fix}".strip())

    def at(self, place: str) -> InputError:
        """The same error with the place (a file, a sensor) put in front."""
        return InputError(f"{place}: {self.what}", self.fix)
