"""OpenPack's sessions: on one clock, with their operations and splits."""

from __future__ import annotations

import doctest
import json

import numpy as np
import pytest

from kinebind import InputError
from kinebind.readers import openpack_sessions as sessions
from kinebind.readers.openpack_sessions import (
    OPERATIONS,
    SPLITS,
    openpack_sessions,
    part_of,
    read_openpack_keypoints,
    read_openpack_session,
)

START_MS = 1648531522000


def atr(path, rate_hz=33.0, seconds=4.0):
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = ["unixtime,acc_x,acc_y,acc_z,gyro_x,gyro_y,gyro_z,quat_w,quat_x,quat_y,quat_z"]
    rng = np.random.default_rng(1)
    for k in range(round(rate_hz * seconds)):
        noise = 0.01 * rng.standard_normal(3)
        values = [START_MS + round(1e3 * k / rate_hz), *noise[:2], 1.0 + noise[2], 1.0, 2.0, 3.0, 1.0, 0.0, 0.0, 0.0]
        rows.append(",".join(f"{v:g}" if abs(v) < 1e6 else f"{v:.0f}" for v in values))
    path.write_text("\n".join(rows) + "\n")


@pytest.fixture
def user(tmp_path):
    home = tmp_path / "openpack" / "v1.0.0" / "U0106"
    atr(home / "atr" / "atr01" / "S0300.csv")
    atr(home / "atr" / "atr02" / "S0300.csv")
    table = home / "annotation" / "openpack-operations" / "S0300.csv"
    table.parent.mkdir(parents=True)
    table.write_text(
        "uuid,user,session,box,id,operation,start,end,actions\n"
        "a,U0106,S0300,1,100,Picking,2022-03-29 14:25:22+09:00,2022-03-29 14:25:24+09:00,\n"
    )
    return home


def keypoints(home, frames=30, **changes):
    folder = home / "kinect" / "2d-kpt" / "mmpose-x" / "single"
    folder.mkdir(parents=True, exist_ok=True)
    points = np.random.default_rng(0).uniform(0.0, 600.0, (frames, 17, 3))
    points[..., 2] = 0.9
    points[3, 5, 2] = 0.0
    rows = [{"image_id": START_MS + round(1e3 * k / 15), "keypoints": points[k].tolist()} for k in range(frames)]
    (folder / "S0300.json").write_text(json.dumps({"annotations": rows} | changes))
    return folder / "S0300.json", points


def test_a_session_is_on_one_clock(user):
    _, points = keypoints(user)
    (found,) = openpack_sessions(user.parents[1])
    assert [(i.name, i.site) for i in found.imus] == [("atr01", "right_wrist"), ("atr02", "left_wrist")]
    assert {i.clock_id for i in found.imus} == {"unix"}
    assert found.imus[0].time_s[0] == pytest.approx(START_MS / 1e3)
    (poses,) = found.people
    assert poses.time_s[0] == pytest.approx(START_MS / 1e3)
    assert poses.keypoints_px[0] == pytest.approx(points[0, :, :2])
    assert np.isnan(poses.keypoints_px[3, 5]).all()
    assert (found.labels[0].name, found.labels[0].start_s) == ("Picking", START_MS / 1e3)
    assert found.meta == {
        "user": "U0106", "session": "S0300", "split_debug": "none", "split_pilot": "test",
        "split_challenge-2022": "test",
    }  # fmt: skip


def test_without_keypoints_and_labels_a_session_is_its_sensors(user):
    (user / "annotation/openpack-operations/S0300.csv").unlink()
    found = read_openpack_session(user, "S0300")
    assert (found.people, found.labels, len(found.imus)) == ((), (), 2)


def test_nobody_is_in_two_parts_of_a_split():
    for split in SPLITS.values():
        all_of = [(user, digit) for part in split.values() for user, digits in part.items() for digit in digits]
        assert len(all_of) == len(set(all_of))
    assert len(OPERATIONS) == 11
    assert doctest.testmod(sessions).failed == 0


def test_what_is_wrong_is_told(user, tmp_path):
    with pytest.raises(InputError, match="no folder"):
        list(openpack_sessions(tmp_path / "none"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no sessions"):
        list(openpack_sessions(tmp_path / "empty"))
    with pytest.raises(InputError, match="no sensors of S0100"):
        read_openpack_session(user, "S0100")
    with pytest.raises(InputError, match="no split 'final'"):
        part_of("final", "U0102", "S0100")
    with pytest.raises(InputError, match="no session"):
        part_of("pilot", "U0102", "0100")
    path, _ = keypoints(user)
    path.write_text("{}")
    with pytest.raises(InputError, match="no keypoints of OpenPack"):
        read_openpack_keypoints(path)
    path.write_text(json.dumps({"annotations": [{"image_id": 1, "keypoints": [[1, 2, 3]]}]}))
    with pytest.raises(InputError, match=r"\(17, 3\)"):
        read_openpack_keypoints(path)


def test_the_real_session(real_data):
    (found,) = openpack_sessions(real_data("openpack-u0209-s0500"))
    assert found.name == "U0209-S0500"
    assert [i.site for i in found.imus] == ["right_wrist", "left_wrist", "right_upper_arm", "left_upper_arm"]
    assert {label.name for label in found.labels} <= set(OPERATIONS)
    inside = [imu for imu in found.imus if imu.time_s[0] < found.labels[0].end_s < imu.time_s[-1]]
    assert len(inside) == 4
