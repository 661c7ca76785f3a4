"""The table on the screen: every piece, every refusal, every note once."""

from __future__ import annotations

import pytest

import sync_scene
from kinebind import ClockMap, InputError, Recording
from kinebind.cli.console import Screen
from kinebind.cli.sync_table import COLUMNS, clock_rows, show_batch, show_result
from kinebind.tasks.sync.result import Reason, SyncResult

CLOCK = ClockMap(3.2, 40e-6, 8.0)
REFUSED = Reason("periodic", "The motion repeats every 1.42 s.", "Narrow --search.")


@pytest.fixture
def shown(capsys):
    def call(*answers, quiet=False, **recording):
        if "imus" not in recording:
            names = [s.name for a in answers for s in a.sensors]
            recording["imus"] = tuple(sync_scene.imu(n, CLOCK, notes=("3 rows were sorted.",)) for n in names)
        whole = Recording(**({"people": (sync_scene.poses(),)} | recording))
        show_result(
            whole, SyncResult("1", answers, (-7.0, 7.0), notes=("There is no video.",)), Screen(json=False, quiet=quiet)
        )
        return capsys.readouterr().out.splitlines()

    return call


def test_a_line_a_clock_with_its_uncertainty(shown):
    lines = shown(sync_scene.answer("watch", ("left_wrist",), CLOCK))
    assert lines[1].split() == ["watch", "left_wrist", "+3.200", "±", "0.004", "+40", "±", "6", "97.3", "%", "answered"]


def test_a_jump_gives_a_line_more(shown):
    lines = shown(sync_scene.answer("watch", ("left_wrist",), CLOCK, jump=(9.0, 0.7)))
    assert lines[1].split()[2] == "+3.200"
    assert lines[2].startswith("… from its 9.0 s")
    assert "+2.500" in lines[2]
    assert "answered" not in lines[2]


def test_a_refusal_shows_its_guess_in_brackets_and_its_reason(shown):
    lines = shown(sync_scene.answer("watch", ("left_wrist",), CLOCK, refused=REFUSED))
    assert "(+3.200)" in lines[1]
    assert "±" not in lines[1]
    assert lines[1].rstrip().endswith("refused: periodic")
    assert lines[2] == "watch: The motion repeats every 1.42 s. Narrow --search."


def test_where_nothing_could_be_computed_there_is_no_number(shown):
    answer = sync_scene.answer("watch", ("left_wrist",), CLOCK, refused=REFUSED)
    empty = type(answer)("watch", "", answer.sensors, (), 0.0, reason=REFUSED)
    assert shown(empty)[1].split() == ["watch", "left_wrist", "0.0", "%", "refused:", "periodic"]


def test_found_sites_are_marked_and_several_people_named(shown):
    found = sync_scene.answer("a", ("b",), CLOCK, sites=("left_wrist",), person="2")
    imus = (sync_scene.imu("left_wrist", CLOCK, name="b", site=None),)
    lines = shown(found, imus=imus, people=(sync_scene.poses(person="1"), sync_scene.poses(person="2")))
    assert "b (left_wrist?)" in lines[1]
    assert lines[1].split()[-1] == "2"


def test_notes_are_told_once_with_whom_they_are_about(shown):
    answers = [sync_scene.answer(n, (n,), CLOCK, notes=("Mirrored.",)) for n in ("left_wrist", "right_shank")]
    lines = shown(*answers)
    assert lines.count("left_wrist, right_shank: 3 rows were sorted.") == 1
    assert {"left_wrist: Mirrored.", "right_shank: Mirrored.", "There is no video."} <= set(lines)
    assert len(shown(*answers, quiet=True)) == 3


def test_rows_for_programs_hold_every_column():
    answers = (
        sync_scene.answer("a", ("left_wrist",), CLOCK),
        sync_scene.answer("b", ("b",), CLOCK, refused=REFUSED),
    )
    first, second = clock_rows(SyncResult("1", answers, (-7.0, 7.0)))
    assert set(first) == set(second) == set(COLUMNS)
    assert (first["offset_s"], first["skew_ppm"], first["reason"]) == (3.2, pytest.approx(40.0), None)
    assert (second["status"], second["reason"], second["sensors"]) == ("refused", "periodic", "b@?")


def test_a_batch_is_counted(capsys):
    good = SyncResult("1", (sync_scene.answer("a", ("left_wrist",), CLOCK),), (-7.0, 7.0))
    bad = SyncResult("1", (sync_scene.answer("b", ("left_wrist",), CLOCK, refused=REFUSED),), (-7.0, 7.0))
    show_batch(
        [("one", good), ("two", bad), ("three", InputError("No file.", "Look."))], Screen(json=False, quiet=True)
    )
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[1:4]] == ["one", "two", "three"]
    assert lines[3].rstrip().endswith("failed")
    assert "three: No file. Look." in lines
    assert lines[-1] == "3 recordings, 1 failed; 2 clocks, 1 refused"
