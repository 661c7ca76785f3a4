from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kinebind.errors import InputError
from kinebind.parts import COCO17
from kinebind.readers.formats_base import read_head
from kinebind.readers.poses_json import FORMATS, read_coco_results, read_mmpose, read_openpose

FRAMES = 5

# The keypoints of OpenPose's two layouts, in their order, by COCO's names where COCO has them.
BODY_25 = (
    "nose", "neck", "right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow", "left_wrist",
    "mid_hip", "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle",
    "right_eye", "left_eye", "right_ear", "left_ear", "left_big_toe", "left_small_toe", "left_heel",
    "right_big_toe", "right_small_toe", "right_heel",
)  # fmt: skip
COCO_18 = (
    "nose", "neck", "right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow", "left_wrist",
    "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle",
    "right_eye", "left_eye", "right_ear", "left_ear",
)  # fmt: skip


def place(name: str, frame: int, person: int = 0) -> list[float]:
    """Where a test's person has a keypoint in a frame: x, y and score, each distinct."""
    k = COCO17.index(name) if name in COCO17 else 20 + len(name)
    return [100.0 + 10 * k + frame + 600 * person, 700.0 - 7 * k, 0.3 + 0.02 * k]


def truth(frame: int, person: int = 0) -> np.ndarray:
    return np.array([place(name, frame, person) for name in COCO17])


def flat(names, frame, person=0):
    return [value for name in names for value in place(name, frame, person)]


def put(tmp_path, data, name="poses.json"):
    (tmp_path / name).write_text(data if isinstance(data, str) else json.dumps(data))
    return tmp_path / name


def check(people, persons=1):
    assert len(people) == persons
    for person in people:
        k = int(person.keypoints_px[0, 0, 0] >= 600)  # which of the two
        frames = np.round(person.time_s * 30).astype(int)
        expected = np.array([truth(frame, k) for frame in frames])
        np.testing.assert_allclose(person.keypoints_px, expected[..., :2])
        np.testing.assert_allclose(person.scores, expected[..., 2])


def mmpose_person(frame, person=0, names=COCO17):
    points = np.array([place(name, frame, person) for name in names])
    return {"keypoints": points[:, :2].tolist(), "keypoint_scores": points[:, 2].tolist(),
            "bbox": [[0.0, 0.0, 9.0, 9.0]], "bbox_score": 0.9}  # fmt: skip


def mmpose_demo(names=COCO17):
    meta = {"dataset_name": "any", "num_keypoints": len(names),
            "keypoint_id2name": {str(k): name for k, name in enumerate(names)}}  # fmt: skip
    frames = [{"frame_id": k + 1, "instances": [mmpose_person(k, 0, names), mmpose_person(k, 1, names)]}
              for k in range(FRAMES)]  # fmt: skip
    return {"meta_info": meta, "instance_info": frames}


def test_mmpose_demo_file_counts_from_one_and_names_its_keypoints(tmp_path):
    check(read_mmpose(put(tmp_path, mmpose_demo()), rate_hz=30), persons=2)
    shuffled = COCO17[::-1] + ("tail",)
    check(read_mmpose(put(tmp_path, mmpose_demo(shuffled)), rate_hz=30), persons=2)
    people = read_mmpose(
        put(tmp_path, mmpose_demo(tuple(n for n in COCO17 if n[-3:] not in ("eye", "ear")))), rate_hz=30
    )
    assert np.isnan(people[0].keypoints_px[:, COCO17.index("left_eye")]).all()
    with pytest.raises(InputError, match="keypoints are called wing"):
        read_mmpose(put(tmp_path, mmpose_demo(("wing", "beak"))), rate_hz=30)


def test_mmpose_inferencer_lists_of_frames(tmp_path):
    people = [[mmpose_person(k)] for k in range(FRAMES)]
    check(read_mmpose(put(tmp_path, people), rate_hz=30))
    check(read_mmpose(put(tmp_path, [{"frame_id": k, "instances": p} for k, p in enumerate(people)]), rate_hz=30))
    check(read_mmpose(put(tmp_path, [{"frame_id": k, **p[0]} for k, p in enumerate(people)]), rate_hz=30))
    with_gaps = [p if k not in (0, 3) else [] for k, p in enumerate(people)]
    (person,) = read_mmpose(put(tmp_path, with_gaps), rate_hz=30)
    np.testing.assert_allclose(person.time_s * 30, [1, 2, 4])
    check((person,))


