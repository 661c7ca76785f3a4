"""The SMPL body: its joint tree, and the licensed model file where the user has it.

The tree and its order are those of SMPL (Loper, Mahmood, Romero, Pons-Moll, Black, 2015). At rest the body stands
in a T-pose with y up and x to its left, and looks along z. Bone lengths, and the skin, are in the model's file, which
its makers license; without it bones have the lengths of `APPROXIMATE_OFFSETS_M`.
"""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from kinebind._stream import frozen
from kinebind.clock import FloatArray
from kinebind.errors import InputError
from kinebind.readers.formats_base import read_head
from kinebind.readers.pickles import read_pickle

_TREE = (
    ("pelvis", "", (0.0, 0.0, 0.0)),
    ("left_hip", "pelvis", (0.09, -0.08, 0.0)), ("right_hip", "pelvis", (-0.09, -0.08, 0.0)),
    ("spine1", "pelvis", (0.0, 0.10, -0.02)),
    ("left_knee", "left_hip", (0.0, -0.42, 0.0)), ("right_knee", "right_hip", (0.0, -0.42, 0.0)),
    ("spine2", "spine1", (0.0, 0.12, 0.0)),
    ("left_ankle", "left_knee", (0.0, -0.42, 0.0)), ("right_ankle", "right_knee", (0.0, -0.42, 0.0)),
    ("spine3", "spine2", (0.0, 0.05, 0.02)),
    ("left_foot", "left_ankle", (0.0, -0.06, 0.13)), ("right_foot", "right_ankle", (0.0, -0.06, 0.13)),
    ("neck", "spine3", (0.0, 0.19, -0.02)),
    ("left_collar", "spine3", (0.07, 0.10, -0.02)), ("right_collar", "spine3", (-0.07, 0.10, -0.02)),
    ("head", "neck", (0.0, 0.09, 0.04)),
    ("left_shoulder", "left_collar", (0.13, 0.04, 0.0)), ("right_shoulder", "right_collar", (-0.13, 0.04, 0.0)),
    ("left_elbow", "left_shoulder", (0.30, 0.0, 0.0)), ("right_elbow", "right_shoulder", (-0.30, 0.0, 0.0)),
    ("left_wrist", "left_elbow", (0.25, 0.0, 0.0)), ("right_wrist", "right_elbow", (-0.25, 0.0, 0.0)),
    ("left_hand", "left_wrist", (0.09, 0.0, 0.0)), ("right_hand", "right_wrist", (-0.09, 0.0, 0.0)),
)  # fmt: skip
JOINTS = tuple(joint for joint, _, _ in _TREE)
PARENTS = tuple(JOINTS.index(parent) if parent else -1 for _, parent, _ in _TREE)
APPROXIMATE_OFFSETS_M: FloatArray = frozen([offset for _, _, offset in _TREE], (len(_TREE), 3), "offsets")
"""Joint positions in their parents' frames (24, 3), metres: an adult of 1.70 m with the proportions of Winter,
Biomechanics and Motor Control of Human Movement (2009), figure 4.1, rounded. Not SMPL's own."""

BODY_JOINTS = 22
"""The first joints, without hands, are the same in SMPL, SMPL+H and SMPL-X."""

_NEEDED = ("v_template", "shapedirs", "J_regressor", "kintree_table")
_SKIN = ("posedirs", "weights")
_FIX = (
    "Use the .npz of the model's makers, or write one from your .pkl: numpy.savez('smpl.npz', v_template=…, "
    "shapedirs=…, posedirs=…, J_regressor=dense array, weights=…, kintree_table=…)."
)


