"""Named movements: what is written is what bodies do, smoothly, each in its own way, and left is not right."""

from __future__ import annotations

import pytest
import torch

from kinebind.training.draw.acting import Script, act
from kinebind.training.draw.figure import joints
from kinebind.training.draw.moves import Variety, draw_motion, labels_of
from kinebind.training.draw.turns import conjugate, matrices, multiply, rotate
from kinebind.training.draw.vocabulary import VOCABULARY, sentences
from kinebind.training.draw.vocabulary.movement import CHANNELS
from kinebind.training.draw.words import meanings

GRID_S = torch.arange(500) / 100.0
SCRIPT = Script.of(VOCABULARY)
NAMES = [m.name for m in VOCABULARY]
LENGTHS = torch.tensor([0.095, 0.42, 0.42, 0.19, 0.24, 0.27, 0.18, -0.03, 0.3, 0.26, 0.19])
_PELVIS, _CHEST = 0, 1


def acted(name, count=8, seed=0):
    """Joints seen from the body itself (x to its left, y up, z ahead), as it stands at the beginning."""
    movement = torch.full((count,), NAMES.index(name))
    rot, root = act(SCRIPT, movement, GRID_S, torch.Generator().manual_seed(seed))
    placed = joints(matrices(rot), root, LENGTHS.expand(count, -1))
    # Bodies stand before they move, and look ahead of their pelvis.
    back = conjugate(rot[:, :1, _PELVIS])
    return {k: rotate(back.expand(count, GRID_S.numel(), 4), v - root[:, :1]) for k, v in placed.items()}


def test_words_are_many_and_names_are_single():
    assert len(set(NAMES)) == len(NAMES) > 150
    assert sum(len(m.phrases) for m in VOCABULARY) > 300
    for m in VOCABULARY:
        assert 0.0 < m.seconds[0] < m.seconds[1], m.name
        assert 1 <= m.times[0] <= m.times[1], m.name
        assert all(len(p.numbers()) == CHANNELS for p in m.poses)
        assert all("{" not in phrase for flip in (False, True) for phrase in sentences(m, flip)), m.name


def test_every_movement_is_possible_and_smooth():
    movement = torch.arange(len(VOCABULARY))
    rot, root = act(SCRIPT, movement, GRID_S, torch.Generator().manual_seed(1))
    assert torch.isfinite(rot).all()
    assert (rot.norm(dim=-1) - 1.0).abs().max() < 1e-5
    placed = joints(matrices(rot), root, LENGTHS.expand(len(VOCABULARY), -1))
    for name, points in placed.items():
        speed = points.diff(dim=1).norm(dim=-1) * 100.0
        fast = speed.amax(dim=1)
        assert fast.max() < 14.0, (name, NAMES[int(fast.argmax())])  # m/s: a hand that throws
        jump = points.diff(n=2, dim=1).norm(dim=-1).amax(dim=1) * 1e4
        assert jump.max() < 900.0, (name, NAMES[int(jump.argmax())])  # m/s²


def test_hands_go_where_they_are_said_to():
    raised = acted("raise hand")
    top = raised["right_wrist"][..., 1].amax(dim=1)
    assert (top > raised["ears"][:, 0, 1]).all()
    assert (raised["left_wrist"][..., 1].amax(dim=1) < raised["left_shoulder"][:, 0, 1] - 0.3).all()
    aside = acted("raise arm to the side")
    assert (aside["right_wrist"][..., 0].amin(dim=1) < -0.5).all()  # the right is at negative x
    ahead = acted("point ahead")
    assert (ahead["right_wrist"][..., 2].amax(dim=1) > 0.3).all()


def test_a_circle_turns_the_way_its_name_says():
    for name, sense in (("circle clockwise", -1.0), ("circle counterclockwise", 1.0)):
        hand = acted(name)["right_wrist"]
        step = hand.diff(dim=1)
        middle = hand[:, 1:] - hand[:, 1:].mean(dim=1, keepdim=True)
        # As the mover sees it, right is at negative x: area swept, counterclockwise positive.
        area = (-middle[..., 0] * step[..., 1] + middle[..., 1] * step[..., 0]).sum(dim=1)
        assert (area.sign() == sense).float().mean() > 0.8, name


