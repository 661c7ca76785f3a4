"""Checkpoints of MoBind's authors: state dicts of their first and second stage, by names and shapes.

They are pickles, of which only plain tensors are read (`weights_only`); anything else in them is refused unread.
They do not say what their input was: that is the contract of the recipe that is named beside them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from kinebind.errors import InputError
from kinebind.nn.contract import Contract
from kinebind.nn.mobind import LossConfig, MoBind
from kinebind.nn.weights import fill

_OURS_TO_THEIRS = (
    (r"(imu|motion)_aggregator\.norm\.", r"\1_norm."),
    (r"(imu|motion)_aggregator\.proj\.", r"\1_agg_proj."),
    (r"masked_tokens\.", ""),
)
_STAGE1 = re.compile(r"logit_scale$|imu_encoder\.|motion_encoder\.")


def release_name(name: str) -> str:
    """What the release calls a tensor of `MoBind`.

    >>> release_name("imu_aggregator.proj.0.weight"), release_name("masked_tokens.mask_token")
    ('imu_agg_proj.0.weight', 'mask_token')
    """
    for ours, theirs in _OURS_TO_THEIRS:
        name = re.sub(f"^{ours}", theirs, name)
    return name


def load_release(path: str | Path, contract: Contract | None) -> MoBind:
    """The authors' model of either stage; which one, the names tell.

    contract: what the data are; its parts, channels and rates decide the shapes. Raises InputError where it is not
    given, or the file is damaged, holds more than tensors, or has other tensors than that contract's model.
    """
    state = _read(path)
    if contract is None:
        raise InputError(
            f"{path} does not say what its input was: rates, parts, channels and units.",
            "Name the recipe that it belongs to, such as mobind-mri-stage2.",
        )
    first_stage = all(_STAGE1.match(name) for name in state)
    model = MoBind(contract, losses=LossConfig.stage1() if first_stage else LossConfig.stage2())
    fill(model, state, str(path), release_name)
    return model


def _read(path: str | Path) -> dict[str, Tensor]:
    try:
        content: Any = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged pickle can raise nearly anything
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise InputError(
            f"{path} was refused: it is damaged, or holds more than tensors ({reason})",
            "Get the file again from its authors.",
        ) from error
    state = dict(content) if isinstance(content, Mapping) else {}
    if not state or not all(isinstance(k, str) and isinstance(v, Tensor) for k, v in state.items()):
        raise InputError(f"{path} is not a state dict: a table of tensors by name.", "Save model.state_dict() alone.")
    return state
