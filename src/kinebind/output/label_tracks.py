"""Label tracks as files: a table, ELAN's annotations, Label Studio's predictions."""

from __future__ import annotations

import csv
import json
import math
import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kinebind.recording import Label

if TYPE_CHECKING:
    from kinebind.tasks.recognise.track import Track

Stretches = Sequence[tuple[Label, float]]
"""Stretches with the probability of each."""
_SCHEMA = "http://www.mpi.nl/tools/elan/EAFv3.0.xsd"
LABEL_STUDIO = ("activity", "stream")
"""What a labelling set-up calls its labels (`from_name`) and its time series (`to_name`)."""


def write_csv(path: str | Path, tracks: Mapping[str, Stretches]) -> Path:
    """A row for each stretch: stream, start_s, end_s, label, probability."""
    with Path(path).open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["stream", "start_s", "end_s", "label", "probability"])
        for stream, stretches in tracks.items():
            for label, sure in stretches:
                rows.writerow([stream, f"{label.start_s:.3f}", f"{label.end_s:.3f}", label.name, f"{sure:.4f}"])
    return Path(path)


def write_elan(path: str | Path, tracks: Mapping[str, Stretches], zero_s: float = 0.0) -> Path:
    """ELAN's annotations (.eaf, version 3.0): a tier for each stream; milliseconds from zero_s of its clock."""
    return write_tiers(path, {stream: [label for label, _ in own] for stream, own in tracks.items()}, zero_s=zero_s)


def write_tiers(
    path: str | Path,
    tiers: Mapping[str, Sequence[Label]],
    *,
    zero_s: float = 0.0,
    media: Mapping[str, str] | None = None,
) -> Path:
    """ELAN's annotations (.eaf, version 3.0): tiers of stretches, milliseconds from zero_s of their clock.

    The stretches of one tier must not overlap; times before zero_s become 0. media: attributes of the linked video
    (`MEDIA_URL`, `MIME_TYPE`, `RELATIVE_MEDIA_URL`), whose first frame ELAN shows at 0.
    """
    document = ET.Element(
        "ANNOTATION_DOCUMENT",
        {
            "AUTHOR": "kinebind", "DATE": "1970-01-01T00:00:00+00:00", "FORMAT": "3.0", "VERSION": "3.0",
            "xmlns:xsi": "http://www.w3.org/2001/XMLSchema-instance", "xsi:noNamespaceSchemaLocation": _SCHEMA,
        },
    )  # fmt: skip
    header = ET.SubElement(document, "HEADER", {"MEDIA_FILE": "", "TIME_UNITS": "milliseconds"})
    if media is not None:
        ET.SubElement(header, "MEDIA_DESCRIPTOR", dict(media))
    order = ET.SubElement(document, "TIME_ORDER")
    number = 0
    for name, labels in tiers.items():
        tier = ET.SubElement(document, "TIER", {"LINGUISTIC_TYPE_REF": "activity", "TIER_ID": _plain(name)})
        for label in labels:
            slots = []
            for at_s in (label.start_s, label.end_s):
                number += 1
                slots.append(f"ts{number}")
                milliseconds = max(0, round((at_s - zero_s) * 1e3))
                ET.SubElement(order, "TIME_SLOT", {"TIME_SLOT_ID": slots[-1], "TIME_VALUE": str(milliseconds)})
            outer = ET.SubElement(tier, "ANNOTATION")
            ids = {"ANNOTATION_ID": f"a{number // 2}", "TIME_SLOT_REF1": slots[0], "TIME_SLOT_REF2": slots[1]}
            own = ET.SubElement(outer, "ALIGNABLE_ANNOTATION", ids)
            ET.SubElement(own, "ANNOTATION_VALUE").text = _plain(label.name)
    ET.SubElement(
        document, "LINGUISTIC_TYPE",
        {"GRAPHIC_REFERENCES": "false", "LINGUISTIC_TYPE_ID": "activity", "TIME_ALIGNABLE": "true"},
    )  # fmt: skip
    ET.indent(document)
    ET.ElementTree(document).write(path, encoding="utf-8", xml_declaration=True)
    return Path(path)


def _plain(text: str) -> str:
    """Text without the control characters that XML cannot hold."""
    return re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]", "", text)


def write_label_studio(path: str | Path, tracks: Mapping[str, Stretches], version: str) -> Path:
    """Label Studio's tasks with predictions, a task for each stream: regions of a time series, seconds of its clock.

    version: of the model, as Label Studio shows it. The labelling set-up's tags are called as in `LABEL_STUDIO`.
    """
    tasks = [{"data": {"stream": stream}, "predictions": [prediction(own, version)]} for stream, own in tracks.items()]
    return write_tasks(path, tasks)


def prediction(stretches: Stretches, version: str) -> dict[str, Any]:
    """A prediction of a task of Label Studio, with the mean of its regions' scores.

    version: of what predicted, as Label Studio shows it.
    """
    score = round(sum(sure for _, sure in stretches) / len(stretches), 4) if stretches else 0.0
    return {"model_version": version, "score": score, "result": regions(stretches)}


def regions(stretches: Stretches) -> list[dict[str, Any]]:
    """Regions of a time series, as Label Studio has them; seconds."""
    return [
        {
            "id": f"r{k + 1}", "from_name": LABEL_STUDIO[0], "to_name": LABEL_STUDIO[1],
            "type": "timeserieslabels", "score": round(sure, 4),
            "value": {
                "start": round(label.start_s, 3), "end": round(label.end_s, 3), "instant": False,
                "timeserieslabels": [label.name],
            },
        }
        for k, (label, sure) in enumerate(stretches)
    ]  # fmt: skip


def write_tasks(path: str | Path, tasks: Sequence[Mapping[str, Any]]) -> Path:
    """Tasks of Label Studio as the file that it imports."""
    Path(path).write_text(json.dumps(tasks, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return Path(path)


def write_windows(path: str | Path, tracks: Mapping[str, Track]) -> Path:
    """A row for each window: stream, time_s of its middle, the probability of each class, empty where not measured."""
    with Path(path).open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        names = next((track.names for track in tracks.values()), ())
        rows.writerow(["stream", "time_s", *names])
        for stream, track in tracks.items():
            for at_s, own in zip(track.time_s, track.probabilities, strict=True):
                rows.writerow([stream, f"{at_s:.3f}", *("" if math.isnan(p) else f"{p:.4f}" for p in own)])
    return Path(path)
