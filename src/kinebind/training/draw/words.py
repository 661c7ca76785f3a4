"""What bodies do, in words: the labels of clips and the phrases of named movements, numbered."""

from __future__ import annotations

import re
from collections.abc import Sequence

from torch import Tensor

from kinebind.training.draw.vocabulary import VOCABULARY, sentences
from kinebind.training.phrases import phrases_of

_SIDES = re.compile(r"\b(left|right|(?:(?:counter|anti)[ -]?)?clockwise)\b", re.IGNORECASE)
_MIRRORED = {"left": "right", "right": "left", "clockwise": "counterclockwise"}
"""Whatever runs against the clock is mirrored by what runs with it."""


def meanings(labels: Sequence[str]) -> list[tuple[str, ...]]:
    """Phrases of every meaning: of each label and its mirror image, then of each named movement and its.

    >>> meanings(["wave right hand"])[:2]
    [('wave right hand',), ('wave left hand',)]
    """
    out = [
        tuple(mirrored_words(phrase) if flip else phrase for phrase in phrases_of(label))
        for label in labels
        for flip in (False, True)
    ]
    return out + [tuple(sentences(m, flip)) for m in VOCABULARY for flip in (False, True)]


def mirrored_words(text: str) -> str:
    """A text with left and right exchanged, and the ways of a clock.

    >>> mirrored_words("walk turn left"), mirrored_words("a circle counter-clockwise")
    ('walk turn right', 'a circle clockwise')
    """
    return _SIDES.sub(lambda m: _MIRRORED.get(m[0].lower(), "clockwise"), text)


def meaning_of_clip(label: Tensor, mirrored: Tensor) -> Tensor:
    """Numbers (B,) of what clips with labels (B,) show, mirrored (B,) or not."""
    return 2 * label + mirrored.long()


def meaning_of_movement(movement: Tensor, mirrored: Tensor, labels: int) -> Tensor:
    """Numbers (B,) of movements (B,) of the vocabulary, mirrored (B,) or not; labels: how many labels of clips."""
    return 2 * (labels + movement) + mirrored.long()
