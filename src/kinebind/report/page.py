"""The report: one self-contained HTML page, its numbers taken from what `sync.json` holds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

import kinebind
from kinebind.clock import FloatArray
from kinebind.imu import Imu
from kinebind.poses import Poses
from kinebind.recording import Recording
from kinebind.report import figures, words
from kinebind.report.clock_view import ClockView, clock_view
from kinebind.report.signals import Reference, busiest_window, find_references
from kinebind.report.skeletons import moments, strip
from kinebind.report.svg import distinct
from kinebind.resample import default_max_gap_s
from kinebind.store import written_whole
from kinebind.tasks.sync.result import ClockAnswer, SyncResult

if TYPE_CHECKING:  # it brings torch, which takes long to import
    from kinebind.tasks.locate.result import Finding, LocateResult

_STRIP_S = 3.0  # a movement and its return fit in
_AROUND_S = 0.6  # close look at the evidence: wider than a jump of one step of a fast walk


class Pictures(Protocol):
    """Where pictures of the people come from, such as `kinebind.video.stills.Stills`."""

    def pieces(self, times_s: Sequence[float], boxes: Sequence[FloatArray]) -> list[str | None]:
        """Pictures as `data:` addresses of boxes (4,) left, top, right, bottom in the poses' pixels, a time each."""
        ...


def write_report(
    recording: Recording,
    result: SyncResult,
    path: str | Path,
    *,
    located: LocateResult | None = None,
    pictures: Pictures | None = None,
) -> None:
    """Write a synchronisation as one HTML page without any outside resource, whole or not at all.

    recording: what was synchronised. result: its answers. path: the file, by custom `report.html`. located: who wears
    each sensor and where, if that was found too. pictures: shown behind the skeletons.
    Raises InputError where the recording lacks the result's reference, or the place cannot be written.
    """
    page = _render(_context(recording, result, located, pictures))
    with written_whole(path) as part:
        part.write_text(page, encoding="utf-8")


def _render(context: dict[str, Any]) -> str:
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {
        "signed": words.signed, "plain": words.plain, "percent": words.percent, "clock_time": words.clock_time
    }  # fmt: skip
    source = resources.files("kinebind.report").joinpath("template.html.j2").read_text(encoding="utf-8")
    return environment.from_string(source).render(context)


def _context(
    recording: Recording, result: SyncResult, located: LocateResult | None, pictures: Pictures | None
) -> dict[str, Any]:
    references = find_references(recording, result)
    told = result.to_dict()
    views, strips = _views(recording, result, references)
    for own in strips.values():
        times_s, boxes = [p.time_s for p in own["pictures"]], [p.box_px for p in own["pictures"]]
        own["images"] = [None] * len(boxes) if pictures is None else pictures.pieces(times_s, boxes)
    answered = sum(a.answered for a in result.answers)
    distinct = list(dict.fromkeys(references))
    return {
        "result": told,
        "embedded": Markup(json.dumps(told, ensure_ascii=False).replace("<", "\\u003c")),
        "headline": _headline(answered, len(result.answers)),
        "word": references[0].kind,
        "references": [_reference(r) for r in distinct],
        "mirrored": any(a.mirrored for a in result.answers),
        "clocks": [
            _clock(told["answers"][i], answer, views[i], strips.get(references[i]), i)
            for i, answer in enumerate(result.answers)
        ],
        "strips": list(strips.values()),
        "sensors": _sensors(recording, result),
        "wearers": [] if located is None else [_wearer(f) for f in located.findings],
        "wearers_notes": () if located is None else located.notes,
        "version": kinebind.__version__,
    }


def _views(
    recording: Recording, result: SyncResult, references: list[Reference]
) -> tuple[dict[int, ClockView], dict[Reference, dict[str, Any]]]:
    """The drawings' data of each clock, and each person's skeleton strip.

    The surest clock of a person decides what is looked at closely; the others follow where they have it too.
    """
    views: dict[int, ClockView] = {}
    strips: dict[Reference, dict[str, Any]] = {}
    for i in sorted(range(len(references)), key=lambda i: -result.answers[i].confidence):
        ahead = [views[j] for j in views if references[j] is references[i]]
        views[i] = clock_view(recording, references[i], result.answers[i], ahead[0].window_s if ahead else None)
        if not ahead and references[i].kind == "video":
            own = [a for a, r in zip(result.answers, references, strict=True) if r is references[i]]
            strips[references[i]] = _strip(views[i], own)
    return views, strips


