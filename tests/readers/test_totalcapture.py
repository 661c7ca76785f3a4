"""A take that is true to the format: bones whose turns are known, sensors on them with known calibrations."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from imu_scene import write
from scipy.spatial.transform import Rotation

from kinebind.body.camera import Camera, project
from kinebind.body.kinematics import forward
from kinebind.body.segments import posture, segment_trajectory
from kinebind.errors import InputError
from kinebind.readers import read_imu, read_motion, sniff
from kinebind.readers.assemble import ImuOptions
from kinebind.readers.totalcapture import (
    BONES,
    CLASSES,
    SITES,
    SPLITS,
    Take,
    read_totalcapture,
    read_totalcapture_calibration,
    read_totalcapture_sensors,
    rot_world_from_bone,
    totalcapture_takes,
)
from kinebind.readers.totalcapture_vicon import (
    JOINTS,
    PARENTS,
    read_totalcapture_cameras,
    read_totalcapture_vicon,
)

SOME = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
FRAMES = 180
SENSORS = ("Head", "Pelvis", "L_LowArm", "R_LowArm", "L_LowLeg", "R_LowLeg")
Z_UP = Rotation.from_euler("x", 90, degrees=True)
RNG = np.random.default_rng(0)
TIME = np.arange(FRAMES) / 60.0
REF = {s: Rotation.random(random_state=k) for k, s in enumerate(SENSORS)}
MOUNT = {s: Rotation.random(random_state=50 + k) for k, s in enumerate(SENSORS)}

# Offsets in inches, y up, of someone in a T-pose who looks along z.
OFFSETS = {
    "Hips": (0, 38, 0), "Spine": (0, 3, 0), "Spine1": (0, 4, 0), "Spine2": (0, 4, 0), "Spine3": (0, 4, 0),
    "Neck": (0, 6, 0), "Head": (0, 5, 1),
    **{f"{side}{bone}": (sign * x, y, z) for side, sign in (("Left", 1), ("Right", -1)) for bone, (x, y, z) in {
        "Shoulder": (1, 4, 0), "Arm": (5, 0, 0), "ForeArm": (11, 0, 0), "Hand": (10, 0, 0), "UpLeg": (4, -2, 0),
        "Leg": (0, -17, 0), "Foot": (0, -17, 0)}.items()},
}  # fmt: skip


def turns(seed):
    """Rotations (T,) of one joint in its parent's frame, smooth."""
    rng = np.random.default_rng(seed)
    course = np.sin(np.outer(TIME, rng.uniform(1, 5, 3)) + rng.uniform(0, 6, 3)) * 0.4
    return Rotation.from_rotvec(course)


def body():
    """Joint positions (T, J, 3) inches and world rotations, y up."""
    rot, position = [], []
    for k, joint in enumerate(JOINTS):
        parent = PARENTS[k]
        own = turns(k)
        rot.append(own if parent < 0 else rot[parent] * own)
        place = np.array(OFFSETS[joint], dtype=float)
        position.append(np.tile(place, (FRAMES, 1)) if parent < 0 else position[parent] + rot[parent].apply(place))
    return np.stack(position, axis=1), rot


POSITION, BODY_ROT = body()


def sensor_rows(name):
    """(T, 13) of one sensor that sits at rest in a turning frame: w first, gravity in, rate as it turns."""
    bone = BODY_ROT[JOINTS.index(BONES[name])]
    vicon_from_sensor = bone * MOUNT[name]
    quat = (REF[name].inv() * vicon_from_sensor).as_quat()[:, [3, 0, 1, 2]]
    acc = vicon_from_sensor.apply([0, 9.81, 0], inverse=True) + 0.01 * RNG.normal(size=(FRAMES, 3))
    step = (vicon_from_sensor[:-2].inv() * vicon_from_sensor[2:]).as_rotvec() * 30.0
    gyr = np.vstack([step[:1], step, step[-1:]])
    return np.hstack([quat, acc, gyr, np.tile([0.3, 0.1, 0.2], (FRAMES, 1))])


ROWS = {name: sensor_rows(name) for name in SENSORS}