def test_who_squats_goes_down_on_feet_that_stay():
    squat = acted("squat")
    hips = 0.5 * (squat["left_hip"] + squat["right_hip"])
    low, high = hips[..., 1].amin(dim=1), hips[..., 1].amax(dim=1)
    assert (high - low > 0.15).all()
    for ankle in ("left_ankle", "right_ankle"):
        assert (squat[ankle] - squat[ankle][:, :1]).norm(dim=-1).max() < 0.06


def test_who_sits_down_stays_seated_and_who_stands_up_is_up():
    down, up = acted("sit down"), acted("stand up")
    low, high = down["left_hip"][..., 1], up["left_hip"][..., 1]
    assert (low[:, -1] < low[:, 0] - 0.2).all()
    assert (high[:, -1] > high[:, 0] + 0.2).all()


def test_bodies_of_one_style_differ_less_than_others():
    movement = torch.full((40,), NAMES.index("squat"))
    alike = act(SCRIPT, movement, GRID_S, torch.Generator().manual_seed(2), style=torch.zeros(40, dtype=torch.long))[1]
    free = act(SCRIPT, movement, GRID_S, torch.Generator().manual_seed(2))[1]
    assert alike[..., 2].amin(dim=1).std() < 0.7 * free[..., 2].amin(dim=1).std()


def test_a_movement_that_fits_is_inside_what_is_asked():
    movement = torch.full((20,), NAMES.index("salute"))
    rot, _ = act(SCRIPT, movement, GRID_S, torch.Generator().manual_seed(3), inside_s=(2.0, 4.5))
    moved = multiply(conjugate(rot[:, :1]), rot)[..., :3].norm(dim=-1).amax(dim=-1)  # (B, T)
    assert moved[:, :190].max() < 0.25  # people sway
    assert (moved[:, 200:450].amax(dim=1) > 0.5).all()


# -- drawn among clips -------------------------------------------------------------------------------------------


def test_what_is_drawn_has_its_words(library, corpus, generator):
    nothing = {k: 0.0 for k in Variety().__dict__ if k not in ("warp", "acted", "mirrored", "alike")}
    moved = draw_motion(library, 60, GRID_S[:250], Variety(**nothing, mirrored=0.0, acted=0.5), generator)
    words = meanings(labels_of(corpus))
    assert len(words) == 2 * (len(set(corpus.labels)) + len(VOCABULARY))
    acted_ones = moved.meaning >= 2 * len(set(corpus.labels))
    assert 10 < acted_ones.sum() < 50
    assert all(words[k] == ("gestures",) for k in moved.meaning[~acted_ones].tolist() if k >= 0)
    # Unmirrored movements have even numbers.
    assert (moved.meaning[acted_ones] % 2 == 0).all()
    mirrored = draw_motion(library, 60, GRID_S[:250], Variety(**nothing, mirrored=1.0, acted=1.0), generator)
    assert (mirrored.meaning % 2 == 1).all()


def test_what_was_changed_beyond_its_words_has_none(library, generator):
    nothing = {k: 0.0 for k in Variety().__dict__ if k not in ("warp", "standing")}
    moved = draw_motion(library, 20, GRID_S[:250], Variety(**nothing, standing=1.0), generator)
    assert (moved.meaning == -1).all()


def test_a_mirrored_movement_is_done_on_the_other_side(library):
    nothing = {k: 0.0 for k in Variety().__dict__ if k not in ("warp", "mirrored", "acted")}
    plain, flipped = (
        draw_motion(
            library, 6, GRID_S[:250], Variety(**nothing, mirrored=m, acted=1.0), torch.Generator().manual_seed(5)
        )
        for m in (0.0, 1.0)
    )
    left, right = (
        joints(matrices(moved.rot), moved.root, LENGTHS.expand(6, -1))[f"{side}_wrist"]
        for side, moved in (("left", plain), ("right", flipped))
    )
    assert (left * torch.tensor([-1.0, 1.0, 1.0]) - right).abs().max() < 1e-4
    assert (plain.meaning + 1 == flipped.meaning).all()


@pytest.mark.parametrize("text", ["step to the {right}", "circle {clockwise}"])
def test_phrases_change_sides(text):
    changed = sentences(VOCABULARY[0].__class__("x", (text,), VOCABULARY[0].poses), True)[0]
    assert ("left" in changed) or ("counterclockwise" in changed)
