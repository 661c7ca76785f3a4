"""The jobs, with a model that knows: what it finds must be right, whatever the shapes and orders on the way."""

from __future__ import annotations

import importlib
from typing import ClassVar

import numpy as np
import pytest
import torch
from scipy.interpolate import CubicSpline

from kinebind.errors import InputError
from kinebind.nn.contract import Contract
from kinebind.nn.model import Embedded, Model
from kinebind.nn.recogniser import Experts, RecogniserConfig
from kinebind.recording import Label
from kinebind.tasks.recognise import Classes, ExpertHead, Head
from kinebind.tasks.sync.annotations import Annotation
from kinebind.training import finetune as tuning
from kinebind.training.finetune import FineTuning, Tuned, finetune, load_head, save_tuned
from kinebind.training.jobs import Subject, find_parts, find_people, recognise, retrieve, synchronise
from kinebind.training.jobs.clips import annotated_clips, cut, drawn_clips
from kinebind.training.jobs.result import JobResult
from kinebind.training.recipe import recipe_from_text
from kinebind.training.store import store_from_recordings
from kinebind.training.takes import Take

RECIPE = """
name = "knows"
[contract]
window_s = 2.0
patch_s = 0.2
imu_rate_hz = 50.0
pose_rate_hz = 20.0
parts = ["left_wrist", "right_wrist"]
imu_channels = ["acc_x", "acc_y", "acc_z"]
[data]
stride_s = 1.0
classes = ["a", "b"]
train = ["1"]
val = ["2"]
test = ["3", "4"]
"""


class Knows(Model):
    """Each token is the mean of its patch's three channels, which sensors and parts have in common."""

    name: ClassVar[str] = "knows"

    def __init__(self, contract: Contract) -> None:
        super().__init__(contract, 0.07, 0)

    def embed_imu(self, imu, imu_mask):
        self.contract.check_imu(imu, imu_mask)
        return self._embedded(imu, imu_mask)

    def embed_pose(self, pose, pose_mask):
        self.contract.check_pose(pose, pose_mask)
        return self._embedded(pose[:, :, :3], pose_mask.any(dim=-1))

    def _embedded(self, x, present):
        size, parts, channels, _ = x.shape
        tokens = x.reshape(size, parts, channels, self.contract.tokens, -1).mean(dim=-1).transpose(2, 3)
        tokens = tokens * present[..., None, None]
        mask = present[..., None].expand(tokens.shape[:3])
        local = tokens.flatten(2)
        return Embedded(present, tokens, mask, local, local.flatten(1))

    def loss(self, batch, gather=None):
        raise NotImplementedError

    def settings(self):
        return {"model": {}, "loss": {}}


def course(seed: int, seconds: float):
    """A smooth random course (2, 3) over time: parts and channels."""
    rng = np.random.default_rng([seed, 5])
    knots = np.arange(-1.0, seconds + 2.0, 0.25)
    return CubicSpline(knots, rng.normal(size=(knots.size, 2, 3)))


def take(seed: int, subject: str, seconds: float = 40.0, **meta: str) -> Take:
    """Both streams show one course; its second half is raised, which is class "b"."""
    own = course(seed, seconds)

    def at(time_s):
        return (own(time_s) + 2.0 * (time_s >= seconds / 2)[:, None, None]).transpose(1, 2, 0)

    pose = at(np.arange(round(20 * seconds)) / 20)
    labels = (Label(0.0, seconds / 2, "a"), Label(seconds / 2, seconds, "b"))
    return Take(
        f"take {seed}", at(np.arange(round(50 * seconds)) / 50).astype(np.float32),
        np.concatenate([pose, pose], axis=1).astype(np.float32), labels, {"subject": subject, **meta},
    )  # fmt: skip


@pytest.fixture(scope="module")
def recipe_of_jobs():
    return recipe_from_text(RECIPE, "knows")


@pytest.fixture
def subject(recipe_of_jobs, tmp_path) -> Subject:
    takes = [take(1, "1"), take(2, "2"), take(3, "3", scene="hall", person="ann"),
             take(4, "4", scene="hall", person="bob"), take(5, "4", 12.0, scene="yard", person="ann")]  # fmt: skip
    store = store_from_recordings(takes, recipe_of_jobs.contract, tmp_path / "store")
    return Subject(Knows(recipe_of_jobs.contract), recipe_of_jobs, store)