def sensors_text(width=13, names=SENSORS, rows=ROWS, frames=FRAMES):
    lines = [f"{len(names)}\t{frames}"]
    for k in range(frames):
        lines.append(str(k + 1))
        lines += [f"{n}\t" + " ".join(f"{v:.7f}" for v in rows[n][k, :width]) for n in names]
    return "\n".join(lines) + "\n"


def calibration_text(rotations, names=SENSORS):
    rows = [f"{n} " + " ".join(f"{v:.9f}" for v in rotations[n].as_quat()) for n in names]
    return f"{len(rows)}\n" + "\n".join(rows) + "\n"


def vicon_text(values):
    """Joints apart by tabs, numbers of one by spaces, as the set has them."""
    lines = ["\t".join(JOINTS) + "\t"]
    lines += ["\t".join(" ".join(f"{v:.6f}" for v in joint) for joint in frame) + "\t" for frame in values]
    return "\n".join(lines) + "\n"


@pytest.fixture
def take(tmp_path):
    """The folder of one take, unpacked as the set's archives are."""
    inertial, vicon = tmp_path / "s1" / "imu", tmp_path / "S1" / "acting2"
    inertial.mkdir(parents=True)
    vicon.mkdir(parents=True)
    write(inertial / "s1_acting2_Xsens.sensors", sensors_text(7))
    write(inertial / "s1_acting2_calib_imu_ref.txt", calibration_text(REF))
    write(inertial / "s1_acting2_calib_imu_bone.txt", calibration_text(MOUNT))
    write(vicon / "gt_skel_gbl_pos.txt", vicon_text(POSITION))
    write(vicon / "gt_skel_gbl_ori.txt", vicon_text(np.stack([r.as_quat() for r in BODY_ROT], axis=1)))
    return tmp_path


def angle_deg(a, b):
    return np.degrees((Rotation.from_quat(a).inv() * Rotation.from_quat(b)).magnitude())


def test_sensors_stand_upright_in_vicons_world(take):
    path = take / "s1/imu/s1_acting2_Xsens.sensors"
    assert sniff(path).name == "totalcapture-sensors"
    imus = read_imu(path)
    assert [i.name for i in imus] == list(SENSORS)
    assert [i.site for i in imus] == ["head", "pelvis", "left_wrist", "right_wrist", "left_shank", "right_shank"]
    assert len({i.clock_id for i in imus}) == 1
    for imu in imus:
        np.testing.assert_allclose(imu.time_s, TIME, atol=1e-9)
        np.testing.assert_allclose(imu.acc_sensor, ROWS[imu.name][:, 4:7], atol=1e-6)
        up = Rotation.from_quat(imu.rot_world_from_sensor).apply(imu.acc_sensor.copy())
        np.testing.assert_allclose(up.mean(axis=0), [0, 0, 9.81], atol=0.02)
        assert np.abs(imu.gyr_sensor[2:-2] - ROWS[imu.name][2:-2, 7:10]).max() < 0.02  # derived from orientation
        assert any("s1_acting2_calib_imu_ref.txt" in note for note in imu.notes)


def test_bones_by_both_calibrations_are_those_of_vicon(take):
    """The data set's own rule, bone = ref · sensor · bone⁻¹, in our world; a wrong order is tens of degrees off."""
    recording = read_totalcapture(totalcapture_takes(take)[0])
    mount = read_totalcapture_calibration(take / "s1/imu/s1_acting2_calib_imu_bone.txt")
    (motion,) = recording.motions
    _, rot = forward(motion)
    for imu in recording.imus:
        bone = rot_world_from_bone(imu, mount[imu.name])
        assert angle_deg(bone, rot[:, motion.skeleton.index(BONES[imu.name])]).max() < 0.01
        wrong = rot_world_from_bone(imu, mount[imu.name] * [-1, -1, -1, 1])
        assert angle_deg(wrong, bone).mean() > 5
    with pytest.raises(InputError, match="no orientation"):
        rot_world_from_bone(recording.imus[0].replace(rot_world_from_sensor=None), mount["Head"])


