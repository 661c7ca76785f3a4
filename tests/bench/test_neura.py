"""The walk of Neura: which sensor is worn where, and that clips carry their true map. Nothing is synchronised here."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from kinebind.bench import neura


@pytest.fixture
def folder(real_data):
    return real_data("neura-walk")


def test_seven_sensors_on_one_clock(folder):
    imus = neura.sensors(folder)
    assert sorted(imu.site for imu in imus) == sorted(neura.DEVICES.values())
    assert {imu.clock_id for imu in imus} == {"mtw"}
    assert all(imu.time_s[0] == 0.0 for imu in imus)
    assert all(imu.gyr_sensor is not None for imu in imus)


def test_clips_say_where_they_were_cut(folder):
    whole = {imu.site: imu for imu in neura.sensors(folder)}
    for clip in itertools.islice(neura.clips(folder, neura.WALKING_S, 1, 7), 3):
        assert len(clip.imus) == 7
        assert clip.poses.duration_s <= neura.CLIP_S
        assert abs(clip.truth.offset_s) <= neura.RANGE_S
        assert clip.truth.skew == 0.0
        for imu in clip.imus:
            assert imu.duration_s == pytest.approx(neura.CLIP_S, abs=0.03)
            # Found again in the whole stream, the clip starts within the range that was asked for.
            row = np.flatnonzero((whole[imu.site].acc_sensor == imu.acc_sensor[0]).all(axis=1))
            start_s = whole[imu.site].time_s[row] - imu.time_s[0]
            assert ((neura.WALKING_S[0] - 0.02 <= start_s) & (start_s <= neura.WALKING_S[1] + 0.02)).any()
