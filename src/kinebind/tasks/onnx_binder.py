"""The universal model run by onnxruntime, from the folder that `kinebind export` wrote."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from kinebind._cache import sha256_of
from kinebind.errors import InputError
from kinebind.nn.contract import settings_from
from kinebind.nn.onnx_export import CONTRACT_FILE, ENCODERS, FORMAT, needs_onnx
from kinebind.nn.universal import UniversalConfig
from kinebind.nn.universal_file import contract_of
from kinebind.tasks.binder import Binder, told

_AGAIN = "Export it again (kinebind export)."


class OnnxEncoders:
    """Both encoders, run by onnxruntime on the CPU; stands where `kinebind.nn.universal.Universal` stands."""

    def __init__(self, paths: Mapping[str, Path], config: UniversalConfig, threads: int) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3  # errors alone
        self._config = config
        self._sessions = {
            name: onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
            for name, path in paths.items()
        }

    @property
    def config(self) -> UniversalConfig:
        """The sizes of the model."""
        return self._config

    def embed_felt(self, channels: Tensor, site: Tensor) -> Tensor:
        """Tokens (B, T, D) of channels (B, FELT_CHANNELS, S) of sensors at site (B,)."""
        return self._run("felt", channels, site)[0]

    def embed_seen(self, channels: Tensor, site: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens (B, T, D) of channels (B, SEEN_CHANNELS, S), and what a sensor would feel (B, FELT_TOLD, S)."""
        tokens, says = self._run("seen", channels, site)
        return tokens, says

    def _run(self, name: str, channels: Tensor, site: Tensor) -> list[Tensor]:
        given = {"channels": channels.float().contiguous().numpy(), "site": site.numpy()}
        return [torch.from_numpy(out) for out in self._sessions[name].run(ENCODERS[name][1], given)]


def is_export(folder: str | Path) -> bool:
    """Whether a folder looks like one that `kinebind export` wrote."""
    return (Path(folder) / CONTRACT_FILE).is_file()


def load_onnx(folder: str | Path, *, int8: bool = False, threads: int | None = None) -> Binder:
    """The universal model of a folder that `kinebind export` wrote, with the same methods as the one run by torch.

    int8: the encoders with eight-bit weights. threads: by default as many as torch uses. The files' checksums are
    verified. Raises InputError where onnxruntime is not installed, or files are missing, damaged or of another version.
    """
    needs_onnx("onnxruntime")
    place = Path(folder)
    head = _head(place / CONTRACT_FILE)
    names = {name: f"{name}{'.int8' if int8 else ''}.onnx" for name in ENCODERS}
    try:
        config = settings_from(UniversalConfig, head["config"], "config")
        contract = contract_of(head["contract"], str(place / CONTRACT_FILE))
        sums, about = dict(head["sha256"]), dict(head["about"])
    except (KeyError, TypeError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{place / CONTRACT_FILE} lacks a part ({error}).", _AGAIN) from error
    for name in names.values():
        if name not in sums:
            raise InputError(f"{place} holds no {name}.", "Export it again with --int8.")
        if not (place / name).is_file():
            raise InputError(f"There is no file {place / name}.", _AGAIN)
        if sha256_of(place / name) != sums[name]:
            raise InputError(f"{place / name} is damaged: its checksum is not that of the export.", _AGAIN)
    encoders = OnnxEncoders(
        {name: place / file for name, file in names.items()}, config, threads or torch.get_num_threads()
    )
    return told(Binder(encoders, contract, about, str(about.get("card", ""))))


def _head(path: Path) -> dict[str, Any]:
    try:
        head = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(f"{path.parent} holds no {CONTRACT_FILE}.", "Name a folder of kinebind export.") from error
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path} cannot be read ({error}).", _AGAIN) from error
    if not isinstance(head, dict) or head.get("format") != FORMAT:
        raise InputError(f"{path} is not of the format {FORMAT}.", _AGAIN)
    return head