def test_auxiliary_fields_bring_rate_and_field_and_are_preferred(take):
    folder = take / "s1" / "gyro_mag"
    folder.mkdir()
    file = write(folder / "acting2_Xsens_AuxFields.sensors", sensors_text(13))
    assert totalcapture_takes(take)[0].sensors == file
    imu = read_imu(file)[2]
    np.testing.assert_allclose(imu.gyr_sensor, ROWS["L_LowArm"][:, 7:10], atol=1e-6)
    np.testing.assert_allclose(imu.mag_sensor, np.tile([0.3, 0.1, 0.2], (FRAMES, 1)))
    assert any("calib_imu_ref" in note for note in imu.notes)  # found beside, by subject and take


def test_degrees_are_found_out(take):
    rows = {n: np.hstack([r[:, :7], np.degrees(r[:, 7:10]), r[:, 10:]]) for n, r in ROWS.items()}
    file = write(take / "s1/imu/s1_acting2_Xsens.sensors", sensors_text(13, rows=rows))
    with pytest.raises(InputError, match="--gyr-unit deg/s"):
        read_imu(file)
    np.testing.assert_allclose(read_imu(file, gyr_unit="deg/s")[0].gyr_sensor, ROWS["Head"][:, 7:10], atol=1e-6)


def test_without_calibration_each_sensor_has_its_own_world(tmp_path):
    level = {n: np.hstack([(Z_UP * BODY_ROT[JOINTS.index(BONES[n])] * MOUNT[n]).as_quat()[:, [3, 0, 1, 2]], r[:, 4:]])
             for n, r in ROWS.items()}  # fmt: skip
    file = write(tmp_path / "s1_acting2_Xsens.sensors", sensors_text(7, rows=level))
    imu = read_imu(file)[0]
    np.testing.assert_allclose(np.abs(np.sum(imu.rot_world_from_sensor[:, [3, 0, 1, 2]] * level["Head"][:, :4], 1)), 1)
    assert any("world of its own" in note for note in imu.notes)


def test_one_sensor_alone(tmp_path):
    for width in (7, 13):
        file = write(tmp_path / "a.sensors", sensors_text(width, names=("Head",)))
        (imu,) = read_totalcapture_sensors(file, ImuOptions(check=False))
        np.testing.assert_allclose(imu.acc_sensor, ROWS["Head"][:, 4:7], atol=1e-6)


def test_inches_become_metres_with_z_up(take):
    path = take / "S1/acting2/gt_skel_gbl_pos.txt"
    assert sniff(path).name == "totalcapture-vicon"
    motion = read_motion(path)
    # By hand: the hips lie 38 inches above the floor, 0.9652 m, along z.
    np.testing.assert_allclose(motion.position_world[:, 0], np.tile([0, 0, 0.9652], (FRAMES, 1)), atol=1e-9)
    np.testing.assert_allclose(motion.position_world, Z_UP.apply(POSITION.reshape(-1, 3)).reshape(POSITION.shape)
                               * 0.0254, atol=1e-7)  # fmt: skip
    np.testing.assert_allclose(motion.skeleton.offsets_m[JOINTS.index("LeftForeArm")], [11 * 0.0254, 0, 0], atol=1e-4)
    chained, _ = forward(motion.replace(position_world=None))
    np.testing.assert_allclose(chained, motion.position_world, atol=1e-3)
    assert motion.rate_hz == pytest.approx(60.0)
    # The simulator knows this skeleton, and that it looks forward: left is the body's left.
    x = Rotation.from_quat(segment_trajectory(posture(motion), "pelvis").rot_world_from_segment).apply([1, 0, 0])
    hips = motion.position_world[:, JOINTS.index("LeftUpLeg")] - motion.position_world[:, JOINTS.index("RightUpLeg")]
    assert ((x * hips).sum(axis=1) / np.linalg.norm(hips, axis=1)).min() > 0.99


