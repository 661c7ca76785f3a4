"""The page: whole HTML, nothing from outside, the numbers of sync.json, and words for what went wrong."""

from __future__ import annotations

import dataclasses
import html
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest

import sync_scene
from kinebind import ClockMap, InputError, Recording
from kinebind.report import write_report
from kinebind.tasks.sync.result import ClockAnswer, Reason, SensorFinding, SyncResult

VOID = {"meta", "link", "br", "hr", "img", "input"}
PERIODIC = Reason("periodic", "The motion repeats every 1.42 s.", "Narrow the search with --near.")


class Page(HTMLParser):
    """Parses a page, insisting that every tag is closed in its turn, and keeps what the tests ask for."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.drawings: list[dict[str, str | None]] = []
        self.words: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.source = text
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        self.handle_startendtag(tag, attrs)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.attributes += [(tag, k, v or "") for k, v in attrs]
        if given.get("id"):
            self.ids.append(given["id"] or "")
        if given.get("href"):
            self.links.append(given["href"] or "")
        if tag == "svg" and given.get("aria-hidden") != "true":
            self.drawings.append(given)

    def handle_endtag(self, tag: str) -> None:
        assert self.open
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("style", "script"):
            self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))

    def number_after(self, label: str) -> float:
        found = re.search(re.escape(label) + r" ([+−]?[\d\u202f]+\.?\d*)", self.text.replace("\u202f", ""))
        assert found, label
        return float(found[1].replace("−", "-"))


def page(tmp_path, recording, result) -> Page:
    write_report(recording, result, tmp_path / "report.html")
    return Page((tmp_path / "report.html").read_text(encoding="utf-8"))


def four_clocks():
    recording, result = sync_scene.scene(("left_wrist", "right_wrist", "left_thigh", "right_shank"), shared=False)
    refused = sync_scene.answer("left_thigh", ("left_thigh",), ClockMap(1.2, 0.0, 8.0), refused=PERIODIC)
    answers = [refused if a.clock_id == "left_thigh" else a for a in result.answers]
    return recording, dataclasses.replace(result, answers=tuple(answers))


def test_the_page_is_whole_and_asks_for_nothing_from_outside(tmp_path):
    got = page(tmp_path, *four_clocks())
    assert len(got.ids) == len(set(got.ids))
    assert {link for link in got.links if not link.startswith("#")} == set()
    assert {link.removeprefix("#") for link in got.links} <= set(got.ids)
    assert not [a for a in got.attributes if a[1] in ("src", "srcset", "action", "data", "xlink:href")]
    assert not re.search(r"https?://|@import|url\((?!#)", got.source)
    assert set(re.findall(r"url\(#([^)]+)\)", got.source)) <= set(got.ids)
    assert all(d["role"] == "img" and d["aria-label"] for d in got.drawings)
    assert len(got.drawings) == 4 * 6 + 9


def test_every_colour_of_a_drawing_follows_the_theme(tmp_path):
    got = page(tmp_path, *four_clocks())
    drawn = "".join(re.findall(r"<svg.*?</svg>", got.source, flags=re.DOTALL))
    assert not re.search(r"#[0-9a-f]{6}\b", drawn)
    used = set(re.findall(r"var\(--([\w-]+)\)", got.source))
    light, dark = re.findall(r":root \{(.*?)\}", got.source, flags=re.DOTALL)
    for theme in (light, dark):
        assert used <= set(re.findall(r"--([\w-]+):", theme))


def test_numbers_are_those_of_the_result(tmp_path):
    recording, result = sync_scene.scene()
    got = page(tmp_path, recording, result)
    embedded = json.loads(re.findall(r'<script type="application/json" id="sync">(.*?)</script>', got.source)[0])
    assert embedded == result.to_dict()
    answer = embedded["answers"][0]
    assert got.number_after("Offset") == pytest.approx(answer["offset_s"], abs=5.01e-4)
    assert got.number_after("Skew") == pytest.approx(answer["skew_ppm"], abs=0.0501)
    assert got.number_after("ppm ±") == pytest.approx(answer["skew_uncertainty_ppm"], abs=0.0501)
    assert got.number_after("Confidence") == pytest.approx(100 * answer["confidence"], abs=0.51)
    assert got.number_after("strongest rival, at") == pytest.approx(answer["rivals"][0]["offset_s"], abs=5.01e-4)
    assert got.number_after("The evidence for this offset is") == pytest.approx(answer["features"]["evidence_nats"])


def test_a_sensor_that_hardly_moves_is_told_so(tmp_path):
    recording, result = sync_scene.scene()
    assert "it hardly moves here" not in page(tmp_path, recording, result).text
    first = recording.imus[0]
    still = first.replace(gyr_sensor=0.02 * first.gyr_sensor)
    got = page(tmp_path, recording.replace(imus=(still, *recording.imus[1:])), result)
    assert got.text.count("it hardly moves here") == 2  # before and after


def test_each_clock_tells_what_it_was_held_to(tmp_path):
    recording, result = four_clocks()
    answers = [dataclasses.replace(a, needed_confidence=0.85 if k else 0.5) for k, a in enumerate(result.answers)]
    got = page(tmp_path, recording, dataclasses.replace(result, answers=tuple(answers)))
    assert got.text.count("answered from 85 %") == 3
    assert got.text.count("answered from 50 %") == 1


def test_headline_counts_and_a_refusal_says_why_and_what_to_do(tmp_path):
    got = page(tmp_path, *four_clocks())
    assert "3 of 4 clocks aligned" in got.text
    assert PERIODIC.what in got.text
    assert PERIODIC.fix in got.text
    assert got.text.count(" refused ") == 2  # in the table and on its card
    assert "Offset, best guess only" in got.text


def test_a_clock_about_which_nothing_could_be_computed(tmp_path):
    recording, result = sync_scene.scene(("left_wrist",))
    still = Reason("no_motion_imu", "The sensors hardly moved.", "Wave first.")
    finding = SensorFinding("left_wrist", "left_wrist", True, 0.0)
    answer = ClockAnswer("watches", "", (finding,), (), 0.0, reason=still)
    got = page(tmp_path, recording, dataclasses.replace(result, reference="", answers=(answer,)))
    assert "The clock could not be aligned" in got.text
    assert "The sensors hardly moved." in got.text
    assert "At the best guess" not in got.text
    assert "nan" not in got.text.lower()


def test_a_jump_shows_its_pieces(tmp_path):
    recording, result = sync_scene.scene(("left_wrist",), duration_s=60.0)
    answer = sync_scene.answer(
        "watches", ("left_wrist",), ClockMap(3.2, 40e-6, 30.0), duration_s=60.0, jump=(37.0, 0.7)
    )
    got = page(tmp_path, recording, dataclasses.replace(result, answers=(answer,)))
    assert "The recorder jumped: 2 pieces" in got.text
    assert "−0.700" in got.text


def test_keypoints_that_are_all_missing(tmp_path):
    recording, result = sync_scene.scene()
    track = recording.people[0]
    blind = track.replace(keypoints_px=np.full_like(track.keypoints_px, np.nan))
    got = page(tmp_path, recording.replace(people=(blind,)), result)
    assert "0 % of the keypoints seen" in got.text
    assert "the limb is not seen here" in got.text
    assert "busy moment" not in got.text


def test_a_sensor_without_gyroscope_is_shown_by_its_acceleration(tmp_path):
    recording, result = sync_scene.scene(("left_wrist",))
    plain = recording.imus[0].replace(gyr_sensor=None, rot_world_from_sensor=None)
    got = page(tmp_path, recording.replace(imus=(plain,)), result)
    assert "how far its acceleration is from g" in got.text
    assert "how fast it turns" not in got.text
    assert "m/s²" in got.text


def test_a_sensor_as_the_reference(tmp_path):
    start = 1.689e9  # both clocks show the time of day
    watch = sync_scene.imu("right_wrist", ClockMap(-start), 40.0, name="watch")
    phone = sync_scene.imu("right_wrist", ClockMap(-start - 2.3), 40.0, name="phone")
    answer = sync_scene.answer("phone", ("phone",), ClockMap(-2.3, 0.0, start + 20), sites=(None,), person="watch")
    recording = Recording(imus=(watch, phone))
    got = page(tmp_path, recording, SyncResult("watch", (answer,), (-60.0, 60.0)))
    assert got.number_after("Offset") == pytest.approx(-2.3)
    assert "Against sensor watch" in got.text
    assert "reference time from its start" in got.text
    assert "video" not in got.text


def test_two_people_each_have_their_strip_and_their_limbs(tmp_path):
    recording, result = sync_scene.scene(("left_wrist", "right_shank"), shared=False)
    recording = recording.replace(people=(sync_scene.poses(), sync_scene.poses(person="2", seed=1)))
    answers = (result.answers[0], dataclasses.replace(result.answers[1], person="2"))
    got = page(tmp_path, recording, dataclasses.replace(result, reference="1, 2", answers=answers))
    assert "Person 1 at a busy moment" in got.text
    assert "Person 2 at a busy moment" in got.text
    assert "Clock right_shank on person 2" in got.text


def test_a_mirrored_video_is_told_first(tmp_path):
    recording, result = sync_scene.scene()
    swapped = recording.replace(people=(recording.people[0].left_right_swapped(),))
    answers = (dataclasses.replace(result.answers[0], mirrored=True),)
    got = page(tmp_path, swapped, dataclasses.replace(result, answers=answers))
    assert got.text.index("Left and right are exchanged.") < got.text.index("busy moment")
    # The limb on the other side is drawn: it is the one that moved with the sensor.
    assert re.search(r"left_wrist: correlation 0\.9", got.source)


def test_names_cannot_break_the_page(tmp_path):
    name = "</script><b>&\"'$x$ 腕"
    recording, result = sync_scene.scene(("left_wrist",))
    recording = recording.replace(name=name, imus=(recording.imus[0].replace(name=name, notes=(name,)),))
    finding = SensorFinding(name, "left_wrist", True, 100.0)
    answer = dataclasses.replace(result.answers[0], clock_id=name, sensors=(finding,), notes=(name,))
    got = page(tmp_path, recording, dataclasses.replace(result, name=name, answers=(answer,)))
    assert got.text.count(name) >= 5
    assert "<b>&" not in got.source
    assert html.escape(name, quote=False) in got.source


def test_an_hour_is_no_larger_than_its_drawings(tmp_path):
    names = ("left_wrist", "right_shank")
    hour = 3600.0
    clock = ClockMap(-12.5, 400e-6, 1800.0)
    imus = tuple(sync_scene.imu(n, clock, hour, rate_hz=20.0, clock_id="suit") for n in names)
    recording = Recording(people=(sync_scene.poses(hour, rate_hz=5.0),), imus=imus)
    answer = sync_scene.answer("suit", names, clock, duration_s=hour, jump=(2232.5, 0.7), search_s=3600.0)
    write_report(recording, SyncResult("1", (answer,), (-hour, hour)), tmp_path / "report.html")
    assert (tmp_path / "report.html").stat().st_size < 600_000


def test_twelve_clocks_stay_below_three_megabytes(tmp_path):
    names = tuple(sync_scene.LIMBS)
    recording, result = sync_scene.scene(names, shared=False)
    imus, answers = list(recording.imus), list(result.answers)
    for k, a in enumerate(result.answers[:4]):
        imus.append(recording.imus[k].replace(name=f"spare{k}", clock_id=f"spare{k}"))
        finding = dataclasses.replace(a.sensors[0], name=f"spare{k}")
        answers.append(dataclasses.replace(a, clock_id=f"spare{k}", sensors=(finding,)))
    recording = recording.replace(imus=tuple(imus))
    write_report(recording, dataclasses.replace(result, answers=tuple(answers)), tmp_path / "report.html")
    assert (tmp_path / "report.html").stat().st_size < 3_000_000


def test_the_same_result_gives_the_same_page(tmp_path):
    recording, result = sync_scene.scene(("left_wrist",))
    write_report(recording, result, tmp_path / "a.html")
    write_report(recording, result, tmp_path / "b.html")
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


def test_a_recording_that_is_not_the_results(tmp_path):
    recording, result = sync_scene.scene()
    other = recording.replace(people=(sync_scene.poses(person="somebody else"),))
    with pytest.raises(InputError, match="no person or sensor '1'"):
        write_report(other, result, tmp_path / "report.html")
    assert list(tmp_path.iterdir()) == []
