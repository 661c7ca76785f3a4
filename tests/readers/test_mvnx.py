from __future__ import annotations

import contextlib
import re
import tracemalloc

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from imu_scene import feel, write
from scipy.spatial.transform import Rotation

from kinebind import Recording
from kinebind.body.kinematics import forward
from kinebind.body.segments import posture, segment_trajectory
from kinebind.errors import InputError
from kinebind.readers import read, read_imu, read_motion, sniff
from kinebind.readers.mvnx import read_mvnx

SOME = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
SMALL = feel(6.0, 50.0)
# Segment, its joint, its parent, where the joint lies in the parent, metres.
TREE = (
    ("Pelvis", "", "", (0, 0, 0)),
    ("T8", "jT9T8", "Pelvis", (0, 0, 0.4)),
    ("RightUpperArm", "jRightShoulder", "T8", (0, -0.16, 0.1)),
    ("RightForeArm", "jRightElbow", "RightUpperArm", (0, -0.28, 0)),
)


def numbers(values):
    return " ".join(f"{v:.9f}" for v in np.ravel(values))


def mvnx(felt=SMALL, rate=50.0, *, version="4", sensors=("RightForeArm",), tree=TREE, change=None, namespace=True):
    """A file true to the format whose forearm has a sensor that lies along the segment; its text."""
    frames = felt.time_s.size
    rot = Rotation.from_quat(felt.quat)
    quat = np.tile([0.0, 0.0, 0.0, 1.0], (frames, len(tree), 1))
    quat[:, -1] = felt.quat
    offsets = np.array([row[3] for row in tree], dtype=float)
    position = np.cumsum(offsets, axis=0) + np.zeros((frames, 1, 1))
    free = rot.apply(felt.acc) - [0, 0, 9.81]
    segments = "".join(
        f'<segment label="{name}" id="{k + 1}"><points>'
        + "".join(
            f'<point label="{joint}"><pos_b>{numbers(place)}</pos_b></point>'
            for _, joint, parent, place in tree
            if parent == name
        )
        + "</points></segment>"
        for k, (name, *_) in enumerate(tree)
    )
    joints = "".join(
        f'<joint label="{joint}"><connector1>{parent}/{joint}</connector1>'
        f"<connector2>{name}/{joint}</connector2></joint>"
        for name, joint, parent, _ in tree
        if parent
    )
    shown = '<frame time="0" ms="0" type="tpose"><orientation>1 0 0 0</orientation></frame>'
    for k in range(frames):
        shown += (
            f'<frame time="{round(1000 * k / rate)}" index="{k}" ms="{1_600_000_000_000 + round(1000 * k / rate)}" '
            f'type="normal"><orientation>{numbers(quat[k][:, [3, 0, 1, 2]])}</orientation>'
            f"<position>{numbers(position[k])}</position><velocity>0 0 0</velocity>"
            f"<sensorFreeAcceleration>{numbers(np.tile(free[k], len(sensors)))}</sensorFreeAcceleration>"
            f"<sensorOrientation>{numbers(np.tile(felt.quat[k, [3, 0, 1, 2]], len(sensors)))}</sensorOrientation>"
            "</frame>\n"
        )
    space = ' xmlns="http://www.xsens.com/mvn/mvnx"' if namespace else ""
    text = (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<mvnx{space} version="{version}"><subject label="a" '
        f'frameRate="{rate:g}"><segments>{segments}</segments>'
        f"<sensors>{''.join(f'<sensor label={chr(34)}{s}{chr(34)}/>' for s in sensors)}</sensors>"
        f"<joints>{joints}</joints><frames>{shown}</frames></subject></mvnx>"
    )
    return text if change is None else re.sub(*change, text, flags=re.DOTALL)


@pytest.mark.parametrize("namespace", [True, False])
def test_specific_force_and_rate_come_back(tmp_path, namespace):
    path = write(tmp_path / "take.mvnx", mvnx(namespace=namespace))
    assert sniff(path).name == "mvnx"
    recording = read(path)
    (imu,) = recording.imus
    assert (imu.name, imu.site, imu.clock_id) == ("RightForeArm", "right_wrist", "xsens-mvn")
    np.testing.assert_allclose(imu.acc_sensor, SMALL.acc, atol=1e-6)
    np.testing.assert_allclose(imu.time_s, SMALL.time_s, atol=1e-12)
    middle = slice(2, -2)
    assert np.abs(imu.gyr_sensor[middle] - SMALL.gyr[middle]).max() < 0.02
    told = " ".join(imu.notes)
    assert "free acceleration in the world's frame" in told
    assert "angular rate is derived" in told
    assert recording.meta == {"start_unix_s": "1600000000.000"}


