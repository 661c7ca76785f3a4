"""The benchmark of activities: who is asked never trains, rivals learn, and figures are what answers give."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from kinebind.bench import har, har_data, har_runs
from kinebind.bench.har_data import few, geotec_split, share, utd_split, wharf_split
from kinebind.bench.har_rivals import Tcn, boosted, features
from kinebind.imu import GRAVITY_M_S2, Imu
from kinebind.recording import Label
from kinebind.tasks.recognise.by_examples import Looks
from kinebind.tasks.recognise.stretches import Labelled, stretch_of
from kinebind.training.recognise_tuning import RecogniseTuning, fit, logits_of

LOOKS = Looks(2.0, told=False)


def shaken(rate_hz, seed):
    rng = np.random.default_rng(seed)
    t = np.arange(250) / 100.0
    gyr = np.zeros((t.size, 3))
    gyr[:, 1] = 3.0 * np.sin(2 * np.pi * rate_hz * t + rng.uniform(0, 6.28))
    acc = np.tile([0.0, 0.0, GRAVITY_M_S2], (t.size, 1)) + 0.2 * rng.standard_normal((t.size, 3))
    return stretch_of([Imu(t, acc, gyr, name="s")], told=False)


@pytest.fixture(scope="module")
def known():
    return [
        Labelled(shaken(rate_hz, seed), label, str(seed))
        for seed in range(10)
        for label, rate_hz in enumerate((0.5, 3.0))
    ]


def test_rivals_learn_slow_from_fast(known):
    truth = np.array([own.label for own in known[12:]])
    assert (boosted(known[:12], known[12:], LOOKS, 0) == truth).mean() >= 0.85
    config = RecogniseTuning(steps=60, batch=12, looks=LOOKS, warm_steps=5, learning_rate=5e-3)
    torch.manual_seed(0)
    model = fit(Tcn(2, width=16, blocks=2), [], known[:12], 2, config)
    assert (logits_of(model, known[12:], config).argmax(dim=1).numpy() == truth).mean() >= 0.85


def test_features_are_finite_also_of_a_sensor_that_says_nothing(known):
    still = Imu(np.arange(100) / 100.0, np.tile([0.0, 0.0, GRAVITY_M_S2], (100, 1)), name="still")
    found = features([known[0], Labelled(stretch_of([still]), 0)], LOOKS)
    assert found.shape[0] == 2
    assert np.isfinite(found).all()


def test_few_and_shares_are_drawn_by_class(known):
    assert sorted(own.label for own in few(known, 3, 0)) == [0, 0, 0, 1, 1, 1]
    assert few(known, 3, 0) != few(known, 3, 1)
    assert len(few(known, 99, 0)) == len(known)
    assert sorted(own.label for own in share(known, 0.01, 0)) == [0, 1]
    assert len(share(known, 0.5, 0)) == 10


def test_every_run_has_a_name_of_its_own_and_final_has_more():
    for final in (False, True):
        names = [run.name for run in har_runs.runs(final=final)]
        assert len(set(names)) == len(names)
    assert {r.task for r in har_runs.runs(final=False)} == {
        "utd-published", "utd-wrist", "geotec", "wharf", "openpack",
    }  # fmt: skip


def test_nobody_who_trains_is_asked(real_data):
    data = real_data("utd-mhad").parent
    splits = [
        utd_split(data / "utd-mhad", "published", "inertial", final=False, actions=21),
        geotec_split(data / "geotec", final=False), wharf_split(data / "wharf", 1),
    ]  # fmt: skip
    for split in splits:
        assert {own.group for own in split.known}.isdisjoint({own.group for own in split.asked})
        assert {own.label for own in split.asked} <= {own.label for own in split.known}
        assert max(own.label for own in split.known) < len(split.names)
    utd, geotec, wharf = splits
    assert {own.group for own in utd.asked} == {"7"}
    assert all(int(own.group[1:]) % 2 for own in [*geotec.known, *geotec.asked])
    assert len(wharf.names) == 14
    assert all(not own.stretch.felt[0].has_gyr for own in wharf.asked)


def test_figures_of_answers(tmp_path, monkeypatch):
    """Made-up answers of every planned training: means, gains and the subjects at both ends."""
    monkeypatch.setattr(har, "recognise_x_realtime", lambda data: 700.0)
    folder = tmp_path / "dev"
    folder.mkdir()
    truth, subject = [0, 0, 1, 1], ["a", "b", "a", "b"]
    for run in har.planned(final=False, small=False):
        answer = [0, 0, 1, 1] if run.method == "tuned" else [0, 0, 1, 0] if run.method == "frozen" else [0, 1, 0, 1]
        found = {"seconds": 90.0, "names": ["x", "y"], "truth": truth, "answer": answer, "subject": subject}
        (folder / f"{run.name}.json").write_text(json.dumps(found))
    out = har.metrics(tmp_path, folder, None, final=False, small=False)
    assert out["utd_inertial_acc_dev"] == 1.0
    assert out["utd_inertial_acc_scratch_dev"] == 0.5
    assert out["utd_2shot_gain_f1_dev"] == pytest.approx(0.5)
    assert out["utd_2shot_f1_frozen_dev"] == pytest.approx((0.8 + 2 / 3) / 2)
    assert (out["utd_8shot_acc_worst_subject_frozen_dev"], out["utd_8shot_acc_best_subject_frozen_dev"]) == (0.5, 1.0)
    assert out["geotec_scratch_f1_dev"] == out["geotec_100pct_f1_scratch_dev"] == 0.5
    assert (out["finetune_minutes"], out["recognise_x_realtime"]) == (1.5, 700.0)
    assert out["utd_inertial_acc_dev_lo"] == 1.0
    assert out["seeds"] == 5
    for path in folder.glob("*-4.json"):
        path.unlink()
    assert har.metrics(tmp_path, folder, None, final=False, small=False, seeds=4)["seeds"] == 4


def test_a_training_leaves_its_answers_and_is_not_done_again(tmp_path, monkeypatch, known):
    split = har_data.Split(("slow", "fast"), tuple(known[:12]), tuple(known[12:]))
    monkeypatch.setattr(har_runs, "split_of", lambda run, data, *, final: split)
    run = har_runs.Run("utd-published", "inertial", "boosted", "1shot", 0)
    har_runs.do(run, tmp_path, tmp_path / "dev", final=False)
    found = json.loads((tmp_path / "dev" / f"{run.name}.json").read_text())
    assert found["learnt_from"] == 2
    assert len(found["answer"]) == len(found["truth"]) == 8
    monkeypatch.setattr(har, "planned", lambda *, final, small, seeds: [run])
    assert har.work(tmp_path, tmp_path / "dev", final=False, small=False) == []
    monkeypatch.setattr(
        har, "planned", lambda *, final, small, seeds: [run, har_runs.Run("geotec", "x", "tcn", "all", 1)]
    )
    assert har.work(tmp_path, tmp_path / "dev", final=False, small=False, minutes=0.0) == ["geotec-x-tcn-all-1"]


def test_answers_of_other_settings_are_kept_apart(tmp_path, monkeypatch):
    own = har.folder_of(tmp_path, final=False, small=False)
    assert own == har.folder_of(tmp_path, final=False, small=False)
    assert own != har.folder_of(tmp_path, final=True, small=False)
    monkeypatch.setattr(har, "STEPS", 7)
    assert own != har.folder_of(tmp_path, final=False, small=False)


def test_operations_within_a_session_do_not_overlap(real_data):
    split = har_data.openpack_split(real_data("openpack-u0209-s0500"))
    ends = [own.stretch.first + own.stretch.samples for own in split.known]
    assert max(ends) < min(own.stretch.first for own in split.asked)
    assert {own.label for own in split.asked} <= {own.label for own in split.known}
    assert len(split.names) == len(split.stays_s) == 10
    (told,) = split.tracks
    assert len(told.stretch.felt) == 2
    assert told.stretch.first > max(ends)


def test_a_training_answers_over_time_too(tmp_path, monkeypatch, known):
    told = har_data.Told(known[12].stretch, (Label(0.0, 1.0, "slow"), Label(1.0, 2.4, "fast")))
    split = har_data.Split(("slow", "fast"), tuple(known[:12]), tuple(known[12:]), (told,), (1.0, 1.0))
    monkeypatch.setattr(har_runs, "split_of", lambda run, data, *, final: split)
    run = har_runs.Run("geotec", "inertial", "scratch", "100pct", 0)
    har_runs.do(run, tmp_path, tmp_path, final=False, steps_share=0.01)
    found = json.loads((tmp_path / f"{run.name}.json").read_text())
    assert found["track_truth"] == [0, 0, 1, 1, 1]
    assert len(found["track_answer"]) == 5
    monkeypatch.setattr(har_runs, "geotec_split", lambda folder, *, final: split)
    monkeypatch.setattr(har_runs, "LONG_S", 70.0)
    assert har_runs.recognise_x_realtime(tmp_path) > 1.0
    assert "track_f1" in har._scored(found)
    silent = {**found, "track_answer": [-1] * 5}
    assert har._scored(silent)["track_f1"] == 0.0
