"""The study of learned models: its data, its recipes and its plan; `tests/cli` runs all of it once."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from kinebind.bench import baselines, mobind_study
from kinebind.bench.mobind_correlation import load_cues, save_cues, window_vectors, windowed_jobs
from kinebind.bench.mobind_data import (
    Chunk,
    MadeUp,
    activity_files,
    by_activity,
    chunks,
    made_up_chunks,
    takes,
    utd_takes,
)
from kinebind.bench.mobind_runs import RUNS, SIZES, recipe
from kinebind.bench.mobind_table import with_interval
from kinebind.bench.mobind_takes import (
    CONTRACT,
    PARTS,
    RATE_HZ,
    TAKE_S,
    Cues,
    Files,
    StudyTake,
    as_published,
    load_takes,
    recorded,
    save_takes,
    stretches,
    study_takes,
)
from kinebind.body.imu_simulate import IDEAL, simulate_imus
from kinebind.errors import InputError
from kinebind.tasks.retrieve import retrieval
from kinebind.training.settings import DataConfig
from kinebind.training.store import store_from_recordings
from kinebind.training.windows import windows_of

FILES = Files(MadeUp("made-up", ()), (Path("1-30.made-up"), Path("2-25.made-up"), Path("3-45.made-up")))


@pytest.fixture(scope="module")
def made() -> list[StudyTake]:
    return list(study_takes(FILES, (5,), "val", "low3"))


def test_stretches_share_no_motion_and_use_all_but_a_rest():
    found = list(stretches(FILES, np.random.default_rng(0), TAKE_S))
    lengths = [body.motion.time_s[-1] for body in found]
    assert len(found) == 3
    assert lengths[:-1] == pytest.approx([TAKE_S, TAKE_S], abs=0.05)
    # Two blends cost the rest of 100 s.
    assert 82.0 < sum(lengths) < 100.0
    capped = list(stretches(Files(FILES.source, FILES.paths, most_s=50.0), np.random.default_rng(0), TAKE_S))
    assert [body.motion.time_s[-1] for body in capped] == pytest.approx([40.0, 10.0], abs=0.05)


def test_takes_are_whole_and_survive_their_file(made, tmp_path):
    assert [t.take.meta["scene"] for t in made] == ["val-5-0"] * 3
    assert len({t.take.meta["person"] for t in made}) == 3
    for t in made:
        t.take.check(CONTRACT)
        t.as_published().check(CONTRACT)
        assert np.isfinite(t.take.imu).all()
        assert np.isfinite(t.published).all()
        assert abs(t.cues.felt.shape[-1] / baselines.RATE_HZ - t.take.imu.shape[-1] / RATE_HZ) <= 0.02
    save_takes(tmp_path / "t.npz", made)
    again = list(load_takes(tmp_path / "t.npz"))
    assert [a.take.meta for a in again] == [t.take.meta for t in made]
    for a, t in zip(again, made, strict=True):
        assert a.take.name == t.take.name
        np.testing.assert_array_equal(a.take.imu, t.take.imu)
        np.testing.assert_array_equal(a.take.pose, t.take.pose)
        np.testing.assert_array_equal(a.published, t.published)
        np.testing.assert_array_equal(a.cues.seen, t.cues.seen)


def test_published_channels_are_the_sensors_without_gravity_and_in_the_world():
    """Specific force, turned into the world and less gravity, is what second differences give, where both are slow."""
    (body,) = stretches(Files(FILES.source, FILES.paths[:1]), np.random.default_rng(1), TAKE_S)
    time_s = 1.0 + np.arange(400) / RATE_HZ
    published = as_published(body, time_s)
    imus = simulate_imus(body, PARTS, rng=np.random.default_rng(0), effects=IDEAL, orientation=True)
    for n, imu in enumerate(imus):
        own = imu.resample(time_s)
        world = Rotation.from_quat(own.rot_world_from_sensor.copy()).apply(own.acc_sensor.copy()) - [0.0, 0.0, 9.81]
        y_up = np.stack([world[:, 0], world[:, 2], -world[:, 1]], axis=1)
        # The stencil is a low-pass of 0.4 s: compare what is left of both.
        kernel = np.ones(8) / 8
        both = (y_up, published[n, :3].T)
        smooth = [np.stack([np.convolve(v[:, i], kernel, "valid") for i in range(3)]) for v in both]
        assert np.corrcoef(smooth[0].ravel(), smooth[1].ravel())[0, 1] > 0.9
        w_first = published[n, 3:].T
        assert (w_first[:, 0] >= 0).all()
        np.testing.assert_allclose(np.linalg.norm(w_first, axis=1), 1.0, atol=1e-5)


def test_the_sensors_orientation_turns_their_own_acceleration(made):
    """In a take's own channels gravity is the mean of what the orientation makes of the specific force."""
    imu = made[0].take.imu
    for n in range(len(PARTS)):
        quat = imu[n, [4, 5, 6, 3]].T  # scalar first in the contract
        world = Rotation.from_quat(quat).apply(imu[n, :3].T.astype(float))
        np.testing.assert_allclose(world.mean(axis=0), [0.0, 0.0, 1.0], atol=0.025)  # g