def test_mmpose_identities_layouts_and_scores(tmp_path):
    names = (*COCO17, *[f"extra {k}" for k in range(116)])  # COCO-WholeBody
    frames = [[{**mmpose_person(k, p, names), "track_id": 40 + p} for p in (1, 0)] for k in range(FRAMES)]
    people = read_mmpose(put(tmp_path, frames), rate_hz=30)
    check(people, persons=2)
    assert {p.person for p in people} == {"40", "41"}
    assert any("COCO-WholeBody layout by the 133 keypoints" in note for note in people[0].notes)
    old = [[{"keypoints": truth(k).tolist()}] for k in range(FRAMES)]  # MMPose 0.x: x, y and score together
    check(read_mmpose(put(tmp_path, old), rate_hz=30))
    bare = [[{"keypoints": truth(k)[:, :2].tolist()}] for k in range(FRAMES)]
    (person,) = read_mmpose(put(tmp_path, bare), rate_hz=30)
    assert (person.scores == 1).all()
    assert any("without scores" in note for note in person.notes)


def openpose_frame(k, names=BODY_25, persons=1, identity=-1):
    people = [{"person_id": [identity if identity < 0 else identity + p], "pose_keypoints_2d": flat(names, k, p),
               "face_keypoints_2d": [], "hand_left_keypoints_2d": [], "pose_keypoints_3d": []}
              for p in range(persons)]  # fmt: skip
    return {"version": 1.3, "people": people}


@pytest.mark.parametrize("names", [BODY_25, COCO_18])
def test_openpose_folder(tmp_path, names):
    for k in (0, 1, 2, 4, 11):
        put(tmp_path, openpose_frame(k, names, persons=2), f"dance_{k:012d}_keypoints.json")
    put(tmp_path, {"version": 1.3, "people": []}, "dance_000000000007_keypoints.json")
    people = read_openpose(tmp_path, rate_hz=30)
    check(people, persons=2)
    np.testing.assert_allclose(people[0].time_s * 30, [0, 1, 2, 4, 11])
    put(tmp_path, openpose_frame(0), "other_000000000000_keypoints.json")
    with pytest.raises(InputError, match="several videos"):
        read_openpose(tmp_path, rate_hz=30)


def test_openpose_in_one_file_and_with_identities(tmp_path):
    frames = [openpose_frame(k, persons=2, identity=3) for k in range(FRAMES)]
    people = read_openpose(put(tmp_path, frames), rate_hz=30)
    check(people, persons=2)
    assert {p.person for p in people} == {"3", "4"}
    by_name = {f"{k}.jpg": openpose_frame(k, COCO_18) for k in range(FRAMES)}
    check(read_openpose(put(tmp_path, by_name), rate_hz=30))
    with pytest.raises(InputError, match=r"single frame.*folder"):
        read_openpose(put(tmp_path, openpose_frame(0)), rate_hz=30)


def test_openpose_zeros_are_missing(tmp_path):
    frames = [openpose_frame(k) for k in range(FRAMES)]
    values = frames[1]["people"][0]["pose_keypoints_2d"]
    at = 3 * BODY_25.index("left_knee")
    values[at : at + 3] = [0, 0, 0]
    (person,) = read_openpose(put(tmp_path, frames), rate_hz=30)
    assert np.argwhere(np.isnan(person.scores)).tolist() == [[1, COCO17.index("left_knee")]]


@pytest.mark.parametrize("more", [0, 9, 119])
@pytest.mark.parametrize("name", [str, "{}.jpg".format, "frame_{:06d}.png".format, "mp4/img{}.jp2".format, int])
def test_alphapose_and_coco_results(tmp_path, more, name):
    names = (*COCO17, *[f"extra {k}" for k in range(more)])
    entries = [
        {"image_id": name(k), "category_id": 1, "keypoints": flat(names, k, p), "score": 2.9, "box": [0, 0, 9, 9]}
        for k in range(FRAMES)
        for p in (0, 1)
    ]
    entries.append({"image_id": name(0), "category_id": 17, "keypoints": [1, 2, 3], "score": 0.5})  # a cat
    check(read_coco_results(put(tmp_path, entries), rate_hz=30), persons=2)


def test_alphapose_identities(tmp_path):
    entries = [
        {"image_id": f"{k}.jpg", "category_id": 1, "keypoints": flat(COCO17, k, p), "idx": [[p + 1.0]]}
        for k in range(FRAMES)
        for p in (0, 1)
    ]
    people = read_coco_results(put(tmp_path, entries), rate_hz=30)
    check(people, persons=2)
    assert {p.person for p in people} == {"1", "2"}


