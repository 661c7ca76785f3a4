from __future__ import annotations

import contextlib
import pickle

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from imu_scene import write
from scipy.spatial.transform import Rotation

from kinebind.body.kinematics import forward
from kinebind.body.segments import posture, segment_trajectory
from kinebind.errors import InputError
from kinebind.readers import read_motion, sniff
from kinebind.readers.smpl import read_smpl
from kinebind.readers.smpl_model import APPROXIMATE_OFFSETS_M, JOINTS, PARENTS, BodyModel, read_body_model

SOME = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
UPRIGHT = np.array([np.pi / 2, 0, 0])  # a body that stands in a world with z up
X90 = Rotation.from_euler("x", 90, degrees=True)


def arrays(frames=12, joints=52, seed=0, **more):
    """AMASS's arrays of someone who stands and moves a little."""
    rng = np.random.default_rng(seed)
    poses = 0.2 * rng.normal(size=(frames, joints, 3))
    poses[:, 0] = UPRIGHT
    return {
        "poses": poses.reshape(frames, -1), "trans": rng.normal(size=(frames, 3)) + [0, 0, 1], "betas": np.zeros(16),
        "gender": np.array("female"), "mocap_framerate": np.array(120.0), **more,
    }  # fmt: skip


def saved(path, **content):
    np.savez(path, **{k: v for k, v in content.items() if v is not None})
    return path


def model_arrays(joints=24, vertices=60, shapes=10, seed=1):
    """A body model true to the format: SMPL's tree, and a skin of made-up points; J_regressor picks vertices."""
    rng = np.random.default_rng(seed)
    place = np.zeros((joints, 3))
    for j, parent in enumerate(PARENTS):
        place[j] = (place[parent] if parent >= 0 else [0.0, -0.2, 0.0]) + APPROXIMATE_OFFSETS_M[j]
    v = rng.normal(size=(vertices, 3))
    v[:joints] = place
    weights = rng.random((vertices, joints))
    tree = np.array([PARENTS[:joints], range(joints)], dtype=np.int64)
    tree[0, 0] = 2**32 - 1
    return {
        "v_template": v, "shapedirs": 0.01 * rng.normal(size=(vertices, 3, shapes)),
        "posedirs": 0.01 * rng.normal(size=(vertices, 3, 9 * (joints - 1))),
        "J_regressor": np.eye(joints, vertices), "weights": weights / weights.sum(axis=1, keepdims=True),
        "kintree_table": tree,
    }  # fmt: skip


def test_a_standing_body(tmp_path):
    """By hand: in a T-pose that stands up the head is above the pelvis by the sum of the spine's offsets."""
    given = arrays()
    given["poses"] = np.tile(np.concatenate([UPRIGHT, np.zeros(51 * 3)]), (12, 1))
    path = saved(tmp_path / "a.npz", **given)
    assert sniff(path).name == "smpl"
    motion = read_motion(path)
    assert motion.rate_hz == pytest.approx(120.0)
    assert motion.skeleton.joints == JOINTS[:22]
    position, _ = forward(motion)
    at = dict(zip(motion.skeleton.joints, np.moveaxis(position, 1, 0), strict=True))
    np.testing.assert_allclose(at["pelvis"], given["trans"])
    np.testing.assert_allclose(at["head"] - at["pelvis"], np.tile([0, -0.02, 0.55], (12, 1)), atol=1e-9)
    np.testing.assert_allclose(at["left_wrist"] - at["right_wrist"], np.tile([1.5, 0, 0], (12, 1)), atol=1e-9)
    assert any("average adult" in note for note in motion.notes)
    assert 1.6 < posture(motion).stature_m < 1.8


