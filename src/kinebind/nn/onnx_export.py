"""The universal model as ONNX: an encoder a file, for any number of streams of any length, and what goes into them.

- `felt.onnx`, `seen.onnx`: float32. In: `channels` (B, C, S) float32 at RATE_HZ, `site` (B,) int64. Out: `tokens`
  (B, S // 5, D), of `seen` also `told` (B, 3, S).
- `felt.int8.onnx`, `seen.int8.onnx`: the same with the weights of matrix products in eight bits.
- `contract.json`: the contract, the sizes, where the weights come from, and every file's checksum.

Attention makes tables of T × T: long streams are given in pieces, as `kinebind.nn.chunked` does it.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import logging
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from kinebind._cache import sha256_of
from kinebind.errors import InputError
from kinebind.nn.felt_channels import FELT_CHANNELS
from kinebind.nn.seen_channels import SEEN_CHANNELS
from kinebind.nn.universal import UNKNOWN_SITE, Universal
from kinebind.nn.universal_contract import UniversalContract
from kinebind.store import written_whole

FORMAT = "kinebind-onnx-1"
CONTRACT_FILE = "contract.json"
ENCODERS = {"felt": (FELT_CHANNELS, ["tokens"]), "seen": (SEEN_CHANNELS, ["tokens", "told"])}
"""Channels that go into each encoder, and the names of what comes out."""
_EXAMPLE = (2, 103)  # streams and samples that the export looks at; both stay free


class _Felt(nn.Module):
    def __init__(self, model: Universal) -> None:
        super().__init__()
        self.model = model

    def forward(self, channels: Tensor, site: Tensor) -> Tensor:
        return self.model.embed_felt(channels, site)


class _Seen(nn.Module):
    def __init__(self, model: Universal) -> None:
        super().__init__()
        self.model = model

    def forward(self, channels: Tensor, site: Tensor) -> tuple[Tensor, Tensor]:
        return self.model.embed_seen(channels, site)


def needs_onnx(*packages: str) -> None:
    """Raises InputError that says how to install them unless all packages are there."""
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    if missing:
        raise InputError(
            f"ONNX needs the package {missing[0]}, which is not installed.", "pip install 'kinebind[onnx]'"
        )


def onnx_files(int8: bool) -> tuple[str, ...]:
    """Names of the files of an export, the contract last."""
    kinds = (".onnx", ".int8.onnx") if int8 else (".onnx",)
    return (*(f"{name}{kind}" for kind in kinds for name in ENCODERS), CONTRACT_FILE)


def export_onnx(
    model: Universal, contract: UniversalContract, about: Mapping[str, Any], folder: str | Path, *, int8: bool = False
) -> tuple[Path, ...]:
    """Write a model as ONNX into a folder that exists; returns the files' paths, `contract.json` last.

    int8: also the encoders with eight-bit weights, one scale a column; activations are scaled while they run.
    Each file is written whole or not at all. Raises InputError where a package is missing or the place cannot be
    written.
    """
    needs_onnx("onnx", "onnxscript", *(("onnxruntime",) if int8 else ()))
    target = Path(folder)
    was_training = model.training
    model.eval()
    try:
        for name, encoder in (("felt", _Felt(model)), ("seen", _Seen(model))):
            with written_whole(target / f"{name}.onnx") as part:
                _export(encoder.eval(), name, part)
    finally:
        model.train(was_training)
    if int8:
        for name in ENCODERS:
            with written_whole(target / f"{name}.int8.onnx") as part:
                _quantise(target / f"{name}.onnx", part)
    files = onnx_files(int8)
    told = {
        "format": FORMAT, "config": model.settings(), "contract": contract.to_dict(), "about": dict(about),
        "unknown_site": UNKNOWN_SITE,
        "inputs": {name: {"channels": ["B", count, "S"], "site": ["B"]} for name, (count, _) in ENCODERS.items()},
        "outputs": {name: outputs for name, (_, outputs) in ENCODERS.items()},
        "sha256": {name: sha256_of(target / name) for name in files[:-1]},
    }  # fmt: skip
    with written_whole(target / CONTRACT_FILE) as part:
        part.write_text(json.dumps(told, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return tuple(target / name for name in files)


def _export(encoder: nn.Module, name: str, path: Path) -> None:
    channels, outputs = ENCODERS[name]
    batch, samples = _EXAMPLE
    draw = torch.Generator().manual_seed(0)
    example = torch.randn(batch, channels, samples, generator=draw), torch.arange(batch)
    free = torch.export.Dim.DYNAMIC
    with _torch_silent():
        program = torch.onnx.export(
            encoder, example, dynamo=True, verbose=False, input_names=["channels", "site"], output_names=outputs,
            dynamic_shapes=({0: free, 2: free}, {0: free}), external_data=False,
        )  # fmt: skip
        assert program is not None
        program.save(path)


def _quantise(source: Path, path: Path) -> None:
    from onnxruntime.quantization import QuantType, quant_pre_process, quantize_dynamic

    with tempfile.TemporaryDirectory() as folder, _torch_silent():
        ready = Path(folder) / "ready.onnx"
        quant_pre_process(source, ready, skip_symbolic_shape=True)
        # Convolutions stay as they are: they look at the channels themselves, and are a small part of the work.
        quantize_dynamic(
            ready, path, op_types_to_quantize=["MatMul"], per_channel=True, weight_type=QuantType.QInt8
        )  # fmt: skip


@contextlib.contextmanager
def _torch_silent() -> Iterator[None]:
    """Without the exporter's own deprecations and its remarks on packages that are not needed."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
