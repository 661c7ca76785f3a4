"""Where half the bits do: the machines on which bfloat16 is quick."""

from __future__ import annotations

import contextlib
from typing import Any

import torch


def bf16_where_quick(device: torch.device) -> contextlib.AbstractContextManager[Any]:
    """Autocast to bfloat16 on a GPU and on processors with tiles for it (AMX); anywhere else nothing changes.

    Other processors only emulate it, slower than float32.
    """
    return torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda" or _has_tiles())


def _has_tiles() -> bool:
    asked = getattr(torch.cpu, "_is_amx_tile_supported", None)  # torch before 2.6 cannot tell
    return bool(asked and asked())
