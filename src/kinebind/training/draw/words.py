"""What bodies do, in words: the labels of clips and the phrases of named movements, numbered."""

from __future__ import annotations

import re
from collections.abc import Sequence

from torch import Tensor

from kinebind.training.draw.vocabulary import VOCABULARY, sentences


def meanings(labels: Sequence[str]) -> list[tuple[str, ...]]:
    """Phrases of every meaning: of each label and its mirror image, then of each named movement and its.

    >>> meanings(["wave right hand"])[:2]
    [('wave right hand',), ('wave left hand',)]
    """
    out = [(mirrored_words(label) if flip else label,) for label in labels for flip in (False, True)]
    return out + [tuple(sentences(m, flip)) for m in VOCABULARY for flip in (False, True)]


def mirrored_words(text: str) -> str:
    """A text with left and right exchanged.

    >>> mirrored_words("walk turn left")
    'walk turn right'
    """
    return re.sub(r"\b(left|right)\b", lambda m: "right" if m[1] == "left" else "left", text)


def meaning_of_clip(label: Tensor, mirrored: Tensor) -> Tensor:
    """Numbers (B,) of what clips with labels (B,) show, mirrored (B,) or not."""
    return 2 * label + mirrored.long()


def meaning_of_movement(movement: Tensor, mirrored: Tensor, labels: int) -> Tensor:
    """Numbers (B,) of movements (B,) of the vocabulary, mirrored (B,) or not; labels: how many labels of clips."""
    return 2 * (labels + movement) + mirrored.long()
