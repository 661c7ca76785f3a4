"""Motion drawn from clips: exact where nothing is done to it, and smooth where something is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from kinebind.body.segments import SEGMENTS
from kinebind.errors import InputError
from kinebind.training.corpus_packing import ROT_SCALE
from kinebind.training.draw import large_arrays, moves
from kinebind.training.draw.moves import FAMILY, Library, Variety, _wander
from kinebind.training.draw.moves import draw_motion as draw_moved
from kinebind.training.draw.turns import conjugate, multiply

PLAIN = Variety(
    warp=(0.0, 0.0), uneven=0.0, alike=0.0, mirrored=0.0, chained=0.0, upper_of_another=0.0,
    standing=0.0, driven_arms=0.0, driven_legs=0.0, driven_trunk=0.0, still_arms=0.0, still_legs=0.0, still_trunk=0.0,
    acted=0.0,
)  # fmt: skip


def draw_motion(*given):
    """Rotations and root of what is drawn."""
    moved = draw_moved(*given)
    return moved.rot, moved.root


def turned_rad(a, b):
    """Angle between rotations."""
    return 2.0 * torch.asin(multiply(conjugate(a), b)[..., :3].norm(dim=-1).clamp_max(1.0))


def test_a_slow_clip_is_itself_at_its_frames(corpus, library):
    clip = 1  # at 30 frames a second: nothing is smoothed
    frames = int(corpus.frames[clip])
    time_s = torch.arange(frames)[None] / 30.0
    rot, root = library.at(torch.tensor([clip]), time_s)
    rows = slice(int(corpus.first[clip]), int(corpus.first[clip]) + frames)
    given = torch.tensor(corpus.rot[rows].astype(np.float32) / ROT_SCALE)
    assert turned_rad(rot[0], given).max() < 2e-3
    assert (root[0] - torch.tensor(np.array(corpus.root[rows]))).abs().max() < 1e-4


def test_a_part_of_a_corpus_knows_no_pose_but_its_own(corpus, library):
    """Arms are led between poses of the library: of the clips that are learnt from, and of nobody else."""
    part = Library.of(corpus.of_clips([1]))
    frames = int(corpus.frames[1])
    rows = slice(int(library.first[1]), int(library.first[1]) + frames)
    assert part.first.tolist() == [0]
    assert torch.equal(part.rot, library.rot[rows])
    assert torch.equal(part.root, library.root[rows])
    time_s = torch.arange(50)[None] / 25.0
    for own, of_all in zip(part.at(torch.tensor([0]), time_s), library.at(torch.tensor([1]), time_s), strict=True):
        assert torch.equal(own, of_all)


def test_a_library_too_large_for_memory_is_the_same_from_a_file(corpus, library, monkeypatch):
    beside = Path(corpus.rot.filename).parent
    before = sorted(beside.iterdir())
    made = []

    def noted(shape, near):
        made.append((large_arrays.large_array(shape, near), near))
        return made[-1][0]

    monkeypatch.setattr(large_arrays, "MOST_IN_MEMORY", 0)
    monkeypatch.setattr(moves, "large_array", noted)
    own = Library.of(corpus)
    assert [near for _, near in made] == [beside, beside]
    for array, tensor in zip((array for array, _ in made), (own.rot, own.root), strict=True):
        assert isinstance(array, np.memmap)
        assert tensor.data_ptr() == array.ctypes.data, "it draws from the file itself"
    assert sorted(beside.iterdir()) == before, "the file has no name"
    assert torch.equal(own.rot, library.rot)
    assert torch.equal(own.root, library.root)
    time_s = torch.arange(50)[None] / 25.0
    for a, b in zip(own.at(torch.tensor([1]), time_s), library.at(torch.tensor([1]), time_s), strict=True):
        assert torch.equal(a, b)


def test_where_the_corpus_has_no_folder_any_more_the_file_lies_elsewhere(tmp_path, monkeypatch):
    monkeypatch.setattr(large_arrays, "MOST_IN_MEMORY", 0)
    assert isinstance(large_arrays.large_array((2, 3), tmp_path / "gone"), np.memmap)


def test_a_library_that_no_disk_holds_is_refused(tmp_path):
    with pytest.raises(InputError, match="find no place on a disk: too little space"):
        large_arrays.large_array((1 << 46, 4), tmp_path)
    assert not list(tmp_path.iterdir())


def test_before_its_start_and_after_its_end_a_clip_stands_still(library):
    rot, root = library.at(torch.tensor([1]), torch.tensor([[-3.0, -1.0, 0.0, 50.0, 90.0]]))
    assert turned_rad(rot[0, 0], rot[0, 2]).max() < 1e-3
    assert turned_rad(rot[0, 3], rot[0, 4]).max() < 1e-3
    assert (root[0, 3] - root[0, 4]).abs().max() == 0.0


def test_time_warped_by_f_a_clip_runs_f_times_as_fast(library, generator):
    grid_s = torch.arange(200) / 100.0
    clip = torch.tensor([0])
    slow, _ = library.at(clip, grid_s[None])
    fast, _ = library.at(clip, 2.0 * grid_s[None])
    assert turned_rad(fast[:, 10:100], slow[:, 20:200:2]).max() < 1e-3


def test_a_mirrored_body_has_its_sides_exchanged(library):
    grid_s = torch.arange(100) / 100.0
    plain, root = draw_motion(library, 6, grid_s, PLAIN, torch.Generator().manual_seed(1))
    flipped = Variety(**{**PLAIN.__dict__, "mirrored": 1.0})
    other, mirror_root = draw_motion(library, 6, grid_s, flipped, torch.Generator().manual_seed(1))
    left, right = SEGMENTS.index("left_forearm"), SEGMENTS.index("right_forearm")
    assert turned_rad(other[:, :, right], plain[:, :, left] * torch.tensor([1.0, -1.0, -1.0, 1.0])).max() < 1e-3
    assert (mirror_root[..., 0] + root[..., 0]).abs().max() < 1e-6


@pytest.mark.parametrize(
    "change",
    [{"chained": 1.0}, {"upper_of_another": 1.0}, {"driven_arms": 1.0}, {"driven_legs": 1.0}, {"driven_trunk": 1.0},
     {"standing": 1.0}, {"uneven": 0.15}, {"acted": 1.0}, {}],
)  # fmt: skip
def test_whatever_is_done_a_motion_stays_smooth(library, generator, change):
    grid_s = torch.arange(600) / 100.0
    rot, root = draw_motion(library, 12, grid_s, Variety(**{**PLAIN.__dict__, **change}), generator)
    assert rot.isfinite().all()
    assert rot.norm(dim=-1) == pytest.approx(1.0, abs=1e-4)
    step = turned_rad(rot[:, 1:], rot[:, :-1]) * 100.0
    assert step.max() < 40.0  # rad/s: fast arms, but no jump
    assert (root.diff(dim=1).norm(dim=-1) * 100.0).max() < 5.0


def test_driven_arms_leave_the_rest_as_it_was(library):
    grid_s = torch.arange(300) / 100.0
    plain, _ = draw_motion(library, 6, grid_s, PLAIN, torch.Generator().manual_seed(1))
    driven = Variety(**{**PLAIN.__dict__, "driven_arms": 1.0})
    other, _ = draw_motion(library, 6, grid_s, driven, torch.Generator().manual_seed(1))
    arms = [k for k, name in enumerate(SEGMENTS) if name.endswith("arm")]
    rest = [k for k in range(len(SEGMENTS)) if k not in arms]
    assert torch.equal(plain[:, :, rest], other[:, :, rest])
    assert turned_rad(plain[:, :, arms], other[:, :, arms]).mean() > 0.1


def test_who_stands_keeps_feet_and_trunk_still_while_the_arms_go_on(library):
    grid_s = torch.arange(300) / 100.0
    gone, _ = draw_motion(library, 6, grid_s, PLAIN, torch.Generator().manual_seed(1))
    stood, root = draw_motion(
        library, 6, grid_s, Variety(**{**PLAIN.__dict__, "standing": 1.0}), torch.Generator().manual_seed(1)
    )
    arms = [k for k, name in enumerate(SEGMENTS) if name.endswith("arm")]
    rest = [k for k in range(len(SEGMENTS)) if k not in arms]

    def turning(rot):
        return turned_rad(rot[:, 1:], rot[:, :-1]).mean()

    assert turning(stood[:, :, rest]) < 0.2 * turning(gone[:, :, rest])
    chest = SEGMENTS.index("chest")
    from_chest, gone_from_chest = (multiply(conjugate(r[:, :, [chest]]), r[:, :, arms]) for r in (stood, gone))
    # All but those whose clip ends meanwhile and goes over into another.
    assert (turned_rad(from_chest, gone_from_chest).amax(dim=(1, 2)) < 1e-3).sum() >= 4
    assert (root[:, -1] - root[:, 0]).norm(dim=-1).max() < 0.3


def test_the_same_seed_draws_the_same(library):
    grid_s = torch.arange(100) / 100.0
    one, two = (draw_motion(library, 4, grid_s, Variety(), torch.Generator().manual_seed(9)) for _ in range(2))
    assert torch.equal(one[0], two[0])
    assert torch.equal(one[1], two[1])


def test_bodies_that_are_alike_do_the_same_in_their_own_time(library):
    grid_s = torch.arange(300) / 100.0

    def apart_rad(**changes):
        rot, _ = draw_motion(
            library, 40, grid_s, Variety(**{**PLAIN.__dict__, **changes}), torch.Generator().manual_seed(2)
        )
        families = rot.view(10, FAMILY, *rot.shape[1:])
        return float(turned_rad(families[:, 1:], families[:, :1].expand(-1, FAMILY - 1, -1, -1, -1)).mean())

    strangers, alike = apart_rad(), apart_rad(alike=1.0)
    assert 0.0 < alike < 0.5 * strangers
    assert alike < apart_rad(alike=1.0, warp=(-0.2, 0.2)) < strangers


def test_an_uneven_pace_never_runs_backwards_and_keeps_about_its_time():
    grid_s = torch.arange(500) / 100.0
    ahead = _wander(200, grid_s, 0.15, torch.Generator().manual_seed(1))
    speed = 1.0 + ahead.diff(dim=1) * 100.0
    assert speed.min() > 0.4
    assert float(speed.log().std()) == pytest.approx(0.15, rel=0.3)
    assert ahead.mean().abs() < 0.1
