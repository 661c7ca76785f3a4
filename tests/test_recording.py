"""`Recording`: names are unique, clocks are grouped, slices cut every stream."""

from __future__ import annotations

import numpy as np
import pytest

from kinebind import Imu, InputError, Label, Poses, Recording


def sensor(name: str, clock_id: str = "", start_s: float = 0.0) -> Imu:
    time_s = start_s + np.arange(100) / 50
    return Imu(time_s, np.tile([0, 0, 9.81], (100, 1)), name=name, clock_id=clock_id)


def person(name: str) -> Poses:
    return Poses(np.arange(60) / 30, np.full((60, 17, 2), 100.0), np.ones((60, 17)), person=name)


def test_sensors_are_grouped_by_clock_in_order_of_appearance():
    recording = Recording(imus=[sensor("b", "two"), sensor("a", "one"), sensor("c", "two"), sensor("d")])
    assert {k: [i.name for i in v] for k, v in recording.clocks().items()} == {
        "two": ["b", "c"], "one": ["a"], "d": ["d"],
    }  # fmt: skip
    assert list(recording.clocks()) == ["two", "one", "d"]


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"imus": (sensor("a"), sensor("a"))}, "Two sensors are called 'a'"),
        ({"people": (person("1"), person("1"))}, "Two people are called '1'"),
    ],
)
def test_a_name_is_given_once(fields, says):
    with pytest.raises(InputError, match=says):
        Recording(**fields)


def test_people_are_found_by_name_or_the_names_are_told():
    recording = Recording(people=(person("1"), person("2")))
    assert recording.person("2") is recording.people[1]
    with pytest.raises(InputError, match="no person '3'") as caught:
        recording.person("3")
    assert "1, 2" in caught.value.fix
    with pytest.raises(InputError, match="no person"):
        Recording().person("1")


def test_a_slice_cuts_streams_and_labels_and_drops_what_is_outside():
    recording = Recording(
        people=(person("1"),),
        imus=(sensor("a"), sensor("late", start_s=100.0)),
        labels=(Label(0.0, 0.8, "reach"), Label(0.9, 1.9, "lift"), Label(1.8, 2.0, "put")),
        text="a shelf", meta={"camera": "phone"},
    )  # fmt: skip
    part = recording.slice_s(0.5, 1.5)
    assert [i.name for i in part.imus] == ["a"]
    assert part.imus[0].time_s[0] == 0.5
    assert part.imus[0].time_s.size == 50
    assert part.people[0].time_s.size == 30
    assert part.labels == (Label(0.5, 0.8, "reach"), Label(0.9, 1.5, "lift"))
    assert (part.text, part.meta) == ("a shelf", {"camera": "phone"})


def test_a_label_must_not_end_before_it_starts():
    assert Label(1.0, 1.0, "clap").person is None
    for end_s in (0.5, np.nan):
        with pytest.raises(InputError, match="ends before it starts"):
            Label(1.0, end_s, "clap")


def test_a_recording_is_changed_by_making_another():
    meta = {"place": "hall"}
    recording = Recording(imus=(sensor("a"),), meta=meta)
    meta["place"] = "yard"
    assert recording.meta == {"place": "hall"}
    assert recording.replace(name="second").imus == recording.imus
    with pytest.raises(AttributeError):
        recording.name = "second"
    with pytest.raises(InputError, match="Two sensors"):
        recording.replace(imus=(sensor("a"), sensor("a")))