def test_every_window_is_found_by_its_own_pose(subject):
    found = retrieve(subject, (0, 1))
    assert found.metrics["imu_to_pose_r1"] == found.metrics["pose_to_imu_r1"] == 1.0
    assert found.metrics["imu_to_pose_gallery"] == 39 + 39 + 11
    assert found.metrics["imu_to_pose_r1_drop1"] > 0.7  # half of the vector is still there; by chance 0.01
    assert set(found.plots) == {"recall", "dropped"}


def test_people_are_told_apart_among_those_who_are_there(subject):
    found = find_people(subject)
    assert found.metrics["accuracy_each"] == found.metrics["accuracy_together"] == 1.0
    assert found.metrics["clips"] == 39 + 11
    assert found.metrics["clips_of_one_person"] == 11
    assert found.metrics["chance"] == pytest.approx((39 + 11) / 89)
    matrix, names = found.confusions["people_each"]
    assert names == ("ann", "bob")
    assert matrix.tolist() == [[50, 0], [0, 39]]


def test_parts_are_told_apart(subject):
    found = find_parts(subject)
    assert found.metrics["accuracy_each"] == found.metrics["accuracy_together"] == 1.0
    assert found.metrics["sensors"] == 2 * 89
    assert found.confusions["parts_each"][1] == ("left_wrist", "right_wrist")


def test_a_sensor_on_the_other_arm_is_seen_as_such(subject):
    swapped = subject.store.imu[:, ::-1].copy()
    other = Subject(subject.model, subject.recipe, type(subject.store)(**{**vars(subject.store), "imu": swapped}))
    assert find_parts(other).metrics["accuracy_together"] == 0.0


def test_offsets_by_ours_and_by_votes(subject, monkeypatch):
    """Signs, clocks and the cut, from end to end: the streams are the same, so what is found is what was cut."""
    said = []
    monkeypatch.setattr(importlib.import_module(synchronise.__module__), "_SAID_EVERY", 20)
    found = synchronise(subject, said=said.append, draws=2)
    assert found.metrics["clips"] == 2 * (5 + 5)
    assert found.metrics["recordings"] == 3  # one of them too short for a clip
    assert found.metrics["mae_s_ours"] < 0.02
    assert found.metrics["within_100ms_ours"] == 1.0
    assert 0.03 < found.metrics["mae_s_vote"] < 0.07  # a grid of 0.2 s cannot do better than 0.05
    assert found.metrics["within_200ms_vote"] == 1.0
    assert said == ["20 of 20 clips"]
    assert [curve.name for curve in found.plots["sync"].curves] == ["ours", "vote"]


def test_annotated_clips_are_those_that_the_file_names(subject):
    entries = [2, 3, 4]
    (one,) = annotated_clips(subject.store, entries, [Annotation(0, 5.0, 25.0, "subject3", "walk", 2500.0)])
    assert one[0] == 2
    assert [e for e, _ in annotated_clips(subject.store, entries, [Annotation(0, 0, 5, "004", "x", 0)])] == [3, 4]
    found = synchronise(subject, [Annotation(0, 5.0, 25.0, "subject3", "walk", 2500.0)], ["ours"])
    assert found.metrics["mae_s_ours"] < 0.02
    assert "mae_s_vote" not in found.metrics
    with pytest.raises(InputError, match="Clip 7 is of 'subject9', 'walk', which the split lacks"):
        annotated_clips(subject.store, entries, [Annotation(7, 5.0, 25.0, "subject9", "walk", 0.0)])
    with pytest.raises(InputError, match=r"Clip 8 runs from 15 to 41 s, but take 3 lasts 40\.00 s"):
        annotated_clips(subject.store, entries, [Annotation(8, 15.0, 35.0, "3", "walk", 6000.0)])
    with pytest.raises(InputError, match="There is no method 'guess'"):
        synchronise(subject, methods=["guess"])


@pytest.mark.parametrize(("numbers", "action"), [((1, 2), "2"), ((0, 1), "1")])
def test_activities_of_a_list_go_by_their_number(recipe_of_jobs, tmp_path, numbers, action):
    takes = [
        take(k, "3", 10.0, take="4", activity=name, activity_number=str(k))
        for k, name in ((1, "tagging"), (2, "lego"))
    ]  # fmt: skip
    store = store_from_recordings(takes, recipe_of_jobs.contract, tmp_path)
    lines = [Annotation(k, 0.0, 8.0, "004", str(n), 0.0) for k, n in enumerate(numbers)]
    assert [e for e, _ in annotated_clips(store, [0, 1], lines)] == [0, 1]
    assert [e for e, _ in annotated_clips(store, [0, 1], [Annotation(0, 0.0, 8.0, "4", "lego", 0.0)])] == [1]
    assert str(numbers[1]) == action


