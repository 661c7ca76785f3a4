"""`kinebind simulate`: a recording from motion, with its truth."""

from __future__ import annotations

import json as json_module
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from kinebind.body.imu_simulate import PRESETS
from kinebind.body.made_up import made_up_motion
from kinebind.cli import options
from kinebind.cli.console import Screen
from kinebind.cli.files import write_imu_table, write_toml
from kinebind.cli.inputs import format_of, motion_options
from kinebind.cli.settings import MOTION_SETTINGS, Settings
from kinebind.cli.simulated import Device, from_zero, recorded, truth
from kinebind.clock import ClockMap
from kinebind.errors import InputError
from kinebind.motion import Motion
from kinebind.output.folder import check_out, folder_written_whole
from kinebind.parts import parse_site
from kinebind.readers import read_motion
from kinebind.readers.poses_npz import write_npz
from kinebind.recording import Recording
from kinebind.store import save

_MADE_UP_S = 30.0
_LARGEST_OFFSET_S = 5.0
_LARGEST_SKEW_PPM = 50.0
_KINDS = ("csv", "parquet", "kinebind")


@options.takes(*MOTION_SETTINGS, "format")
def simulate(
    motions: Annotated[
        list[Path] | None, typer.Argument(metavar="[MOTION]...", help="BVH, AMC, ...; without one a made-up person.")
    ] = None,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where to write the recording.")] = Path("simulated"),
    sites: Annotated[str, typer.Option(metavar="SITE,...", help="Where sensors are worn.")] = "left_wrist,right_shank",
    condition: Annotated[str, typer.Option(metavar="NAME", help="Of the poses: clean, normal, hard, sway.")] = "normal",
    effects: Annotated[
        str | None, typer.Option(metavar="NAME", help="Of the sensors: ideal, body-worn, hard; else the condition's.")
    ] = None,
    people: Annotated[int | None, typer.Option(metavar="N", help="How many; by default one a motion.")] = None,
    duration: Annotated[float | None, typer.Option(metavar="S", help="Seconds of each motion to use.")] = None,
    fps: Annotated[float, typer.Option(metavar="HZ", help="Frames per second.")] = 30.0,
    rate: Annotated[float, typer.Option(metavar="HZ", help="Samples per second.")] = 100.0,
    own_clocks: Annotated[bool, typer.Option("--own-clocks", help="A clock for each sensor, not each person.")] = False,
    offset: Annotated[
        str | None, typer.Option(metavar="S,...", help="Video minus IMU time: one for all clocks, or one each.")
    ] = None,
    skew: Annotated[str | None, typer.Option(metavar="PPM,...", help="In parts per million, likewise.")] = None,
    no_gyroscope: Annotated[bool, typer.Option("--no-gyroscope", help="Acceleration alone.")] = False,
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="The same seed gives the same recording.")] = 0,
    kind: Annotated[str, typer.Option("--as", metavar="KIND", help="Files: csv, parquet or kinebind.")] = "csv",
    *,
    settings: Settings,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> int:
    """Simulate what sensors feel and a camera sees of people in motion, on clocks that do not agree.

    Writes poses.npz, a file for each sensor, recording.toml for `kinebind sync`, and truth.json.
    """
    # Imported here because the benchmarks' conditions come with all of their machinery.
    from kinebind.bench.scenes import CONDITIONS

    screen = Screen(json=json, quiet=quiet)
    check_out(out)
    where = tuple(dict.fromkeys(parse_site(word) for word in sites.split(",") if word.strip()))
    if not where:
        raise InputError("--sites names no site.", "Give at least one, as left_wrist.")
    for flag, word, known in (
        ("--condition", condition, list(CONDITIONS)), ("--effects", effects, list(PRESETS)), ("--as", kind, _KINDS),
    ):  # fmt: skip
        if word is not None and word not in known:
            raise InputError(f"{flag} has '{word}'.", f"Use one of: {', '.join(known)}.")
    if not (5 <= fps <= 1000 and 5 <= rate <= 5000):
        raise InputError(
            f"{fps:g} frames and {rate:g} samples a second cannot be simulated.", "Check --fps and --rate."
        )
    errors, usual = CONDITIONS[condition]
    sensor_effects = usual if effects is None else PRESETS[effects]
    for_motion, for_clocks, for_scene = np.random.default_rng(seed).spawn(3)

    with screen.busy("Simulating"):
        moving = _motions(motions or [], people, duration, settings, for_motion)
        length_s = min(m.duration_s for m in moving)
        names = _sensor_names(len(moving), where, own_clocks)
        clocks = _clocks(len(names), offset, skew, length_s, for_clocks)
        devices = [
            Device(name, person, own, called, clock, rate)
            for (name, person, own, called), clock in zip(names, clocks, strict=True)
        ]
        # A sensor that starts before the video makes the video start that much after the motion.
        video_start_s = max(0.0, -min(clock.offset_s for clock in clocks))
        recording = recorded(
            [from_zero(m, video_start_s) for m in moving], devices, errors=errors, effects=sensor_effects, fps=fps,
            rng=for_scene,
        ).replace(name=out.name or "simulated")  # fmt: skip
        if no_gyroscope:
            recording = recording.replace(imus=tuple(i.replace(gyr_sensor=None) for i in recording.imus))
    facts = truth(
        devices, motions=[m.name for m in moving], condition=condition, effects=effects or "the condition's",
        fps=fps, rate_hz=rate, seed=seed,
    )  # fmt: skip
    files = _write(recording, facts, out, kind)
    screen.show(f"Written to {out}: {', '.join(files)}")
    screen.note(f"Try: kinebind sync {out / files[0]} --out {out / 'sync'}")
    screen.answer({"format": "kinebind-simulate-1", "out": str(out), "files": files, "truth": facts})
    return 0