def _strip(view: ClockView, answers: list[ClockAnswer]) -> dict[str, Any]:
    """Pictures of a person inside a clock's close look; `answers` are all of the clocks that the person wears."""
    mirrored = any(a.mirrored and a.answered for a in answers)
    poses = (view.reference.mirrored if mirrored else view.reference).source
    assert isinstance(poses, Poses)
    window = busiest_window(view.rows[0].ref, _STRIP_S, view.window_s) if view.rows else None
    # Where a refused sensor would fit best says nothing; where it was said to be worn is shown.
    found = [(s.site, a.answered) for a in answers for s in a.sensors if s.site is not None and (a.answered or s.given)]
    # An answered sensor wins where two claim one site.
    sites = {site: "answered" if ok else "refused" for site, ok in sorted(found, key=lambda pair: pair[1])}
    return {
        "name": view.reference.name,
        "pictures": strip(poses, moments(poses, window or view.window_s), sites),
        "refused": "refused" in sites.values(),
        "origin_s": view.origin_s,
    }


def _wearer(finding: Finding) -> dict[str, Any]:
    return {
        "sensor": finding.sensor, "located": finding.located, "status": _STATUS[finding.status],
        "person": finding.person, "site": (finding.site or "").replace("_", " "),
        "sure": finding.sure, "note": finding.note,
    }  # fmt: skip


_STATUS = {"found": "found", "nobody": "nobody in view", "unsure": "not sure", "unusable": "not usable"}


def _headline(answered: int, total: int) -> str:
    if total == 1:
        return "The clock is aligned" if answered else "The clock could not be aligned"
    if answered == total:
        return f"All {total} clocks aligned"
    return f"{answered} of {total} clocks aligned" if answered else f"None of {total} clocks could be aligned"


def _reference(reference: Reference) -> dict[str, Any]:
    source = reference.source
    facts = [f"{words.plain(source.rate_hz, 1)} {'frames' if reference.kind == 'video' else 'samples'} a second",
             words.span(source.duration_s)]  # fmt: skip
    if isinstance(source, Poses):
        name, short = f"person {source.person} in the video", f"Poses of person {source.person}"
        seen = float(np.isfinite(source.keypoints_px[..., 0]).mean())
        facts.append(f"{words.percent(seen)} of the keypoints seen")
        if source.image_size_px:
            facts.append(f"{source.image_size_px[0]} × {source.image_size_px[1]} pixels")
    else:
        name, short = f"sensor {source.name}", source.name
    count, lost_s = _gaps(source)
    if count:
        facts.append(f"{count} gap{'s' if count > 1 else ''}, {words.plain(lost_s, 1)} s in all")
    return {"name": name, "short": short, "facts": facts, "notes": source.notes}


def _gaps(stream: Imu | Poses) -> tuple[int, float]:
    """Number of steps longer than a stream's usual ones bear, and the time they span, seconds."""
    steps = np.diff(stream.time_s)
    long = steps[steps > default_max_gap_s(stream.time_s)]
    return int(long.size), float(long.sum())


def _clock(
    told: dict[str, Any], answer: ClockAnswer, view: ClockView, pictures: dict[str, Any] | None, index: int
) -> dict[str, Any]:
    times = [p.time_s for p in pictures["pictures"]] if pictures else []
    pictures_s = (times[0], times[-1]) if len(times) > 1 else None
    pieces = [dict(p, jump_s=None) for p in told["pieces"]]
    for entry, before, piece in zip(pieces[1:], answer.pieces, answer.pieces[1:], strict=False):
        at = piece.start_s
        entry["jump_s"] = float(piece.clock.to_video(at) - before.clock.to_video(at))
    return {
        "told": told,
        "anchor": f"clock-{index + 1}",
        "answered": answer.answered,
        "word": words.confidence_word(answer.confidence, answer.needed_confidence),
        "why": words.why(told, view.reference.frame_s, view.reference.kind),
        "pieces": pieces,
        "legend": _legend(view),
        "panels": _panels(view, pictures_s, index),
    }


