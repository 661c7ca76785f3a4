"""A recogniser at work: over long streams as over windows, in its file, and what it refuses."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import made_up_body
from kinebind import InputError
from kinebind.clock import ClockMap
from kinebind.nn.recogniser import Recogniser, RecogniserConfig
from kinebind.nn.universal import Universal, UniversalConfig
from kinebind.nn.universal_file import save_universal
from kinebind.recording import Label
from kinebind.tasks.recognise.by_examples import ByExamples, Looks, is_recogniser_file, read_recogniser, save_recogniser
from kinebind.tasks.recognise.stretches import labelled_pieces, stretch_of
from kinebind.training.recognise_windows import batch_of

CONFIG = UniversalConfig(width=16, stem=8, blocks=1, heads=2, token=8)
LOOKS = Looks(2.0, ("left_wrist",))


@pytest.fixture(scope="module")
def known():
    torch.manual_seed(3)
    model = Recogniser(Universal(CONFIG), RecogniserConfig(3)).eval()
    return ByExamples(model, CONFIG, ("a", "b", "c"), LOOKS, 1.5, 2, (4.0, 1.0, 8.0), {"name": "tiny"})


@pytest.fixture(scope="module")
def scene():
    poses, imus = made_up_body.take(3, 12.0, ClockMap(0.0))
    return poses, imus[:2]


def test_a_track_is_what_windows_say_where_nothing_beyond_them_counts(known, scene):
    """Of a stream that is one window long both ways of looking are the same."""
    poses, imus = scene
    whole = stretch_of(imus, [poses])
    start = 200 - whole.first
    piece = whole.cut(start, start + 100)
    logits = known.model(batch_of([piece], LOOKS))
    track = known.over(piece, 2.0)
    assert track.probabilities.shape == (1, 3)
    expected = (logits / 1.5).softmax(dim=-1).detach().numpy()
    np.testing.assert_allclose(track.probabilities, expected, atol=1e-5)
    assert track.time_s[0] == pytest.approx((200 + 49.5) / 50.0)


def test_windows_follow_one_another(known, scene):
    poses, imus = scene
    track = known.track(imus, [poses])
    assert track.names == ("a", "b", "c")
    np.testing.assert_allclose(np.diff(track.time_s), 0.5)
    np.testing.assert_allclose(track.probabilities.sum(axis=1), 1.0)
    # From the first sample to the last.
    begins = min(poses.time_s[0], *(imu.time_s[0] for imu in imus))
    ends = max(poses.time_s[-1], *(imu.time_s[-1] for imu in imus))
    assert begins <= track.time_s[0] <= begins + 0.5
    assert ends - 0.5 <= track.time_s[-1] <= ends
    # Whatever sensor comes first.
    swapped = known.track(imus[::-1], [poses])
    np.testing.assert_allclose(swapped.probabilities, track.probabilities, atol=1e-5)


def test_windows_in_which_nothing_was_measured_have_no_answer(known, scene):
    _, imus = scene
    holes = imus[0].acc_sensor.copy()
    inside = (imus[0].time_s > 4.0) & (imus[0].time_s < 9.0)
    holes[inside] = np.nan
    track = known.track([imus[0].replace(acc_sensor=holes)])
    gone = np.isnan(track.probabilities).all(axis=1)
    assert gone[(track.time_s > 4.4) & (track.time_s < 8.6)].all()
    assert not gone[(track.time_s < 4.0) | (track.time_s > 9.0)].any()


def test_clocks_may_stand_at_unix_time(known, scene):
    _, imus = scene
    late = [imu.replace(time_s=imu.time_s + 1.6e9) for imu in imus]
    a, b = known.track(imus), known.track(late)
    np.testing.assert_allclose(b.probabilities, a.probabilities, atol=2e-4)
    np.testing.assert_allclose(b.time_s - 1.6e9, a.time_s, atol=1e-5)


def test_the_file_gives_back_what_went_in(known, scene, tmp_path):
    path = tmp_path / "own.safetensors"
    save_recogniser(known, path)
    assert is_recogniser_file(path)
    again = read_recogniser(path)
    assert (again.names, again.looks, again.temperature, again.sensors) == (known.names, LOOKS, 1.5, 2)
    assert again.stays_s == known.stays_s
    poses, imus = scene
    np.testing.assert_array_equal(again.track(imus, [poses]).probabilities, known.track(imus, [poses]).probabilities)


def test_damaged_and_other_files_are_refused(known, tmp_path):
    path = tmp_path / "own.safetensors"
    save_recogniser(known, path)
    tensors = load_file(path)
    save_file(tensors, tmp_path / "bare.safetensors")
    with pytest.raises(InputError, match="not a recogniser"):
        read_recogniser(tmp_path / "bare.safetensors")
    data = bytearray(path.read_bytes())
    data[-3] ^= 1
    path.write_bytes(data)
    with pytest.raises(InputError, match="damaged"):
        read_recogniser(path)
    save_universal(Universal(CONFIG), tmp_path / "universal.safetensors", {})
    assert not is_recogniser_file(tmp_path / "universal.safetensors")
    with pytest.raises(InputError, match="no file"):
        read_recogniser(tmp_path / "none.safetensors")


def test_what_it_was_not_shown_is_refused(known, scene):
    poses, imus = scene
    with pytest.raises(InputError, match="3 sensors are given"):
        known.track([*imus, imus[0]])
    blind = ByExamples(known.model, CONFIG, known.names, Looks(2.0), 1.0, 1, (8.0,) * 3, {})
    with pytest.raises(InputError, match="without poses"):
        blind.track([], [poses])


def test_labels_cut_a_stretch_without_overlap(scene):
    _, imus = scene
    whole = stretch_of(imus)
    labels = [Label(1.0, 9.0, "walk"), Label(9.0, 9.3, "blink"), Label(9.3, 11.0, "sit"), Label(2.0, 3.0, "other")]
    pieces = labelled_pieces(whole, labels, ("sit", "walk"), "me", 2.0)
    assert [p.label for p in pieces] == [1, 1, 1, 0]
    alone = [p.stretch.alone() for p in pieces]
    spans = [(own.first, own.first + own.samples) for own in alone]
    assert spans[0][0] == 50
    assert all(a[1] <= b[0] for a, b in itertools.pairwise(spans))
    assert max(b - a for a, b in spans) <= 150
    # With a window of what lies around, where there is so much.
    assert pieces[1].stretch.first == alone[1].first - 100
    assert pieces[1].stretch.samples == alone[1].samples + 200
    assert pieces[0].stretch.first == max(whole.first, 50 - 100)
    torch.testing.assert_close(pieces[1].stretch.felt[0].own[100:-100], alone[1].felt[0].own)
    assert labelled_pieces(whole, [Label(100.0, 110.0, "walk")], ("walk", "sit"), "me", 2.0) == []
