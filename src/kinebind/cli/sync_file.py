"""Reading a `sync.json` again."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from kinebind.clock import ClockMap
from kinebind.errors import InputError


@dataclass(frozen=True)
class Answered:
    """A clock that was answered; of one with jumps, the longest piece's map. site: of its first sensor, or None."""

    recording: str
    clock_id: str
    clock: ClockMap
    site: str | None


def read_answers(path: Path) -> list[Answered]:
    """The answered clocks of a `sync.json`; raises InputError where the file cannot be read or is none."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["format"] != "kinebind-sync-1":
            raise ValueError(content["format"])
        return [
            Answered(
                str(content["recording"]), str(a["clock_id"]),
                ClockMap(float(a["offset_s"]), 1e-6 * float(a["skew_ppm"]), float(a["ref_time_s"])),
                next((sensor["site"] for sensor in a["sensors"]), None),
            )
            for a in content["answers"]
            if a["status"] == "answered"
        ]  # fmt: skip
    except OSError as error:
        raise InputError(f"Cannot read {path}: {error.strerror}.", "Check the path.") from error
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{path} is no result of a synchronisation.", "Give the sync.json that kinebind sync or align wrote."
        ) from error
