"""A universal model with few, random weights: enough for mechanics."""

from __future__ import annotations

import torch

from kinebind.nn.universal import Universal, UniversalConfig
from kinebind.nn.universal_contract import UniversalContract
from kinebind.tasks.binder import Binder


def binder(seed: int = 0) -> Binder:
    torch.manual_seed(seed)
    config = UniversalConfig(width=16, stem=8, blocks=1, heads=2, token=8)
    return Binder(Universal(config), UniversalContract(), {"name": "tiny", "seed": seed})
