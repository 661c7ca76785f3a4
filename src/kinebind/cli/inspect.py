"""`kinebind inspect`: what a file is, and whether it is fit for use."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from kinebind.cli import options
from kinebind.cli.console import Screen, error_dict
from kinebind.cli.job_files import nothing_idle, read_any
from kinebind.cli.settings import Settings
from kinebind.errors import InputError
from kinebind.imu import GRAVITY_M_S2
from kinebind.readers import describe_imu, describe_motion, describe_poses

_REST_TOLERANCE = 0.1
_MISSING = 0.1
_Facts = dict[str, Any]


@options.takes(*options.FILES)
def inspect(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...")],
    *,
    settings: Settings,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> int:
    """Tell what files are: format, rates, gaps, units, the norm at rest, and what to be wary of.

    Exit code: 0, or 2 where a file cannot be read.
    """
    screen = Screen(json=json, quiet=quiet)
    told = [_told(file, settings) for file in files]
    if not any(entry["error"] for entry in told):
        nothing_idle(settings, [entry["format"] for entry in told])
    for entry in told:
        _show(entry, screen)
    screen.answer({"format": "kinebind-inspect-1", "files": told})
    return 2 if any(entry["error"] for entry in told) else 0


def _told(path: Path, settings: Settings) -> _Facts:
    """A file's facts as plain values."""
    entry: _Facts = {"path": str(path), "format": None, "describes": None, "streams": [], "labels": 0, "error": None}
    try:
        name, describes, recording = read_any(path, settings)
    except InputError as error:
        return entry | {"error": error_dict(error)}
    streams = [
        *(describe_poses(p) for p in recording.people), *(describe_imu(i) for i in recording.imus),
        *(describe_motion(m) for m in recording.motions),
    ]  # fmt: skip
    return entry | {
        "format": name, "describes": describes, "labels": len(recording.labels),
        "streams": [s | {"warnings": warnings(s)} for s in streams],
    }  # fmt: skip


def warnings(facts: _Facts) -> list[str]:
    """What to be wary of in a stream, from its facts, one sentence each."""
    out = []
    if facts["kind"] == "imu":
        rest = facts["rest_norm_m_s2"]
        if rest is not None and abs(rest / GRAVITY_M_S2 - 1.0) > _REST_TOLERANCE:
            out.append(f"At rest the acceleration's norm is {rest:.2f} m/s², not {GRAVITY_M_S2}.")
        if facts["gyr_range_rad_s"] is None:
            out.append("There is no angular rate; synchronisation is surer with a gyroscope.")
        if facts["rate_hz"] < 20:
            out.append(f"{facts['rate_hz']:.1f} samples a second are too few to see quick movements.")
        for axis, edge in facts["clipped"].items():
            out.append(f"{axis} stays at {edge['value']:.4g} for {100 * edge['share']:.2f} % of the time: clipped?")
        lost = facts["missing_share"]
    elif facts["kind"] == "poses":
        lost = facts["empty_frames_share"]
        hidden = [name for name, share in facts["seen_share_by_keypoint"].items() if share < 0.5]
        if hidden:
            out.append(f"Seen in less than half of the frames: {', '.join(hidden)}.")
        if facts["rate_hz"] < 10:
            out.append(f"{facts['rate_hz']:.1f} frames a second are too few to see quick movements.")
    else:
        lost = facts["missing_share"]
    if lost > _MISSING:
        out.append(f"{100 * lost:.0f} % of the samples are missing.")
    if facts["gaps"]:
        out.append(
            f"{facts['gaps']} gap{'s' if facts['gaps'] > 1 else ''}, {facts['gaps_s']:.2f} s in all, "
            f"the longest {facts['longest_gap_s']:.2f} s."
        )
    return out


def _show(entry: _Facts, screen: Screen) -> None:
    if entry["error"]:
        screen.show(Text.assemble((entry["path"], "bold"), ": cannot be read"))
        screen.show(f"  error: {entry['error']['what']}")
        screen.show(f"  fix: {entry['error']['fix']}")
        return
    labels = f", {entry['labels']} labels" if entry["labels"] else ""
    screen.show(Text.assemble((entry["path"], "bold"), f": {entry['describes']} ({entry['format']}){labels}"))
    for stream in entry["streams"]:
        table = Table(box=None, show_header=False, pad_edge=True, padding=(0, 2, 0, 2))
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
        for name, value in _lines(stream):
            table.add_row(name, value)
        for text in stream["warnings"]:
            table.add_row(Text("warning", "yellow"), text)
        if not screen.quiet:
            for text in stream["notes"]:
                table.add_row(Text("note", "dim"), Text(text, "dim"))
        screen.show(table)


def _lines(facts: _Facts) -> list[tuple[str, str]]:
    """Names and values of a stream's facts, for people."""
    kind = {"imu": "sensor", "poses": "person", "motion": "motion"}[facts["kind"]]
    name = facts["person"] if facts["kind"] == "poses" else facts["name"]
    jitter = "" if facts["jitter_s"] is None else f", steps vary by {1000 * facts['jitter_s']:.2f} ms"
    out = [
        (kind, name),
        ("length", f"{facts['duration_s']:.2f} s, {facts['samples']} samples, from {facts['start_s']:.3f} s"),
        ("rate", f"{facts['rate_hz']:.2f} Hz{jitter}"),
    ]
    if facts["kind"] == "imu":
        rest = facts["rest_norm_m_s2"]
        out += [
            ("site", facts["site"] or "unknown"), ("clock", facts["clock_id"]),
            ("at rest", "unknown" if rest is None else f"{rest:.3f} m/s²"),
            ("acceleration", _range(facts["acc_range_m_s2"], "m/s²")),
        ]  # fmt: skip
        if facts["gyr_range_rad_s"] is not None:
            out.append(("angular rate", _range(facts["gyr_range_rad_s"], "rad/s")))
        more = [
            word for word, there in (
                ("orientation", facts["orientation_missing_share"] is not None),
                ("magnetic field", facts["has_magnetometer"]),
            ) if there
        ]  # fmt: skip
        out += [("also", ", ".join(more))] if more else []
        out.append(("missing", f"{100 * facts['missing_share']:.2f} % of the samples"))
    elif facts["kind"] == "poses":
        size = facts["image_size_px"]
        out += [
            ("image", f"{size[0]} × {size[1]} pixels" if size else "size not told"),
            ("body", "hips never seen" if facts["body_scale_px"] is None else f"{facts['body_scale_px']:.0f} pixels"),
            ("seen", f"{100 * facts['seen_share']:.1f} % of the keypoints, "
                     f"{100 * facts['empty_frames_share']:.1f} % of the frames empty"),
        ]  # fmt: skip
    else:
        what = [
            w for w, there in (("rotations", facts["has_rotations"]), ("positions", facts["has_positions"])) if there
        ]
        out += [("holds", " and ".join(what)), ("joints", ", ".join(facts["joints"]))]
        if facts["root_range_m"] is not None:
            out.append(("root", _range(facts["root_range_m"], "m")))
    return out


def _range(axes: dict[str, list[float] | None], unit: str) -> str:
    parts = [f"{axis} {ends[0]:.3g}…{ends[1]:.3g}" for axis, ends in axes.items() if ends is not None]
    return f"{', '.join(parts)} {unit}" if parts else "missing"
