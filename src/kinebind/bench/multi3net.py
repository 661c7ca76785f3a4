"""Multi3Net+ at a size for two cores, judged: its pairs, its series, and few labels of a real wrist sensor.

`kinebind bench multi3net`: trained on the sets of motion that are there to train, all for the same number of steps; the
last weights are judged. Pairs and series are judged on the sets that validate, with `--final` on those that test; the
labels are UTD-MHAD's 21 wrist actions, subjects 1, 3 and 5 (2 of each action, and all), asked of subject 7, with
`--final` of 2, 4, 6 and 8. Plain keys are the whole recipe's. Behind a key: `_paper` embeds samples alone and shows
nothing of what is hidden; `_no_text`, `_no_pose2imu`, `_no_reconstruct` leave a task out, `_contrast` leaves both
series out, `_scratch` is the network without pretraining, `_frozen` its encoder left as it is, `_experts_N` other
numbers of experts than four. Intervals of labels are over seeds, the others over windows. A training goes on in its
folder where it was stopped.
"""

from __future__ import annotations

import collections
import logging
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from kinebind.bench.har_data import LOOKS, UTD_WRIST, few, utd_split
from kinebind.bench.measured import Cases, Measured, figures
from kinebind.bench.multi3net_head import WristRecogniser, series_r, with_norms
from kinebind.bench.processes import WORKERS, parallel, workers
from kinebind.nn import save
from kinebind.nn.multi3net import Multi3Net, bridged
from kinebind.tasks.recognise.scores import class_scores
from kinebind.training.batches import batches
from kinebind.training.loop import train
from kinebind.training.models import load_model
from kinebind.training.motion_takes import motion_takes
from kinebind.training.recipe import Recipe, load_recipe
from kinebind.training.recognise_tuning import RecogniseTuning, fit, logits_of
from kinebind.training.sources import store_for
from kinebind.training.store import WindowStore, open_store, store_from_recordings
from kinebind.training.windows import Windows, split_windows

log = logging.getLogger(__name__)

RECIPE = "multi3net-plus"
SIZE: Mapping[str, Any] = {
    "model.width": 128, "model.feedforward": 256, "model.dropout": 0.0, "train.batch_size": 64, "train.max_epochs": 3,
    "train.patience_epochs": 3,
}  # fmt: skip
"""What differs from the recipe, so that two cores do it in minutes."""
SMALL: Mapping[str, Any] = {"model.width": 16, "model.heads": 2, "model.feedforward": 16, "train.max_epochs": 1}
VARIANTS: Mapping[str, Mapping[str, Any]] = {
    "": {}, "_paper": {"model.stem_s": 0.0, "model.hidden": "zero"},
    "_no_text": {"model.text": 0}, "_no_pose2imu": {"loss.pose2imu": 0.0},
    "_no_reconstruct": {"loss.reconstruct": 0.0}, "_contrast": {"loss.pose2imu": 0.0, "loss.reconstruct": 0.0},
}  # fmt: skip
SITE = "right_wrist"
SEEDS = 5
EXPERTS = (1, 2, 8)
MOVES_M_S2 = 0.5
"""Wrists whose specific force varies less in length do not move; the rest of what is felt is noise."""
_SERIES = ("pose2imu_r_wrist", "pose2imu_axes_r", "recon_r", "recon_line_r")
_STEPS = {"2shot": 120, "all": 300}


def recipe_of(variant: str, *, small: bool = False) -> Recipe:
    """The recipe of a variant, at the benchmark's size."""
    changes = {**SIZE, **(SMALL if small else {}), **VARIANTS[variant], "name": f"{RECIPE}{variant}"}
    return load_recipe(RECIPE).changed(changes)


def work(data: Path, folder: Path, *, small: bool, minutes: float | None = None) -> list[str]:
    """Go on with the trainings, two at a time; names of those that are left when the minutes are over."""
    end_s = float("inf") if minutes is None else time.time() + 60.0 * minutes
    _store(data, folder)  # is made once, before the processes read it
    go_on = partial(_trained, data, folder, small, end_s)
    if small:
        done = [go_on(variant) for variant in VARIANTS]
    else:
        with workers() as pool:
            done = list(pool.map(go_on, VARIANTS))
    return [recipe_of(variant).name for variant, finished in zip(VARIANTS, done, strict=True) if not finished]