def test_rotations_are_those_of_the_file(tmp_path):
    given = arrays()
    motion = read_smpl(saved(tmp_path / "a.npz", **given))
    elbow = JOINTS.index("left_elbow")
    expected = Rotation.from_rotvec(given["poses"].reshape(12, 52, 3)[:, elbow])
    assert (Rotation.from_quat(motion.rot_parent_from_joint[:, elbow]).inv() * expected).magnitude().max() < 1e-7


@pytest.mark.parametrize(
    ("keys", "joints", "kept"),
    [
        (("poses",), 24, 24), (("poses",), 52, 22), (("poses",), 55, 22),
        (("root_orient", "pose_body"), 22, 22), (("global_orient", "body_pose"), 24, 24),
    ],
)  # fmt: skip
def test_the_family_of_files(tmp_path, keys, joints, kept):
    given = arrays(joints=joints)
    poses = given.pop("poses")
    if len(keys) == 1:
        given[keys[0]] = poses
    else:
        given[keys[0]], given[keys[1]] = poses[:, :3], poses[:, 3:]
    motion = read_smpl(saved(tmp_path / "a.npz", **given))
    assert motion.rot_parent_from_joint.shape == (12, kept, 4)
    np.testing.assert_allclose(Rotation.from_quat(motion.rot_parent_from_joint[:, 0]).as_rotvec(), poses[:, :3])


def test_a_world_with_y_up(tmp_path):
    """The same body in both worlds, with the axis said, is one motion; without it nobody guesses."""
    z_up = arrays()
    y_up = dict(z_up)
    rotvec = z_up["poses"].reshape(12, 52, 3).copy()
    rotvec[:, 0] = (X90.inv() * Rotation.from_rotvec(rotvec[:, 0])).as_rotvec()
    y_up["poses"], y_up["trans"] = rotvec.reshape(12, -1), X90.inv().apply(z_up["trans"])
    path = saved(tmp_path / "y.npz", **y_up)
    with pytest.raises(InputError, match="lies along the world's y") as caught:
        read_motion(path)
    assert "--up y" in caught.value.fix
    a, b = read_motion(path, up="y"), read_smpl(saved(tmp_path / "z.npz", **z_up))
    np.testing.assert_allclose(forward(a)[0], forward(b)[0], atol=1e-9)
    np.testing.assert_allclose(read_motion(path, up="z").root_position_world, y_up["trans"])
    with pytest.raises(InputError, match="no upward axis"):
        read_motion(path, up="x")


def test_joints_of_the_file_go_before_bones(tmp_path):
    joints = np.random.default_rng(3).normal(size=(12, 45, 3))
    motion = read_smpl(saved(tmp_path / "a.npz", **arrays(joints=24), **{"joints": joints}))
    np.testing.assert_array_equal(motion.position_world, joints[:, :24])
    np.testing.assert_array_equal(forward(motion)[0], joints[:, :24])


def test_the_rate_must_be_known(tmp_path):
    given = arrays(mocap_framerate=None)
    path = saved(tmp_path / "a.npz", **given)
    with pytest.raises(InputError, match="frames a second"):
        read_smpl(path)
    assert read_smpl(path, rate_hz=60.0).rate_hz == pytest.approx(60.0)
    path = saved(tmp_path / "b.npz", **given, mocap_frame_rate=np.array([30]))
    assert read_smpl(path).rate_hz == pytest.approx(30.0)


def test_the_body_model_gives_the_bones_of_the_body(tmp_path):
    content = model_arrays()
    model_path = saved(tmp_path / "model.npz", **content)
    given = arrays(joints=24, betas=np.array([1.0, -2.0]))
    motion = read_smpl(saved(tmp_path / "a.npz", **given), body_model=model_path)
    rest = content["v_template"][:24] + content["shapedirs"][:24, :, :2] @ [1.0, -2.0]
    np.testing.assert_allclose(motion.skeleton.offsets_m[4], rest[4] - rest[1])
    np.testing.assert_allclose(motion.root_position_world, given["trans"] + rest[0])
    # The joints of the skeleton are where the skin's own kinematics put them.
    model = read_body_model(model_path)
    bare = BodyModel(model.v_template, model.shapedirs, model.joint_regressor, model.parents,
                     np.zeros_like(model.posedirs), np.eye(60, 24))  # fmt: skip
    carried = bare.vertices(given["poses"].reshape(12, 24, 3), given["trans"], [1.0, -2.0], range(24))
    np.testing.assert_allclose(forward(motion)[0], carried, atol=1e-9)


