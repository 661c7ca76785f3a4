from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kinebind.body.kinematics import forward
from kinebind.errors import InputError
from kinebind.readers.amc import FORMATS, read_amc
from kinebind.readers.formats_base import read_head

UNIT_M = 0.0254 / 0.45
# Bone, its parent, direction, length in file units, axis in degrees, its order, degrees of freedom.
BONES = (
    ("lhip", "root", (0.6, -0.8, 0.0), 2.0, (0, 0, 0), "XYZ", ""),
    ("lfemur", "lhip", (0.34, -0.94, 0.0), 7.2, (0, 0, 20), "XYZ", "rx ry rz"),
    ("ltibia", "lfemur", (0.34, -0.94, 0.0), 7.5, (5, -10, 20), "XYZ", "rx"),
    ("lfoot", "ltibia", (0.07, -0.18, 0.98), 2.4, (-90, 0, 20), "XYZ", "rx rz"),
    ("spine", "root", (0.0, 1.0, -0.1), 9.0, (10, 20, 30), "ZYX", "rz ry rx"),
    ("lhumerus", "spine", (1.0, 0.1, 0.0), 9.5, (180, 30, 90), "XYZ", "ry rx rz"),
)
ORDER = ("lfemur", "root", "ltibia", "spine", "lfoot", "lhumerus")  # as they stand in the AMC's frames
ROOT = ("rz", "tx", "ty", "tz", "ry", "rx")


def turn(axis: str, degrees: float) -> np.ndarray:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    i, j = {"x": (1, 2), "y": (2, 0), "z": (0, 1)}[axis.lower()]
    matrix = np.eye(3)
    matrix[i, i] = matrix[j, j] = c
    matrix[i, j], matrix[j, i] = -s, s
    return matrix


def fixed_axes(letters, angles) -> np.ndarray:
    """Turns about the world's own axes, the first letter first."""
    matrix = np.eye(3)
    for letter, angle in zip(letters, angles, strict=True):
        matrix = turn(letter, angle) @ matrix
    return matrix


def dof_of(name):
    return ROOT if name == "root" else tuple(next(b[6] for b in BONES if b[0] == name).split())


def asf_text(angle="deg") -> str:
    factor = 1.0 if angle == "deg" else np.pi / 180
    lines = ["# made for a test", ":version 1.10", ":name TEST", ":units", "  mass 1.0", "  length 0.45",
             f"  angle {angle}", ":documentation", "  root of all", ":root", f"   order {' '.join(ROOT).upper()}",
             "   axis XYZ", "   position 0 0 0", "   orientation 0 0 0", ":bonedata"]  # fmt: skip
    for k, (name, _, direction, length, axis, order, dof) in enumerate(BONES, 1):
        lines += ["  begin", f"    id {k}", f"    name {name}", f"    direction {' '.join(map(str, direction))}",
                  f"    length {length}", f"    axis {' '.join(str(factor * a) for a in axis)}  {order}"]  # fmt: skip
        if dof:
            lines += [f"    dof {dof}", *["    limits (-160.0 20.0)"] * len(dof.split())]
        lines.append("  end")
    lines += [":hierarchy", "  begin", "    root lhip spine"]
    lines += ["    lhip lfemur", "    lfemur ltibia", "    ltibia lfoot", "    spine lhumerus", "  end"]
    return "\n".join(lines) + "\n"


def amc_text(frames, first=1, keyword=":DEGREES", end="\n") -> str:
    lines = ["#!OML:ASF C:\\TEST.ASF", ":FULLY-SPECIFIED", keyword]
    for k, frame in enumerate(frames, first):
        lines.append(str(k))
        lines += [f"{name} {' '.join(f'{v:.12g}' for v in frame[name])}" for name in ORDER]
    return end.join(lines) + end


def poses(rng, frames=6):
    return [{name: rng.uniform(-90, 90, len(dof_of(name))) for name in ORDER} for _ in range(frames)]


