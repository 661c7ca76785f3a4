from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kinebind.body.kinematics import forward
from kinebind.errors import InputError
from kinebind.readers.bvh import FORMATS, read_bvh
from kinebind.readers.formats_base import read_head

# A small person in metres: name, parent, offset, tip.
BODY = (
    ("Hips", -1, (0.0, 0.0, 0.0), None),
    ("Spine", 0, (0.0, 0.25, 0.02), None),
    ("Head", 1, (0.0, 0.35, 0.0), (0.0, 0.2, 0.0)),
    ("LeftArm", 1, (0.2, 0.3, 0.0), None),
    ("LeftHand", 3, (0.55, 0.0, 0.01), (0.1, 0.0, 0.0)),
    ("LeftLeg", 0, (0.1, -0.05, 0.0), None),
    ("LeftFoot", 5, (0.0, -0.85, 0.03), (0.0, -0.05, 0.15)),
)
POSITIONS = ("Xposition", "Yposition", "Zposition")


def turn(axis: str, degrees: float) -> np.ndarray:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    i, j = {"X": (1, 2), "Y": (2, 0), "Z": (0, 1)}[axis]
    matrix = np.eye(3)
    matrix[i, i] = matrix[j, j] = c
    matrix[i, j], matrix[j, i] = -s, s
    return matrix


def bvh_text(body, channels, values, frame_time="0.01", scale=1.0) -> str:
    """A BVH of a body whose joint j has channels[j]; values (T, C); lengths times `scale`."""
    children = {j: [k for k, joint in enumerate(body) if joint[1] == j] for j in range(-1, len(body))}

    def write(j: int, depth: int) -> list[str]:
        name, parent, offset, tip = body[j]
        pad = "\t" * depth
        numbers = " ".join(f"{scale * v:.9g}" for v in offset)
        lines = [f"{pad}{'ROOT' if parent < 0 else 'JOINT'} {name}", pad + "{", f"{pad}\tOFFSET {numbers}"]
        lines.append(f"{pad}\tCHANNELS {len(channels[j])} {' '.join(channels[j])}")
        for child in children[j]:
            lines += write(child, depth + 1)
        if tip is not None:
            numbers = " ".join(f"{scale * v:.9g}" for v in tip)
            lines += [f"{pad}\tEnd Site", pad + "\t{", f"{pad}\t\tOFFSET {numbers}", pad + "\t}"]
        return [*lines, pad + "}"]

    is_position = np.array([c.endswith("position") for per_joint in channels for c in per_joint])
    values = np.where(is_position, scale * values, values)
    rows = [" ".join(f"{v:.9g}" for v in row) for row in values]
    head = ["HIERARCHY", *write(0, 0), "MOTION", f"Frames: {len(values)}", f"Frame Time: {frame_time}"]
    return "\n".join([*head, *rows]) + "\n"


def naive_positions(body, channels, values) -> np.ndarray:
    """Joint positions (T, J, 3) in the file's axes, one frame and one joint after the other."""
    out = np.empty((len(values), len(body), 3))
    for t, row in enumerate(values):
        numbers = iter(row)
        world: list[np.ndarray] = []
        for j, (_, parent, offset, _) in enumerate(body):
            move, rot = np.array(offset, dtype=float), np.eye(3)
            for channel in channels[j]:
                value, axis = next(numbers), "XYZ".index(channel[0])
                if channel.endswith("rotation"):
                    rot = rot @ turn(channel[0], value)
                else:
                    move[axis] = value + (offset[axis] if parent < 0 else 0.0)
            local = np.block([[rot, move[:, None]], [np.zeros((1, 3)), np.ones((1, 1))]])
            world.append(local if parent < 0 else world[parent] @ local)
            out[t, j] = world[j][:3, 3]
    return out


def z_up(points: np.ndarray) -> np.ndarray:
    return np.stack([points[..., 0], -points[..., 2], points[..., 1]], axis=-1)


def usual_channels(order="ZXY"):
    rotations = tuple(f"{axis}rotation" for axis in order)
    return [(*POSITIONS, *rotations)] + [rotations] * (len(BODY) - 1)


def moving(channels, rng, frames=7):
    """Random poses of an upright body, in metres and degrees."""
    columns = [c for per_joint in channels for c in per_joint]
    turns = np.array([c.endswith("rotation") for c in columns])
    return np.where(turns, rng.uniform(-60, 60, (frames, turns.size)), rng.uniform(-1, 1, (frames, turns.size)))


def put(tmp_path, text):
    path = tmp_path / "clip.bvh"
    path.write_text(text)
    return path


@pytest.mark.parametrize("order", ["ZXY", "XYZ", "YXZ", "ZYX", "XZY", "YZX"])
def test_forward_kinematics_equals_a_naive_twin(tmp_path, order):
    channels = usual_channels(order)
    channels[3] = (f"{order[1]}rotation",)  # a hinge
    channels[4] = ()  # a joint that never turns
    values = moving(channels, np.random.default_rng(1))
    motion = read_bvh(put(tmp_path, bvh_text(BODY, channels, values)), up="y")
    position, _ = forward(motion)
    np.testing.assert_allclose(position, z_up(naive_positions(BODY, channels, values)), atol=1e-6)
    assert motion.skeleton.ends_m["LeftFoot"] == (0.0, -0.05, 0.15)
    assert motion.name == "clip"


