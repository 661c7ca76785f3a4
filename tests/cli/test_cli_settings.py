"""Words become settings: numbers, ranges, moments, dates."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinebind.cli.settings import SETTINGS, Settings, flag, seconds, unknown
from kinebind.errors import InputError

NUMBER = st.floats(-1e6, 1e6, allow_nan=False)


def one(name, value):
    return getattr(Settings.parse({name: value}), name)


@given(NUMBER, st.floats(1e-3, 1e6))
def test_a_range_comes_back_from_text_and_list(low, width):
    pair = (low, low + width)
    assert one("search", f"{pair[0]!r}:{pair[1]!r}") == one("search", list(pair)) == pair


@given(st.lists(st.tuples(NUMBER, NUMBER), min_size=1, max_size=4))
def test_anchors_come_back_from_text_and_lists(pairs):
    words = [f"{a!r}={b!r}" for a, b in pairs]
    assert (
        one("anchor", words)
        == one("anchor", ",".join(words))
        == one("anchor", [list(p) for p in pairs])
        == tuple(pairs)
    )


@given(st.integers(0, 99), st.integers(0, 59), st.integers(0, 59999))
def test_a_players_time_is_seconds(hours, minutes, milliseconds):
    s = milliseconds / 1000
    assert seconds(f"{hours}:{minutes:02d}:{s:06.3f}", "") == pytest.approx(3600 * hours + 60 * minutes + s)
    assert seconds(f"-{minutes}:{s:06.3f}", "") == pytest.approx(-60 * minutes - s)
    assert seconds(str(s), "") == s


@given(st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1)), st.integers(-12, 14))
def test_an_instant_is_unix_time_however_it_is_written(moment, zone):
    aware = moment.replace(tzinfo=timezone(timedelta(hours=zone)))
    unix = aware.timestamp()
    assert one("video_start", aware.isoformat()) == pytest.approx(unix, abs=1e-5)
    assert one("video_start", aware) == pytest.approx(unix, abs=1e-5)
    utc = aware.astimezone(timezone.utc).replace(tzinfo=None)
    assert (
        one("video_start", utc.isoformat())
        == one("video_start", utc.isoformat() + "Z")
        == pytest.approx(unix, abs=1e-5)
    )
    assert one("video_start", repr(unix)) == pytest.approx(unix, abs=1e-5)
    if unix > 1e9:
        assert one("video_start", 1000 * unix) == pytest.approx(unix, abs=1e-5)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("search", "1:2:3"), ("search", [1]), ("search", "nan:1"), ("search", True), ("near", "1:2:3:4"),
        ("near", "inf"),
        ("anchor", "1=2=3"), ("anchor", [[1, 2], [3]]), ("video_start", "5"), ("video_start", date(2025, 1, 1)),
        ("video_start", "2025-13-01"), ("fps", "0"), ("fps", "-1"), ("fps", "nan"), ("rate", [1]),
        ("first_frame", "1.5"),
        ("image_size", "1920"), ("image_size", [0, 1]), ("gravity", "some"), ("up", "up"), ("check", "perhaps"),
        ("columns", "time"), ("columns", {"tome": "x"}), ("person", True), ("acc_unit", 1.5), ("format", [1.5]),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_by_its_name(name, value):
    with pytest.raises(InputError) as told:
        Settings.parse({name: value})
    assert told.value.fix
    assert name in told.value.what or name in ("columns", "image_size")
    with pytest.raises(InputError) as told:
        Settings.parse({name: value}, flags=True)
    assert flag(name) in told.value.what or name in ("columns", "image_size")


def test_what_is_not_said_stays_unsaid():
    nothing = Settings.parse(dict.fromkeys(SETTINGS))
    assert nothing == Settings() == Settings.parse(dict.fromkeys(SETTINGS, ""))
    assert nothing.said() == {}


def test_one_says_over_the_other():
    mine = Settings.parse({"fps": 25, "search": "-1:1"})
    file = Settings.parse({"fps": 30, "person": "2", "check": False, "frame_times": "t.txt"}, Path("there"))
    both = mine.over(file)
    assert both.said() == {
        "fps": 25.0, "search": (-1.0, 1.0), "person": "2", "check": False, "frame_times": Path("there/t.txt"),
    }  # fmt: skip


def test_the_nearest_word_is_named():
    assert "'search'" in unknown("serach", ["near", "search"], "It").fix
    assert unknown("qqqq", ["near", "search"], "It").fix == "Known are: near, search."