@pytest.mark.parametrize("offset_ms", [0.0, 50.0, 1234.0, -777.0])
def test_a_clip_shows_what_the_annotation_says(subject, offset_ms):
    annotation = Annotation(0, 10.0, 18.0, "3", "x", offset_ms)
    clip = cut(subject.store, 2, annotation)
    assert clip.offset_s == pytest.approx(annotation.offset_s)
    own = course(3, 40.0)
    np.testing.assert_allclose(clip.imu, own(10.0 + np.arange(400) / 50).transpose(1, 2, 0), atol=1e-5)
    wanted = own(10.0 + offset_ms / 1000 + np.arange(clip.pose.shape[2]) / 20).transpose(1, 2, 0)
    assert clip.pose.shape[2] == 160
    # Between frames it is a spline through them: as good as 20 Hz are for a course of this kind.
    np.testing.assert_allclose(clip.pose[:, :3], wanted, atol=1e-5 if offset_ms in (0.0, 50.0) else 0.02)
    assert clip.seen.all()


def test_a_clip_at_the_very_end_and_one_with_unseen_frames(subject):
    last = cut(subject.store, 2, Annotation(0, 31.98, 39.98, "3", "x", 20.0))
    assert (last.imu.shape[2], last.pose.shape[2]) == (400, 160)
    seen = subject.store.seen.copy()
    seen[subject.store.entries[2].pose_start + 200] = False
    store = type(subject.store)(**{**vars(subject.store), "seen": seen})
    assert np.flatnonzero(~cut(store, 2, Annotation(0, 9.0, 11.0, "3", "x", 0.0)).seen[0]).tolist() == [20]
    between = cut(store, 2, Annotation(0, 9.0, 11.0, "3", "x", 20.0))
    assert np.flatnonzero(~between.seen[0]).tolist() == [19, 20]  # both that lean on it


def test_longer_clips_and_recordings_that_are_too_short(subject):
    assert {round(a.end_s - a.start_s) for _, a in drawn_clips(subject.store, [2, 3], 1, 0, 30.0)} == {30}
    with pytest.raises(InputError, match=r"No recording lasts 60 s, the length of a clip; the longest 40\.0 s"):
        drawn_clips(subject.store, [2, 3, 4], 1, 0, 60.0)


def test_activities_are_recognised(subject):
    found = recognise(subject, (0, 1))
    assert found.metrics["accuracy_1nn"] > 0.7
    assert found.metrics["windows"] == 89
    assert found.confusions["activities_1nn"][0].sum() == 89
    assert [row["by"] for row in found.rows] == ["1nn", "probe"] * 2
    head = Head(Classes(("b", "a")), np.zeros((2, 60)), np.zeros(2))
    with pytest.raises(InputError, match="The head knows the classes b, a; the recipe has a, b"):
        recognise(subject, head=head)
    best = Head(Classes(("a", "b")), np.zeros((2, 60)), np.array([1.0, 0.0]))
    assert recognise(subject, head=best).metrics["accuracy_finetuned"] == pytest.approx(0.5, abs=0.1)


def test_splits_without_labels(recipe_of_jobs, tmp_path):
    bare = [Take(t.name, t.imu, t.pose, (), t.meta) for t in (take(1, "1"), take(2, "2"), take(3, "3"))]
    store = store_from_recordings(bare, recipe_of_jobs.contract, tmp_path)
    with pytest.raises(InputError, match="No window of the split train has a label"):
        recognise(Subject(Knows(recipe_of_jobs.contract), recipe_of_jobs, store))


# -- fine-tuning -------------------------------------------------------------------------------------------------


@pytest.fixture
def trained(recipe, tmp_path) -> Subject:
    """The small recipe of the other tests, untrained, with two classes."""
    recipe = recipe.changed({"data.classes": ["a", "b"]})
    contract = recipe.contract
    takes = []
    for person in "1234":
        rng = np.random.default_rng(int(person))
        imu = rng.normal(size=(2, 3, 640)).astype(np.float32)
        imu[:, :, 320:] *= 4.0
        pose = rng.normal(size=(2, 6, 320)).astype(np.float32)
        takes.append(Take(person, imu, pose, (Label(0, 8, "a"), Label(8, 16, "b")), {"subject": person}))
    store = store_from_recordings(takes, contract, tmp_path / "store")
    return Subject(recipe.build(), recipe, store, "val")