def _trained(data: Path, folder: Path, small: bool, end_s: float, variant: str) -> bool:
    """Train a variant until it is done or a time of the clock has come; whether it is."""
    torch.set_num_threads(1)
    minutes = (end_s - time.time()) / 60.0
    last = _last(folder, variant, small)
    if last.exists():
        return True
    if minutes <= 0.0:
        return False
    recipe = recipe_of(variant, small=small)
    log.info("%s", recipe.name)
    most = None if minutes == float("inf") else minutes
    model = recipe.build()
    if not train(recipe, model, _store(data, folder), last.parent, max_minutes=most).finished:
        return False
    save(model, last)
    return True


def metrics(data: Path, folder: Path, *, final: bool, small: bool) -> dict[str, float]:
    """All figures of trainings that are done, flat."""
    suffix = "_test" if final else "_dev"
    seeds = 1 if small else SEEDS
    out: dict[str, float] = {}
    store = _test_store(data, folder) if final else _store(data, folder)
    for variant in VARIANTS:
        model = load_model(_last(folder, variant, small))
        assert isinstance(model, Multi3Net)
        seen = judged(model, store, "test" if final else "val")
        out |= figures({f"{key}{variant}": own for key, own in seen.items()})
        out |= figures({f"{k}{variant}": own for k, own in labelled(data, model, final, seeds).items()}, suffix)
        if not variant:
            fresh = recipe_of("", small=small).build()
            assert isinstance(fresh, Multi3Net)
            out |= figures({f"{k}_scratch": v for k, v in labelled(data, fresh, final, seeds).items()}, suffix)
            frozen = labelled(data, model, final, seeds, frozen=True)
            out |= figures({f"{k}_frozen": v for k, v in frozen.items()}, suffix)
            for count in EXPERTS:
                some = labelled(data, model, final, seeds, experts=count)
                out |= figures({f"{k}_experts_{count}": v for k, v in some.items()}, suffix)
    return out


def judged(model: Multi3Net, store: WindowStore, split: str) -> Measured:
    """On the windows of a split: `m3_imu_pose_r1` among them, `pose2imu_r_wrist` of the norms of both wrists,
    `pose2imu_axes_r`, `recon_r` of what was hidden, and `recon_line_r` of straight lines in its place; plain of windows
    in which the wrists move, `_all` of all, and behind a set's name of those that move in it.
    """
    data = load_recipe(RECIPE).changed({"data.test": ["test"]}).data
    windows = split_windows(store, model.contract, data, split)
    own = _of_windows(model, store, windows)
    moves = own["moves_m_s2"] >= MOVES_M_S2
    source = np.array([store.entries[k].meta["source"] for k in windows.entry[own["window"]]])
    chosen = {"": moves, "_all": np.ones_like(moves)} | {f"_{name}": moves & (source == name) for name in set(source)}
    out: Measured = {}
    for suffix, which in chosen.items():
        if which.any():
            felt, seen = (torch.from_numpy(own[key][which]) for key in ("felt", "seen"))
            out[f"m3_imu_pose_r1{suffix}"] = Cases(hits(felt, seen))
            out |= {f"{key}{suffix}": Cases(own[key][which]) for key in _SERIES if key in own}
        out[f"m3_windows{suffix}"] = Cases(np.array([which.sum()]))
    return out


@torch.inference_mode()
def _of_windows(model: Multi3Net, store: WindowStore, windows: Windows) -> dict[str, np.ndarray]:
    """Of each window that has both wrists and somebody in view: its number, vectors, correlations, and by how much the
    wrists' specific force varies in length, m/s², one SD.
    """
    model.eval()
    torch.manual_seed(0)
    rows: dict[str, list[np.ndarray]] = collections.defaultdict(list)
    wrists = len(model.at)
    for batch in batches(store, model.contract, windows, 256):
        both = batch.imu_mask[:, model.at].all(dim=1) & batch.pose_mask.flatten(1).any(dim=1)
        some = batch.each(lambda tensor, both=both: tensor[both])  # type: ignore[misc]
        if not len(some):
            continue
        true = some.imu[:, model.at]
        felt, seen = model.embed_imu(some.imu, some.imu_mask).whole, model.embed_pose(some.pose, some.pose_mask).whole
        assert felt is not None
        assert seen is not None
        rows["window"].append(some.clip.numpy())
        rows["felt"].append(felt.numpy())
        rows["seen"].append(seen.numpy())
        rows["moves_m_s2"].append(true[:, :, :3].norm(dim=2).std(dim=-1).mean(dim=1).numpy())
        if len(model.pose2imu):
            told = model.imu_from_pose(some.pose, some.pose_mask)
            norms = with_norms(told.flatten(0, 1)), with_norms(true.flatten(0, 1))
            rows["pose2imu_r_wrist"].append(_mean_r(*norms, wrists))
            rows["pose2imu_axes_r"].append(_mean_r(told.flatten(0, 1), true.flatten(0, 1), wrists))
        if len(model.reconstruct):
            hidden = model.hidden_samples(len(some), some.imu.device)
            told = model.reconstructed(some.imu, hidden)
            for key, series in (("recon_r", told), ("recon_line_r", bridged(true, hidden))):
                rows[key].append(_mean_r(series.flatten(0, 1), true.flatten(0, 1), wrists, hidden.flatten(0, 1)))
    return {key: np.concatenate(parts) for key, parts in rows.items()}