def naive_near_ends(frame) -> dict[str, np.ndarray]:
    """Near end of each bone in the file's axes and units: global rotations, bone after bone."""

    def split(name):
        dof, values = dof_of(name), frame[name]
        turns = [(d[1], v) for d, v in zip(dof, values, strict=True) if d[0] == "r"]
        return fixed_axes([d for d, _ in turns], [v for _, v in turns]), dict(zip(dof, values, strict=True))

    rot, moves = split("root")
    rotation, far = {"root": rot}, {"root": np.array([moves["tx"], moves["ty"], moves["tz"]])}
    near = {"root": far["root"]}
    for name, parent, direction, length, axis, order, dof in BONES:
        own = split(name)[0] if dof else np.eye(3)
        c = fixed_axes(order, axis)
        rotation[name] = rotation[parent] @ c @ own @ np.linalg.inv(c)
        near[name] = far[parent]
        far[name] = near[name] + rotation[name] @ (length * np.array(direction))
    return near


def z_up(points):
    return np.stack([points[..., 0], -points[..., 2], points[..., 1]], axis=-1)


def put(tmp_path, amc, asf=None, name="01_02.amc"):
    (tmp_path / "01.asf").write_text(asf_text() if asf is None else asf)
    (tmp_path / name).write_bytes(amc.encode())
    return tmp_path / name


def test_forward_kinematics_equals_a_naive_twin(tmp_path):
    frames = poses(np.random.default_rng(1))
    motion = read_amc(put(tmp_path, amc_text(frames, end="\r\n")))
    position, _ = forward(motion)
    for t, frame in enumerate(frames):
        near = naive_near_ends(frame)
        for j, name in enumerate(motion.skeleton.joints):
            np.testing.assert_allclose(position[t, j], UNIT_M * z_up(near[name]), atol=1e-9)
    assert motion.rate_hz == pytest.approx(120)
    np.testing.assert_allclose(motion.skeleton.ends_m["lfoot"], UNIT_M * 2.4 * np.array([0.07, -0.18, 0.98]))
    assert set(motion.skeleton.ends_m) == {"lfoot", "lhumerus"}


def test_radians_and_degrees_give_one_motion(tmp_path):
    frames = poses(np.random.default_rng(2))
    degrees = read_amc(put(tmp_path, amc_text(frames)))
    radians = [
        {n: [v if d[0] == "t" else np.radians(v) for d, v in zip(dof_of(n), f[n], strict=True)] for n in ORDER}
        for f in frames
    ]
    other = read_amc(put(tmp_path, amc_text(radians, keyword=":RADIANS"), asf_text("rad")))
    np.testing.assert_allclose(forward(other)[0], forward(degrees)[0], atol=1e-9)


def test_frame_numbers_are_the_clock(tmp_path):
    frames = poses(np.random.default_rng(3))
    text = amc_text(frames, first=7).replace("\n10\n", "\n20\n").replace("\n11\n", "\n21\n").replace("\n12\n", "\n22\n")
    motion = read_amc(put(tmp_path, text), rate_hz=60)
    np.testing.assert_allclose(motion.time_s * 60, [0, 1, 2, 13, 14, 15])


def test_the_skeleton_is_found_beside_the_motion_or_named(tmp_path):
    text = amc_text(poses(np.random.default_rng(4)))
    (tmp_path / "skeletons").mkdir()
    (tmp_path / "02_03.amc").write_text(text)
    with pytest.raises(InputError, match=r"no skeleton file \(02.asf\)"):
        read_amc(tmp_path / "02_03.amc")
    asf = tmp_path / "skeletons" / "any.asf"
    asf.write_text(asf_text())
    assert "any.asf" in read_amc(tmp_path / "02_03.amc", asf_path=asf).notes[0]
    (tmp_path / "other.ASF").write_text(asf_text())
    assert "other.ASF" in read_amc(tmp_path / "02_03.amc").notes[0]  # the only one in the folder
    (tmp_path / "02.asf").write_text(asf_text())
    assert "02.asf" in read_amc(tmp_path / "02_03.amc").notes[0]