def test_correlation_finds_windows_and_people_that_belong_together(made, tmp_path):
    store = store_from_recordings((t.take for t in made), CONTRACT, tmp_path / "s")
    save_cues(tmp_path / "cues.npz", {t.take.name: t.cues for t in made})
    cues = load_cues(tmp_path / "cues.npz")
    windows = windows_of(store, CONTRACT, DataConfig(train=("x",)))
    felt, _ = window_vectors(store, windows, cues)
    norm = np.linalg.norm(felt.reshape(len(windows), len(PARTS), 2, -1), axis=-1)
    np.testing.assert_allclose(norm, 1.0, atol=1e-6)
    metrics = windowed_jobs(store, windows, cues)
    assert metrics["imu_to_pose_r1"] > 10 / len(windows)
    assert metrics["people_accuracy_each"] > 0.6
    # Another take's cues know nothing of it.
    crossed = (made[1], made[0], made[0])
    others = {a.take.name: Cues(a.cues.felt, b.cues.seen) for a, b in zip(made, crossed, strict=True)}
    felt, seen = window_vectors(store, windows.take(windows.entry < 2), others)
    assert retrieval(felt.reshape(len(felt), -1), seen.reshape(len(seen), -1)).imu_to_pose.r1 < 0.2


def test_cues_tell_the_lag_that_was_cut(made):
    t = made[0].cues
    lag = 37
    felt, seen = t.felt[..., :1000].astype(float), t.seen[..., lag : 1000 + lag].astype(float)
    assert baselines.lag_of_cues_s(felt, seen, (-3.0, 3.0)) == pytest.approx(-lag / baselines.RATE_HZ, abs=0.03)


def test_activities_are_split_by_file():
    files = tuple(Path(f"dataset-1_bow_normal_{k:03d}.bvh") for k in range(20))
    rare = tuple(Path(f"dataset-1_kick_normal_{k:03d}.bvh") for k in range(3))
    found = by_activity(files + rare)
    assert list(found) == ["bow"]
    known, valid, asked = activity_files(found["bow"], 4.0, seed=(1,))
    assert len({*known, *valid, *asked}) == len(known) + len(valid) + len(asked) == 20
    assert (len(valid), len(asked)) == (3, 5)


def test_real_sources_are_where_the_protocol_wants_them(real_data):
    data = real_data("bandai-namco").parent
    for name in ("deepmimic", "cmu-asfamc", "cmu-mocap6"):
        real_data(name)
    own = {final: chunks(data, passes=2, final=final) for final in (False, True)}
    sets = {final: {c.set for c in found} for final, found in own.items()}
    assert sets[True] - sets[False] == {"test", "test-long"}
    sources = {c.set: c.files.source.name for c in own[True] if not c.set.startswith("test")}
    assert sources == {
        "train": "bandai-namco", "har-known": "bandai-namco", "har-valid": "bandai-namco",
        "har-asked": "bandai-namco", "val": "deepmimic", "val-long": "deepmimic",
    }  # fmt: skip
    assert {c.files.source.name for c in own[True] if c.set.startswith("test")} == {"cmu-asfamc", "cmu-mocap6"}

    def paths(found: list[Chunk], name: str) -> list[Path]:
        return [p for c in found if c.set == name for p in c.files.paths]

    trained = paths(own[False], "train")
    assert len(trained) == 2 * len(set(trained))
    kept = set(paths(own[False], "har-valid")) | set(paths(own[False], "har-asked"))
    assert not kept & set(trained)
    assert set(paths(own[False], "har-known")) <= set(trained)
    # The same with the test takes beside: trainings must not notice.
    assert [c.name for c in own[True] if "test" not in c.set] == [c.name for c in own[False]]