def test_fine_tuning_learns_and_repeats(trained):
    state = {name: tensor.clone() for name, tensor in trained.model.state_dict().items()}
    random = torch.get_rng_state()
    config = FineTuning(most_epochs=8, encoder_rate=1e-3, head_rate=1e-2, batch_size=16)
    one, two = finetune(trained, config), finetune(trained, config)
    assert one.history == two.history
    assert one.best_accuracy > 0.9
    assert one.history[one.best_epoch]["accuracy"] == one.best_accuracy
    assert torch.equal(torch.get_rng_state(), random)
    assert all(torch.equal(tensor, state[name]) for name, tensor in trained.model.state_dict().items())
    assert not torch.equal(one.model.imu_encoder.conv1.weight, trained.model.imu_encoder.conv1.weight)
    other = finetune(trained, FineTuning(most_epochs=1, encoder_rate=1e-3, head_rate=1e-2, batch_size=16, seed=8))
    assert other.history[0] != one.history[0]


def test_patience_ends_fine_tuning(trained, monkeypatch):
    given = iter([0.5, 0.7, 0.7, 0.6, 0.9])
    monkeypatch.setattr(tuning._Run, "_accuracy", lambda self: next(given))
    tuned = finetune(trained, FineTuning(patience_epochs=2))
    assert (len(tuned.history), tuned.best_epoch, tuned.best_accuracy) == (4, 1, 0.7)


def test_a_head_of_experts_is_the_networks_and_comes_back_from_its_file(trained, tmp_path):
    config = FineTuning(most_epochs=8, encoder_rate=1e-3, head_rate=1e-2, batch_size=16, experts=3)
    tuned = finetune(trained, config)
    assert tuned.best_accuracy > 0.9
    assert isinstance(tuned.head, ExpertHead)
    _, path = save_tuned(tuned, tmp_path / "new")
    again = load_head(path)
    layer = Experts(tuned.head.gate.shape[1], RecogniserConfig(2, experts=3)).eval()
    layer.load_state_dict({k: torch.from_numpy(v).float() for k, v in tuned.head.state().items()})
    x = np.random.default_rng(0).normal(size=(7, tuned.head.gate.shape[1]))
    expected = layer(torch.from_numpy(x).float()).detach().numpy()
    for head in (tuned.head, again):
        assert head.logits(x) == pytest.approx(expected, abs=1e-4)
        assert head.answers(x).tolist() == expected.argmax(axis=1).tolist()
    with pytest.raises(InputError, match="takes embeddings"):
        again.logits(x[:, 1:])
    with pytest.raises(InputError, match="2 classes, not 3"):
        ExpertHead.from_state(Classes(("a", "b", "c")), again.state())
    with pytest.raises(InputError, match="no mixture"):
        ExpertHead.from_state(Classes(("a", "b")), {"weight": x})
    with pytest.raises(InputError, match="-1 experts"):
        FineTuning(experts=-1)


def test_a_head_is_what_was_written(tmp_path, trained):
    head = Head(Classes(("a", "b")), np.array([[1.5, 2.0], [0.25, 4.0]]), np.array([0.5, -1.0]))
    model, path = save_tuned(Tuned(trained.model, head, 0, 1.0, []), tmp_path / "new")
    again = load_head(path)
    assert again.classes == head.classes
    np.testing.assert_array_equal(again.weight, head.weight)
    np.testing.assert_array_equal(again.bias, head.bias)
    with pytest.raises(InputError, match="but no head"):
        load_head(model)
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(InputError, match="not a whole head"):
        load_head(path)
    with pytest.raises(InputError, match="There is no file"):
        load_head(tmp_path / "none")


@pytest.mark.parametrize("wrong", [{"batch_size": 1}, {"head_rate": 0.0}, {"encoder_rate": -1.0}, {"most_epochs": 0}])
def test_fine_tuning_that_cannot_be(wrong):
    with pytest.raises(InputError):
        FineTuning(**wrong)


def test_pictures_of_a_result(tmp_path):
    result = JobResult([], {}, {"matrix": (np.eye(2, dtype=np.int64), ("a", "b"))})
    assert result.draw(tmp_path, "title") == ["matrix.svg"]
    assert (tmp_path / "matrix.svg").exists()


def test_subjects_that_do_not_fit(subject):
    with pytest.raises(InputError, match="no split 'all'"):
        Subject(subject.model, subject.recipe, subject.store, "all")
    with pytest.raises(InputError, match="different contracts: acc_unit m/s2 against g"):
        Subject(subject.model, subject.recipe.changed({"contract.acc_unit": "g"}), subject.store)
    other = subject.recipe.changed({"contract.pose_frame": "body"})
    with pytest.raises(InputError, match="made for another contract"):
        Subject(Knows(other.contract), other, subject.store)
