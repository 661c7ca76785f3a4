"""A take that is true to the layout, of two people of whom one is lost for some frames."""

from __future__ import annotations

import contextlib
import os

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from imu_scene import write
from scipy.spatial.transform import Rotation

from kinebind.body.sites import site_trajectory
from kinebind.errors import InputError
from kinebind.readers.egohumans import (
    BONES,
    PARTS,
    VERTICES,
    egohumans_takes,
    published_acceleration,
    published_imu,
    read_bodies,
    read_egohumans,
    split_of_take,
)
from kinebind.readers.smpl_model import APPROXIMATE_OFFSETS_M, JOINTS, PARENTS, BodyModel

SOME = settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
FRAMES = 40
LOST = range(16, 19)  # frames in which aria02 is not fitted, by number


def fit(person, number, vertices=True):
    """One person's fit in a frame: turned upright, walking along x, with the skin at the five vertices known."""
    rng = np.random.default_rng([person, number])
    values = {
        "global_orient": np.array([np.pi / 2, 0, 0], dtype=np.float32),
        "body_pose": (0.1 * rng.normal(size=69)).astype(np.float32),
        "transl": np.array([0.05 * number, person, 1.0], dtype=np.float32), "betas": np.arange(16.0) / 10,
        "epoch_loss": np.float64(1.5),
    }  # fmt: skip
    if vertices:
        skin = np.zeros((6890, 3))
        skin[list(VERTICES)] = course(person)[number - 1]
        values["vertices"] = skin
    return values


def course(person):
    """(T, 5, 3) of the five vertices: parabolas whose second derivative is known."""
    t = np.arange(FRAMES)[:, None, None] / 20.0
    acc = np.arange(15.0).reshape(5, 3) + person
    return 0.5 * acc * t**2 + t


@pytest.fixture
def root(tmp_path):
    make(tmp_path / "01_tagging" / "001_tagging")
    return tmp_path


def make(take, vertices=True, lost=LOST):
    smpl, poses = take / "processed_data/smpl", take / "processed_data/poses2d/cam03/rgb"
    smpl.mkdir(parents=True)
    poses.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for number in range(1, FRAMES + 1):
        people = {f"aria0{p}": fit(p, number, vertices) for p in (1, 2) if p == 1 or number not in lost}
        np.save(smpl / f"{number:05d}.npy", people, allow_pickle=True)
        seen = [
            {"human_name": name, "keypoints": np.column_stack([rng.uniform(100, 2000, (21, 2)), rng.random(21)])}
            for name in people
        ]
        seen[0]["keypoints"][9] = 0.0
        np.save(poses / f"{number:05d}.npy", seen, allow_pickle=True)
    return take


def test_a_take_as_a_recording(root):
    (take,) = egohumans_takes(root)
    assert (take.activity, take.number, take.name) == ("tagging", 1, "tagging_001")
    recording = read_egohumans(take)
    assert recording.meta == {"activity": "tagging", "take": "1", "split": "test"}
    assert [p.person for p in recording.people] == ["aria01", "aria02"] == [m.name for m in recording.motions]
    whole, broken = recording.people
    np.testing.assert_allclose(whole.time_s, np.arange(FRAMES) / 20)
    assert whole.image_size_px == (3840, 2160)
    assert np.isnan(whole.keypoints_px[:, 9]).all()
    # Frames 16 to 18 are not there, and nothing is moved together.
    np.testing.assert_allclose(broken.time_s[14:16], [14 / 20, 18 / 20])
    np.testing.assert_allclose(recording.motions[1].time_s, broken.time_s)
    along_x = recording.motions[0].root_position_world[:, 0]
    np.testing.assert_allclose(along_x, 0.05 * np.arange(1, FRAMES + 1), atol=1e-6)
    assert [(label.name, label.end_s) for label in recording.labels] == [("tagging", (FRAMES - 1) / 20)]


def test_the_bodies_can_be_simulated(root):
    motion = read_egohumans(egohumans_takes(root)[0]).motions[0]
    wrist = site_trajectory(motion, "left_wrist")
    assert np.isfinite(wrist.position_world).all()