def test_wrong_files_are_refused_with_the_reason(tmp_path):
    entry = {"image_id": 0, "category_id": 1, "keypoints": flat(COCO17, 0)}
    for read, data, reason in (
        (read_mmpose, "", "is empty"),
        (read_mmpose, "[1, 2", "no complete JSON"),
        (read_mmpose, "[" * 100_000, "no complete JSON"),
        (read_mmpose, {"meta_info": {}}, "cannot be read as MMPose"),
        (read_mmpose, [mmpose_person(0)], "one image, not of a video"),
        (read_mmpose, [[], []], "no people in 2 frames"),
        (read_mmpose, [[{"keypoints": [[1, 2]] * 21}]], "21 keypoints.*17, 26, 133, 136"),
        (read_mmpose, mmpose_demo(), "--fps"),
        (read_openpose, [{"people": []}] * 3, "no people in 3 frames"),
        (read_openpose, [{"people": [{"pose_keypoints_2d": [1.0] * 45}]}], "15 keypoints.*BODY_25"),
        (read_openpose, [{"frames": []}], "cannot be read as OpenPose"),
        (read_coco_results, {"images": []}, "no list of people"),
        (read_coco_results, [], "no people in 0 frames"),
        (read_coco_results, [{**entry, "image_id": "no number.jpg"}], "holds no frame number"),
        (read_coco_results, [{**entry, "image_id": -4}], "no frame number"),
        (read_coco_results, [{**entry, "image_id": 10**30}], "no frame number"),
        (read_coco_results, [{**entry, "image_id": "a1.jpg"}, {**entry, "image_id": "b1.jpg"}], "several videos"),
        (read_coco_results, [{**entry, "keypoints": [1.0] * 6}], "2 keypoints"),
        (read_coco_results, [{**entry, "keypoints": [1.0] * 7}], "cannot be read as COCO"),
    ):
        with pytest.raises(InputError, match=reason):
            read(put(tmp_path, data))
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds no JSON files"):
        read_openpose(tmp_path / "empty")


def documents():
    good = [
        mmpose_demo(),
        [[mmpose_person(k)] for k in range(3)],
        [openpose_frame(k) for k in range(3)],
        [{"image_id": k, "category_id": 1, "keypoints": flat(COCO17, k), "idx": 1} for k in range(3)],
    ]
    return [json.dumps(g) for g in good]


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damaged_files_give_people_or_an_input_error(tmp_path, data):
    text = data.draw(st.sampled_from(documents()))
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start, min(len(text), start + 30)))
    junk = data.draw(st.sampled_from(["", "null", "[]", "{}", "-1", "1e999", "NaN", '"x"', "[[", "}", "true", "7, 7"]))
    path = put(tmp_path, text[:start] + junk + text[end:])
    if not path.stat().st_size:
        return
    for read in (read_mmpose, read_openpose, read_coco_results):
        try:
            people = read(path, rate_hz=30)
        except InputError:
            continue
        assert all(np.isfinite(p.keypoints_px).any() for p in people)


def any_json():
    leaf = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3)
    keys = st.sampled_from(["instances", "keypoints", "people", "image_id", "frame_id", "pose_keypoints_2d", "idx",
                            "instance_info", "meta_info", "keypoint_id2name", "track_id", "a1"])  # fmt: skip
    return st.recursive(leaf, lambda x: st.lists(x, max_size=4) | st.dictionaries(keys, x, max_size=4), max_leaves=20)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=any_json())
def test_any_json_gives_people_or_an_input_error(tmp_path, content):
    path = put(tmp_path, content)
    for read in (read_mmpose, read_openpose, read_coco_results):
        with pytest.raises(InputError):
            read(path, rate_hz=30)


def test_the_sniffers_tell_the_formats_apart(tmp_path):
    files = {"mmpose": documents()[:2], "openpose": documents()[2:3], "coco-results": documents()[3:]}
    files["openpose"].append('{"version":1.3,"people":[]}')
    for name, texts in files.items():
        for text in texts:
            head = read_head(put(tmp_path, text))
            assert [f.name for f in FORMATS if f.sniff(head)] == [name]
    assert not any(f.sniff(read_head(put(tmp_path, "time,x\n0,1\n"))) for f in FORMATS)
