"""CMU motion as exponential maps: every number in its place, and real people whose feet stand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from kinebind.body.kinematics import forward
from kinebind.errors import InputError
from kinebind.readers import read_motion, sniff
from kinebind.readers.cmu_expmap import read_cmu_expmap

UNIT_M = 0.0254 / 0.45
COLUMN = {"root": 3, "lfemur": 9, "rfemur": 27, "lowerback": 42, "head": 57, "lhumerus": 66, "rhumerus": 93}


def put(tmp_path, values):
    path = tmp_path / "walk.txt"
    path.write_text("\n".join(",".join(f"{v:.9g}" for v in row) for row in values) + "\n")
    return path


def test_every_number_has_its_place(tmp_path):
    rng = np.random.default_rng(1)
    values = np.zeros((6, 117))
    values[:, :3] = rng.normal(size=(6, 3))
    for at in COLUMN.values():
        values[:, at : at + 3] = rng.uniform(-1, 1, (6, 3))
    path = put(tmp_path, values)
    assert sniff(path).name == "cmu-expmap"
    motion = read_motion(path)
    np.testing.assert_allclose(motion.time_s, np.arange(5) / 120)
    np.testing.assert_allclose(motion.root_position_world, UNIT_M * values[1:, [0, 2, 1]] * [1, -1, 1], atol=1e-8)
    for k, name in enumerate(motion.skeleton.joints):
        got = Rotation.from_quat(motion.rot_parent_from_joint[:, k])
        at = COLUMN.get(name)
        given = Rotation.identity(5) if at is None else Rotation.from_rotvec(values[1:, at : at + 3]).inv()
        if name == "root":
            given = Rotation.from_matrix([[1, 0, 0], [0, 0, -1], [0, 1, 0]]) * given
        np.testing.assert_allclose((given.inv() * got).magnitude(), 0, atol=1e-7, err_msg=name)


def test_the_rest_pose_stands_with_its_arms_out(tmp_path):
    motion = read_cmu_expmap(put(tmp_path, np.zeros((3, 117))))
    position, _ = forward(motion)
    at = dict(zip(motion.skeleton.joints, position[0], strict=True))
    assert at["head"][2] > 0.5 > -0.8 > at["lfoot"][2]
    assert at["lwrist"][0] > 0.5 > -0.5 > at["rwrist"][0]
    np.testing.assert_allclose(at["lfoot"] * [-1, 1, 1], at["rfoot"], atol=1e-9)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (np.zeros((4, 116)), "are not 117 finite numbers"), (np.full((4, 117), np.nan), "are not 117 finite numbers"),
        (np.zeros((2, 117)), "the first is no pose"),
    ],
)  # fmt: skip
def test_what_is_no_such_motion_is_refused(tmp_path, values, told):
    with pytest.raises(InputError, match=told):
        read_cmu_expmap(put(tmp_path, values))


def test_text_is_refused(tmp_path):
    (tmp_path / "walk.txt").write_text("a,b\nc\n")
    with pytest.raises(InputError, match="rows of numbers"):
        read_cmu_expmap(tmp_path / "walk.txt")


def test_the_lower_foot_of_real_walkers_stands(real_data):
    files = sorted(real_data("cmu-expmap").rglob("walking_*.txt"))[::8]
    assert len(files) >= 4
    for path in files:
        motion = read_motion(path)
        position, _ = forward(motion)
        feet = position[:, [motion.skeleton.index(f"{side}foot") for side in "lr"]]
        lower = np.argmin(feet[:-1, :, 2], axis=1)
        moved = np.linalg.norm(np.diff(feet, axis=0), axis=-1)[np.arange(len(lower)), lower] * 120
        assert np.median(moved) < 0.45, path.name  # m/s, of people who walk at more than a metre a second