def test_the_order_of_the_quaternion_is_found(take):
    first = vicon_text(np.stack([r.as_quat()[:, [3, 0, 1, 2]] for r in BODY_ROT], axis=1))
    expected = read_totalcapture_vicon(take / "S1/acting2/gt_skel_gbl_pos.txt")
    write(take / "S1/acting2/gt_skel_gbl_ori.txt", first)
    found = read_totalcapture_vicon(take / "S1/acting2/gt_skel_gbl_pos.txt")
    assert (
        angle_deg(found.rot_parent_from_joint.reshape(-1, 4), expected.rot_parent_from_joint.reshape(-1, 4)).max()
        < 0.01
    )
    assert "scalar first" in found.notes[1]
    assert "scalar last" in expected.notes[1]
    nonsense = Rotation.random(FRAMES * 21, random_state=3).as_quat().reshape(FRAMES, 21, 4)
    write(take / "S1/acting2/gt_skel_gbl_ori.txt", vicon_text(nonsense))
    left_out = read_totalcapture_vicon(take / "S1/acting2/gt_skel_gbl_pos.txt")
    assert left_out.rot_parent_from_joint is None
    assert "fits the positions in no order" in left_out.notes[1]


def test_positions_alone(take):
    (take / "S1/acting2/gt_skel_gbl_ori.txt").unlink()
    motion = read_totalcapture_vicon(take / "S1/acting2/gt_skel_gbl_pos.txt", rate_hz=30.0)
    assert motion.rot_parent_from_joint is None
    assert motion.rate_hz == pytest.approx(30.0)
    assert posture(motion).stature_m == pytest.approx(1.7, abs=0.15)


def test_a_take_whole(take):
    (found,) = totalcapture_takes(take)
    assert (found.subject, found.name, found.label) == ("s1", "acting2", "acting")
    assert None not in (found.sensors, found.vicon, found.ref, found.bone)
    recording = read_totalcapture(found)
    assert recording.meta == {"subject": "s1", "split": "train"}
    assert [(label.name, label.start_s) for label in recording.labels] == [("acting", 0.0)]
    assert len(recording.imus) == 6
    with pytest.raises(InputError, match=r"no \.sensors file"):
        read_totalcapture(Take("s1", "rom3"))


def test_takes_are_found_by_names_or_by_folders(tmp_path):
    for name in (
        "s5/walking1/s5_walking1_Xsens.sensors", "S5/walking1/gt_skel_gbl_pos.txt", "S2_freestyle3/gt_skel_gbl_pos.txt",
        "notes/gt_skel_gbl_pos.txt", "s2/ROM1_Xsens_AuxFields.sensors",
    ):  # fmt: skip
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write(path, "x")
    found = {(t.subject, t.name): (t.sensors is not None, t.vicon is not None) for t in totalcapture_takes(tmp_path)}
    assert found == {
        ("s5", "walking1"): (True, True),
        ("s2", "freestyle3"): (False, True),
        ("s2", "rom1"): (True, False),
    }


def test_splits_and_classes():
    assert SPLITS == {"train": ("s1", "s2", "s3"), "val": ("s4",), "test": ("s5",)}
    assert CLASSES == ("acting", "freestyle", "rom", "walking")
    assert len(SITES) == 13


CAMERAS = """2 1
0 1079 0 1919
1000 1010 959.5 539.5
-0.05
1 0 0
0 -1 0
0 0 -1
0.5 1.0 4.0
0 1079 0 1919
1000 1010 959.5 539.5
-0.05
0 0 -1
0 -1 0
-1 0 0
0 1.0 5.0
"""


