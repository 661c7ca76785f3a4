"""Small ONNX models that tell where an image is brightest or blue, for tests of poses by ONNX files."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from kinebind.errors import InputError

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


BOX, DOTS = (200, 60, 320, 260), np.array([[231.0, 90.5], [262.3, 161.0], [290.0, 222.7]])


def one_person():
    """An image of a grey room with one of these people, at BOX and DOTS."""
    image = np.full((360, 640, 3), 30, dtype=np.uint8)
    person(image, BOX, DOTS)
    return image


def refused(match, make):
    with pytest.raises(InputError, match=match) as error:
        make()
    assert error.value.fix
