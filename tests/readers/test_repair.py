from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinebind.readers.repair import repair_times, unwrap

RNG = np.random.default_rng(1)
TIME = np.arange(1000) / 100.0
VALUES = RNG.normal(size=(1000, 3))


@given(st.integers(0, 65535), st.lists(st.integers(1, 30000), min_size=2, max_size=60))
def test_unwrapping_gives_the_counter_back(start, steps):
    true = start + np.concatenate([[0], np.cumsum(steps)]).astype(float)
    np.testing.assert_array_equal(unwrap(true % 65536, 65536.0), true - true[0] + start)


def test_unwrapping_leaves_gaps_and_falls_out_of_order_alone():
    counter = np.array([65530, 65534, np.nan, 2, 1, 6.0])
    np.testing.assert_array_equal(unwrap(counter, 65536.0), [65530, 65534, np.nan, 65538, 65537, 65542])


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32 - 1), st.integers(20, 400))
def test_a_shuffled_file_comes_back_in_order(seed, n):
    order = np.random.default_rng(seed).permutation(n)
    (piece,), _ = repair_times(TIME[:n][order], VALUES[:n][order])
    np.testing.assert_array_equal(order[piece.rows], np.arange(n))
    np.testing.assert_array_equal(piece.time_s, TIME[:n])
    if (order != np.arange(n)).any():
        assert any("sorted" in note for note in piece.notes)


def test_rows_swapped_here_and_there_are_sorted():
    order = np.arange(1000)
    for i in range(10, 990, 37):
        order[[i, i + 3]] = order[[i + 3, i]]
    (piece,), notes = repair_times(TIME[order], VALUES[order])
    np.testing.assert_array_equal(piece.time_s, TIME)
    assert notes == ()


def test_newest_first_is_turned_round():
    (piece,), _ = repair_times(TIME[::-1].copy(), VALUES[::-1])
    np.testing.assert_array_equal(piece.rows, np.arange(999, -1, -1))


@pytest.mark.parametrize("jump_s", [0.3, 0.7, 5.0, 60.0])
def test_a_clock_that_jumps_back_starts_a_new_piece(jump_s):
    time = np.concatenate([TIME + 100, TIME + 110 - jump_s])
    values = RNG.normal(size=(2000, 3))
    pieces, notes = repair_times(time, values)
    assert [p.rows.tolist() for p in pieces] == [list(range(1000)), list(range(1000, 2000))]
    np.testing.assert_allclose(pieces[1].time_s, TIME + 110 - jump_s)
    assert any("jumped (1 times)" in note for note in notes)


def test_a_clock_that_was_set_starts_a_new_piece():
    time = np.concatenate([TIME, TIME + 1.7e9])
    pieces, _ = repair_times(time, RNG.normal(size=(2000, 3)))
    assert [p.rows.size for p in pieces] == [1000, 1000]


def test_blocks_in_the_wrong_order_are_one_recording():
    blocks = np.split(np.arange(1000), 5)
    order = np.concatenate([blocks[i] for i in (3, 0, 4, 1, 2)])
    (piece,), notes = repair_times(TIME[order], VALUES[order])
    np.testing.assert_array_equal(piece.time_s, TIME)
    assert not any("jumped" in note for note in notes)


def test_duplicates_are_kept_once_wherever_they_stand():
    order = np.concatenate([np.arange(600), np.arange(550, 1000), [7, 7]])
    (piece,), notes = repair_times(TIME[order], VALUES[order])
    np.testing.assert_array_equal(order[piece.rows], np.arange(1000))
    np.testing.assert_array_equal(piece.time_s, TIME)
    assert any("kept once (52)" in note for note in notes)


def test_equal_values_of_a_coarse_sensor_at_rest_are_no_duplicates():
    time = np.repeat(TIME[::2], 2)  # every time twice
    (piece,), notes = repair_times(time, np.ones((1000, 3)))
    assert piece.rows.size == 1000
    assert (np.diff(piece.time_s) > 0).all()
    assert notes == ()


def test_stray_times_and_rows_without_time_are_dropped_and_told():
    time = TIME.copy()
    time[400], time[999] = 0.0, -5e5
    time[[10, 20, 30]] = np.nan
    (piece,), notes = repair_times(time, VALUES)
    assert not {10, 20, 30, 400, 999} & set(piece.rows.tolist())
    assert piece.rows.size == 995
    assert any("without a time were left out (3)" in note for note in notes)
    assert any("far from their neighbours" in note and "(2)" in note for note in notes)


def test_pauses_stay_pauses():
    time = np.concatenate([TIME, TIME + 4000.0])
    (piece,), notes = repair_times(time, RNG.normal(size=(2000, 3)))
    np.testing.assert_array_equal(piece.time_s, time)
    assert notes == ()
    assert piece.notes == ()


@settings(deadline=None, max_examples=60)
@given(st.lists(st.one_of(st.floats(-1e9, 1e9), st.sampled_from([0.0, 1.0, 1.01, 1.02, np.nan])), max_size=60))
def test_any_times_give_strictly_increasing_pieces_of_distinct_rows(times):
    time = np.array(times, dtype=float)
    pieces, _ = repair_times(time, np.arange(time.size * 2.0).reshape(-1, 2))
    rows = np.concatenate([p.rows for p in pieces]) if pieces else np.array([], dtype=int)
    assert np.unique(rows).size == rows.size
    for piece in pieces:
        assert piece.rows.size == piece.time_s.size >= 2
        assert np.isfinite(piece.time_s).all()
        assert (np.diff(piece.time_s) > 0).all()