def test_cameras_see_what_they_should(tmp_path):
    """By hand: x = R p + t. The first stands at (−0.5, 1, 4) of Vicon's world, level, and looks along −z."""
    first, second = read_totalcapture_cameras(write(tmp_path / "calibration.cal", CAMERAS))
    assert first.image_size_px == (1920, 1080)
    np.testing.assert_allclose(first.focal_px, [1000, 1010])
    np.testing.assert_allclose(first.distortion, [-0.05])
    np.testing.assert_allclose(first.position_world, [-0.5, -4.0, 1.0])  # (x, −z, y)
    np.testing.assert_allclose(second.position_world, [5.0, 0.0, 1.0], atol=1e-12)
    # A point a metre above the floor at Vicon's origin, 4 m ahead and 0.5 m to the right.
    seen = Camera(1000, first.centre_px, first.image_size_px, first.position_world, first.rot_camera_from_world)
    np.testing.assert_allclose(project(np.array([0.0, 0.0, 1.0]), seen), [959.5 + 125.0, 539.5], atol=1e-6)
    np.testing.assert_allclose(project(np.array([0.0, 0.0, 2.0]), seen), [1084.5, 539.5 - 250.0], atol=1e-6)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "empty"), ("2 1\n0 1 0 1", "cannot be read"), ("words", "cannot be read"),
        (CAMERAS.replace("0 -1 0", "0 1 0"), "no rotation"), (CAMERAS.replace("1000 1010", "0 0"), "focal length"),
        ("nan 1", "cannot be read"), ("-1 1 5", "cannot be read"),
    ],
)  # fmt: skip
def test_other_camera_files(tmp_path, text, told):
    with pytest.raises(InputError, match=told):
        read_totalcapture_cameras(write(tmp_path / "calibration.cal", text))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (sensors_text(7)[:-30], "promises 180 frames and holds 179 whole"),
        (sensors_text(7).replace("L_LowArm", "R_LowArm", 1), "not the same in every frame"),
        (sensors_text(7, frames=3).replace("6\t3", "6\t4"), "promises 4 frames and holds 3"),
        (sensors_text(8), "8 numbers a sensor"),
        ("6 180\n", "cannot be read as"),
        ("13", "cannot be read as"),
        ("some text that is no list", "cannot be read as"),
    ],
)
def test_damaged_sensor_files(tmp_path, text, told):
    with pytest.raises(InputError, match=told):
        read_totalcapture_sensors(write(tmp_path / "s1_acting2_Xsens.sensors", text))


def test_damaged_calibrations(take):
    ref = take / "s1/imu/s1_acting2_calib_imu_ref.txt"
    sensors = take / "s1/imu/s1_acting2_Xsens.sensors"
    for text, told in (
        (calibration_text(REF, SENSORS[1:]), "has no sensor 'Head'"),
        (calibration_text(REF).replace("6\n", "7\n", 1), "promises 7 sensors and holds 6"),
        ("1\nHead 1 1 1 1\n", "no unit quaternion"), ("1\nHead 0 0 0\n", "no unit quaternion"), ("x", "cannot be read"),
        ("1\nHead nan 0 0 1\n", "no unit quaternion"),
    ):  # fmt: skip
        write(ref, text)
        with pytest.raises(InputError, match=told):
            read_totalcapture_sensors(sensors)


def test_damaged_vicon_files(take):
    path = take / "S1/acting2/gt_skel_gbl_pos.txt"
    text = path.read_text()
    for changed, told in (
        (text[:-40], "line 181 has"), (text.replace("Neck", "Nose"), "no joint Neck"),
        (text.replace("38.0", "x.0"), "no number"),
    ):  # fmt: skip
        write(path, changed)
        with pytest.raises(InputError, match=told):
            read_totalcapture_vicon(path)
    write(path, "\n".join(text.splitlines()[:100]))
    with pytest.raises(InputError, match="has 180 frames, the positions 99"):
        read_totalcapture_vicon(path)
    with pytest.raises(InputError, match="cannot be"):
        read_totalcapture_vicon(path, rate_hz=0.0)


SHORT = sensors_text(7, names=SENSORS[:2], frames=30)


@SOME
@given(st.integers(0, 2**31), st.booleans())
def test_whatever_comes_is_read_or_refused(tmp_path, seed, cut):
    rng = np.random.default_rng(seed)
    for text, read in (
        (SHORT, read_totalcapture_sensors), (vicon_text(POSITION[:4]), read_totalcapture_vicon),
        (calibration_text(REF), read_totalcapture_calibration), (CAMERAS, read_totalcapture_cameras),
    ):  # fmt: skip
        data = bytearray(text.encode())
        for place in rng.integers(0, len(data), rng.integers(1, 6)):
            data[place] = rng.choice(list(b"0 -.en\n\tx"))
        with contextlib.suppress(InputError):
            read(write(tmp_path / "a.txt", bytes(data[: rng.integers(1, len(data))] if cut else data)))
