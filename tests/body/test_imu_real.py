"""Simulated against real sensors: a board with optical markers, a walking person; and how fast it is."""

from __future__ import annotations

import importlib.util

import pytest

from kinebind import InputError
from kinebind.bench import simulate


@pytest.mark.skipif(importlib.util.find_spec("h5py") is None, reason="h5py is not installed: BROAD's files are HDF5")
def test_a_board_feels_what_its_markers_say(real_data):
    found = simulate.broad(real_data("broad"))
    assert found["broad_acc_r"] > 0.99
    assert found["broad_gyro_r"] > 0.98
    # One optical frame is 3.5 ms; once it is taken out, hardly anything is left between the two.
    assert -5 < found["broad_lag_ms"] < -2
    assert found["broad_acc_lag_r"] > 0.995
    assert found["broad_gyro_lag_r"] > 0.999


def test_a_walking_person_feels_what_the_joints_say(real_data):
    found = simulate.neura(real_data("neura-walk"))
    assert -30 < found["neura_lag_ms"] < -10  # one to three samples
    assert found["neura_shank_acc_r"] > 0.93
    assert found["neura_foot_acc_r"] > 0.88
    assert found["neura_pelvis_acc_r"] > 0.85
    assert found["neura_foot_acc_axes_r"] > 0.86
    assert found["neura_shank_acc_axes_r"] > 0.8
    assert found["neura_foot_gyro_axes_r"] > 0.9


def test_it_is_hundreds_of_times_faster_than_life(real_data):
    found = simulate.speed(real_data("bandai-namco"))
    assert found["simulate_clip_s"] > 60
    # The benchmark asks for 500; a busy machine is allowed some slack here.
    assert found["simulate_x_realtime"] > 200


def test_a_missing_set_is_named(tmp_path):
    with pytest.raises(InputError, match="neura-walk"):
        simulate.neura(tmp_path / "neura-walk")
