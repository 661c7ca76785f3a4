"""`kinebind search`: where in a folder of recordings a sensor's excerpt is seen, or a clip of poses is felt."""

from __future__ import annotations

import math
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from kinebind.cli import options
from kinebind.cli.console import Screen
from kinebind.cli.inputs import Job, SensorFile, gather, read_sensor, sensor_argument
from kinebind.cli.job_files import is_job_file
from kinebind.cli.model_options import UniversalModel, binder_by
from kinebind.cli.settings import MOTION_SETTINGS, POSE_SETTINGS, SENSOR_SETTINGS, Settings, seconds
from kinebind.errors import InputError
from kinebind.imu import Imu
from kinebind.parts import parse_site
from kinebind.poses import Poses
from kinebind.readers import format_named, sniff
from kinebind.recording import Recording

if TYPE_CHECKING:
    from kinebind.tasks.search import Corpus, Match

_TAKEN = {"imu": SENSOR_SETTINGS, "poses": POSE_SETTINGS, "motion": MOTION_SETTINGS, "recording": ()}


@options.takes("person", *options.FILES)
def search(
    query: Annotated[
        str, typer.Argument(metavar="QUERY", help="A sensor ([SITE=]FILE), poses, a motion, a recording.")
    ],
    corpus: Annotated[Path, typer.Argument(metavar="CORPUS", help="A folder of recordings, poses and sensors.")],
    top: Annotated[int, typer.Option(metavar="N", min=1, help="How many matches.")] = 10,
    site: Annotated[str | None, typer.Option(metavar="SITE", help="Where the sensor is worn, or which limb.")] = None,
    start: Annotated[str | None, typer.Option("--from", metavar="S", help="Where the excerpt starts.")] = None,
    end: Annotated[str | None, typer.Option("--to", metavar="S", help="Where it ends.")] = None,
    sensor: Annotated[str | None, typer.Option(metavar="NAME", help="Which sensor of QUERY.")] = None,
    model: UniversalModel = None,
    *,
    settings: Settings,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> int:
    """Find the stretches of a folder's poses that fit a sensor's excerpt, or of its sensors that fit a clip of poses.

    Every lag of every stream is compared. Tokens are kept in CORPUS/.kinebind-index; what changed is embedded again.
    """
    screen = Screen(json=json, quiet=quiet)
    if not corpus.is_dir():
        raise InputError(f"{corpus} is not a folder.", "Name the folder of the recordings to search.")
    found = _query(query, site, sensor, settings)
    low = seconds(start, "--from") if start is not None else -math.inf
    high = seconds(end, "--to") if end is not None else math.inf
    with screen.logging():
        binder = binder_by(model)
    from kinebind.tasks.search import imu_query, index_corpus, pose_query  # they import torch
    from kinebind.tasks.search import search as look

    if isinstance(found, Imu):
        asked = imu_query(found, binder, low, high)
    else:
        asked = pose_query(found, binder, [parse_site(site)] if site else None, low, high)
    kept = replace(settings, person=None)
    with screen.busy(f"Embedding what is new in {corpus}"):
        index = index_corpus(corpus, binder, lambda path: _file(path, kept), way=repr(sorted(kept.said().items())))
    other = "poses" if isinstance(found, Imu) else "imu"
    if not any((s.kind == "imu") == (other == "imu") for s in index.streams):
        what = "nobody's poses" if other == "poses" else "no sensor"
        fix = " ".join(index.notes) or "Search a folder of files that kinebind inspect knows."
        raise InputError(f"{corpus} holds {what} to search: {_counted(index)}.", fix)
    with screen.busy("Searching"):
        matches = look(asked, index.streams, top)
    _show(matches, other, screen)
    screen.note(f"{_counted(index)}; {index.embedded} of them embedded now.")
    for note in index.notes:
        screen.note(note)
    told_query = {
        "file": query, "kind": "imu" if isinstance(found, Imu) else "poses",
        "name": found.name if isinstance(found, Imu) else found.person,
        "start_s": round(asked.start_s, 3), "end_s": round(asked.start_s + asked.duration_s, 3),
    }  # fmt: skip
    told_index = {k: getattr(index, k) for k in ("files", "embedded", "skipped")} | {"notes": list(index.notes)}
    screen.answer({
        "format": "kinebind-search-1", "query": told_query, "corpus": str(corpus), "index": told_index,
        "matches": [asdict(m) for m in matches],
    })  # fmt: skip
    return 0


def _counted(index: Corpus) -> str:
    return f"{index.files} files with sensors or poses, {index.skipped} others"


def _show(matches: list[Match], other: str, screen: Screen) -> None:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("", "score", "from, s", "to, s"):
        table.add_column(name, justify="right", no_wrap=True)
    for name in ("person" if other == "poses" else "sensor", "site", "file"):
        table.add_column(name, overflow="fold")
    for rank, m in enumerate(matches, 1):
        limb = m.site or (f"{m.query_site}?" if m.query_site else "")
        table.add_row(str(rank), f"{m.score:.3f}", f"{m.start_s:.1f}", f"{m.end_s:.1f}", m.name, limb, m.file)
    screen.show(table if matches else "Nothing is long enough to be compared.")


def _query(word: str, site: str | None, sensor: str | None, settings: Settings) -> Imu | Poses:
    """The stream that is looked for."""
    file = sensor_argument(word)
    own_site = parse_site(site) if site else file.site
    if own_site and file.site and own_site != file.site:
        raise InputError(f"The query's site is called {file.site} and {own_site}.", "Say it once.")
    recording = _file(file.path, settings, file.site)
    if recording is None:
        sniff(file.path)  # which says what it is instead
        raise InputError(f"{file.path} describes a recording.", "Name one of its files.")
    if file.site is not None and not recording.imus:
        raise InputError(f"{file.path} holds no sensor.", "Of poses, name the limb with --site.")
    if sensor is not None and settings.person is not None:
        raise InputError("--sensor and --person name two queries.", "Give one of them.")
    if recording.imus and recording.people and sensor is None and settings.person is None:
        names = ", ".join(i.name for i in recording.imus)
        people = ", ".join(p.person for p in recording.people)
        raise InputError(
            f"{file.path} holds sensors ({names}) and people ({people}).", "Choose with --sensor NAME or --person NAME."
        )
    if settings.person is not None or not recording.imus:
        if sensor is not None:
            raise InputError(f"{file.path} holds no sensor '{sensor}'.", "Leave out --sensor.")
        return _person(recording, settings.person, file.path)
    imu = _sensor(recording, sensor, file.path)
    return imu.replace(site=own_site) if own_site else imu


def _sensor(recording: Recording, name: str | None, path: Path) -> Imu:
    found = [imu for imu in recording.imus if name in (None, imu.name)]
    names = ", ".join(imu.name for imu in recording.imus)
    if not found:
        raise InputError(f"{path} has no sensor '{name}'.", f"It has: {names}.")
    if len(found) > 1:
        raise InputError(f"{path} holds {len(found)} sensors.", f"Choose with --sensor: {names}.")
    return found[0]


def _person(recording: Recording, name: str | None, path: Path) -> Poses:
    if name is not None:
        return recording.person(name)
    if len(recording.people) != 1:
        names = ", ".join(p.person for p in recording.people) or "nobody"
        raise InputError(f"{path} holds {len(recording.people)} people.", f"Choose with --person: {names}.")
    return recording.people[0]


def _file(path: Path, settings: Settings, site: str | None = None) -> Recording | None:
    """What a file holds, motions filmed; None for one that nobody recognises. Raises InputError where it is damaged.

    Of the settings each file takes those of its kind: a corpus holds files of several.
    """
    if is_job_file(path):
        return None
    named = [format_named(name) for name in settings.format]
    try:
        kind = sniff(path).kind
    except InputError:
        if site is None and not named:
            return None
        kind = named[0].kind if named else "imu"
    said = {k: v for k, v in settings.said().items() if k in _TAKEN[kind]}
    formats = tuple(fmt.name for fmt in named if fmt.kind == kind)
    own = replace(Settings(), **said, format=formats)
    if kind == "imu":
        file = SensorFile(path, site)
        return Recording(imus=read_sensor(file, Job(path.stem, None, (file,), own)), name=path.stem)
    return gather(Job(path.stem, path, (), own))
