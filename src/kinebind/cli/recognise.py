"""`kinebind recognise`: what somebody does over time, as a label track."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kinebind import _toml
from kinebind._cache import user_cache
from kinebind.cli import options
from kinebind.cli.console import Screen
from kinebind.cli.inputs import Job, gather, people_of
from kinebind.cli.job_files import job_named
from kinebind.cli.model_options import binder_by
from kinebind.cli.one_clock import on_one_clock
from kinebind.cli.settings import Settings
from kinebind.errors import InputError
from kinebind.output.folder import check_out, folder_written_whole
from kinebind.output.label_tracks import write_csv, write_elan, write_label_studio, write_windows
from kinebind.recording import Recording

if TYPE_CHECKING:
    from kinebind.tasks.recognise.by_words import ByWords
    from kinebind.tasks.recognise.track import Track


@options.takes("person", *options.FILES)
def recognise(
    files: Annotated[
        list[str],
        typer.Argument(metavar="FILE...", help="POSE and SITE=FILE as in kinebind sync, or a recording.toml."),
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="The folder to write.")],
    labels: Annotated[
        str | None,
        typer.Option(metavar="LABEL,...", help="What may be done, in words; or a file with a label a line."),
    ] = None,
    describe: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help='A .toml file: label = ["sentence", …], further words for labels.'),
    ] = None,
    window: Annotated[
        float | None, typer.Option(metavar="S", help="Seconds looked at at once; by default 4, or a recogniser's own.")
    ] = None,
    stays: Annotated[
        float | None,
        typer.Option(
            metavar="S",
            help="How long an activity lasts on average, 0 not to smooth; by default 8, or as the examples did.",
        ),
    ] = None,
    least: Annotated[
        float, typer.Option(metavar="P", min=0.0, max=1.0, help="Stretches less probable are called unknown.")
    ] = 0.0,
    encoder: Annotated[
        str | None, typer.Option(metavar="NAME", help="An encoder of sentences; by default that of the extra text.")
    ] = None,
    synced: Annotated[
        bool, typer.Option("--synced", help="For a recogniser of several streams: they are on one clock already.")
    ] = False,
    model: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A recogniser of kinebind finetune recognise, or a universal model."),
    ] = None,
    *,
    settings: Settings,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> int:
    """Tell what is done when: of activities that are named in words alone (--labels), or by a recogniser that was tuned
    to labelled recordings (--model; docs/recognise.md).

    Writes labels.csv, labels.eaf (ELAN) and labels.json (Label Studio), and probabilities.csv with all windows. By
    words there is a track for each sensor and each limb of the poses that a sensor is worn at (without sensors: of
    both wrists), by a recogniser one track for all.
    """
    screen = Screen(json=json, quiet=quiet)
    check_out(out)
    if stays is not None and stays < 0:
        raise InputError(f"--stays {stays:g} is no time.", "Give seconds, or 0.")
    if model is not None and not model.exists():
        raise InputError(f"There is no file {model}.", "Name what kinebind finetune recognise has written.")
    tuned = model is not None and _is_recogniser(model)
    if tuned and (given := [f for f, x in (("--labels", labels), ("--describe", describe), ("--encoder", encoder),
                                           ("--window", window)) if x is not None]):  # fmt: skip
        raise InputError(f"{given[0]} means nothing for a recogniser, which has its own labels.", "Leave it out.")
    if not tuned and labels is None:
        raise InputError("There is nothing to tell apart.", "Name --labels, or a recogniser with --model.")
    if not tuned and synced:
        raise InputError("--synced means nothing by words: each stream has its own track.", "Leave it out.")
    window_s = 4.0 if window is None else window
    if not window_s > 0.2:
        raise InputError(f"--window {window_s:g} is too short to see anything in.", "Give a second or more.")
    named = None if labels is None else (_labels(labels), _described(describe))
    job = job_named(files, settings)
    with screen.busy(f"Reading {job.name}"):
        recording = gather(job)
    from kinebind.tasks.recognise.by_examples import USUAL_STAY_S  # here, because this imports torch

    own_stays: float | tuple[float, ...]
    with screen.busy("Recognising"):
        if named is None:
            assert model is not None
            own_stays, names, by, found = _by_recogniser(model, recording, job, synced, screen)
        else:
            with screen.logging():
                binder = binder_by(model)
            own_stays, names, by = USUAL_STAY_S, named[0], str(binder.about.get("name", ""))
            found = _tracks(_by_words(binder.model, encoder, *named), recording, job.settings.person, window_s)
    lasts_s = own_stays if stays is None else stays
    tracks = {name: track if lasts_s == 0 else track.smoothed(lasts_s) for name, track in found}
    stretches = {name: track.stretches(least) for name, track in tracks.items()}
    with folder_written_whole(out) as part:
        write_csv(part / "labels.csv", stretches)
        write_elan(part / "labels.eaf", stretches, _zero_s(recording))
        write_label_studio(part / "labels.json", stretches, f"kinebind {by}".strip())
        write_windows(part / "probabilities.csv", tracks)
    for name, own in stretches.items():
        screen.show(f"{name}: {len(own)} stretches")
        for label, sure in own[:12]:
            screen.show(f"  {label.start_s:9.2f} … {label.end_s:9.2f} s  {label.name}  ({sure:.2f})")
        if len(own) > 12:
            screen.show(f"  … and {len(own) - 12} more in {out / 'labels.csv'}")
    screen.answer({
        "format": "kinebind-recognise-1", "name": recording.name, "out": str(out), "labels": list(names), "model": by,
        "tracks": {
            name: [
                {"start_s": label.start_s, "end_s": label.end_s, "label": label.name, "probability": sure}
                for label, sure in own
            ]
            for name, own in stretches.items()
        },
    })  # fmt: skip
    return 0


def _is_recogniser(path: Path) -> bool:
    from kinebind.tasks.recognise.by_examples import is_recogniser_file

    return path.is_file() and is_recogniser_file(path)


def _by_recogniser(
    path: Path, recording: Recording, job: Job, synced: bool, screen: Screen
) -> tuple[tuple[float, ...], tuple[str, ...], str, list[tuple[str, Track]]]:
    """How long a recogniser's activities last, its labels, its name, and the one track of all streams."""
    from kinebind.tasks.recognise.by_examples import read_recogniser

    own = read_recogniser(path)
    if not own.looks.limbs:  # sensors alone: nothing has to fit a video's clock
        recording = replace(recording, people=())
    streams = on_one_clock(recording, job, synced=synced, model=None)
    for note in streams.notes:
        screen.note(note)
    name = streams.imus[0].name if len(streams.imus) == 1 and not streams.views else recording.name
    return own.stays_s, own.names, str(own.about.get("name", "")), [(name, own.track(streams.imus, streams.views))]


