"""`kinebind demo`: the main job on a simulated recording of two people, found against true."""

from __future__ import annotations

import json as json_module
import math
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.table import Table
from rich.text import Text

from kinebind.body.detector import NORMAL
from kinebind.body.imu_simulate import BODY_WORN
from kinebind.body.made_up import made_up_motion
from kinebind.cli import options
from kinebind.cli.console import Screen
from kinebind.cli.files import write_imu_table, write_toml
from kinebind.cli.job_files import read_toml
from kinebind.cli.simulated import Device, from_zero, recorded, truth
from kinebind.cli.sync import run
from kinebind.cli.sync_table import show_result
from kinebind.clock import ClockMap
from kinebind.imu import GRAVITY_M_S2, Imu
from kinebind.output.folder import check_out, folder_written_whole
from kinebind.readers.poses_npz import write_npz
from kinebind.recording import Recording
from kinebind.store import written_whole
from kinebind.tasks.sync import SyncResult
from kinebind.tasks.sync.confidence import TOLERANCE_S

_LENGTH_S = 120.0
_STORY = """\
Two people before one camera. The first wears a recorder with three sensors and a watch, the second a phone in a
pocket that nobody wrote down; a spare sensor was left on the table. Four clocks, none of which knows the video's."""


def demo(
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where to write it all.")] = Path("demo-out"),
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="Another seed, other people.")] = 0,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> int:
    """Simulate two people, lose their clocks, find them again, and write the report.

    Exit code: 0 where every clock that can be known is found, and the one that cannot is refused; else 3.
    """
    screen = Screen(json=json, quiet=quiet)
    check_out(out)
    devices = _devices()
    with screen.busy("Simulating"):
        files = _record(devices, out / "recording", seed)
    screen.note(_STORY)
    screen.note(f"Their files lie in {out / 'recording'}: {', '.join(files)}")
    screen.show(Text(f"$ kinebind sync {out / 'recording' / 'recording.toml'} --out {out}", "bold"))
    done = run(read_toml(out / "recording" / "recording.toml"), out, "parquet", screen)
    show_result(done.recording, done.result, screen)
    rows = _against_truth(done.recording, done.result, devices)
    _show_truth(rows, screen)
    screen.show(f"Look at {out / 'report.html'}")
    screen.answer(done.told() | {"truth": rows})
    return 0 if all(row["right"] for row in rows) else 3


def _devices() -> list[Device]:
    """Who wears what, and the clocks that are to be found."""
    middle_s = _LENGTH_S / 2
    return [
        Device(
            "recorder", 0, ("left_wrist", "right_shank", "chest"), ("left_wrist", "right_shank", "chest"),
            ClockMap(3.2174, 38e-6, middle_s),
        ),
        Device("watch", 0, ("right_wrist",), ("watch",), ClockMap(1.8061, -85e-6, middle_s), 50.0),
        Device("phone", 1, ("right_thigh",), ("phone",), ClockMap(4.4409, 110e-6, middle_s)),
        Device("spare", None, (), ("spare",), ClockMap(0.75, 0.0, middle_s)),
    ]  # fmt: skip


def _record(devices: list[Device], folder: Path, seed: int) -> list[str]:
    """Simulate the scene and write it as a camera and four devices would have; the files' names."""
    for_people, for_scene = np.random.default_rng(seed).spawn(2)
    people = [
        from_zero(made_up_motion(_LENGTH_S, own, stature_m=stature), 0.0)
        for own, stature in zip(for_people.spawn(2), (1.82, 1.66), strict=True)
    ]
    recording = recorded(people, devices, errors=NORMAL, effects=BODY_WORN, fps=30.0, rng=for_scene)
    by_clock = recording.clocks()
    with folder_written_whole(folder) as part:
        write_npz(recording.people, part / "poses.npz")
        write_imu_table(by_clock["recorder"], part / "recorder.csv")
        _write_watch(by_clock["watch"][0], part / "watch.csv")
        for name in ("phone", "spare"):
            write_imu_table(by_clock[name], part / f"{name}.csv")
        sensors: list[dict[str, object]] = [
            {"path": "recorder.csv"}, {"path": "watch.csv", "site": "right_wrist", "name": "watch"},
            {"path": "phone.csv"}, {"path": "spare.csv"},
        ]  # fmt: skip
        write_toml(part / "recording.toml", {"name": "demo", "pose": "poses.npz"}, sensors)
        facts = truth(devices, seed=seed)
        (part / "truth.json").write_text(json_module.dumps(facts, indent=2) + "\n", encoding="utf-8")
        return sorted(path.name for path in part.iterdir())


