"""Poses by ONNX files, with small models made here that tell where an image is brightest."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

pytest.importorskip("cv2")
pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")
import onnx
from onnx import TensorProto, helper, numpy_helper

from kinebind.errors import InputError
from kinebind.video import onnx_detector
from kinebind.video.oks import overlap
from kinebind.video.onnx_backend import OnnxBackend, SimccModel, boxes_from, people
from kinebind.video.onnx_detector import PersonDetector, each_once, letterboxed, yolox_boxes

MEAN, STD = np.array([123.675, 116.28, 103.53]), np.array([58.395, 57.12, 57.375])
POSE_PX = (48, 64)
WEAK = 4  # the joint that the pose model is hardly sure of


def saved(path, nodes, inputs, outputs, constants):
    """A model of one opset with float constants; inputs and outputs are (name, type, shape)."""
    initializers = [numpy_helper.from_array(np.asarray(v), name) for name, v in constants.items()]
    graph = helper.make_graph(
        nodes, "made", *([helper.make_tensor_value_info(*v) for v in side] for side in (inputs, outputs)), initializers
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def f32(values):
    return np.asarray(values, dtype=np.float32)


def doubling(count):
    """(count, 2·count): a row of pixels, as a row of bins with two bins a pixel."""
    places = np.minimum(np.arange(2 * count) / 2.0, count - 1.0)
    return np.maximum(0.0, 1.0 - np.abs(places[None] - np.arange(count)[:, None]))


def pose_model(path, *, keypoints=17, batch="batch", names=("simcc_x", "simcc_y"), split_y=1):
    """Joint k lies at the highest column and row of colour k modulo 3 (red, green, blue); its score is the height."""
    width, height = POSE_PX
    pick = np.eye(3)[np.arange(keypoints) % 3]
    pick[WEAK] *= 0.2
    node = helper.make_node
    nodes = [
        node("Mul", ["input", "std"], ["scaled"]), node("Add", ["scaled", "mean"], ["colours"]),
        node("ReduceMax", ["colours"], ["across"], axes=[2], keepdims=0),
        node("ReduceMax", ["colours"], ["down"], axes=[3], keepdims=0),
        node("MatMul", ["pick", "across"], ["x"]), node("MatMul", ["x", "bins_x"], [names[0]]),
        node("MatMul", ["pick", "down"], ["y"]), node("MatMul", ["y", "bins_y"], [names[1]]),
    ]  # fmt: skip
    constants = {
        "std": f32(STD.reshape(1, 3, 1, 1) / 255), "mean": f32(MEAN.reshape(1, 3, 1, 1) / 255), "pick": f32(pick),
        "bins_x": f32(doubling(width)), "bins_y": f32(np.repeat(doubling(height), split_y, axis=1)),
    }  # fmt: skip
    outputs = [(name, TensorProto.FLOAT, [batch, keypoints, None]) for name in names]
    return saved(path, nodes, [("input", TensorProto.FLOAT, [batch, 3, height, width])], outputs, constants)


def finding_model(path, *, kind, size=(64, 64), labels=True):
    """A detector that finds the box of all that is blue, says that it is a person, and names two things besides."""
    node = helper.make_node
    nodes, images, gain, bias = [], "input", 57.375, 103.53
    if kind == "yolox":
        nodes, images, gain, bias = [node("Slice", ["input", "from", "to"], ["all"])], "all", 1.0, 0.0
    nodes += [
        node("Conv", [images, "blue", "bias"], ["value"]), node("Greater", ["value", "limit"], ["is_blue"]),
        node("Cast", ["is_blue"], ["inside"], to=TensorProto.FLOAT),
    ]  # fmt: skip
    for axis, name in ((2, "x"), (3, "y")):
        nodes.append(node("ReduceMax", ["inside"], [name], axes=[axis], keepdims=0))
        for last in (0, 1):
            edge = f"{name}{last}"
            nodes += [
                node("ArgMax", [name], [f"{edge}_at"], axis=2, select_last_index=last),
                node("Cast", [f"{edge}_at"], [f"{edge}_pixel"], to=TensorProto.FLOAT),
                node("Add", [f"{edge}_pixel", "one" if last else "zero"], [edge]),
            ]  # fmt: skip
    edges = ["x0", "y0", "x1", "y1"]
    nodes += [
        node("Concat", [*edges, "sure"], ["person"], axis=2), node("Concat", ["others", "person"], ["dets"], axis=1)
    ]  # fmt: skip
    outputs = [("dets", TensorProto.FLOAT, [1, None, 5])]
    if labels:
        nodes.append(node("Identity", ["kinds"], ["labels"]))
        outputs.append(("labels", TensorProto.INT64, [1, None]))
    constants = {
        "blue": f32([[[[gain]], [[0.0]], [[0.0]]]]), "bias": f32([bias]), "limit": f32(130.0), "sure": f32([[[0.9]]]),
        "one": f32(1.0), "zero": f32(0.0), "from": np.zeros(4, np.int64), "to": np.full(4, 2**31, np.int64),
        "others": f32([[[1, 1, 30, 30, 0.1 if not labels else 0.95], [2, 2, 20, 20, 0.2]]]),
        "kinds": np.array([[1, 0, 0]]),
    }  # fmt: skip
    used = {name for n in nodes for name in n.input}
    inputs = [("input", TensorProto.FLOAT, [1, 3, size[1], size[0]])]
    return saved(path, nodes, inputs, outputs, {k: v for k, v in constants.items() if k in used})


def table_model(path, table, *, size=(96, 64)):
    """A detector whose one output is always the same table (A, C)."""
    nodes = [
        helper.make_node("ReduceMean", ["images"], ["mean"], axes=[0, 1, 2, 3], keepdims=0),
        helper.make_node("Mul", ["mean", "zero"], ["nothing"]),
        helper.make_node("Add", ["table", "nothing"], ["output"]),
    ]
    table = f32(table)[None]
    inputs = [("images", TensorProto.FLOAT, [1, 3, size[1], size[0]])]
    return saved(
        path, nodes, inputs, [("output", TensorProto.FLOAT, table.shape)], {"table": table, "zero": f32(0.0)}
    )  # fmt: skip


def person(image, box, dots, spread=4.0):
    """Paint a blue rectangle with three dots (3, 2): one that is red, one green, one bluer."""
    left, top, right, bottom = box
    image[top:bottom, left:right] = (60, 60, 150)
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    for channel, dot in enumerate(dots):
        bell = np.exp(-0.5 * ((x - dot[0]) ** 2 + (y - dot[1]) ** 2) / spread**2)
        base = image[..., channel].astype(float)
        image[..., channel] = np.round(base + (240.0 - base) * bell)


@pytest.fixture
def files(tmp_path):
    return finding_model(tmp_path / "rtmdet.onnx", kind="rtmdet"), pose_model(tmp_path / "pose.onnx")


BOX, DOTS = (200, 60, 320, 260), np.array([[231.0, 90.5], [262.3, 161.0], [290.0, 222.7]])


@pytest.fixture
def image():
    image = np.full((360, 640, 3), 30, dtype=np.uint8)
    person(image, BOX, DOTS)
    return image


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


# Detectors


@pytest.mark.parametrize("labels", [True, False])
@pytest.mark.parametrize("kind", ["rtmdet", "yolox"])
@pytest.mark.parametrize("size", [(64, 64), (96, 64)])
def test_detector_that_takes_out_overlaps_itself(tmp_path, image, kind, labels, size):
    """Whose pixels are prepared in whose way the graph tells; the other thing and the unsure person are left out."""
    detector = PersonDetector(finding_model(tmp_path / "d.onnx", kind=kind, size=size, labels=labels))
    assert detector.kind == kind
    boxes = detector.boxes(image)
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


# Files that are something else


def refused(match, make):
    with pytest.raises(InputError, match=match) as error:
        make()
    assert error.value.fix


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


def test_a_detector_that_does_not_tell_whose_it_is(tmp_path, monkeypatch):
    path = finding_model(tmp_path / "d.onnx", kind="rtmdet")
    monkeypatch.setattr(onnx_detector, "find_spec", lambda name: None if name == "onnx" else object())
    refused("does not tell whether it is RTMDet or YOLOX", lambda: PersonDetector(path))
    assert PersonDetector(path, kind="rtmdet").kind == "rtmdet"


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
