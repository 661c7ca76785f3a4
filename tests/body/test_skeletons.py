"""Skeletons are known by their joints' names."""

import numpy as np
import pytest

from kinebind import InputError, Skeleton
from kinebind.body.quaternions import rotate
from kinebind.body.skeletons import plain_name, recognise

_COMMON = ("left_hip", "left_knee", "left_ankle", "left_shoulder", "left_elbow", "left_wrist", "right_hip", "right_toe")
_NAMES = {
    "joints": (
        "hip_centre spine shoulder_centre head left_shoulder left_elbow left_wrist left_hand right_shoulder "
        "right_elbow right_wrist right_hand left_hip left_knee left_ankle left_foot right_hip right_knee "
        "right_ankle right_foot"
    ),
    "limb with side prefix": (
        "mixamorig:Hips mixamorig:Spine mixamorig:Spine1 mixamorig:Neck mixamorig:Head mixamorig:LeftShoulder "
        "mixamorig:LeftArm mixamorig:LeftForeArm mixamorig:LeftHand mixamorig:RightShoulder mixamorig:RightArm "
        "mixamorig:RightForeArm mixamorig:RightHand mixamorig:LeftUpLeg mixamorig:LeftLeg mixamorig:LeftFoot "
        "mixamorig:LeftToeBase mixamorig:RightUpLeg mixamorig:RightLeg mixamorig:RightFoot mixamorig:RightToeBase"
    ),
    "anatomical bones": (
        "root lhipjoint lfemur ltibia lfoot ltoes rhipjoint rfemur rtibia rfoot rtoes lowerback upperback thorax "
        "lowerneck upperneck head lclavicle lhumerus lradius lwrist lhand rclavicle rhumerus rradius rwrist rhand"
    ),
    "limb with side suffix": (
        "Hips Spine Chest Neck Head Shoulder_L UpperArm_L LowerArm_L Hand_L Shoulder_R UpperArm_R LowerArm_R Hand_R "
        "UpperLeg_L LowerLeg_L Foot_L Toes_L UpperLeg_R LowerLeg_R Foot_R Toes_R"
    ),
    "bone with side suffix": (
        "pelvis spine spine.001 neck face upper_arm.L forearm.L hand.L upper_arm.R forearm.R hand.R thigh.L shin.L "
        "foot.L toe.L thigh.R shin.R foot.R toe.R"
    ),
}
_SHOULDER = {
    "joints": "left_shoulder", "limb with side prefix": "mixamorig:LeftArm", "anatomical bones": "lhumerus",
    "limb with side suffix": "UpperArm_L", "bone with side suffix": "upper_arm.L",
}  # fmt: skip


def _loose(names: str) -> Skeleton:
    """Joints without a usable geometry: names alone must do."""
    joints = tuple(names.split())
    return Skeleton(joints, tuple(range(-1, len(joints) - 1)), np.full((len(joints), 3), np.nan))


@pytest.mark.parametrize("vocabulary", _NAMES)
def test_names_alone_give_the_landmarks(vocabulary):
    skeleton = _loose(_NAMES[vocabulary])
    body = recognise(skeleton)
    assert body.vocabulary == vocabulary
    assert set(_COMMON) <= set(body.landmarks)
    assert skeleton.joints[body.landmarks["left_shoulder"][0]] == _SHOULDER[vocabulary]


@pytest.mark.parametrize("vocabulary", _NAMES)
def test_the_other_side_is_found_and_found_back(vocabulary):
    skeleton = _loose(_NAMES[vocabulary])
    body = recognise(skeleton)
    other = np.array(body.mirror)
    assert np.array_equal(other[other], np.arange(other.size))
    for part in ("hip", "knee", "ankle", "toe", "shoulder", "elbow", "wrist"):
        assert body.mirror[body.landmarks[f"left_{part}"][0]] == body.landmarks[f"right_{part}"][0]
    for part in ("pelvis", "chest", "neck", "head"):
        assert body.mirror[body.landmarks[part][0]] == body.landmarks[part][0]


def test_legs_alone_are_a_body():
    body = recognise(_loose("pelvis left_hip left_knee left_ankle left_toe right_hip right_knee right_ankle right_toe"))
    assert "neck" not in body.landmarks


@pytest.mark.parametrize("names", ["a b c", "left_hip left_knee left_ankle right_hip right_knee", "wheel_l wheel_r"])
def test_other_skeletons_are_refused_with_the_names_seen(names):
    with pytest.raises(InputError, match=names.split()[0]):
        recognise(_loose(names))


def test_a_tip_stands_for_a_joint_that_a_rig_lacks():
    names = _NAMES["bone with side suffix"].replace("hand.L ", "").replace("hand.R ", "")
    skeleton = _loose(names)
    tipped = Skeleton(skeleton.joints, skeleton.parents, skeleton.offsets_m, {"forearm.L": (0.2, 0.0, 0.0)})
    joint, offset = recognise(tipped).landmarks["left_wrist"]
    assert tipped.joints[joint] == "forearm.L"
    assert np.array_equal(offset, [0.2, 0.0, 0.0])
    assert "left_wrist" not in recognise(skeleton).landmarks


def test_an_upright_zero_pose_tells_left_up_and_forward(make_standing):
    axes = recognise(make_standing().skeleton).rot_joint_from_body
    assert np.allclose(rotate(axes, np.array([0.1, 0.2, 0.3])), [0.1, 0.2, 0.3], atol=1e-12)


def test_a_zero_pose_that_lies_folded_is_not_believed(make_standing, to_other_rig):
    skeleton = to_other_rig(make_standing()).skeleton
    body = recognise(skeleton)
    left = rotate(body.rot_joint_from_body, np.array([1.0, 0.0, 0.0]))
    assert np.allclose(left[skeleton.index("Hips")], [0, -1, 0], atol=1e-12)
    assert np.allclose(left[skeleton.index("UpperLeg_R")], [0, 1, 0], atol=1e-12)


def test_namespaces_case_and_punctuation_do_not_count():
    assert plain_name("mixamorig:Left_Up-Leg") == plain_name("LEFTUPLEG") == "leftupleg"
