"""What a universal model knows by words: labels that training named or did not, and text beside held-out motion.

A label counts as named where all its words stand in one phrase that training had for something: the name of a file of
motion, its mirror image, or a sentence about a named movement. Words that carry nothing by themselves are left out.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from kinebind.bench import utd
from kinebind.bench.har_data import LOOKS, UTD_LABELS, utd_labelled
from kinebind.bench.measured import Cases, Measured
from kinebind.clock import FloatArray
from kinebind.errors import InputError
from kinebind.nn.recogniser import by_token
from kinebind.nn.sentences import SentenceEncoder
from kinebind.nn.universal import Universal
from kinebind.readers.motion_sets import MOTION_SETS, MotionFile
from kinebind.tasks.recognise.by_words import ByWords
from kinebind.tasks.recognise.prompts import in_words
from kinebind.tasks.recognise.stretches import Stretch, stretch_of
from kinebind.training.draw.words import meanings
from kinebind.training.motion_takes import simulated_recording
from kinebind.training.recognise_windows import batch_of

HELD_OUT = "deepmimic"
"""Motion with names that nothing was trained on."""
SITE = "right_wrist"
TOP = 5
_EMPTY = (
    "a", "an", "and", "at", "away", "by", "for", "from", "in", "into", "of", "off", "on", "onto", "or", "out", "over",
    "the", "to", "up", "with",
)  # fmt: skip
"""Words that say little by themselves."""


def training_phrases(data: Path) -> list[str]:
    """What training called things: names of the files of motion to train on, and all about the named movements."""
    labels = {
        file.label
        for own in MOTION_SETS.values()
        if own.use == "train" and (data / own.name).is_dir()
        for file in own.files(data / own.name)
        if file.label
    }
    return sorted({phrase for own in meanings(sorted(labels)) for phrase in own})


def is_named(label: str, phrases: Sequence[str]) -> bool:
    """Whether all words of a label stand in one phrase, in whatever form they end.

    >>> is_named("stand to sit", ["sit down from standing"]), is_named("bowling", ["throw a ball"])
    (True, False)
    """
    wanted = [_stem(word) for word in in_words(label).split() if word not in _EMPTY]
    return any(set(wanted) <= {_stem(word) for word in re.findall(r"[a-z]+", phrase.lower())} for phrase in phrases)


def _stem(word: str) -> str:
    """A word without its usual endings."""
    for ending in ("ing", "es", "ed", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            word = word.removesuffix(ending)
            break
    word = word.removesuffix("e")
    return word[:-1] if len(word) > 3 and word[-1] == word[-2] else word


def named_labels(data: Path) -> dict[str, float]:
    """`utd_named_LABEL`: 1 of UTD-MHAD's labels that training named, else 0."""
    phrases = training_phrases(data)
    return {f"utd_named_{label.replace(' ', '_')}": float(is_named(label, phrases)) for label in UTD_LABELS}


def utd_clips(data: Path, encoder: SentenceEncoder, model: Universal, *, final: bool) -> Measured:
    """UTD-MHAD's 27 labels by their words alone: a sensor whose place is not told, and a person in the set's camera;
    of all clips, and apart of those whose label training named, and of the others.
    """
    words = ByWords(model, encoder, UTD_LABELS)
    phrases = training_phrases(data)
    named = np.array([is_named(label, phrases) for label in UTD_LABELS])
    out: Measured = {}
    for mode, key in (("inertial", "utd_zeroshot"), ("pose2d", "utd_zeroshot_pose")):
        asked = utd_labelled(data / "utd-mhad", utd.TEST if final else utd.DEVELOPMENT, mode)
        answers = [words.scores(_said(model, own.stretch, mode)).mean(axis=0).argmax() for own in asked]
        right = np.array([float(a == own.label) for a, own in zip(answers, asked, strict=True)])
        of_named = named[[own.label for own in asked]]
        for what, values in (("acc", right), ("named_acc", right[of_named]), ("unnamed_acc", right[~of_named])):
            out[f"{key}_{what}"] = Cases(values)
    return out


@torch.inference_mode()
def _said(model: Universal, stretch: Stretch, mode: str) -> torch.Tensor:
    """What is said (K, text) of a stretch's first sensor, or of the limbs of the person."""
    streams = batch_of([stretch], LOOKS[mode])
    if mode == "inertial":
        hidden = model.felt(streams.felt[0], streams.felt_site[0])
        said: torch.Tensor = model.felt_said(hidden, by_token(streams.felt_there[0]))
        return said
    hidden = model.seen(streams.seen[0], streams.site[0])
    said = model.seen_said(hidden, by_token(streams.seen_there[0]))
    return said


def held_out(data: Path, encoder: SentenceEncoder, model: Universal, *, small: bool = False) -> Measured:
    """`text_imu_r5`, `text_pose_r5` and their chances: names of held-out files of motion against simulated sensors on
    the right wrist and filmed limbs, both ways. A name finds its file where one that is called so is among the first
    five, a file its name where that is.
    """
    files = [file for file in MOTION_SETS[HELD_OUT].files(data / HELD_OUT) if file.label]
    found = _said_of(model, files[:: 8 if small else 1])
    names = sorted({label for label, _, _ in found})
    label = np.array([names.index(own) for own, _, _ in found])
    words = ByWords(model, encoder, names)
    out: Measured = {}
    for kind, said in (
        ("imu", torch.stack([row[1] for row in found])),
        ("pose", torch.stack([row[2] for row in found])),
    ):
        for what, cases in _both_ways(words.scores(said), label).items():
            out[f"text_{kind}_{what}"] = cases
    return out


def _said_of(model: Universal, files: Sequence[MotionFile]) -> list[tuple[str, torch.Tensor, torch.Tensor]]:
    """Label, what is said of the sensor (text,) and what of the limb, of each file that can be read."""
    out = []
    for file in files:
        try:
            recording = simulated_recording(file, (SITE,))
        except InputError:
            continue
        felt = _said(model, stretch_of(recording.imus, told=False), "inertial").mean(dim=0)
        seen = _said(model, stretch_of([], recording.people, told=False), "pose2d").mean(dim=0)
        out.append((file.label, felt, seen))
    return out


def _both_ways(scores: FloatArray, label: np.ndarray) -> Measured:
    """R@5 and chance of scores (files, names): names asking for files, files asking for names."""
    files, names = scores.shape
    hits = []
    chance = []
    for name in range(names):
        best = np.argsort(-scores[:, name], kind="stable")[:TOP]
        hits.append(float((label[best] == name).any()))
        wrong = np.arange(files - int((label == name).sum()))[::-1][:TOP] + 1
        taken = np.arange(files)[::-1][:TOP] + 1
        chance.append(1.0 - float(np.prod(wrong / taken)) if len(wrong) == len(taken) else 1.0)
    for file in range(files):
        best = np.argsort(-scores[file], kind="stable")[:TOP]
        hits.append(float(label[file] in best))
        chance.append(min(1.0, TOP / names))
    # Each way counts as much as the other.
    weight = 0.5 * (names + files) / np.concatenate([np.full(names, names), np.full(files, files)])
    return {"r5": Cases(np.array(hits) * weight), "r5_chance": Cases(np.array(chance) * weight, less_is_better=None)}
