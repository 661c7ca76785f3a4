"""A training's averaged weights as the file that comes with Kinebind:

    python -m kinebind.training.ship runs/universal/state.pt --corpus train.kbcorpus

What they were made from is written into the file, and nothing else about them is kept anywhere.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import kinebind
from kinebind.errors import InputError
from kinebind.nn.universal import Universal, UniversalConfig
from kinebind.nn.universal_file import save_universal
from kinebind.training.corpus_file import described, read_index

SHIPPED = Path(kinebind.__file__).parent / "weights" / "universal.safetensors"
LARGEST_BYTES = 20_000_000
LICENCES = {
    "CC BY-NC 4.0": "https://creativecommons.org/licenses/by-nc/4.0/",
    "CC BY 4.0": "https://creativecommons.org/licenses/by/4.0/",
}
"""What weights may be under, by what they were trained on, and where it stands."""


def ship(
    state: str | Path,
    out: str | Path = SHIPPED,
    *,
    corpus: str | Path | None = None,
    commit: str = "",
    provisional: bool = False,
) -> Path:
    """Write the averaged model of a training's state.pt as a universal model's file; returns its path.

    corpus: the one that it was trained on, of which sets, hours and terms are told. commit: of the training's code; by
    default that of the working copy. provisional: whether better weights are to replace these.
    Raises InputError where a file is missing or of another kind, or the result would be too large to ship.
    """
    found = _state(Path(state))
    weights: Mapping[str, Tensor] = found["mean"]
    model = Universal(config_of(weights))
    model.load_state_dict(dict(weights))
    if any(not bool(torch.isfinite(p).all()) for p in model.parameters()):
        raise InputError(f"{state} holds weights that are not finite.", "Take an earlier one.")
    size = sum(4 * p.numel() for p in model.parameters())
    if size > LARGEST_BYTES:
        raise InputError(
            f"The model has {size / 1e6:.1f} MB; {LARGEST_BYTES / 1e6:g} may ship.", "Train a smaller one."
        )
    save_universal(model, out, _about(found, corpus, commit or _commit(), provisional))
    return Path(out)


def config_of(weights: Mapping[str, Tensor]) -> UniversalConfig:
    """The sizes of the model that weights belong to; raises InputError where they are no universal model's."""
    try:
        return UniversalConfig(
            width=weights["felt.norm.weight"].shape[0], stem=weights["felt.enter.weight"].shape[0],
            blocks=len({name.split(".")[2] for name in weights if name.startswith("felt.blocks.")}),
            heads=weights["felt.blocks.0.distance"].shape[0], token=weights["felt_token.weight"].shape[0],
            text=len(weights.get("sentence_mean", ())),
        )  # fmt: skip
    except KeyError as error:
        raise InputError(
            f"These weights are no universal model's: {error} is missing.", "Name its state.pt."
        ) from error


def _state(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise InputError(f"There is no file {path}.", "Name the state.pt in a training's folder.")
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever torch makes of a damaged file
        raise InputError(f"{path} is not a training's state ({error}).", "Name the state.pt in its folder.") from error
    if not isinstance(found, dict) or "mean" not in found:
        raise InputError(f"{path} is not the universal model's training.", "Name the state.pt in its folder.")
    return found


def _about(found: Mapping[str, Any], corpus: str | Path | None, commit: str, provisional: bool) -> dict[str, Any]:
    about: dict[str, Any] = {
        "name": "universal", "provisional": provisional, "kinebind": kinebind.__version__, "commit": commit,
        "figures": "results/zero_shot.json",
        "training": {
            "steps": int(_all_told(found, "step")), "pairs": int(_all_told(found, "pairs")),
            "minutes": round(_all_told(found, "seconds") / 60.0, 1),
        },
    }  # fmt: skip
    terms = ["CC BY-NC"]  # of motion that nobody names, the strictest
    if corpus is not None:
        told = described(read_index(corpus))
        about["data"] = {
            name: {"clips": own["clips"], "hours": round(own["hours"], 3), "terms": own["terms"]}
            for name, own in told["sources"].items()
        }
        terms = [own["terms"] for own in told["sources"].values()]
    about["licence"] = licence_for(terms)
    return about | {"licence_url": LICENCES[about["licence"]]}


def _all_told(found: Mapping[str, Any], key: str) -> float:
    """A count of a training, with that of the one it began with."""
    return float(found.get(key, 0.0)) + float(found.get("before", {}).get(key, 0.0))


def licence_for(terms: Sequence[str]) -> str:
    """The licence of weights that were trained on sets of these terms: free only where every set is known to be.

    >>> licence_for(["CC BY-NC 4.0", "Free for all uses."]), licence_for(["Free for all uses."])
    ('CC BY-NC 4.0', 'CC BY 4.0')
    """
    free = all("-NC" not in t and re.search(r"(?i)\bfree\b|CC0|CC BY \d", t) for t in terms)
    return "CC BY 4.0" if free and terms else "CC BY-NC 4.0"


def _commit() -> str:
    """The working copy's commit, with "+" where files of it were changed; "" where there is none."""
    here = Path(__file__).parent
    try:
        told = [
            subprocess.run(["git", *words], cwd=here, capture_output=True, text=True, check=False).stdout.strip()
            for words in (("rev-parse", "HEAD"), ("status", "--porcelain", "--untracked-files=no"))
        ]
    except OSError:  # no git
        return ""
    return f"{told[0]}+" if told[0] and told[1] else told[0]


def main() -> int:
    """The program that replaces the shipped weights."""
    parser = argparse.ArgumentParser(description="Ship a training's averaged weights with Kinebind.")
    parser.add_argument("state", type=Path, help="state.pt of the training")
    parser.add_argument("--corpus", type=Path, help="the corpus that it was trained on")
    parser.add_argument("--out", type=Path, default=SHIPPED)
    parser.add_argument("--commit", default="", help="of the code that trained it; by default the working copy's")
    parser.add_argument("--provisional", action="store_true", help="better weights are to replace these")
    given = parser.parse_args()
    try:
        path = ship(given.state, given.out, corpus=given.corpus, commit=given.commit, provisional=given.provisional)
    except InputError as error:
        print(f"error: {error.what}\nfix: {error.fix}", file=sys.stderr)
        return 2
    print(f"{path}: {path.stat().st_size / 1e6:.2f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
