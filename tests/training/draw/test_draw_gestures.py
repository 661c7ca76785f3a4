"""Led arms and legs: possible, smooth, and alike where bodies are."""

from __future__ import annotations

import pytest
import torch

from kinebind.body.segments import SEGMENTS
from kinebind.training.draw.figure import joints
from kinebind.training.draw.gestures import ARMS, _Draws, _made_up_poses, led_arms, led_legs, led_trunk, smooth
from kinebind.training.draw.turns import conjugate, matrices, multiply, rotate

GRID_S = torch.arange(400) / 100.0
_DOWN = torch.tensor([0.0, -1.0, 0.0])


def standing(count):
    """Bodies who face −y of the world, upright with hanging arms: x to the left, z up."""
    upright = torch.tensor([2.0**-0.5, 0.0, 0.0, 2.0**-0.5])
    return upright.expand(count, GRID_S.numel(), len(SEGMENTS), 4).clone(), torch.zeros(count, GRID_S.numel(), 3)


def placed(rot, root):
    lengths = (0.1, 0.42, 0.42, 0.19, 0.24, 0.27, 0.18, -0.03, 0.3, 0.26, 0.19)
    return joints(matrices(rot), root, torch.tensor(lengths).expand(len(rot), -1))


def test_squatting_feet_stay_where_they_stand():
    rot, root = standing(40)
    led, moved = led_legs(rot, root, GRID_S, torch.arange(40), torch.Generator().manual_seed(1))
    before, after = placed(rot, root), placed(led, moved)
    squats = (moved - root).abs().amax(dim=(1, 2)) > 0.0
    assert 8 < squats.sum() < 25
    for ankle in ("left_ankle", "right_ankle"):
        assert (after[ankle] - before[ankle])[squats].abs().max() < 2e-3
    drop = (moved - root)[squats, :, 2]
    assert drop.max() < 0.01  # hips go down, not up
    assert drop.amin(dim=1).mean() < -0.1
    # A raised knee is before the hips: they face −y.
    knees = torch.stack([after["left_knee"], after["right_knee"]])
    hips = torch.stack([after["left_hip"], after["right_hip"]])
    assert (knees - hips)[..., 1].max() < 0.02


def test_who_raises_a_knee_stands_on_the_other_leg():
    rot, root = standing(40)
    led, moved = led_legs(rot, root, GRID_S, torch.arange(40), torch.Generator().manual_seed(1))
    one_legged = (moved - root).abs().amax(dim=(1, 2)) == 0.0
    left, right = (SEGMENTS.index(f"{side}_thigh") for side in ("left", "right"))
    turned = [multiply(conjugate(rot[:, :, k]), led[:, :, k])[..., :3].norm(dim=-1)[one_legged] for k in (left, right)]
    assert torch.minimum(*turned).max() < 1e-6
    assert torch.maximum(*turned).amax(dim=1).min() > 0.1


def test_a_trunk_leans_to_the_front_and_takes_the_arms_with_it():
    rot, root = standing(60)
    led = led_trunk(rot, GRID_S, torch.arange(60), torch.Generator().manual_seed(1))
    legs = [k for k, name in enumerate(SEGMENTS) if name.split("_")[-1] in ("thigh", "shank", "foot")]
    assert torch.equal(led[:, :, legs], rot[:, :, legs])
    before, after = placed(rot, root), placed(led, root)
    ahead = -(after["neck"] - before["neck"])[..., 1]  # they face −y
    assert ahead.max() > 0.25
    assert ahead.min() > -0.2
    chest = SEGMENTS.index("chest")
    for arm in ARMS[0] + ARMS[1]:
        apart = multiply(conjugate(led[:, :, chest]), led[:, :, arm])
        assert (apart - multiply(conjugate(rot[:, :, chest]), rot[:, :, arm])).abs().max() < 1e-5
    bent = 2.0 * torch.asin(multiply(conjugate(rot[:, :, chest]), led[:, :, chest])[..., :3].norm(dim=-1))
    assert 0.9 < bent.max() < 1.7


def test_some_do_with_the_right_arm_what_the_left_does():
    rot, _ = standing(80)
    led = led_arms(rot[:, 0], rot, GRID_S, torch.arange(80), torch.Generator().manual_seed(1))
    chest = SEGMENTS.index("chest")
    left, right = (multiply(conjugate(rot[:, :, [chest]]), led[:, :, list(arm)]) for arm in ARMS)
    alike = (left * torch.tensor([1.0, -1.0, -1.0, 1.0]) - right).abs().amax(dim=(1, 2, 3)) < 1e-5
    assert 10 < alike.sum() < 40


def test_made_up_arms_stay_within_reach():
    draws = _Draws(torch.arange(500), torch.Generator().manual_seed(1))
    key = _made_up_poses(1.0, draws, 8)
    upper, fore = (rotate(key[:, :, k], _DOWN.expand(500, 8, 3)) for k in (0, 1))
    # Seen from the chest, x to the left: a left arm points behind only as far as a shoulder goes.
    assert upper[..., 2].min() > -0.5
    assert (upper * fore).sum(-1).min() > -0.85  # an elbow bends by less than 150°
    assert upper[..., 0].max() > 0.9
    assert upper[..., 1].max() > 0.8


def test_bodies_that_are_alike_make_one_gesture_in_their_own_time():
    rot, _ = standing(40)
    library = rot[:, 0]
    model = torch.arange(40) // 4 * 4
    alike = led_arms(library, rot, GRID_S, model, torch.Generator().manual_seed(1)).view(10, 4, *rot.shape[1:])
    strange = led_arms(library, rot, GRID_S, torch.arange(40), torch.Generator().manual_seed(1)).view_as(alike)

    def apart(families):
        arms = families[:, :, :, list(ARMS[0] + ARMS[1])]
        step = multiply(conjugate(arms[:, :1]), arms[:, 1:])[..., :3].norm(dim=-1)
        return float(step.mean())

    assert 0.02 < apart(alike) < 0.5 * apart(strange)


def test_arms_are_never_faster_than_arms_are():
    rot, _ = standing(60)
    led = led_arms(rot[:, 0], rot, GRID_S, torch.arange(60), torch.Generator().manual_seed(2))
    step = 2.0 * torch.asin(multiply(conjugate(led[:, :-1]), led[:, 1:])[..., :3].norm(dim=-1).clamp_max(1.0))
    assert step.max() * 100.0 < 35.0
    legs = [k for k, name in enumerate(SEGMENTS) if not name.endswith("arm")]
    assert torch.equal(led[:, :, legs], rot[:, :, legs])


def test_a_path_of_least_jerk_begins_and_ends_at_rest():
    u = torch.linspace(-0.5, 1.5, 201)
    path = smooth(u)
    assert float(path[0]) == 0.0
    assert float(path[-1]) == 1.0
    assert path.diff().min() >= 0.0
    assert float(path.diff().max() / 0.01) == pytest.approx(1.875, rel=0.01)
