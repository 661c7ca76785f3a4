"""`kinebind embed`: sensors and people as the universal model's tokens."""

from __future__ import annotations

import json as json_module
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from kinebind.cli import options
from kinebind.cli.console import Screen
from kinebind.cli.inputs import gather, people_of
from kinebind.cli.job_files import job_named
from kinebind.cli.model_options import UniversalModel, binder_by
from kinebind.cli.settings import Settings
from kinebind.errors import InputError
from kinebind.output.folder import check_out, folder_written_whole
from kinebind.poses import Poses
from kinebind.recording import Recording

if TYPE_CHECKING:
    from kinebind.tasks.binder import Binder, Embedding

INDEX = "embed.json"
_OWN_FILE = re.compile(r"(imu|pose)-[\w-]*\.npz")


@options.takes("person", *options.FILES)
def embed(
    files: Annotated[
        list[str],
        typer.Argument(metavar="FILE...", help="POSE and SITE=FILE as in kinebind sync, or a recording.toml."),
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="The folder to write.")],
    sites: Annotated[
        str | None, typer.Option(metavar="SITE,...", help="Limbs of the poses; by default where the sensors are.")
    ] = None,
    model: UniversalModel = None,
    *,
    settings: Settings,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> int:
    """Write a token every 0.1 s of each sensor and each limb, an .npz a stream (docs/models.md).

    Of poses the limbs are those where sensors are worn, or all where none is known; --sites names others.
    """
    screen = Screen(json=json, quiet=quiet)
    check_out(out)
    job = job_named(files, settings)
    with screen.busy(f"Reading {job.name}"):
        recording = gather(job)
    people = people_of(recording, job.settings.person)
    if not recording.imus and not people:
        raise InputError(f"{job.name} holds no sensor and no person.", "Name poses, or sensors as SITE=FILE.")
    with screen.logging():
        binder = binder_by(model)
    rows: list[dict[str, Any]] = []
    with folder_written_whole(out, outdated=_earlier(out / INDEX)) as part:
        check = job.settings.check is not False
        with screen.busy("Embedding"):
            for kind, embedding in _embedded(binder, recording, people, sites, check):
                rows.append(_written(kind, embedding, part, [row["file"] for row in rows]))
        told = {
            "format": "kinebind-embed-1", "name": recording.name, "licence": binder.licence,
            "token_s": binder.contract.token_s, "streams": rows,
        }  # fmt: skip
        (part / INDEX).write_text(json_module.dumps(told, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    for row in rows:
        screen.show(f"{out / row['file']}: {row['tokens']} tokens, {100 * row['there']:.0f} % measured")
        for note in row["notes"]:
            screen.note(f"  {note}")
    screen.answer(told | {"out": str(out)})
    return 0


def _embedded(
    binder: Binder, recording: Recording, people: Sequence[Poses], sites: str | None, check: bool
) -> Iterator[tuple[str, Embedding]]:  # fmt: skip
    """Each stream's kind and tokens, sensors first."""
    worn = list(dict.fromkeys(imu.site for imu in recording.imus if imu.site is not None))
    limbs = [binder.contract.check_site(site) for site in sites.split(",")] if sites else worn or binder.contract.sites
    for imu in recording.imus:
        yield "imu", binder.embed_imu(imu, check=check)
    for person in people:
        for site in dict.fromkeys(limbs):
            yield "pose", binder.embed_pose(person, site, check=check)


def _written(kind: str, e: Embedding, folder: Path, taken: Sequence[str]) -> dict[str, Any]:
    """Write a stream's file and return what the index says of it."""
    name = _file_name(f"{kind}-{e.name}" if kind == "imu" else f"{kind}-{e.name}-{e.site}", taken)
    np.savez_compressed(
        folder / name, time_s=e.time_s, tokens=e.tokens, there=e.there, site=np.array(e.site or ""),
        name=np.array(e.name),
    )  # fmt: skip
    return {
        "file": name, "kind": kind, "name": e.name, "site": e.site, "tokens": len(e.tokens),
        "width": int(e.tokens.shape[1]), "start_s": float(e.time_s[0]), "there": float(e.there.mean()),
        "notes": list(e.notes),
    }  # fmt: skip


def _file_name(stem: str, taken: Sequence[str]) -> str:
    """A name that every system takes, and that no other file, also in other letters' case, has."""
    plain = re.sub(r"[^\w-]+", "_", stem, flags=re.ASCII)
    lower = {name.lower() for name in taken}
    candidates = (f"{plain}{'' if k == 1 else f'-{k}'}.npz" for k in range(1, len(lower) + 2))
    return next(c for c in candidates if c.lower() not in lower)


def _earlier(index: Path) -> set[str]:
    """Files that an earlier run wrote, as its index lists them."""
    try:
        listed = [row["file"] for row in json_module.loads(index.read_text(encoding="utf-8"))["streams"]]
    except (OSError, ValueError, KeyError, TypeError):
        return set()
    return {name for name in listed if isinstance(name, str) and _OWN_FILE.fullmatch(name)}
