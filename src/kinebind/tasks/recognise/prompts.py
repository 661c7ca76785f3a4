"""Labels as sentences: what an encoder of sentences is asked for a class."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence

from kinebind.errors import InputError

TEMPLATES = ("{}", "a person does this: {}", "somebody is doing this: {}", "the movement is: {}")


def in_words(label: str) -> str:
    """A label as people say it.

    >>> in_words("STANDING_UP"), in_words("bicepCurls"), in_words("draw-circle (cw)")
    ('standing up', 'bicep curls', 'draw circle cw')
    """
    text = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", label)
    return " ".join(re.findall(r"[^\W_]+", text)).lower()


def prompts(label: str, paraphrases: Sequence[str] = ()) -> list[str]:
    """Sentences for a label and its paraphrases, in every template.

    >>> len(prompts("clap", ["applaud"]))
    8

    Raises InputError where a label has no word in it.
    """
    words = [in_words(label), *(" ".join(p.split()) for p in paraphrases)]
    if not all(any(c.isalpha() for c in w) for w in words):
        raise InputError(f"The label '{label}' has no word in it.", "Say in words what is done (--describe).")
    return [template.format(w) for w in dict.fromkeys(words) for template in TEMPLATES]


def check_described(labels: Sequence[str], described: Mapping[str, Sequence[str]]) -> None:
    """Raises InputError where something is described that is no label, with the labels that are written alike."""
    for name in described:
        if name not in labels:
            near = difflib.get_close_matches(name, labels, n=3, cutoff=0.4)
            hint = f"Did you mean {' or '.join(near)}?" if near else f"Labels are: {', '.join(labels)}."
            raise InputError(f"'{name}' is described, but is no label.", hint)
