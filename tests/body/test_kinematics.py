"""Forward kinematics against a naive twin, and what chains of rigid bones must do."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from kinebind import InputError, Motion
from kinebind.body.kinematics import forward


def _naive(motion: Motion) -> tuple[np.ndarray, np.ndarray]:
    """Frame by frame, joint by joint, with 4×4 matrices."""
    frames, count = motion.time_s.size, len(motion.skeleton.joints)
    position, rot = np.empty((frames, count, 3)), np.empty((frames, count, 3, 3))
    for t in range(frames):
        world: list[np.ndarray] = []
        for j, parent in enumerate(motion.skeleton.parents):
            local = np.eye(4)
            local[:3, :3] = Rotation.from_quat(np.array(motion.rot_parent_from_joint[t, j])).as_matrix()
            local[:3, 3] = motion.root_position_world[t] if parent < 0 else motion.skeleton.offsets_m[j]
            world.append(local if parent < 0 else world[parent] @ local)
            position[t, j], rot[t, j] = world[j][:3, 3], world[j][:3, :3]
    return position, rot


def test_fast_equals_naive(make_moving):
    motion = make_moving(frames=20)
    position, rot = forward(motion)
    expected, matrices = _naive(motion)
    assert np.allclose(position, expected, atol=1e-12)
    assert np.allclose(Rotation.from_quat(rot.reshape(-1, 4)).as_matrix(), matrices.reshape(-1, 3, 3), atol=1e-12)


def test_bones_keep_their_length(make_moving):
    motion = make_moving()
    position, _ = forward(motion)
    parents = np.array(motion.skeleton.parents[1:])
    length = np.linalg.norm(position[:, 1:] - position[:, parents], axis=-1)
    assert np.allclose(length, np.linalg.norm(motion.skeleton.offsets_m[1:], axis=-1), atol=1e-12)


def test_missing_frames_stay_missing(make_moving):
    motion = make_moving(frames=5)
    quat = np.array(motion.rot_parent_from_joint)
    quat[2] = np.nan
    position, _ = forward(motion.replace(rot_parent_from_joint=quat))
    assert np.isnan(position[2, 1:]).all()
    assert np.isfinite(position[[0, 1, 3, 4]]).all()


def test_positions_that_a_motion_brings_are_kept(make_moving):
    motion = make_moving(frames=5)
    given = forward(motion)[0] + 0.01
    assert np.array_equal(forward(motion.replace(position_world=given))[0], given)
    position, rot = forward(Motion(motion.time_s, motion.skeleton, position_world=given))
    assert np.array_equal(position, given)
    assert np.isnan(rot).all()


def test_a_chain_without_an_offset_is_refused(make_moving):
    motion = make_moving(frames=5)
    offsets = np.array(motion.skeleton.offsets_m)
    offsets[motion.skeleton.index("left_knee")] = np.nan
    lacking = motion.replace(skeleton=type(motion.skeleton)(motion.skeleton.joints, motion.skeleton.parents, offsets))
    with pytest.raises(InputError, match="left_knee"):
        forward(lacking)
