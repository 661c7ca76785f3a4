"""A model from its name and a recipe's tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kinebind.errors import InputError
from kinebind.nn.contract import Contract, settings_from
from kinebind.nn.despite import Despite, DespiteConfig
from kinebind.nn.imu2clip import Imu2Clip, Imu2ClipConfig
from kinebind.nn.mobind import LossConfig, MoBind, ModelConfig
from kinebind.nn.model import Model
from kinebind.nn.multi3net import Multi3Net, Multi3NetConfig, Multi3NetLoss
from kinebind.nn.syncnet import SyncNet, SyncNetConfig
from kinebind.nn.two_stream import TwoStream

_BASELINES: dict[str, tuple[type[TwoStream], type[Any]]] = {
    "imu2clip": (Imu2Clip, Imu2ClipConfig),
    "despite": (Despite, DespiteConfig),
    "syncnet": (SyncNet, SyncNetConfig),
}
MODELS: tuple[str, ...] = ("mobind", "multi3net", *_BASELINES)
"""Names that `build` knows."""


def build(
    name: str, contract: Contract, model: Mapping[str, Any] | None = None, loss: Mapping[str, Any] | None = None
) -> Model:
    """A freshly initialised model (from torch's global random state).

    name: one of MODELS. model, loss: fields of the model's settings that differ from their defaults, as a recipe's
    tables of these names. Raises InputError for an unknown name, unknown keys, or settings that contradict.
    """
    if name == "mobind":
        config = settings_from(ModelConfig, model or {}, "model")
        return MoBind(contract, config, settings_from(LossConfig, loss or {}, "loss"))
    if name == "multi3net":
        settings = settings_from(Multi3NetConfig, model or {}, "model")
        return Multi3Net(contract, settings, settings_from(Multi3NetLoss, loss or {}, "loss"))
    if name not in _BASELINES:
        raise InputError(f"There is no model '{name}'.", f"Use one of: {', '.join(MODELS)}.")
    if loss:
        raise InputError(f"[loss] has {', '.join(loss)}, but {name} has one loss.", "Remove the table.")
    kind, own = _BASELINES[name]
    baseline: Model = kind(contract, settings_from(own, model or {}, "model"))  # type: ignore[call-arg]
    return baseline