def _write_watch(imu: Imu, path: Path) -> None:
    """As watches export: milliseconds since they were switched on, g, degrees a second."""
    assert imu.gyr_sensor is not None
    rows = np.column_stack([1000.0 * imu.time_s, imu.acc_sensor / GRAVITY_M_S2, np.rad2deg(imu.gyr_sensor)])
    header = "timestamp (ms);" + ";".join(
        f"{kind}_{axis} ({unit})" for kind, unit in (("acc", "g"), ("gyro", "deg/s")) for axis in "xyz"
    )
    with written_whole(path) as part:
        np.savetxt(part, rows, fmt=["%.3f"] + ["%.5f"] * 3 + ["%.4f"] * 3, delimiter=";", header=header, comments="")


def _against_truth(recording: Recording, result: SyncResult, devices: list[Device]) -> list[dict[str, Any]]:
    """For each clock what is true, what was found, and the largest error over the overlap."""
    rows = []
    for device in devices:
        answer = result[device.name]
        imu = next(i for i in recording.imus if i.clock_id == device.name)
        video = recording.people[0].time_s
        times = np.clip(device.clock.to_imu(video[[0, -1]]), imu.time_s[0], imu.time_s[-1])
        true = device.clock.rereferenced(answer.clock.ref_time_s if answer.clock else device.clock.ref_time_s)
        given = answer.clock if answer.answered else None
        error_s = float(np.max(np.abs(given.to_video(times) - true.to_video(times)))) if given else math.nan
        wearer = None if device.person is None else str(device.person + 1)
        found = given is not None and error_s <= TOLERANCE_S and answer.person == wearer
        rows.append({
            "clock_id": device.name,
            "true_offset_s": true.offset_s, "found_offset_s": given.offset_s if given else None,
            "true_skew_ppm": true.skew_ppm, "found_skew_ppm": given.skew_ppm if given else None,
            "error_ms": 1e3 * error_s if given else None,
            "true_person": wearer, "found_person": answer.person if given else None,
            "right": found if wearer is not None else given is None,
        })  # fmt: skip
    return rows


def _show_truth(rows: list[dict[str, Any]], screen: Screen) -> None:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), title="Found against true", title_justify="left")
    for name in ("clock", "offset, s: true", "found", "skew, ppm: true", "found", "largest error, ms", "worn by"):
        table.add_column(name, justify="left" if name in ("clock", "worn by") else "right", no_wrap=True)
    table.add_column("")
    for row in rows:
        if row["found_offset_s"] is None:
            found = ["refused", f"{row['true_skew_ppm']:+.0f}", "", ""]
        else:
            found = [f"{row['found_offset_s']:+.4f}", f"{row['true_skew_ppm']:+.0f}", f"{row['found_skew_ppm']:+.0f}",
                     f"{row['error_ms']:.1f}"]  # fmt: skip
        worn = f"person {row['true_person']}" if row["true_person"] else "nobody"
        verdict = Text("right", "green") if row["right"] else Text("wrong", "red")
        table.add_row(row["clock_id"], f"{row['true_offset_s']:+.4f}", *found, worn, verdict)
    screen.show("")
    screen.show(table)
