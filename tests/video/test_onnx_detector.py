"""Detectors of people as ONNX files: how an image is put in, and boxes that come out, of small models made here."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

pytest.importorskip("cv2")
pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")
from made_onnx import BOX, finding_model, one_person, refused, table_model

from kinebind.errors import InputError
from kinebind.video import onnx_detector
from kinebind.video.oks import overlap
from kinebind.video.onnx_detector import PersonDetector, each_once, letterboxed, yolox_boxes


@pytest.mark.parametrize("labels", [True, False])
@pytest.mark.parametrize("kind", ["rtmdet", "yolox"])
@pytest.mark.parametrize("size", [(64, 64), (96, 64)])
def test_detector_that_takes_out_overlaps_itself(tmp_path, kind, labels, size):
    """Whose pixels are prepared in whose way the graph tells; the other thing and the unsure person are left out."""
    detector = PersonDetector(finding_model(tmp_path / "d.onnx", kind=kind, size=size, labels=labels))
    assert detector.kind == kind
    boxes = detector.boxes(one_person())
    assert boxes.shape == (1, 4)
    np.testing.assert_allclose(boxes[0], BOX, atol=640 / 64)


def test_kind_by_name_and_by_hand(tmp_path):
    path = finding_model(tmp_path / "YOLOX_tiny.onnx", kind="rtmdet")
    assert PersonDetector(path).kind == "yolox"
    assert PersonDetector(path, kind="rtmdet").kind == "rtmdet"
    folder = tmp_path / "rtmdet_nano_320"
    folder.mkdir()
    assert PersonDetector(shutil.copy(path, folder / "end2end.onnx")).kind == "rtmdet"
    with pytest.raises(InputError, match="no kind of detector"):
        PersonDetector(path, kind="ssd")


def anchors_of(size):
    return [(s, c, r) for s in (8, 16, 32) for r in range(size[1] // s) for c in range(size[0] // s)]


def test_yolox_table_equals_its_naive_twin():
    size = (96, 64)
    anchors = anchors_of(size)
    table = np.random.default_rng(4).uniform(-1, 1, (len(anchors), 7))
    boxes, score = yolox_boxes(table, size)
    for k, (stride, column, row) in enumerate(anchors):
        x, y = (table[k, 0] + column) * stride, (table[k, 1] + row) * stride
        w, h = np.exp(table[k, 2]) * stride, np.exp(table[k, 3]) * stride
        np.testing.assert_allclose(boxes[k], [x - w / 2, y - h / 2, x + w / 2, y + h / 2])
        np.testing.assert_allclose(score[k], table[k, 4] * table[k, 5])


def test_overlaps_equal_their_naive_twin():
    random = np.random.default_rng(5)
    low = random.uniform(0, 60, (60, 2))
    boxes, score = np.concatenate([low, low + random.uniform(5, 40, (60, 2))], axis=1), random.uniform(0, 1, 60)
    kept = []
    for k in sorted(range(60), key=lambda k: -score[k]):
        if all(overlap(boxes[k][None], boxes[j][None])[0, 0] <= 0.3 for j in kept):
            kept.append(k)
    np.testing.assert_array_equal(each_once(boxes, score, 0.3), kept)
    assert 3 < len(kept) < 60
    assert each_once(np.zeros((0, 4)), np.zeros(0)).size == 0


@pytest.mark.parametrize("decoded", [False, True])
@pytest.mark.parametrize("classes", [1, 3])
def test_raw_yolox(tmp_path, decoded, classes):
    """Two people, one of them told twice, and a thing of another class; boxes are in pixels of the image."""
    size = (96, 64)
    anchors = np.array(anchors_of(size))
    stride, cells = anchors[:, :1], anchors[:, 1:]
    table = np.zeros((len(anchors), 5 + classes))
    if decoded:
        table[:, :2], table[:, 2:4] = (cells + 0.5) * stride, stride
    wanted = {10: (30, 20, 12, 30, 0.9, 1.0), 40: (30.5, 21, 12, 30, 0.8, 0.9), 100: (70, 40, 20, 40, 0.7, 0.9)}
    for k, (x, y, w, h, sure, is_person) in wanted.items():
        place, side = np.array([x, y]), np.array([w, h])
        table[k, :2] = place if decoded else place / stride[k] - cells[k]
        table[k, 2:4] = side if decoded else np.log(side / stride[k])
        table[k, 4:6] = sure, is_person
    if classes > 1:
        table[110] = table[100]
        table[110, 5:7] = 0.0, 1.0
        table[110, :2] += 1.0
    detector = PersonDetector(table_model(tmp_path / "d.onnx", table))
    assert detector.kind == "yolox"
    boxes = detector.boxes(np.zeros((128, 192, 3), dtype=np.uint8))  # twice the input
    np.testing.assert_allclose(boxes, [[48, 10, 72, 70], [120, 40, 160, 120]], atol=1e-3)


def test_letterbox():
    image = np.full((90, 160, 3), 200, dtype=np.uint8)
    padded, scale = letterboxed(image, (64, 64))
    assert (padded[:36] == 200).all()
    assert (padded[36:] == 114).all()
    np.testing.assert_allclose(scale, [0.4, 0.4])
    tall, scale = letterboxed(np.zeros((333, 7, 3), dtype=np.uint8), (64, 64))
    assert (tall[:, 1:] == 114).all()
    np.testing.assert_allclose(scale, [1 / 7, 64 / 333])


def test_a_detector_that_does_not_tell_whose_it_is(tmp_path, monkeypatch):
    path = finding_model(tmp_path / "d.onnx", kind="rtmdet")
    monkeypatch.setattr(onnx_detector, "find_spec", lambda name: None if name == "onnx" else object())
    refused("does not tell whether it is RTMDet or YOLOX", lambda: PersonDetector(path))
    assert PersonDetector(path, kind="rtmdet").kind == "rtmdet"