def _labels(given: str) -> tuple[str, ...]:
    """The labels of a list, or of a file with one a line."""
    path = Path(given)
    if path.suffix in (".txt", ".csv") or path.is_file():
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"{given} cannot be read ({error}).", "Give labels, or a text file of them.") from error
        found = [line.strip() for line in lines]
    else:
        found = [word.strip() for word in given.split(",")]
    names = tuple(dict.fromkeys(name for name in found if name))
    if len(names) < 2:
        raise InputError(f"--labels names {len(names)} activities, which are no choice.", "Name two at least.")
    return names


def _described(path: Path | None) -> Mapping[str, Sequence[str]]:
    if path is None:
        return {}
    try:
        found = _toml.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read ({error}).", 'Write lines like squat = ["bend the knees"].') from error
    out = {name: [own] if isinstance(own, str) else own for name, own in found.items()}
    for name, own in out.items():
        if not isinstance(own, list) or not all(isinstance(s, str) for s in own):
            raise InputError(f"{path}: '{name}' is no list of sentences.", 'Write squat = ["bend the knees", "…"].')
    return out


def _by_words(model: Any, encoder: str | None, names: Sequence[str], told: Mapping[str, Sequence[str]]) -> ByWords:
    from kinebind.nn.sentences import Remembered, sentence_encoder
    from kinebind.nn.universal import Universal
    from kinebind.tasks.recognise.by_words import ByWords

    if not isinstance(model, Universal):
        raise InputError("A model in ONNX says no words.", "Use the universal model's own file.")
    return ByWords(model, Remembered(sentence_encoder(encoder), user_cache() / "sentences"), names, told)


def _tracks(words: ByWords, recording: Recording, person: str | None, window_s: float) -> list[tuple[str, Track]]:
    """The track of each stream by its name."""
    found = [(imu.name, words.of_imu(imu, window_s=window_s)) for imu in recording.imus]
    worn = list(dict.fromkeys(imu.site for imu in recording.imus if imu.site)) or ["left_wrist", "right_wrist"]
    for poses in people_of(recording, person):
        found += [(f"{poses.person} {site}", words.of_poses(poses, site, window_s=window_s)) for site in worn]
    if not found:
        raise InputError(f"{recording.name} holds no sensor and no person.", "Name poses, or sensors as SITE=FILE.")
    return found


def _zero_s(recording: Recording) -> float:
    """Where ELAN's time begins: where the video does, or where the first sensor does."""
    streams = [p.time_s for p in recording.people] or [imu.time_s for imu in recording.imus]
    return float(min(time_s[0] for time_s in streams))