def test_the_published_acceleration_by_hand():
    """A parabola's second difference is its acceleration, over any number of frames; the two ends are zero."""
    acc = published_acceleration(course(0))
    np.testing.assert_allclose(acc[1:-1], np.tile(np.arange(15.0).reshape(5, 3), (FRAMES - 2, 1, 1)), atol=1e-9)
    np.testing.assert_array_equal(acc[[0, -1]], 0.0)
    # An impulse of 1 m at frame 20: −2 · 400 / 16 there, 400 / 16 four frames away; near the ends −2 · 400 and 400.
    spike = np.zeros((FRAMES, 1, 3))
    spike[20, 0, 0] = 1.0
    inner = published_acceleration(spike)[:, 0, 0]
    assert (inner[20], inner[16], inner[24], inner[19]) == (-50.0, 25.0, 25.0, 0.0)
    spike[:] = 0.0
    spike[2, 0, 0] = 1.0
    edge = published_acceleration(spike)[:, 0, 0]
    assert (edge[1], edge[2], edge[3], edge[4], edge[6]) == (400.0, -800.0, 400.0, 0.0, 25.0)
    # Too short for the wide stencil: the narrow one throughout.
    np.testing.assert_allclose(published_acceleration(course(0)[:8])[4], np.arange(15.0).reshape(5, 3), atol=1e-9)


def test_the_stencil_is_as_blunt_as_field_measurements_say():
    """(p₋ − 2p + p₊)/(n·dt)² passes a sine with sinc²(f·n·dt): at 1.6 Hz half of its power."""
    t = np.arange(2000) / 20.0
    p = np.sin(2 * np.pi * 1.6 * t)[:, None]
    gain = np.abs(published_acceleration(p)[100:-100]).max() / (2 * np.pi * 1.6) ** 2
    assert gain == pytest.approx(np.sinc(1.6 * 0.2) ** 2, abs=0.01)


def test_published_channels(root):
    body, broken = read_bodies(egohumans_takes(root)[0])
    channels = published_imu(body)
    assert channels.shape == (FRAMES, 5, 7)
    acc = np.arange(15.0).reshape(5, 3) + 1
    turned = np.stack([acc[:, 0], acc[:, 2], -acc[:, 1]], axis=1)  # (x, y, z) → (x, z, −y)
    np.testing.assert_allclose(channels[1:-1, :, :3], np.tile(turned, (FRAMES - 2, 1, 1)), atol=1e-4)
    # A gap is not joined: frames at its edges are ends like any other.
    lost = published_imu(broken)
    assert len(lost) == FRAMES - len(LOST)
    np.testing.assert_array_equal(lost[[0, 14, 15, -1], :, :3], 0.0)
    np.testing.assert_allclose(lost[1:14, :, :3], np.tile(turned + [1, 1, -1], (13, 1, 1)), atol=1e-4)
    assert (channels[..., 3] >= 0).all()
    np.testing.assert_allclose(np.linalg.norm(channels[..., 3:], axis=-1), 1.0)


def test_published_orientations_by_hand(root):
    """The upright body of a z-up world is SMPL's rest pose in the y-up one: a bent knee is all that turns the shank."""
    body = read_bodies(egohumans_takes(root)[0])[0]
    rotvec = np.zeros_like(body.rotvec)
    rotvec[:, 0] = [np.pi / 2, 0, 0]
    rotvec[:, 4] = [np.pi / 3, 0, 0]
    still = type(body)(body.person, body.frame, rotvec, body.trans, body.betas, None, body.points)
    quat = published_imu(still)[:, :, 3:]
    for part, expected in (("left_knee", [np.cos(np.pi / 6), 0.5, 0, 0]), ("head", [1.0, 0, 0, 0])):
        np.testing.assert_allclose(quat[:, PARTS.index(part)], np.tile(expected, (FRAMES, 1)), atol=1e-7)
    assert [JOINTS[j] for j in BONES] == ["left_elbow", "right_elbow", "left_knee", "right_knee", "head"]


def test_vertices_come_from_the_body_model_where_one_is_given(root):
    body = read_bodies(egohumans_takes(root)[0])[0]
    place = np.zeros((24, 3))
    for j, parent in enumerate(PARENTS):
        place[j] = APPROXIMATE_OFFSETS_M[j] + (place[parent] if parent >= 0 else 0.0)
    v, weights = np.zeros((6890, 3)), np.zeros((6890, 24))
    v[:24] = place
    for vertex, bone in zip(VERTICES, BONES, strict=True):
        v[vertex], weights[vertex, bone] = place[bone] + [0.0, 0.1, 0.0], 1.0
    model = BodyModel(v, np.zeros((6890, 3, 10)), np.eye(24, 6890), PARENTS, np.zeros((6890, 3, 207)), weights)
    channels = published_imu(body, model)
    # The twin: the vertex as a rigid point of its bone, moved joint by joint.
    rot, point = Rotation.from_rotvec(body.rotvec[:, 0]), body.trans + place[0]
    for joint in (2, 5):
        point = point + rot.apply(APPROXIMATE_OFFSETS_M[joint].copy())
        rot = rot * Rotation.from_rotvec(body.rotvec[:, joint])
    acc = published_acceleration(point + rot.apply([0.0, 0.1, 0.0]))
    turned = np.stack([acc[:, 0], acc[:, 2], -acc[:, 1]], axis=1)
    np.testing.assert_allclose(channels[:, PARTS.index("right_knee"), :3], turned, atol=1e-6)