def hits(felt: torch.Tensor, seen: torch.Tensor) -> np.ndarray:
    """(B,) whether each of the vectors (B, D) finds its pair among all, the mean of both directions."""
    scores = functional.normalize(felt, dim=-1) @ functional.normalize(seen, dim=-1).T
    own = torch.arange(len(scores))
    found = (scores.argmax(dim=1) == own).double() + (scores.argmax(dim=0) == own)
    return np.asarray(0.5 * found.numpy())


def labelled(
    data: Path, model: Multi3Net, final: bool, seeds: int, *, frozen: bool = False, experts: int = 4
) -> Measured:
    """`m3_utd_2shot_f1` and `m3_utd_all_f1`: macro F1 of UTD-MHAD's wrist actions, a seed each."""
    asked = [(labels, seed) for labels in _STEPS for seed in range(seeds)]
    found = parallel(partial(_learnt, data, model, final, frozen, experts), asked)
    return {
        f"m3_utd_{labels}_f1": Cases(np.array([f1 for own, f1 in zip(asked, found, strict=True) if own[0] == labels]))
        for labels in _STEPS
    }


def _learnt(data: Path, model: Multi3Net, final: bool, frozen: bool, experts: int, which: tuple[str, int]) -> float:
    """Macro F1 of what the wrist's encoder makes of so many labels, drawn and learnt by a seed."""
    torch.set_num_threads(1)
    labels, seed = which
    split = utd_split(data / "utd-mhad", "published", "inertial", final=final, actions=UTD_WRIST)
    truth = np.array([own.label for own in split.asked])
    known = few(split.known, 2, seed) if labels == "2shot" else list(split.known)
    config = RecogniseTuning(steps=_STEPS[labels], looks=LOOKS["inertial"], frozen=frozen, seed=seed)
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        head = WristRecogniser(model, SITE, UTD_WRIST, experts)
        encoder = list(head.encoder.parameters())
        for p in encoder:
            p.requires_grad_(not frozen)
        tuned = fit(head, encoder, known, UTD_WRIST, config)
    answer = logits_of(tuned, split.asked, config).argmax(dim=1).numpy()
    return float(class_scores(truth, answer, UTD_WRIST).macro_f1)


def _mean_r(told: torch.Tensor, true: torch.Tensor, sensors: int, where: torch.Tensor | None = None) -> np.ndarray:
    """(B,) correlations, the mean over the sensors of a window; told, true (B · K, C, T)."""
    r = series_r(told, true, where).view(-1, sensors).mean(dim=1)
    return np.asarray(r.double().numpy())


def _last(folder: Path, variant: str, small: bool) -> Path:
    """The weights at the end: R@1 among people most of whom stand still would choose others by chance."""
    return folder / f"{'small' if small else 'run'}{variant}" / "last.safetensors"


def _test_store(data: Path, folder: Path) -> WindowStore:
    """The windows of the sets of motion that are there to test."""
    place, recipe = folder / "test-windows", load_recipe(RECIPE)
    if not (place / "index.json").exists():
        takes = motion_takes(data, recipe.contract, recipe.sensor_sites, jobs=WORKERS, test=True)
        store_from_recordings(takes, recipe.contract, place)
    return open_store(place, recipe.contract)


def _store(data: Path, folder: Path) -> WindowStore:
    """The windows, made where they are not there yet."""
    place = folder / "windows"
    recipe = load_recipe(RECIPE)
    if not (place / "index.json").exists():
        store_for(recipe, data, place, jobs=WORKERS)
    return open_store(place, recipe.contract)
