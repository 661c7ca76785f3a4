from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from kinebind.body.kinematics import forward
from kinebind.errors import InputError
from kinebind.readers.deepmimic import FORMATS, read_deepmimic
from kinebind.readers.formats_base import read_head

BALLS = {"root": 4, "chest": 8, "neck": 12, "right_hip": 16, "right_ankle": 21, "right_shoulder": 25,
         "left_hip": 30, "left_ankle": 35, "left_shoulder": 39}  # fmt: skip
HINGES = {"right_knee": 20, "right_elbow": 29, "left_knee": 34, "left_elbow": 43}


def rows(rng, frames=6):
    out = np.zeros((frames, 44))
    out[:, 0] = rng.uniform(0.01, 0.05, frames)
    out[:, 1:4] = rng.normal(size=(frames, 3))
    for at in BALLS.values():
        out[:, at : at + 4] = np.roll(Rotation.from_rotvec(rng.normal(size=(frames, 3))).as_quat(), 1, axis=1)
    for at in HINGES.values():
        out[:, at] = rng.uniform(-2, 2, frames)
    return out


def put(tmp_path, frames, **more):
    (tmp_path / "clip.txt").write_text(json.dumps({"Loop": "none", **more, "Frames": np.asarray(frames).tolist()}))
    return tmp_path / "clip.txt"


def test_every_number_has_its_place(tmp_path):
    values = rows(np.random.default_rng(1))
    motion = read_deepmimic(put(tmp_path, values))
    np.testing.assert_allclose(motion.time_s, [0, *np.cumsum(values[:-1, 0])])
    np.testing.assert_allclose(motion.root_position_world, values[:, [1, 3, 2]] * [1, -1, 1])
    for name, at in BALLS.items():
        given = Rotation.from_quat(np.roll(values[:, at : at + 4], -1, axis=1))
        got = Rotation.from_quat(motion.rot_parent_from_joint[:, motion.skeleton.index(name)])
        if name == "root":  # its world is turned: y up becomes z up
            given = Rotation.from_matrix([[1, 0, 0], [0, 0, -1], [0, 1, 0]]) * given
        np.testing.assert_allclose((given.inv() * got).magnitude(), 0, atol=1e-9)
    for name, at in HINGES.items():
        got = Rotation.from_quat(motion.rot_parent_from_joint[:, motion.skeleton.index(name)])
        np.testing.assert_allclose(got.as_rotvec(), values[:, at, None] * [0, 0, 1], atol=1e-9)


def test_the_rest_pose_is_an_upright_body(tmp_path):
    values = np.zeros((2, 44))
    values[:, 0] = 0.1
    values[:, list(BALLS.values())] = 1
    values[:, HINGES["right_knee"]] = -np.pi / 2
    position, _ = forward(read_deepmimic(put(tmp_path, values)))
    at = dict(zip(read_deepmimic(put(tmp_path, values)).skeleton.joints, position[0], strict=True))
    assert at["neck"][2] > 0.4 > -0.8 > at["left_ankle"][2]
    assert at["left_shoulder"][1] > 0 > at["right_shoulder"][1]  # it looks along x
    np.testing.assert_allclose(at["right_ankle"] - at["right_knee"], [-0.40987, 0, 0], atol=1e-9)  # bent backwards


def test_quaternions_of_edited_frames_are_scaled_and_told(tmp_path):
    values = rows(np.random.default_rng(4))
    expected = read_deepmimic(put(tmp_path, values))
    assert len(expected.notes) == 1
    values[2, 8:12] *= 0.7
    motion = read_deepmimic(put(tmp_path, values))
    np.testing.assert_allclose(motion.rot_parent_from_joint, expected.rot_parent_from_joint, atol=1e-12)
    assert any("1 frames" in note for note in motion.notes)


def test_wrong_files_are_refused_with_the_reason(tmp_path):
    values = rows(np.random.default_rng(2))
    for wrong, reason in (
        (values[:, :40], r"\(6, 40\), are not rows of 44"),
        (np.tile(values, 2)[:, :84], "dogs"),
        (values * np.where(np.arange(44) == 0, 0, 1), "frame 0 lasts 0 s"),
        (np.where(np.arange(44) == 5, np.nan, values), "finite"),
        (values * np.where(np.arange(44) >= 4, 3, 1), "no unit quaternions"),
    ):
        with pytest.raises(InputError, match=reason):
            read_deepmimic(put(tmp_path, wrong))
    path = put(tmp_path, values)
    for text in (path.read_text()[:200], "[]", "{}", '{"Frames": [[1], [1, 2]]}'):
        path.write_text(text)
        with pytest.raises(InputError, match="cannot be read as a DeepMimic clip"):
            read_deepmimic(path)


def test_the_sniffer_knows_its_keys(tmp_path):
    assert FORMATS[0].sniff(read_head(put(tmp_path, rows(np.random.default_rng(3)))))
    (tmp_path / "poses.json").write_text('{"Frames": []}')
    assert not FORMATS[0].sniff(read_head(tmp_path / "poses.json"))


def test_deepmimic(real_data):
    files = sorted(real_data("deepmimic").rglob("*.txt"))
    people, feet = 0, []
    for file in files:
        if file.name.startswith("dog3d"):
            with pytest.raises(InputError, match="dogs"):
                read_deepmimic(file)
            continue
        motion = read_deepmimic(file)
        people += 1
        position, _ = forward(motion)
        ankles = position[:, [motion.skeleton.index(f"{side}_ankle") for side in ("left", "right")], 2]
        feet.append(ankles.min())
        if file.stem == "humanoid3d_walk":
            assert np.ptp(motion.root_position_world[:, 0]) > 0.8  # it walks along x
    assert people == 81
    assert -0.1 < np.median(feet) < 0.15  # the ground is at zero
