"""Pictures of figures: what is drawn is what was given."""

from __future__ import annotations

import numpy as np
import pytest

from kinebind.errors import InputError
from kinebind.report.curves import PlottedCurve, confusion_picture, curves_picture, save_picture


def texts(figure):
    return [t.get_text() for t in figure.axes[0].texts]


def test_a_confusion_matrix_shows_shares_and_counts_of_the_true_class():
    figure = confusion_picture(np.array([[3, 1], [0, 7]]), ["squat", "walk $1"], "HAR")
    ax = figure.axes[0]
    assert np.asarray(ax.images[0].get_array()) == pytest.approx(np.array([[0.75, 0.25], [0, 1]]))
    assert texts(figure) == ["3", "1", "7"]  # zeros stay empty
    # Counts stand in their cells: x is the answer, y the truth.
    assert [t.get_position() for t in ax.texts] == [(0, 0), (1, 0), (1, 1)]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("answered", "true")
    assert [t.get_text() for t in ax.get_yticklabels()] == ["squat", r"walk \$1"]


def test_a_class_without_cases_and_many_classes():
    empty = confusion_picture(np.zeros((2, 2), int), ["a", "b"])
    assert not np.asarray(empty.axes[0].images[0].get_array()).any()
    assert texts(confusion_picture(np.ones((27, 27), int), [str(i) for i in range(27)])) == []


def test_curves_are_drawn_with_their_intervals():
    x = np.array([0.0, 1.0, 2.0])
    curves = [PlottedCurve("ours", x, 0.9 - 0.1 * x, 0.8 - 0.1 * x, 1.0 - 0.1 * x), PlottedCurve("theirs", x, x / 4)]
    figure = curves_picture(curves, "sensors dropped", "R@1", shares=True)
    ax = figure.axes[0]
    assert [line.get_ydata().tolist() for line in ax.lines] == [curves[0].y.tolist(), curves[1].y.tolist()]
    assert len(ax.collections) == 1
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["ours", "theirs"]
    assert ax.get_ylim() == (0.0, 1.02)
    assert curves_picture(curves[:1], "x", "y").axes[0].get_legend() is None


@pytest.mark.parametrize(("suffix", "begins"), [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".pdf", b"%PDF")])
def test_the_same_figure_gives_the_same_file(tmp_path, suffix, begins):
    files = []
    for name in ("a", "b"):
        figure = confusion_picture(np.array([[3, 1], [0, 7]]), ["squat", "cost in $"])
        files.append(save_picture(figure, tmp_path / f"{name}{suffix}").read_bytes())
    assert files[0] == files[1]
    assert files[0].startswith(begins)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda to: confusion_picture(np.ones((2, 2), int), ["a"]), "does not fit 1 names"),
        (lambda to: curves_picture([], "x", "y"), "no curve"),
        (lambda to: curves_picture([PlottedCurve("c", np.ones(2), np.ones(3))], "x", "y"), r"'c' .* \(2,\), \(3,\)"),
        (lambda to: curves_picture([PlottedCurve("c", np.ones(2), np.ones(2), np.ones(2))], "x", "y"), "'c'"),
        (lambda to: save_picture(confusion_picture(np.eye(2, dtype=int), ["a", "b"]), to / "a.jpeg"), "no kind"),
        (lambda to: save_picture(confusion_picture(np.eye(2, dtype=int), ["a", "b"]), to / "no" / "a.png"), "written"),
    ],
)
def test_bad_input_is_named(tmp_path, call, says):
    with pytest.raises(InputError, match=says) as error:
        call(tmp_path)
    assert error.value.fix


def test_many_curves_stay_apart_and_uncovered():
    x = np.arange(30.0)
    figure = curves_picture([PlottedCurve(f"curve {k}", x, 0.01 * k * x) for k in range(16)], "x", "y")
    (ax,) = figure.axes
    assert len({(line.get_color(), line.get_linestyle()) for line in ax.get_lines()}) == 16
    figure.draw_without_rendering()
    (legend,) = figure.legends
    assert ax.get_legend() is None
    assert legend.get_window_extent().x0 >= ax.get_window_extent().x1