def test_without_vertices_the_model_is_needed(tmp_path):
    make(tmp_path / "lego" / "005_legoassemble", vertices=False)
    (take,) = egohumans_takes(tmp_path)
    assert (take.activity, take.number) == ("lego", 5)
    with pytest.raises(InputError, match="hold no vertices") as caught:
        published_imu(read_bodies(take)[0])
    assert "body model" in caught.value.fix


def test_splits_by_take():
    assert [split_of_take(n) for n in (1, 4, 5, 6, 13)] == ["test", "test", "val", "train", "train"]
    with pytest.raises(InputError, match="Take 0"):
        split_of_take(0)


def test_one_take_twice_is_refused(root):
    make(root / "copy" / "01_tagging" / "001_tagging_again")
    with pytest.raises(InputError, match="are the same take"):
        egohumans_takes(root)


class Attack:
    def __reduce__(self):
        return os.system, ("false",)


def damaged(folder, number, content):
    np.save(folder / f"{number:05d}.npy", content, allow_pickle=True)


@pytest.mark.parametrize(
    ("where", "content", "told"),
    [
        ("smpl", {"aria01": {"global_orient": np.zeros(3)}}, "SMPL fit: 'body_pose'"),
        ("smpl", {"aria01": {**fit(1, 1), "transl": np.zeros(2)}}, "transl has 2 numbers, not 3"),
        ("smpl", {"aria01": {**fit(1, 1), "betas": np.zeros(3)}}, "3 shape coefficients"),
        ("smpl", {"aria01": {**fit(1, 1), "vertices": np.zeros((10, 3))}}, "SMPL fit: index"),
        ("smpl", {"aria01": Attack()}, "system, which may run code"),
        ("smpl", np.zeros(3), "no people by name"),
        ("poses2d/cam03/rgb", [{"human_name": "aria01"}], "people with keypoints: 'keypoints'"),
        ("poses2d/cam03/rgb", [{"human_name": "aria01", "keypoints": np.zeros((5, 3))}], r"the shape \(5, 3\)"),
        ("poses2d/cam03/rgb", [Attack()], "system, which may run code"),
    ],
)
def test_damaged_frames_name_their_file(root, where, content, told):
    (take,) = egohumans_takes(root)
    damaged(take.folder / "processed_data" / where, 7, content)
    with pytest.raises(InputError, match=told) as caught:
        read_egohumans(take)
    assert "00007.npy" in caught.value.what


def test_a_take_without_people(root):
    (take,) = egohumans_takes(root)
    for number in take.smpl:
        damaged(take.folder / "processed_data/smpl", number, {})
        damaged(take.folder / "processed_data/poses2d/cam03/rgb", number, [])
    with pytest.raises(InputError, match="no person with SMPL fits"):
        read_bodies(take)
    with pytest.raises(InputError, match="shows nobody"):
        read_egohumans(take)


@SOME
@given(st.integers(0, 2**31))
def test_whatever_comes_is_read_or_refused(tmp_path, seed):
    rng = np.random.default_rng(seed)
    folder = tmp_path / "tennis" / "006_tennis"
    if not folder.exists():
        make(folder)
    (take,) = egohumans_takes(tmp_path)
    smpl, poses = ({k: files[k] for k in (1, 2)} for files in (take.smpl, take.poses))
    short = type(take)(take.activity, take.number, take.folder, smpl, poses)
    whole = {path: path.read_bytes() for path in (short.smpl[2], short.poses[2])}
    for path, data in whole.items():
        changed = bytearray(data)
        for place in rng.integers(0, len(data), rng.integers(1, 20)):
            changed[place] = rng.integers(0, 256)
        write(path, bytes(changed[: rng.integers(1, len(data))] if rng.random() < 0.3 else changed))
    with contextlib.suppress(InputError):
        read_egohumans(short)
    with contextlib.suppress(InputError):
        published_imu(read_bodies(short)[0])
    for path, data in whole.items():
        write(path, data)
