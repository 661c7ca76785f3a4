"""Poses by ONNX files, with small models made here that tell where an image is brightest."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

pytest.importorskip("cv2")
pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")
import onnx
from made_onnx import DOTS, POSE_PX, WEAK, finding_model, one_person, person, pose_model, refused, saved, table_model
from onnx import TensorProto, helper

from kinebind.errors import InputError
from kinebind.video import onnx_detector
from kinebind.video.onnx_backend import OnnxBackend, SimccModel, boxes_from, people


@pytest.fixture
def files(tmp_path):
    return finding_model(tmp_path / "rtmdet.onnx", kind="rtmdet"), pose_model(tmp_path / "pose.onnx")


@pytest.fixture
def image():
    return one_person()


def expected_joints(dots):
    return np.asarray(dots)[np.arange(17) % 3]


def check(seen, dots):
    known = np.arange(17) != WEAK
    np.testing.assert_allclose(seen.keypoints[known, :2], expected_joints(dots)[known], atol=1.0)
    assert np.isnan(seen.keypoints[WEAK]).all()
    assert seen.keypoints[known, 2].min() > 0.8
    assert seen.world_m is None
    assert seen.colours is None


def test_from_image_to_joints(files, image):
    """Letterbox, detector, crop, colours, decoding and the way back: the dots are found to a pixel."""
    backend = OnnxBackend(*files)
    assert backend.lag_s == 0.0
    (seen,) = backend.detect(image, [], search=True)
    check(seen, DOTS)
    assert np.abs(seen.keypoints[[0, 1, 2], :2] - DOTS).max() < 0.75  # a pixel of the crop is 5 of the image
    assert backend.detect(image, [], search=False) == []
    backend.close()


def test_people_are_found_where_they_are_expected(files, image):
    """Both of two people, whether they are looked at together or one by one."""
    dots = DOTS + (250.0, 20.0)
    person(image, (450, 80, 570, 280), dots)
    around = [np.concatenate([d.min(axis=0), d.max(axis=0)]) for d in (DOTS, dots)]
    backend = OnnxBackend(*files)
    seen = sorted(backend.detect(image, around, search=False), key=lambda s: s.keypoints[0, 0])
    assert len(seen) == 2
    check(seen[0], DOTS)
    check(seen[1], dots)
    again = backend.detect(image, [*around, around[0] + 2.0, np.full(4, np.nan)], search=False)
    assert len(again) == 2
    for batch in (1, 3):
        single = OnnxBackend(files[0], pose_model(files[1].with_name(f"batch{batch}.onnx"), batch=batch))
        others = sorted(single.detect(image, around, search=False), key=lambda s: s.keypoints[0, 0])
        for a, b in zip(seen, others, strict=True):
            np.testing.assert_allclose(a.keypoints, b.keypoints, atol=1e-4)


@pytest.mark.parametrize("keypoints", [26, 133])
def test_of_more_keypoints_the_first_are_cocos(files, image, keypoints):
    backend = OnnxBackend(files[0], pose_model(files[1], keypoints=keypoints))
    (seen,) = backend.detect(image, [], search=True)
    check(seen, DOTS)


def test_outputs_of_other_names(files, image):
    backend = OnnxBackend(files[0], pose_model(files[1], names=("out_a", "out_b")))
    check(backend.detect(image, [], search=True)[0], DOTS)


def test_least_score(files, image):
    assert np.isfinite(OnnxBackend(*files, min_score=0.1).detect(image, [], search=True)[0].keypoints).all()
    assert OnnxBackend(*files, min_score=0.99).detect(image, [], search=True) == []
    assert OnnxBackend(*files, detector_min_score=0.96).detect(image, [], search=True) == []


def test_the_name_tells_models_and_settings_apart(files, tmp_path):
    det, pose = files
    names = {
        OnnxBackend(det, pose).name, OnnxBackend(det, pose, min_score=0.4).name,
        OnnxBackend(det, pose, detector_min_score=0.4).name, OnnxBackend(det, pose, detector_kind="yolox").name,
        OnnxBackend(det, pose_model(tmp_path / "other.onnx", keypoints=26)).name,
    }  # fmt: skip
    assert len(names) == 5
    copy = tmp_path / "copies" / "my_rtmdet.onnx"
    copy.parent.mkdir()
    shutil.copy(det, copy)
    assert OnnxBackend(copy, pose).name == OnnxBackend(str(det), str(pose)).name


def test_joints_outside_the_image_and_people_of_few_joints():
    image = np.zeros((100, 200, 3), dtype=np.uint8)
    points = np.random.default_rng(0).uniform(10, 90, (2, 17, 2))
    scores = np.full((2, 17), 0.8)
    points[0, 0], points[0, 1], scores[0, 2] = (-1.0, 50.0), (50.0, 101.0), 0.29
    scores[1, 4:] = 0.0
    (seen,) = people(points, scores, image, 0.3)
    assert np.isnan(seen.keypoints[:3]).all()
    assert np.isfinite(seen.keypoints[3:]).all()
    assert people(np.zeros((0, 17, 2)), np.zeros((0, 17)), image, 0.3) == []


def test_boxes_that_are_no_use():
    image = np.zeros((100, 200, 3), dtype=np.uint8)
    none = [[300, 10, 350, 90], [0, -50, 20, -10], [50, 50, 52, 53], [np.nan] * 4, [60, 10, 50, 90]]
    assert boxes_from([np.array(b, dtype=float) for b in none], image) == []
    np.testing.assert_allclose(boxes_from([np.array([80.0, 20, 80, 60])], image), [[80, 15, 80, 65]])


# Files that are something else


def test_files_that_are_missing_or_damaged(files, tmp_path):
    det, pose = files
    refused("There is no file .*none.onnx", lambda: OnnxBackend(tmp_path / "none.onnx", pose))
    refused("There is no file .*none.onnx", lambda: OnnxBackend(det, tmp_path / "none.onnx"))
    text = tmp_path / "text.onnx"
    text.write_text("no model")
    refused("text.onnx cannot be read as an ONNX model", lambda: OnnxBackend(det, text))
    half = tmp_path / "half.onnx"
    half.write_bytes(pose.read_bytes()[:-2000])
    refused("half.onnx cannot be read as an ONNX model", lambda: OnnxBackend(det, half))
    (tmp_path / "empty.onnx").touch()
    refused("empty.onnx cannot be read", lambda: OnnxBackend(tmp_path / "empty.onnx", pose))


def test_models_of_another_kind(files, tmp_path):
    det, pose = files
    refused(r"pose.onnx is no detector.* simcc_x \(1, 17, 96\)", lambda: OnnxBackend(pose, pose))
    refused(r"rtmdet.onnx is no pose model.*outputs are", lambda: OnnxBackend(det, det))
    hand = pose_model(tmp_path / "hand.onnx", keypoints=21)
    refused("hand.onnx tells 21 keypoints", lambda: OnnxBackend(det, hand))
    odd = pose_model(tmp_path / "odd.onnx", split_y=2)
    refused(r"odd.onnx is no pose model.*\(1, 17, 256\)", lambda: OnnxBackend(det, odd))
    table = table_model(tmp_path / "t.onnx", np.zeros((99, 85)))
    refused(r"t.onnx is no detector.* output \(1, 99, 85\)", lambda: OnnxBackend(table, pose))
    refused("is no pose model.*its outputs are output", lambda: SimccModel(table))
    words = saved(
        tmp_path / "words.onnx", [helper.make_node("Identity", ["ids"], ["out"])],
        [("ids", TensorProto.INT64, [1, 8])], [("out", TensorProto.INT64, [1, 8])], {},
    )  # fmt: skip
    refused("words.onnx does not look at images: its inputs are ids", lambda: OnnxBackend(words, pose))


def test_onnxruntime_or_a_provider_is_missing(files, monkeypatch):
    refused("no provider NoSuchProvider", lambda: OnnxBackend(*files, providers=["NoSuchProvider"]))
    OnnxBackend(*files, providers=["CPUExecutionProvider"]).close()
    monkeypatch.setattr(onnx_detector, "find_spec", lambda name: None)
    with pytest.raises(InputError, match="onnxruntime, which is not installed") as error:
        OnnxBackend(*files)
    assert error.value.fix == "pip install 'kinebind[onnx]'"


def test_a_file_without_a_size_of_its_own(tmp_path):
    """A pose model that leaves the size of its input open tells it by its rows."""
    path = pose_model(tmp_path / "open.onnx")
    model = onnx.load(path)
    for axis, name in ((2, "h"), (3, "w")):
        model.graph.input[0].type.tensor_type.shape.dim[axis].dim_param = name
    for output, bins in zip(model.graph.output, (2 * POSE_PX[0], 2 * POSE_PX[1]), strict=True):
        output.type.tensor_type.shape.dim[2].dim_value = bins
    onnx.save(model, path)
    assert SimccModel(path).input_px == POSE_PX
    nodes = [helper.make_node("ReduceMax", ["in"], [n], axes=[a], keepdims=0) for n, a in (("x", 2), ("y", 3))]
    ends = [[(name, TensorProto.FLOAT, shape)] for name, shape in (("in", "n3hw"), ("x", "n3w"), ("y", "n3h"))]
    shaped = [[(n, t, [3 if c == "3" else c for c in s]) for n, t, s in end] for end in ends]
    saved(path, nodes, shaped[0], shaped[1] + shaped[2], {})
    refused("does not tell the size of its input", lambda: SimccModel(path))