def test_a_sensor_at_rest_upside_down(tmp_path):
    """By hand: turned half round about x, at rest, it feels (0, 0, −9.81) and does not turn."""
    felt = feel(2.0, 50.0)
    still = type(felt)(felt.time_s, [0, 0, -9.81] + 1e-4 * felt.gyr, felt.gyr, np.tile([1.0, 0, 0, 0], (100, 1)))
    (imu,) = read_mvnx(write(tmp_path / "a.mvnx", mvnx(still))).imus
    np.testing.assert_allclose(imu.acc_sensor, still.acc, atol=1e-6)
    np.testing.assert_allclose(imu.acc_sensor, np.tile([0, 0, -9.81], (100, 1)), atol=1e-3)
    np.testing.assert_allclose(imu.gyr_sensor, 0.0, atol=1e-9)


def test_the_body_hangs_together(tmp_path):
    motion = read_motion(write(tmp_path / "take.mvnx", mvnx()))
    assert motion.skeleton.joints == tuple(row[0] for row in TREE)
    assert motion.skeleton.parents == (-1, 0, 1, 2)
    np.testing.assert_allclose(motion.skeleton.offsets_m, [row[3] for row in TREE])
    np.testing.assert_allclose(motion.position_world[0, 3], [0, -0.44, 0.5])
    _, rot = forward(motion)
    dots = np.abs(np.sum(rot[:, 3] * SMALL.quat, axis=1))
    np.testing.assert_allclose(dots, 1.0, atol=1e-8)
    assert any("no independent reference" in note for note in motion.notes)


def test_segments_may_stand_in_any_order_and_props_are_left_out(tmp_path):
    tree = (TREE[0], TREE[3], TREE[2], TREE[1], ("Prop1", "", "", (0, 0, 0)))
    motion = read_motion(write(tmp_path / "take.mvnx", mvnx(tree=tree)))
    assert motion.skeleton.joints == ("Pelvis", "T8", "RightUpperArm", "RightForeArm")
    assert "Prop1" in motion.notes[-1]


def test_sites_are_those_of_the_straps(tmp_path):
    sensors = ("Pelvis", "T8", "Head", "LeftShoulder", "LeftUpperArm", "LeftForeArm", "LeftHand", "LeftLowerLeg")
    imus = read_imu(write(tmp_path / "a.mvnx", mvnx(sensors=sensors)))
    assert [imu.site for imu in imus] == [
        "pelvis", "chest", "head", None, "left_upper_arm", "left_wrist", None, "left_shank",
    ]  # fmt: skip
    assert len({imu.clock_id for imu in imus}) == 1


def test_frames_that_were_dropped_leave_a_gap(tmp_path):
    """The frame's number goes on where frames were lost; its milliseconds do not lie."""
    late = (r'time="(\d+)" index="([12]\d\d)"', lambda m: f'time="{int(m[1]) + 500}" index="{m[2]}"')
    (imu,) = read_mvnx(write(tmp_path / "a.mvnx", mvnx(change=late))).imus
    step = np.diff(imu.time_s)
    assert step[99] == pytest.approx(0.52, abs=1e-6)
    assert any("Gaps stay gaps" in note for note in imu.notes)


def test_a_file_with_only_one_of_both(tmp_path):
    path = write(tmp_path / "a.mvnx", mvnx(change=(r"<sensors>.*</sensors>", "")))
    assert read(path).imus == ()
    assert len(read(path).motions) == 1
    path = write(tmp_path / "b.mvnx", mvnx(change=(r"<segments>.*</segments>", "")))
    assert len(read(path).imus) == 1
    assert read(path).motions == ()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ((r"</frames>.*", ""), "not a whole MVNX"),
        ((r'type="normal"', 'type="tpose"'), "0 frames of movement"),
        ((r"<sensors>.*</sensors>|<segments>.*</segments>", ""), "neither sensor data nor segments"),
        ((r"(index=\"7\".*?<sensorOrientation>)[\d.-]+ ", r"\1"), "'sensorOrientation' has 300 rows .* and 3 numbers"),
        ((r"(index=\"7\".*?)<sensorOrientation>.*?</sensorOrientation>", r"\1"), "has 299 rows in 300 frames"),
        ((r"<connector2>T8/", "<connector2>Nothing/"), "leads to 'Nothing'"),
        ((r"<connector2>T8/", "<connector2>Pelvis/"), "leads to 'Pelvis'"),
        ((r'(time|index)="(\d+)"', r'\1="soon"'), "not a whole MVNX"),
        ((r'(time|index)="\d+"', ""), "neither numbers at a frame rate nor times"),
        ((r'encoding="UTF-8"', 'encoding="utf-99"'), "not a whole MVNX"),
    ],
)
def test_damaged_files_say_what_is_wrong(tmp_path, change, told):
    with pytest.raises(InputError, match=told) as caught:
        read_mvnx(write(tmp_path / "a.mvnx", mvnx(change=change)))
    assert "a.mvnx" in caught.value.what


