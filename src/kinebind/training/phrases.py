"""Labels that say in several phrases what is done: one text, in which `ALSO` stands between them."""

from __future__ import annotations

from collections.abc import Sequence

ALSO = " | "


def label_of(phrases: Sequence[str]) -> str:
    """One label of several phrases; what stands for "or" in a phrase is no such sign.

    >>> label_of(["kick high", "a person kicks"])
    'kick high | a person kicks'
    """
    return ALSO.join(phrase.replace("|", "/").strip() for phrase in phrases)


def phrases_of(label: str) -> tuple[str, ...]:
    """The phrases of a label.

    >>> phrases_of("kick high | a person kicks"), phrases_of("wave")
    (('kick high', 'a person kicks'), ('wave',))
    """
    return tuple(label.split(ALSO))