def test_channels_may_come_in_any_order_and_the_roots_offset_is_added(tmp_path):
    body = (("Hips", -1, (0.1, 0.9, -0.2), None), *BODY[1:])
    channels = usual_channels()
    channels[0] = ("Yrotation", "Zposition", "Xrotation", "Xposition", "Zrotation", "Yposition")
    values = moving(channels, np.random.default_rng(2))
    motion = read_bvh(put(tmp_path, bvh_text(body, channels, values)), up="y")
    np.testing.assert_allclose(forward(motion)[0], z_up(naive_positions(body, channels, values)), atol=1e-6)
    assert any("OFFSET is added" in note for note in motion.notes)


def test_bones_that_slide_give_positions_as_well(tmp_path):
    channels = usual_channels()
    channels[5] = (*POSITIONS, *channels[5])
    values = moving(channels, np.random.default_rng(3))
    values[:, 15 + 3 : 15 + 6] = 0.1 * values[:, 15 + 3 : 15 + 6] + np.array([0.1, -0.05, 0.0])
    motion = read_bvh(put(tmp_path, bvh_text(BODY, channels, values)), up="y")
    truth = z_up(naive_positions(BODY, channels, values))
    np.testing.assert_allclose(motion.position_world, truth, atol=1e-6)
    np.testing.assert_allclose(motion.skeleton.offsets_m[5], np.median(values[:, 18:21], axis=0), atol=1e-6)
    assert any("LeftLeg" in note for note in motion.notes)


def test_a_body_carried_by_the_roots_only_child_becomes_the_root(tmp_path):
    body = (("Scene", -1, (0, 0, 0), None), *((n, p + 1, o, tip) for n, p, o, tip in BODY))
    channels = [(*POSITIONS, "Zrotation", "Xrotation", "Yrotation")] * len(body)
    rng = np.random.default_rng(4)
    values = moving(channels, rng)
    for j in range(2, len(body)):  # written, but constant, as exporters do
        values[:, 6 * j : 6 * j + 3] = body[j][2]
    motion = read_bvh(put(tmp_path, bvh_text(body, channels, values)), up="y")
    assert motion.skeleton.joints == tuple(name for name, *_ in BODY)
    assert motion.position_world is None
    np.testing.assert_allclose(forward(motion)[0], z_up(naive_positions(body, channels, values))[:, 1:], atol=1e-6)


@pytest.mark.parametrize(
    ("unit_m", "told"), [(1.0, "metres"), (0.01, "centimetres"), (0.001, "millimetres"), (0.0254, "inches")]
)
def test_the_unit_follows_from_the_skeletons_size(tmp_path, unit_m, told):
    channels = usual_channels()
    values = moving(channels, np.random.default_rng(5))
    motion = read_bvh(put(tmp_path, bvh_text(BODY, channels, values, scale=1 / unit_m)), up="y")
    np.testing.assert_allclose(forward(motion)[0], z_up(naive_positions(BODY, channels, values)), atol=1e-5)
    assert any(f"taken as {told}" in note for note in motion.notes)


def test_a_size_that_is_no_humans_is_refused_unless_the_unit_is_given(tmp_path):
    channels = usual_channels()
    path = put(tmp_path, bvh_text(BODY, channels, moving(channels, np.random.default_rng(6)), scale=7.0))
    with pytest.raises(InputError, match="unit_m"):
        read_bvh(path)
    motion = read_bvh(path, unit_m=1 / 7)
    np.testing.assert_allclose(motion.skeleton.offsets_m[6], BODY[6][2], atol=1e-6)


def test_up_is_the_axis_along_which_the_head_stands_above_the_feet(tmp_path):
    channels = usual_channels()
    values = 0.1 * moving(channels, np.random.default_rng(7))
    motion = read_bvh(put(tmp_path, bvh_text(BODY, channels, values)))
    # The same movement in a file whose z axis points up: the root is turned by 90° about x.
    turned = tuple((n, p, z_up(np.array(o)), tip) for n, p, o, tip in BODY)
    turned_values = values.copy()
    turned_values[:, :3] = z_up(values[:, :3])
    for first in range(3, values.shape[1], 3):  # ZXY about the turned axes: z -> -y, x -> x, y -> z
        turned_values[:, first] = -values[:, first]
    order = ("Yrotation", "Xrotation", "Zrotation")
    z_file = bvh_text(turned, [(*POSITIONS, *order)] + [order] * 6, turned_values)
    z_motion = read_bvh(put(tmp_path, z_file))
    np.testing.assert_allclose(forward(z_motion)[0], forward(motion)[0], atol=1e-6)
    assert any("z points up" in note for note in z_motion.notes)
    np.testing.assert_allclose(forward(read_bvh(put(tmp_path, z_file), up="y"))[0], z_up(forward(motion)[0]), atol=1e-6)
    with pytest.raises(InputError, match="up is"):
        read_bvh(put(tmp_path, z_file), up="x")