def naive_vertex(model, rotvec, trans, betas, v):
    """One frame of one vertex as the formulas of SMPL read."""
    at_rest = model.v_template + model.shapedirs[:, :, : len(betas)] @ betas
    joints = model.joint_regressor @ at_rest
    local = [Rotation.from_rotvec(r).as_matrix() for r in rotvec]
    feature = np.concatenate([(r - np.eye(3)).ravel() for r in local[1:]])
    point = np.append(at_rest[v] + model.posedirs[v] @ feature, 1.0)
    chain = []
    for j, parent in enumerate(model.parents):
        step = np.eye(4)
        step[:3, :3] = local[j]
        step[:3, 3] = joints[j] - (joints[parent] if parent >= 0 else 0.0)
        chain.append(step if parent < 0 else chain[parent] @ step)
    blended = sum(w * (c @ _away(joints[j])) for j, (w, c) in enumerate(zip(model.weights[v], chain, strict=True)))
    return (blended @ point)[:3] + trans


def _away(joint):
    out = np.eye(4)
    out[:3, 3] = -joint
    return out


def test_skinning_is_what_the_formulas_say(tmp_path):
    model = read_body_model(saved(tmp_path / "model.npz", **model_arrays()))
    rng = np.random.default_rng(5)
    rotvec, trans, betas = rng.normal(size=(3, 24, 3)), rng.normal(size=(3, 3)), rng.normal(size=10)
    found = model.vertices(rotvec, trans, betas, [7, 59])
    for t in range(3):
        for k, v in enumerate((7, 59)):
            np.testing.assert_allclose(found[t, k], naive_vertex(model, rotvec[t], trans[t], betas, v), atol=1e-10)


def test_a_bent_elbow_by_hand():
    """An upper arm and a forearm of 1 m along x; the forearm turned by 90° about z takes its end up."""
    v = np.array([[0.0, 0, 0], [1, 0, 0], [2, 0, 0], [1, 0, 0]])
    model = BodyModel(
        v, np.zeros((4, 3, 1)), np.eye(2, 4), (-1, 0), np.zeros((4, 3, 9)),
        np.array([[1.0, 0], [0, 1], [0, 1], [0.5, 0.5]]),
    )  # fmt: skip
    turned = np.array([[[0, 0, 0], [0, 0, np.pi / 2]]])
    np.testing.assert_allclose(
        model.vertices(turned, np.array([[5.0, 0, 0]]), [0.0], [2, 3])[0], [[6, 1, 0], [6, 0, 0]]
    )


def test_models_as_pickles_of_plain_arrays(tmp_path):
    content = model_arrays()
    path = write(tmp_path / "m.pkl", pickle.dumps({**content, "bs_type": "lrotmin"}, protocol=2))
    np.testing.assert_array_equal(read_body_model(path).v_template, content["v_template"])

    class Chumpy:
        """What the makers' own pickles hold."""

    Chumpy.__module__, Chumpy.__qualname__ = __name__, "Chumpy"
    globals()["Chumpy"] = Chumpy
    write(path, pickle.dumps({**content, "shapedirs": Chumpy()}))
    with pytest.raises(InputError, match=r"Chumpy, which may run code") as caught:
        read_body_model(path)
    assert "numpy.savez" in caught.value.fix
    write(path, pickle.dumps({**content, "shapedirs": "text"}))
    with pytest.raises(InputError, match="other than arrays"):
        read_body_model(path)
    write(path, pickle.dumps([1]))
    with pytest.raises(InputError, match="no arrays by name"):
        read_body_model(path)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"J_regressor": None}, "no array J_regressor"), ({"weights": np.zeros((3, 24))}, "do not fit each other"),
        ({"v_template": np.full((60, 3), np.nan)}, "do not fit each other"),
        ({"kintree_table": np.zeros((2, 24), dtype=int)}, "no tree"),
        ({"shapedirs": np.zeros((60, 2, 10))}, "do not fit each other"),
    ],
)  # fmt: skip
def test_models_that_do_not_fit(tmp_path, changed, told):
    with pytest.raises(InputError, match=told):
        read_body_model(saved(tmp_path / "m.npz", **{**model_arrays(), **changed}))