def test_wrong_files_are_refused_with_the_reason(tmp_path):
    amc, asf = amc_text(poses(np.random.default_rng(5))), asf_text()
    last = amc.rindex("spine")
    for wrong_amc, wrong_asf, reason in (
        (amc[:last], asf, "last frame is incomplete after 5 complete"),
        (amc[:last] + "hat" + amc[last + 5 :], asf, "'hat' stands in place of 'spine'"),
        (amc.replace("lfemur", "femur"), asf, "no frame whose bones are in the skeleton"),
        (amc.replace("\n3\n", "\n2\n"), asf, "frame 2 follows frame 2"),
        (amc.replace("\n3\n", "\nthree\n"), asf, "something else than a number"),
        (amc, asf.replace(":hierarchy", ":tree"), ":hierarchy is missing"),
        (amc, asf.replace("lhip lfemur", ""), "do not hang on the root"),
        (amc, asf.replace("dof rx ry rz", "dof rx ry l"), "degrees of freedom rx ry l are not supported"),
        (amc, asf.replace("orientation 0 0 0", "orientation 0 90 0"), "preset orientation"),
        (amc, asf.replace("length 0.45", "length 0.001"), "no human size"),
        (amc, asf.replace("length 7.2", "length long"), "cannot be read as a skeleton"),
        ("", asf, "is empty"),
    ):
        with pytest.raises(InputError, match=reason):
            read_amc(put(tmp_path, wrong_amc, wrong_asf))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damaged_files_give_a_motion_or_an_input_error(tmp_path, data):
    texts = {"amc": amc_text(poses(np.random.default_rng(6), 3)), "asf": asf_text()}
    which = data.draw(st.sampled_from(["amc", "asf"]))
    text = texts[which]
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 60)))
    junk = data.draw(st.one_of(st.text("abx.:#-\n 0123456789e", max_size=12), st.just("root ")))
    texts[which] = text[:start] + junk + text[end:]
    if not all(texts.values()):
        return
    try:
        motion = read_amc(put(tmp_path, texts["amc"], texts["asf"]))
    except InputError:
        return
    assert np.isfinite(motion.rot_parent_from_joint).all()


def test_the_sniffer_knows_amc_and_nothing_else(tmp_path):
    path = put(tmp_path, amc_text(poses(np.random.default_rng(7))))
    assert FORMATS[0].sniff(read_head(path))
    assert not FORMATS[0].sniff(read_head(tmp_path / "01.asf"))


def test_cmu(real_data):
    files = sorted(real_data("cmu-asfamc").rglob("*.amc"))
    assert len(files) == 28
    for file in files[::9]:
        motion = read_amc(file)
        position, _ = forward(motion)
        toes = [motion.skeleton.index(f"{side}toes") for side in "lr"]
        assert -0.05 < position[:, toes, 2].min() < 0.2
        head = motion.skeleton.index("head")
        assert 1.2 < np.median(position[:, head, 2] - position[:, toes, 2].min(axis=1)) < 1.7


def test_cmu_six_sequences_have_no_skeleton_of_their_own(real_data):
    file = sorted(real_data("cmu-mocap6").rglob("13_29.amc"))[0]
    with pytest.raises(InputError, match="no skeleton file"):
        read_amc(file)
    asf = next(real_data("cmu-asfamc").rglob("01.asf"))
    motion = read_amc(file, asf_path=asf)
    assert motion.time_s.size == 4592
    left, _right = (motion.skeleton.index(f"{side}foot") for side in "lr")
    step = forward(motion)[0]
    assert 0.1 < np.ptp(step[:, left, 2]) < 1.2
