from __future__ import annotations

import numpy as np
import pytest

from kinebind.errors import InputError
from kinebind.readers.formats_base import read_head
from kinebind.readers.poses_npz import FORMATS, read_npz


def arrays(people=None, frames=20):
    rng = np.random.default_rng(1)
    shape = (frames, 17) if people is None else (frames, people, 17)
    return {
        "keypoints_px": rng.uniform(10, 1000, (*shape, 2)),
        "scores": rng.uniform(0.1, 1, shape),
        "time_s": np.arange(frames) / 24,
        "image_size": np.array([1920, 1080]),
    }


def put(tmp_path, **content):
    np.savez(tmp_path / "poses.npz", **content)
    return tmp_path / "poses.npz"


def test_one_person(tmp_path):
    content = arrays()
    content["keypoints_px"][3, 5] = np.nan
    (person,) = read_npz(put(tmp_path, **content))
    np.testing.assert_allclose(person.keypoints_px, content["keypoints_px"])
    np.testing.assert_allclose(person.time_s, content["time_s"])
    assert np.isnan(person.scores[3, 5])
    assert person.image_size_px == (1920, 1080)
    assert person.person == "1"


def test_people_keep_their_place_and_names(tmp_path):
    content = arrays(people=3)
    content["keypoints_px"][5:, 1] = np.nan
    people = {p.person: p for p in read_npz(put(tmp_path, **content, persons=np.array(["a", "b", "c"])))}
    assert people["b"].time_s.size == 5
    np.testing.assert_allclose(people["c"].keypoints_px, content["keypoints_px"][:, 2])
    np.testing.assert_allclose(people["c"].scores, content["scores"][:, 2])
    assert {p.person for p in read_npz(put(tmp_path, **content))} == {"1", "2", "3"}


def test_the_clock_is_the_files_or_given(tmp_path):
    content = arrays()
    times = content.pop("time_s")
    path = put(tmp_path, **content)
    with pytest.raises(InputError, match="--fps"):
        read_npz(path)
    np.testing.assert_allclose(read_npz(path, rate_hz=50)[0].time_s, np.arange(20) / 50)
    np.testing.assert_allclose(read_npz(path, time_s=2 * times)[0].time_s, 2 * times)
    path = put(tmp_path, **content, rate_hz=12.0)
    np.testing.assert_allclose(read_npz(path)[0].time_s, np.arange(20) / 12)
    np.testing.assert_allclose(read_npz(path, rate_hz=50)[0].time_s, np.arange(20) / 50)


def test_scores_may_be_left_out(tmp_path):
    content = arrays()
    del content["scores"]
    (person,) = read_npz(put(tmp_path, **content))
    assert (person.scores == 1).all()
    assert any("no scores" in note for note in person.notes)


def test_wrong_files_are_refused_with_the_reason(tmp_path):
    good = arrays(people=2)
    for wrong, reason in (
        ({"points": good["keypoints_px"]}, "no array keypoints_px; it has points"),
        ({**good, "keypoints_px": good["keypoints_px"][:, :, :12]}, r"shape \(20, 2, 12, 2\)"),
        ({**good, "scores": good["scores"][:, 0]}, r"scores has shape \(20, 17\)"),
        ({**good, "persons": np.array(["a", "a"])}, "2 different names"),
        ({**good, "image_size": np.array([np.nan, 3])}, "image size"),
        ({**good, "time_s": good["time_s"][::-1]}, "do not increase"),
        ({**good, "rate_hz": np.nan, "time_s": np.array([0.0])}, "only 1 frame times"),
        ({**good, "keypoints_px": np.array(["x"])}, "cannot be read"),
        ({**good, "keypoints_px": np.full((20, 17, 2), np.nan), "scores": np.ones((20, 17))}, "no visible keypoints"),
    ):
        with pytest.raises(InputError, match=reason):
            read_npz(put(tmp_path, **wrong))
    path = put(tmp_path, **good)
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(InputError, match="cannot be read"):
        read_npz(path)
    assert not FORMATS[0].sniff(read_head(path))


def test_the_sniffer_looks_for_the_key(tmp_path):
    assert FORMATS[0].sniff(read_head(put(tmp_path, **arrays())))
    assert not FORMATS[0].sniff(read_head(put(tmp_path, other=np.zeros(3))))


def test_a_true_rate_makes_the_files_times_run_faster_and_keeps_gaps(tmp_path):
    time_s = np.delete(np.arange(40) / 30.0, [10, 11, 12])
    points = np.random.default_rng(0).uniform(1, 100, (time_s.size, 17, 2))
    np.savez(tmp_path / "slow.npz", keypoints_px=points, time_s=time_s)
    (found,) = read_npz(tmp_path / "slow.npz", rate_hz=120.0)
    np.testing.assert_allclose(found.time_s, time_s / 4.0)
    assert any("taken as 120" in note for note in found.notes)