def _panels(view: ClockView, pictures_s: tuple[float, float] | None, index: int) -> list[dict[str, Any]]:
    """Title, drawing and caption of each panel of a clock's card, in pairs."""
    answer, word = view.answer, view.reference.kind
    step = "frame" if word == "video" else "sample"
    panels: list[tuple[str, Markup | None, str]] = []
    if view.rows:
        panels.append(("Before", figures.zoom(view, "before", pictures_s),
                       f"{view.before_words.capitalize()}. {_scales(view)}"))  # fmt: skip
        if view.rows[0].after is not None:
            caption = f"The same {word} time."
            if len(answer.sensors) > len(view.rows):
                caption += f" The {len(view.rows)} sensors with most evidence of {len(answer.sensors)}."
            if pictures_s:
                caption += " Shaded: the pictures of the person."
            title = "After" if answer.answered else "At the best guess"
            panels.append((title, figures.zoom(view, "after", pictures_s), caption))
    panels.append((
        "Evidence over the offset", figures.evidence(answer),
        "Each offset's log-likelihood ratio; diamonds: rivals, strongest first.",
    ))  # fmt: skip
    panels.append((
        f"Evidence near the {'answer' if answer.answered else 'best guess'}",
        figures.evidence(answer, around_s=_AROUND_S, frame_s=view.reference.frame_s), f"Shaded: ± one {step}.",
    ))  # fmt: skip
    if view.rows:
        panels.append((
            f"Whole recording{', raw clock' if view.rows[0].after is None else ''}", figures.overview(view),
            "How much each moves, outwards from the middle; shaded or with an arrow: the close look.",
        ))  # fmt: skip
    panels.append((
        "Over time", figures.residuals(view),
        "Above: the clock's offset against its value in the middle, the line is the answer. Below: what single "
        f"windows say against the answer; faint dots weigh little; shaded: ± one {step}.",
    ))  # fmt: skip
    return [
        {"title": title, "svg": distinct(drawing, f"c{index}p{k}-"), "caption": caption}
        for k, (title, drawing, caption) in enumerate(panels)
        if drawing is not None
    ]


def _legend(view: ClockView) -> dict[str, str]:
    """What the line and the filled shape of the drawings are."""
    forms = {
        "rad/s": ("how fast it turns", "how fast the limb that wears it turns"),
        "m/s²": ("how far its acceleration is from g", "the same of the limb that wears it"),
    }
    used = [forms[unit] for unit in dict.fromkeys(row.before.unit for row in view.rows)]
    sensor = ", or ".join(form[0] for form in used)
    limb = ", or ".join(form[1] for form in used) if view.reference.kind == "video" else "the same of that sensor"
    return {"sensor": f"sensor: {sensor}", "reference": f"{view.reference.kind}: {limb}"}


_LIMB_UNITS = {"m/s": "m/s of the limb's end about its start"}


def _scales(view: ClockView) -> str:
    """What the height of each drawn signal stands for."""
    parts = []
    for row in view.rows:
        own = figures.peak_of(row.after or row.before, view.window_s)
        ref = figures.peak_of(row.ref, view.window_s)
        parts.append(
            f"{row.name} {words.plain(own, 1)} {row.before.unit}, "
            f"{view.reference.kind} {words.plain(ref, 1)} {_LIMB_UNITS.get(row.ref.unit, row.ref.unit)}"
        )
    return f"Each drawn to its own peak: {'; '.join(parts)}."


def _sensors(recording: Recording, result: SyncResult) -> list[dict[str, Any]]:
    findings = {s.name: (a, s) for a in result.answers for s in a.sensors}
    out = []
    for imu in recording.imus:
        answer, finding = findings.get(imu.name, (None, None))
        total = sum(max(s.evidence_nats, 0.0) for s in answer.sensors) if answer else 0.0
        count, lost_s = _gaps(imu)
        missing = float(np.isnan(imu.acc_sensor).any(axis=1).mean())
        channels = {
            "acceleration": imu.acc_sensor, "angular rate": imu.gyr_sensor,
            "orientation": imu.rot_world_from_sensor, "magnetic field": imu.mag_sensor,
        }  # fmt: skip
        out.append({
            "name": imu.name,
            "is_reference": imu.name == result.reference and finding is None,
            "site": (finding.site if finding else None) or imu.site,
            "given": finding.given if finding else imu.site is not None,
            "clock_id": answer.clock_id if answer else imu.clock_id,
            "evidence_nats": finding.evidence_nats if finding else None,
            "share": max(finding.evidence_nats, 0.0) / total if finding and total > 0 else None,
            "channels": [name for name, value in channels.items() if value is not None],
            "rate_hz": imu.rate_hz,
            "length": words.span(imu.duration_s),
            "samples": imu.time_s.size,
            "gaps": f"{count}, {words.plain(lost_s, 1)} s" if count else "none",
            "missing": words.percent(missing) if missing > 0 else "",
            "notes": imu.notes,
        })  # fmt: skip
    return out
