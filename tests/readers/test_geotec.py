from __future__ import annotations

import numpy as np
import pytest
from imu_scene import feel, table_text, write

from kinebind.readers import read, sniff

FELT = feel(10.0)
HEADER = ["x_acc", "y_acc", "z_acc", "x_gyro", "y_gyro", "z_gyro", "timestamp", "label"]


def run(labels):
    rng = np.random.default_rng(0)
    late = np.maximum.accumulate(FELT.time_s + rng.exponential(4e-3, FELT.time_s.size))
    rows = np.column_stack([FELT.acc, FELT.gyr, np.floor(late * 1e3) + 1657544418000])
    lines = table_text(rows, None, formats={6: ".0f"}).splitlines()
    return "\n".join([",".join(HEADER), *(f"{line},{label}" for line, label in zip(lines, labels, strict=True))])


def test_late_times_are_straightened_and_labels_kept(tmp_path):
    labels = np.repeat(["SEATED", "WALKING", "SEATED"], [300, 500, 200])
    path = write(tmp_path / "s01_01_sw.csv", run(labels))
    assert sniff(path).name == "geotec"
    recording = read(path)
    (imu,) = recording.imus
    error = imu.time_s - FELT.time_s - 1657544418
    assert np.std(error) < 1e-3
    assert imu.site is None
    assert [label.name for label in recording.labels] == ["SEATED", "WALKING", "SEATED"]
    walking = recording.labels[1]
    assert walking.start_s == pytest.approx(imu.time_s[300], abs=0.02)
    assert walking.end_s == pytest.approx(imu.time_s[800], abs=0.02)
    assert recording.meta == {"labels_clock": imu.clock_id}


def test_real_runs_of_watch_and_phone(real_data):
    paths = sorted((real_data("geotec") / "DATA").glob("s*/*.csv"))
    assert len(paths) == 446
    for path in paths[::9]:
        recording = read(path)
        (imu,) = recording.imus
        assert imu.rate_hz == pytest.approx(102.4 if path.stem.endswith("sp") else 104.3, abs=0.5)
        assert np.diff(imu.time_s).std() < 2e-4
        assert imu.rest_norm_m_s2() == pytest.approx(9.9, abs=0.8)
        assert {label.name for label in recording.labels} <= {
            "SEATED", "STANDING_UP", "WALKING", "TURNING", "SITTING_DOWN",
        }  # fmt: skip
        assert recording.labels[0].start_s == pytest.approx(imu.time_s[0], abs=0.2)