@dataclass(frozen=True, eq=False)
class BodyModel:
    """A body model. v_template (V, 3): the mean body, metres. shapedirs (V, 3, S): change per shape coefficient.
    joint_regressor (J, V). parents: J indices, −1 for the root. posedirs (V, 3, 9(J − 1)) and weights (V, J), or None
    where the file has no skin."""

    v_template: FloatArray
    shapedirs: FloatArray
    joint_regressor: FloatArray
    parents: tuple[int, ...]
    posedirs: FloatArray | None = None
    weights: FloatArray | None = None

    def shaped(self, betas: Sequence[float] | FloatArray) -> FloatArray:
        """Vertices (V, 3) of a body at rest, metres; coefficients that the model lacks raise InputError."""
        b = np.asarray(betas, dtype=np.float64).ravel()
        if b.size > self.shapedirs.shape[2]:
            raise InputError(
                f"{b.size} shape coefficients are given, the body model has {self.shapedirs.shape[2]}.",
                "Give the first ones only, or the model's full file.",
            )
        return np.asarray(self.v_template + self.shapedirs[:, :, : b.size] @ b)

    def rest_joints(self, betas: Sequence[float] | FloatArray) -> FloatArray:
        """Joint positions (J, 3) at rest, metres."""
        return np.asarray(self.joint_regressor @ self.shaped(betas))

    def vertices(
        self, rotvec: FloatArray, trans: FloatArray, betas: Sequence[float] | FloatArray, which: Sequence[int]
    ) -> FloatArray:
        """Some vertices (T, n, 3) of a moving body, metres, by linear blend skinning with pose correctives.

        rotvec (T, J, 3): each joint's rotation in its parent's frame, radians. trans (T, 3): metres. which: indices.
        Raises InputError where the model has no skin, other joints, or not these vertices.
        """
        if self.posedirs is None or self.weights is None:
            raise InputError("The body model has no skin (posedirs, weights).", _FIX)
        if rotvec.shape[1:] != (len(self.parents), 3):
            raise InputError(
                f"Poses of {rotvec.shape[1]} joints do not fit a body model with {len(self.parents)}.",
                "Use the model that the poses were made for.",
            )
        if not all(0 <= v < len(self.v_template) for v in which):
            raise InputError(f"The body model has {len(self.v_template)} vertices.", "Use SMPL's, which has 6890.")
        frames, index = len(rotvec), np.array(which, dtype=np.intp)
        rest = self.rest_joints(betas)
        local = Rotation.from_rotvec(rotvec.reshape(-1, 3)).as_matrix().reshape(frames, -1, 3, 3)
        feature = (local[:, 1:] - np.eye(3)).reshape(frames, -1)
        at_rest = self.shaped(betas)[index] + np.einsum("vcp,tp->tvc", self.posedirs[index], feature)
        rot, place = np.empty_like(local), np.empty((frames, len(rest), 3))
        for j, parent in enumerate(self.parents):
            if parent < 0:
                rot[:, j], place[:, j] = local[:, j], rest[j]
            else:
                rot[:, j] = rot[:, parent] @ local[:, j]
                place[:, j] = place[:, parent] + rot[:, parent] @ (rest[j] - rest[parent])
        carried = np.einsum("tjab,tvjb->tvja", rot, at_rest[:, :, None] - rest) + place[:, None]
        return np.asarray(np.einsum("vj,tvja->tva", self.weights[index], carried) + trans[:, None])


def read_body_model(path: str | Path) -> BodyModel:
    """A model file: .npz, or a .pkl of plain arrays, with SMPL's names of arrays.

    Raises InputError for other files, arrays that do not fit each other, and pickles that hold anything but arrays.
    """
    arrays = _pickled(path) if not zipfile.is_zipfile(read_head(path).path) else read_arrays(path, _NEEDED + _SKIN)
    lacking = [name for name in _NEEDED if name not in arrays]
    if lacking:
        raise InputError(f"{path} has no array {lacking[0]}.", _FIX)
    v, s, regressor, tree = (arrays[name] for name in _NEEDED)
    posedirs, weights = (arrays.get(name) for name in _SKIN)
    joints = regressor.shape[0] if regressor.ndim == 2 else 0
    fits = (
        v.ndim == 2 and v.shape[1] == 3 and regressor.shape == (joints, len(v)) and s.ndim == 3
        and s.shape[:2] == v.shape and tree.shape == (2, joints) and joints > 0
        and (posedirs is None or posedirs.shape == (*v.shape, 9 * (joints - 1)))
        and (weights is None or weights.shape == (len(v), joints))
    )  # fmt: skip
    if not fits or not all(np.isfinite(a).all() for a in arrays.values()):
        shapes = ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
        raise InputError(f"{path}: its arrays do not fit each other ({shapes}).", _FIX)
    # The root's parent is −1, or 2³² − 1 where it was stored without a sign.
    parents = tuple(int(p) if 0 <= p < joints else -1 for p in tree[0])
    if any(p >= j for j, p in enumerate(parents)) or parents.count(-1) != 1:
        raise InputError(f"{path}: its joints are no tree from the root outwards.", _FIX)
    return BodyModel(v, s, regressor, parents, posedirs, weights)


def _pickled(path: str | Path) -> dict[str, FloatArray]:
    try:
        content = read_pickle(path)
    except InputError as error:
        raise InputError(error.what, _FIX) from error
    if not isinstance(content, dict):
        raise InputError(f"{path} holds no arrays by name.", _FIX)
    found = {name: content[name] for name in _NEEDED + _SKIN if name in content}
    if not all(isinstance(a, np.ndarray) and a.dtype.kind in "fiu" for a in found.values()):
        raise InputError(f"{path} holds something other than arrays of numbers.", _FIX)
    return {name: a.astype(np.float64) for name, a in found.items()}


def read_arrays(path: str | Path, names: Sequence[str]) -> dict[str, FloatArray]:
    """The arrays of an .npz that have one of these names, as float64; raises InputError for damaged files."""
    head = read_head(path)
    try:
        with head.path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            found: dict[str, Any] = {name: file[name] for name in names if name in file.files}
        return {name: array.astype(np.float64, casting="same_kind") for name, array in found.items()}
    except Exception as error:  # numpy and zipfile raise whatever a damaged file leads to
        raise InputError(f"{path} cannot be read as .npz: {error}.", "Fetch the file again.") from error