def test_utd_mhad_by_subject(real_data):
    found = list(utd_takes(real_data("utd-mhad"), final=False))
    assert len({t.take.name for t in found}) == len(found)
    subjects = {
        key: {t.take.name.split("_")[1] for t in found if t.take.meta[key] == split}
        for key, split in (("split", "train"), ("central", "val"))
    }
    assert subjects == {"split": {"s1", "s3", "s5"}, "central": {"s7"}}
    central = [t for t in found if t.take.meta["central"] == "val"]
    assert {t.take.imu.shape for t in central} == {(2, 6, 100)}
    assert {t.take.pose.shape for t in central} == {(2, 6, 40)}
    assert {np.isfinite(t.take.imu).all(axis=(1, 2)).sum() for t in central} == {1}


@pytest.mark.parametrize("size", SIZES.values(), ids=list(SIZES))
def test_recipes_of_all_runs_hold_and_have_the_same_budget(size):
    recipes = {name: recipe(size, name, 1, (1e-3, 0.1)) for name in RUNS}
    same = [r for name, r in recipes.items() if RUNS[name].store != "utd" and not name.startswith("stage")]
    assert len({(r.train.batch_size, r.train.max_epochs, r.train.learning_rate, r.train.seed) for r in same}) == 1
    stages = recipes["stage1"].train.max_epochs + recipes["stage2"].train.max_epochs
    assert abs(stages - recipes["mobind"].train.max_epochs) <= 1
    assert recipes["stage1"].train.batch_size == len(PARTS) * size.batch_size
    assert recipes["global"].build().settings()["loss"]["whole"] == 1.0
    assert recipes["mobind"].build().settings()["model"]["temperature"] == 0.1


def test_a_plan_needs_nothing_that_it_does_not_have(tmp_path):
    study = mobind_study.study("smoke", None, tmp_path)
    seen: set[str] = set()
    for task in mobind_study.plan(study):
        assert set(task.needs) <= seen, task.name
        assert task.name not in seen
        seen.add(task.name)
    assert {c.name for c in made_up_chunks()} == {name.removeprefix("chunk-") for name in seen if name[:6] == "chunk-"}


def test_a_folder_with_another_study_is_refused(tmp_path):
    study = mobind_study.study("smoke", None, tmp_path)
    assert mobind_study.work(study, 1e-6).tasks == mobind_study.work(study, 1e-6).tasks
    longer = dataclasses.replace(study, size=dataclasses.replace(study.size, epochs=2))
    with pytest.raises(InputError, match="holds a study with other settings"):
        mobind_study.work(longer, 1e-6)
    with pytest.raises(InputError, match="holds a study of the size smoke, not full"):
        mobind_study.work(dataclasses.replace(study, size=SIZES["full"]), 1e-6)


def test_a_mean_over_seeds_lies_in_its_interval():
    found = with_interval("k", [0.1, 0.2, 0.4])
    assert found["k"] == pytest.approx(0.7 / 3)
    assert 0.1 - 1e-9 <= found["k_lo"] < found["k"] < found["k_hi"] <= 0.4 + 1e-9
    assert with_interval("k", [0.3]) == {"k": 0.3}


def test_made_up_people_are_for_a_smoke_test_only(tmp_path):
    with pytest.raises(InputError, match="Made-up"):
        mobind_study.study("small", None, tmp_path)


def test_a_body_is_recorded_from_end_to_end():
    (body,) = stretches(Files(FILES.source, FILES.paths[:1]), np.random.default_rng(1), TAKE_S)
    recording = recorded(body, np.random.default_rng(2))
    length_s = body.motion.time_s[-1]
    assert all(length_s - 0.8 < imu.duration_s <= length_s for imu in recording.imus)
    assert all(imu.rot_world_from_sensor is not None for imu in recording.imus)


def test_takes_of_one_set_only(tmp_path):
    own = [Chunk("train", FILES, (0,)), Chunk("val", FILES, (1,))]
    for chunk in own:
        save_takes(tmp_path / f"{chunk.name}.npz", [])
    assert list(takes(tmp_path, own, ("val",))) == []