def _motions(
    paths: Sequence[Path], people: int | None, duration_s: float | None, settings: Settings, rng: np.random.Generator
) -> list[Motion]:
    """One motion a person: read, or made up. Where people outnumber files, each file is cut into equal stretches."""
    count = people if people is not None else max(1, len(paths))
    if not 1 <= count <= 20 or count < len(paths):
        raise InputError(f"--people is {count}, with {len(paths)} motions.", "Give 1 to 20, at least one a motion.")
    if duration_s is not None and not 2.0 <= duration_s <= 7200.0:
        raise InputError(f"--duration is {duration_s:g} s.", "Give 2 to 7200 seconds.")
    if not paths:
        return [
            made_up_motion(duration_s or _MADE_UP_S, own, stature_m=float(own.uniform(1.55, 1.90))).replace(
                name=f"made-up-{k}"
            )
            for k, own in enumerate(rng.spawn(count), 1)
        ]
    whole = []
    for path in paths:
        fmt = format_of(path, settings, "motion", "recording")
        whole.append(
            read_motion(path, format=fmt.name, **(motion_options(settings, fmt) if fmt.kind == "motion" else {}))
        )
    stretches = math.ceil(count / len(paths))
    out = []
    for k in range(count):
        motion = whole[k % len(paths)]
        own_s = motion.duration_s / stretches
        wanted_s = own_s if duration_s is None else duration_s
        if wanted_s > own_s + 1e-6 or own_s < 2.0:
            raise InputError(
                f"{paths[k % len(paths)]} gives {own_s:.1f} s a person, fewer than wanted.",
                "Choose a shorter --duration or a longer motion; at least 2 s are needed.",
            )
        start_s = float(motion.time_s[0]) + (k // len(paths)) * own_s
        out.append(motion.slice_s(start_s, start_s + wanted_s + 0.5 / motion.rate_hz))
    return out


def _sensor_names(
    people: int, sites: tuple[str, ...], own_clocks: bool
) -> list[tuple[str, int, tuple[str, ...], tuple[str, ...]]]:
    """Clock, wearer, sites and sensor names of each device."""
    out: list[tuple[str, int, tuple[str, ...], tuple[str, ...]]] = []
    for person in range(people):
        names = tuple(site if people == 1 else f"person{person + 1}_{site}" for site in sites)
        if own_clocks:
            out += [(name, person, (site,), (name,)) for name, site in zip(names, sites, strict=True)]
        else:
            out.append(("recorder" if people == 1 else f"recorder{person + 1}", person, sites, names))
    return out


def _clocks(
    count: int, offset: str | None, skew: str | None, length_s: float, rng: np.random.Generator
) -> list[ClockMap]:
    """A map for each device: as given, else at random. Offsets leave at least half of the motion to both streams."""
    most_s = min(_LARGEST_OFFSET_S, 0.25 * length_s)
    for_offsets, for_skews = rng.spawn(2)
    offsets = _numbers(offset, count, "--offset") or list(for_offsets.uniform(-most_s, most_s, count))
    skews = _numbers(skew, count, "--skew") or list(for_skews.uniform(-_LARGEST_SKEW_PPM, _LARGEST_SKEW_PPM, count))
    if max(offsets) - min(0.0, *offsets) > length_s - 2.0:
        raise InputError(
            f"With offsets of {min(offsets):g} to {max(offsets):g} s, a motion of {length_s:.1f} s leaves both streams "
            "less than 2 s.",
            "Choose smaller ones or a longer motion.",
        )
    if max(map(abs, skews)) > 1e4:
        raise InputError(f"A skew of {max(skews, key=abs):g} ppm is no clock's.", "Give parts per million, as 40.")
    return [ClockMap(float(o), float(s) * 1e-6, 0.5 * length_s) for o, s in zip(offsets, skews, strict=True)]


def _numbers(text: str | None, count: int, flag: str) -> list[float]:
    if text is None:
        return []
    try:
        found = [float(word) for word in text.split(",")]
    except ValueError as error:
        raise InputError(f"{flag} has '{text}'.", "Give numbers with commas between.") from error
    if not all(map(math.isfinite, found)):
        raise InputError(f"{flag} has '{text}'.", "Give finite numbers.")
    if len(found) not in (1, count):
        raise InputError(f"{flag} has {len(found)} numbers for {count} clocks.", "Give one, or one for each clock.")
    return found * count if len(found) == 1 else found


def _write(recording: Recording, facts: dict[str, object], out: Path, kind: str) -> list[str]:
    """Write the recording's files, the one to synchronise first; their names."""
    with folder_written_whole(out) as part:
        (part / "truth.json").write_text(json_module.dumps(facts, indent=2) + "\n", encoding="utf-8")
        if kind == "kinebind":
            save(recording, part / "recording.kinebind")
            return ["recording.kinebind", "truth.json"]
        write_npz(recording.people, part / "poses.npz")
        sensors: list[dict[str, object]] = []
        for imu in recording.imus:
            file = f"{imu.name}.{kind}"
            write_imu_table([imu], part / file)
            sensors.append({"path": file, "site": imu.site, "name": imu.name, "clock": imu.clock_id})
        write_toml(part / "recording.toml", {"name": recording.name, "pose": "poses.npz"}, sensors)
        return ["recording.toml", "poses.npz", *(str(s["path"]) for s in sensors), "truth.json"]