def test_entities_do_not_blow_up(tmp_path):
    bomb = '<!DOCTYPE mvnx [<!ENTITY a "aaaaaaaaaa">' + "".join(
        f'<!ENTITY {chr(98 + k)} "{f"&{chr(97 + k)};" * 10}">' for k in range(9)
    )
    text = mvnx().replace("<mvnx", bomb + "]><mvnx", 1).replace("<pos_b>", "<pos_b>&j;", 1)
    with pytest.raises(InputError, match="not a whole MVNX"):
        read_mvnx(write(tmp_path / "a.mvnx", text))


def test_frames_are_read_one_after_another(tmp_path):
    """Memory holds the numbers of the streams that are used, not the tree of the whole file."""
    junk = ("</velocity>", " ".join(["0.000000"] * 3000) + "</velocity>")
    path = write(tmp_path / "a.mvnx", mvnx(change=junk))
    assert path.stat().st_size > 8_000_000
    tracemalloc.start()
    read_mvnx(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3_000_000


WHOLE = mvnx(feel(1.0, 50.0)).encode()


def survives(path):
    with contextlib.suppress(InputError):
        assert isinstance(read_mvnx(path), Recording)


@SOME
@given(st.integers(1, len(WHOLE)))
def test_truncated_files(tmp_path, cut):
    survives(write(tmp_path / "a.mvnx", WHOLE[:cut]))


@SOME
@given(st.integers(0, 2**31))
def test_damaged_bytes(tmp_path, seed):
    rng = np.random.default_rng(seed)
    data = bytearray(WHOLE)
    for place in rng.integers(0, len(data), rng.integers(1, 8)):
        data[place] = rng.choice(list(b'0-.e<>/" &x')) if rng.random() < 0.8 else rng.integers(0, 256)
    survives(write(tmp_path / "a.mvnx", bytes(data)))


@SOME
@given(st.binary(min_size=1, max_size=200))
def test_garbage(tmp_path, data):
    survives(write(tmp_path / "a.mvnx", b"<mvnx>" + data))


def test_a_real_take(real_data):
    path = next(real_data("xsens-files").rglob("*.mvnx"))
    recording = read(path)
    (motion,) = recording.motions
    assert len(recording.imus) == 11
    assert motion.time_s.size == 112
    assert motion.rate_hz == pytest.approx(60.0)
    for imu in recording.imus[:3]:  # the hands never rest
        assert imu.rest_norm_m_s2() == pytest.approx(9.81, abs=0.1)
    # The skeleton that is read off the joints places every segment where the file has it; collar bones slide.
    chained, rot = forward(motion.replace(position_world=None))
    assert np.abs(chained - motion.position_world).max() < 0.003
    # The rate that is derived from a sensor's orientation is that of its segment, whichever way it is mounted.
    named = {imu.name: imu for imu in recording.imus}
    for name in ("Head", "RightUpperArm", "LeftUpperArm"):
        joint = motion.skeleton.index(name)
        turn = Rotation.from_quat(rot[1:, joint]) * Rotation.from_quat(rot[:-1, joint]).inv()
        segment = np.linalg.norm(turn.as_rotvec() * 60.0, axis=1)
        sensor = np.linalg.norm(named[name].gyr_sensor, axis=1)
        assert np.corrcoef(segment, 0.5 * (sensor[1:] + sensor[:-1]))[0, 1] > 0.8
    # The simulator knows the skeleton: in this take (of someone who sits) the head is above the pelvis.
    body = posture(motion)
    up = segment_trajectory(body, "head").origin_world - segment_trajectory(body, "pelvis").origin_world
    assert (up[:, 2] > 0.5).all()
    assert segment_trajectory(body, "right_forearm").length_m == pytest.approx(0.25, abs=0.05)
