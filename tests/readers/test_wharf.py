"""WHARF's recordings: codes are specific force, the file's name tells the activity and the person."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest

from kinebind import InputError
from kinebind.readers import read, sniff
from kinebind.readers.wharf import read_wharf, wharf_person

NAME = "Accelerometer-2012-05-25-18-35-48-standup_chair-f4.txt"


def test_codes_are_specific_force(tmp_path):
    path = tmp_path / NAME
    path.write_text("31 53 32\n" * 40 + "0 63 31\n")
    assert sniff(path).name == "wharf"
    recording = read(path)
    (imu,) = recording.imus
    assert imu.rate_hz == pytest.approx(32.0)
    assert imu.site == "right_wrist"
    np.testing.assert_allclose(imu.acc_sensor[0], (np.array([31, 53, 32]) * 3 / 63 - 1.5) * 9.80665, rtol=2e-3)
    (label,) = recording.labels
    assert (label.name, label.start_s) == ("standup_chair", 0.0)
    assert label.end_s == pytest.approx(41 / 32)
    assert wharf_person(path) == "f4"


def test_other_files_are_not_taken_for_it(tmp_path):
    for name, text in ((NAME, "31 53 64\n"), (NAME, "1.5 2.5 3.5\n"), ("other.txt", "31 53 32\n" * 40)):
        (tmp_path / name).write_text(text)
        with contextlib.suppress(InputError):
            assert sniff(tmp_path / name).name != "wharf"
    (tmp_path / NAME).write_text("31 53 32\n31 53\n")
    with pytest.raises(InputError, match="damaged"):
        read_wharf(tmp_path / NAME)


def test_real_recordings_stand_still_at_one_g(real_data):
    paths = sorted(real_data("wharf").rglob("Accelerometer-*-walk-*.txt"))
    norms = [float(np.median(np.linalg.norm(read_wharf(path)[0].acc_sensor, axis=1))) for path in paths[:20]]
    assert np.median(norms) == pytest.approx(9.81, rel=0.15)
