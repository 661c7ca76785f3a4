from __future__ import annotations

import numpy as np
import pytest
from imu_scene import feel
from scipy.io import savemat

from kinebind.errors import InputError
from kinebind.readers import ColumnMap, read, read_imu, sniff

FELT = feel(4.0, rate_hz=50.0)


def clip(path, data=None, name="d_iner"):
    savemat(path, {name: np.hstack([FELT.acc / 9.81, np.degrees(FELT.gyr)]) if data is None else data})
    return path


@pytest.mark.parametrize(("action", "site"), [(1, "right_wrist"), (21, "right_wrist"), (22, "right_thigh")])
def test_units_time_and_site(tmp_path, action, site):
    path = clip(tmp_path / f"a{action}_s3_t2_inertial.mat")
    assert sniff(path).name == "utd-mhad"
    (imu,) = read_imu(path)
    assert imu.site == site
    np.testing.assert_allclose(imu.time_s, np.arange(200) / 50)
    np.testing.assert_allclose(imu.acc_sensor, FELT.acc, atol=1e-12)
    np.testing.assert_allclose(imu.gyr_sensor, FELT.gyr, atol=1e-12)
    assert read_imu(clip(tmp_path / "clip.mat"))[0].site is None
    assert read(path).imus[0].site == site


def test_other_and_damaged_files_are_refused(tmp_path):
    with pytest.raises(InputError, match="shape"):
        read_imu(clip(tmp_path / "a.mat", np.zeros((10, 5))))
    with pytest.raises(InputError, match="variables x"):
        read_imu(clip(tmp_path / "b.mat", name="x"))
    path = clip(tmp_path / "c.mat")
    path.write_bytes(path.read_bytes()[:600])
    with pytest.raises(InputError):
        read_imu(path)
    with pytest.raises(InputError, match="--columns means nothing"):
        read_imu(clip(tmp_path / "d.mat"), columns=ColumnMap.parse("ax=1,ay=2,az=3"))


def test_every_real_clip_is_read(real_data):
    paths = sorted((real_data("utd-mhad") / "Inertial").glob("*.mat"))
    assert len(paths) == 861
    rest = []
    for path in paths:
        (imu,) = read_imu(path)
        assert imu.site == ("right_thigh" if int(path.name[1:].split("_")[0]) >= 22 else "right_wrist")
        rest.append(imu.rest_norm_m_s2())
    assert np.median(rest) == pytest.approx(10.1, abs=0.2)