@pytest.mark.parametrize(
    ("written", "rate_hz"),
    [("0.0333333", 30), ("0.0333", 30), ("0.033367", 30e3 / 1001), ("0.041667", 24), (".0083333", 120),
     ("8.3333e-03", 120), ("0.02", 50), ("0.0123", 1 / 0.0123), ("0.037", 1 / 0.037)],
)  # fmt: skip
def test_a_rounded_frame_time_is_the_rate_it_rounds(tmp_path, written, rate_hz):
    channels = usual_channels()
    values = np.zeros((1000, len(POSITIONS) + 3 * len(BODY)))
    motion = read_bvh(put(tmp_path, bvh_text(BODY, channels, values, frame_time=written)))
    assert motion.time_s[-1] == pytest.approx(999 / rate_hz, rel=1e-12)


def test_truncated_and_wrong_files_are_refused_with_the_reason(tmp_path):
    channels = usual_channels()
    text = bvh_text(BODY, channels, moving(channels, np.random.default_rng(8), frames=50))
    for wrong, reason in (
        (
            text[: text.rindex("\n", 0, int(0.7 * len(text)))],
            r"declares 50 frames of 24 values but holds \d\d complete",
        ),
        (text.replace("Frames: 50", "Frames: 40"), "declares 40 frames .* holds 50 complete"),
        (text[: text.index("MOTION")], "no MOTION block"),
        (text.replace("Frame Time: 0.01", "Frame Time: 0"), "Frame Time is '0'"),
        (text.replace("Frame Time: 0.01\n", "Frame Time: 0.01\nnan "), "complete ones and 1 values more"),
        (re.sub(r"(Frame Time: 0.01\n)\S+", r"\1nan", text), "frame 1 holds a value that is no finite"),
        (re.sub(r"(Frame Time: 0.01\n)\S+", r"\1--", text), "something else than numbers"),
        (text.replace("Zrotation", "Wrotation"), "line 5 .*'Wrotation' is no channel"),
        (text.replace("OFFSET", "OFFSET x", 1), "line 4"),
        (text.replace("}\nMOTION", "\nMOTION"), "hierarchy is not complete"),
        (text.replace("HIERARCHY", "HIERARCHY\nROOT Other\n{\nOFFSET 0 0 0\n}"), "second skeleton"),
        (text.replace("Zrotation Xrotation", "Zrotation Zrotation"), "cannot turn in the order ZZY"),
        ("", "is empty"),
    ):
        with pytest.raises(InputError, match=reason):
            read_bvh(put(tmp_path, wrong))
    binary = tmp_path / "binary.bvh"
    binary.write_bytes(b"HIERARCHY\0\1\2")
    with pytest.raises(InputError, match="binary"):
        read_bvh(binary)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damaged_files_give_a_motion_or_an_input_error(tmp_path, data):
    channels = usual_channels()
    text = bvh_text(BODY, channels, moving(channels, np.random.default_rng(9), frames=3))
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 40)))
    junk = data.draw(
        st.one_of(st.text(max_size=12), st.sampled_from(["{", "}", "ROOT a", "1e400 ", "CHANNELS 9 ", "-"]))
    )
    path = tmp_path / "clip.bvh"
    path.write_text(text[:start] + junk + text[end:], encoding="utf-8", errors="surrogatepass")
    if not path.stat().st_size:
        return
    try:
        motion = read_bvh(path)
    except InputError:
        return
    assert np.isfinite(motion.rot_parent_from_joint).all()


def test_the_sniffer_knows_bvh_and_nothing_else(tmp_path):
    channels = usual_channels()
    assert FORMATS[0].sniff(read_head(put(tmp_path, bvh_text(BODY, channels, np.zeros((2, 24))))))
    assert not FORMATS[0].sniff(read_head(put(tmp_path, "time,x\n0,1\n")))


def test_bandai_namco(real_data):
    files = sorted(real_data("bandai-namco").rglob("*.bvh"))
    assert len(files) == 3076
    for file in files[::150]:
        motion = read_bvh(file)
        assert motion.skeleton.joints[0] == "Hips"
        assert motion.rate_hz == pytest.approx(30)
        assert motion.position_world is None
        assert any("centimetres" in note for note in motion.notes)
        position, _ = forward(motion)
        toes = [motion.skeleton.index(f"Toes_{side}") for side in "LR"]
        lowest = position[:, toes, 2].min()
        assert -0.12 < lowest < 0.15  # the floor is at zero


def test_reactidle(real_data):
    for file in sorted(real_data("reactidle").rglob("*.bvh"))[::5]:
        motion = read_bvh(file)
        assert motion.rate_hz == pytest.approx(24)
        position, _ = forward(motion)
        feet = [motion.skeleton.index(f"foot.{side}") for side in "LR"]
        assert 0 < position[:, feet, 2].min() < 0.12
        assert 0.6 < np.median(position[:, motion.skeleton.index("face"), 2] - position[:, feet, 2].min(axis=1)) < 1.8