def test_what_a_model_cannot_do(tmp_path):
    model = read_body_model(saved(tmp_path / "m.npz", **{**model_arrays(), "posedirs": None}))
    rotvec, trans = np.zeros((2, 24, 3)), np.zeros((2, 3))
    with pytest.raises(InputError, match="no skin"):
        model.vertices(rotvec, trans, np.zeros(10), [0])
    model = read_body_model(saved(tmp_path / "m.npz", **model_arrays()))
    with pytest.raises(InputError, match="has 60 vertices"):
        model.vertices(rotvec, trans, np.zeros(10), [411])
    with pytest.raises(InputError, match="22 joints do not fit"):
        model.vertices(rotvec[:, :22], trans, np.zeros(10), [0])
    with pytest.raises(InputError, match="16 shape coefficients"):
        model.rest_joints(np.zeros(16))


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"poses": None}, "has no poses"), ({"poses": np.zeros((12, 30))}, r"poses \(12, 30\) are no poses"),
        ({"trans": np.zeros((3, 3))}, "no trans of shape"), ({"joints": np.zeros((12, 3))}, "joints has shape"),
        ({"joints": np.zeros((12, 5, 3))}, "5 joint positions"), ({"poses": np.full((12, 156), np.nan)}, "no frame"),
        ({"poses": np.array([{"a": 1}] * 12)}, "cannot be read as .npz"),
    ],
)  # fmt: skip
def test_other_arrays_are_refused(tmp_path, changed, told):
    with pytest.raises(InputError, match=told):
        read_smpl(saved(tmp_path / "a.npz", **{**arrays(), **changed}))


def test_missing_frames_stay_missing(tmp_path):
    given = arrays()
    given["poses"][5] = np.nan
    motion = read_smpl(saved(tmp_path / "a.npz", **given))
    assert np.isnan(motion.rot_parent_from_joint[5]).all()
    assert np.isfinite(motion.rot_parent_from_joint[4]).all()


@SOME
@given(st.integers(0, 2**31), st.booleans())
def test_whatever_comes_is_read_or_refused(tmp_path, seed, cut):
    rng = np.random.default_rng(seed)
    data = bytearray(saved(tmp_path / "a.npz", **arrays(4, 24)).read_bytes())
    for place in rng.integers(0, len(data), rng.integers(1, 30)):
        data[place] = rng.integers(0, 256)
    path = write(tmp_path / "b.npz", bytes(data[: rng.integers(1, len(data))] if cut else data))
    for read in (read_smpl, read_body_model, sniff):
        with contextlib.suppress(InputError):
            read(path)


def test_segments_face_forward(tmp_path):
    motion = read_smpl(saved(tmp_path / "a.npz", **arrays(seed=4)))
    forearm = segment_trajectory(posture(motion), "left_forearm")
    assert forearm.length_m == pytest.approx(0.25)
    pelvis = Rotation.from_quat(segment_trajectory(posture(motion), "pelvis").rot_world_from_segment)
    np.testing.assert_allclose(pelvis.apply([0, 0, 1]), np.tile([0, -1, 0], (12, 1)), atol=1e-9)  # z forward, z up
