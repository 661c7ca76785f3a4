"""MoBind on the clips that the universal model learns from, for as many pairs: a rival in the benchmark of zero-shot.

Made-up movement is the universal model's own and is not among them. Clips are recorded as often as it takes to come to
hours, in another order and by another camera and other sensors each time.
What MoBind sees is fixed: 2 s, a right wrist and a right thigh at UTD-MHAD's rates, either of which may be missing. Its
sizes are those of the study on two cores, since the paper's would train for days there; so are rate and temperature.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from kinebind.bench.mobind_data import UTD_CONTRACT
from kinebind.bench.mobind_runs import SMALL_WIDTHS, recipe_of
from kinebind.bench.mobind_takes import SPARE_S, TAKE_S, Files, stretches
from kinebind.bench.scenes import Source, filmed, motion_sources, present_sites, validation_sources, worn
from kinebind.clock import ClockMap, FloatArray
from kinebind.errors import InputError
from kinebind.imu import Imu
from kinebind.nn.channels import imu_array, pose_array
from kinebind.nn.contract import Contract
from kinebind.nn.model import Model, fill_unseen
from kinebind.poses import Poses
from kinebind.recording import Recording
from kinebind.tasks.binder import shipped_once
from kinebind.training.loop import train
from kinebind.training.models import load_model
from kinebind.training.recipe import Recipe
from kinebind.training.store import WindowStore, open_store, store_from_recordings
from kinebind.training.takes import Float32, Take, take_from_recording
from kinebind.training.windows import split_windows

STRIDE_S = 0.5
HOP_S = 1.0
"""From window to window of what is longer than one: their cosines are averaged."""
_LEAST_SHARE = 0.8  # of a window that must have been measured
_ROW = "normal"
_CHAIN_FILES = 60
LEAST_S = 4 * 3600.0
"""Of recordings to train on. Little motion is simulated time and again until there are as many, since the universal
model does not see the same recording twice either."""


def rival(data: Path, work: Path, minutes: float | None = None) -> Model | None:
    """MoBind trained on the sources of the shipped weights, for as many pairs; see `trained`."""
    about = shipped_once().about
    return trained(data, work, tuple(about["data"]), float(about["training"]["pairs"]), minutes)


def trained(data: Path, work: Path, sources: Sequence[str], pairs: float, minutes: float | None = None) -> Model | None:
    """MoBind trained on `pairs` of a sensor and a limb, in a folder in which it goes on where it stopped.

    sources: sets of motion to learn from. None where it is not finished within `minutes`.
    """
    folder = work / "-".join(("mobind", *sources))
    store = _store(data, sources, folder / "store")
    recipe = mobind_recipe(pairs, store)
    outcome = train(recipe, recipe.build(), store, folder / "run", max_minutes=minutes)
    return load_model(outcome.best) if outcome.finished else None


def mobind_recipe(pairs: float, store: WindowStore) -> Recipe:
    """As many epochs over a store as come to `pairs`, a window holding a pair for each part."""
    tables: dict[str, dict[str, Any]] = {
        "contract": UTD_CONTRACT.to_dict(),
        "model": {"name": "mobind", **SMALL_WIDTHS, "temperature": 0.2, "sensor_dropout": 1},
        "loss": {},
        "train": {"batch_size": 48, "learning_rate": 1e-3, "precision": "fp32", "min_gain": 0.0},
        "data": {
            "stride_s": STRIDE_S, "random_phase": True, "group": "split", "train": ["train"], "val": ["val"],
        },
    }  # fmt: skip
    recipe = recipe_of("mobind", tables)
    windows = len(split_windows(store, recipe.contract, recipe.data, "train"))
    epochs = max(1, round(pairs / (windows * len(UTD_CONTRACT.parts))))
    return recipe.changed({"train.max_epochs": epochs, "train.patience_epochs": epochs})


def _store(data: Path, sources: Sequence[str], folder: Path) -> WindowStore:
    """The store of windows, made where it is not there yet."""
    if not (folder / "index.json").exists():
        store_from_recordings(_takes(data, sources), UTD_CONTRACT, folder)
    return open_store(folder, UTD_CONTRACT)


def _takes(data: Path, sources: Sequence[str]) -> Iterator[Take]:
    seconds = 0.0
    for again in itertools.count():
        before_s = seconds
        for s, source in enumerate(motion_sources(data, sources)):
            for take in simulated_takes(source, "train", (221, s, again)):
                seconds += take.pose.shape[-1] / UTD_CONTRACT.pose_rate_hz
                yield take
        if seconds >= LEAST_S or seconds == before_s:
            break
    for s, source in enumerate(validation_sources(data)):
        yield from simulated_takes(source, "val", (222, s))


def simulated_takes(source: Source, split: str, seed: tuple[int, ...]) -> Iterator[Take]:
    """All motion of a source, chained and cut, each stretch with a camera and sensors of its own."""
    for g, group in enumerate(source.groups):
        order = np.random.default_rng([*seed, g]).permutation(len(group))
        for c in range(0, len(group), _CHAIN_FILES):
            rng = np.random.default_rng([*seed, g, c])
            own = tuple(group[i] for i in order[c : c + _CHAIN_FILES])
            for k, body in enumerate(stretches(Files(source, own), rng, TAKE_S)):
                span_s = float(body.motion.time_s[-1]) - 2 * SPARE_S
                sites = present_sites(body, UTD_CONTRACT.parts)
                imus = worn(
                    body, sites, _ROW, rng, clocks=[ClockMap(0.0)], video_start_s=SPARE_S, start_s=SPARE_S,
                    duration_s=span_s,
                )  # fmt: skip
                poses = filmed(body, _ROW, rng, start_s=SPARE_S, duration_s=span_s)
                name = f"{source.name}-{'-'.join(map(str, (*seed, g, c, k)))}"
                recording = Recording((poses,), imus, name=name, meta={"split": split})
                yield take_from_recording(recording, UTD_CONTRACT)


class MobindMatcher:
    """Matches by the mean cosine of MoBind's local vectors of a place, over windows that both streams have.

    Streams are on one clock: MoBind has no score at lags other than zero. Raises InputError where it is asked for one,
    and for a place that it has not learnt.
    """

    name = "mobind"

    def __init__(self, model: Model) -> None:
        self.model = model.eval()
        self.contract: Contract = model.contract

    def felt(self, imu: Imu) -> dict[int, FloatArray]:
        """Unit vectors of a sensor's windows, by which second they begin at; the sensor's site must be known."""
        c = self.contract
        n = self._part(imu.site or "nobody knows where")
        rows, found = [], []
        for k in _begins(imu.time_s, c.window_s):
            grid_s = k * HOP_S + np.arange(c.imu_samples) / c.imu_rate_hz
            new = imu.resample(grid_s)
            channels = imu_array(c, new.acc_sensor, new.gyr_sensor, new.rot_world_from_sensor)
            there = np.isfinite(channels).all(axis=0)
            if there.mean() >= _LEAST_SHARE:
                at = np.flatnonzero(there)
                stack = np.zeros((len(c.parts), *channels.shape), dtype=np.float32)
                stack[n] = [np.interp(np.arange(there.size), at, own[at]) for own in channels]
                rows.append(k)
                found.append(stack)
        if not rows:
            return {}
        mask = torch.zeros(len(rows), len(c.parts), dtype=torch.bool)
        mask[:, n] = True
        with torch.inference_mode():
            local = self.model.embed_imu(torch.from_numpy(np.stack(found)), mask).local
        return self._by_window(rows, local, n)

    def seen(self, poses: Poses, site: str) -> dict[int, FloatArray]:
        """The same of a person's limb."""
        c = self.contract
        n = self._part(site)
        rows, found, masks = [], [], []
        for k in _begins(poses.time_s, c.window_s):
            grid_s = k * HOP_S + np.arange(c.pose_samples) / c.pose_rate_hz
            pose = pose_array(c, poses.resample(grid_s).keypoints_px, poses.image_size_px)  # (N, 6, T)
            mask = np.asarray(np.isfinite(pose).all(axis=1))
            if mask[n].mean() >= _LEAST_SHARE:
                rows.append(k)
                found.append(np.nan_to_num(pose))
                masks.append(mask)
        if not rows:
            return {}
        mask_all = torch.from_numpy(np.stack(masks))
        pose_all = fill_unseen(torch.from_numpy(np.stack(found)), mask_all)
        with torch.inference_mode():
            local = self.model.embed_pose(pose_all, mask_all).local
        return self._by_window(rows, local, n)

    def scores(
        self, felt: Sequence[dict[int, FloatArray]], seen: Sequence[dict[int, FloatArray]], lags_s: FloatArray
    ) -> FloatArray:
        """Mean cosines (N, M, 1); 0 where no window is in both."""
        if np.any(np.asarray(lags_s) != 0.0):
            raise InputError("MoBind compares streams that are on one clock.", "Ask for lag 0 alone.")
        out = np.zeros((len(felt), len(seen), len(lags_s)))
        for i, x in enumerate(felt):
            for j, y in enumerate(seen):
                shared = x.keys() & y.keys()
                if shared:
                    out[i, j] = np.mean([x[k] @ y[k] for k in shared])
        return out

    def _part(self, site: str) -> int:
        if site not in self.contract.parts:
            raise InputError(f"This MoBind knows no sensor at: {site}.", f"Use {', '.join(self.contract.parts)}.")
        return self.contract.parts.index(site)

    def _by_window(self, rows: list[int], local: torch.Tensor | None, n: int) -> dict[int, FloatArray]:
        assert local is not None, "MoBind has a vector for each part"
        own: Float32 = local[:, n].numpy()
        length = np.maximum(np.linalg.norm(own, axis=1, keepdims=True), 1e-9)
        return dict(zip(rows, np.asarray(own / length, dtype=np.float64), strict=True))


def _begins(time_s: FloatArray, window_s: float) -> range:
    """Numbers k of the windows that begin at k · HOP_S and lie inside a stream but for what a window may lack."""
    spare_s = (1.0 - _LEAST_SHARE) * window_s
    first = int(np.ceil((time_s[0] - spare_s) / HOP_S))
    last = int(np.floor((time_s[-1] + spare_s - window_s) / HOP_S))
    return range(first, last + 1)
