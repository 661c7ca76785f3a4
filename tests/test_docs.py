"""The documentation holds: its examples run, and its figures are those of the results files."""

from __future__ import annotations

import importlib.util
import json
import re
import shlex
import sys
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

import sync_scene
from kinebind import ClockMap, Recording, save
from kinebind.cli.app import run
from kinebind.readers import FORMATS
from kinebind.tasks.sync.result import ReasonCode
from kinebind.training import load_recipe, recipe_names

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(r'^```(\w+)(?: title="([^"]+)")?[^\n]*\n(.*?)^```', re.DOTALL | re.MULTILINE)


def hook(name: str):
    """One of the documentation's hooks, which belong to no package."""
    spec = importlib.util.spec_from_file_location(name, ROOT / f"docs/_hooks/{name}.py")
    made = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


figures, curves = hook("figures"), hook("curves")


def fences(page: Path) -> list[tuple[str, str, str]]:
    """Language, title and text of each block of a page."""
    return FENCE.findall(page.read_text(encoding="utf-8"))


def commands(text: str) -> list[str]:
    """What a page, or a block of it, tells the reader to type after `$ kinebind`."""
    return re.findall(r"^\$ kinebind (.*)$", text, re.MULTILINE)


def has_examples(page: Path) -> bool:
    return any(kind == "python" or (kind == "console" and commands(body)) for kind, _, body in fences(page))


# The page on the command line has examples in files of its own: tests/cli/test_cli_docs.py.
WITH_EXAMPLES = [page for page in PAGES if has_examples(page) and page.name != "cli.md"]


@pytest.fixture
def walk(tmp_path, monkeypatch):
    """A folder as the examples take it to be: a recording whose sensors' clock is 3.2 s behind the video's."""
    monkeypatch.chdir(tmp_path)
    clock = ClockMap(offset_s=3.2, skew=50e-6, ref_time_s=12.0)
    sensors = tuple(sync_scene.imu(site, clock, clock_id="recorder") for site in ("left_wrist", "right_shank"))
    person = sync_scene.poses()
    save(Recording(people=(person,), imus=sensors, name="walk"), "walk.kinebind")
    np.savez("poses.npz", keypoints_px=person.keypoints_px, scores=person.scores, time_s=person.time_s)
    header = "time (s),acc_x (m/s2),acc_y (m/s2),acc_z (m/s2),gyr_x (rad/s),gyr_y (rad/s),gyr_z (rad/s)"
    # A third sensor on the arm of the first, with a clock of its own.
    band = sync_scene.imu("left_wrist", ClockMap(offset_s=-4.0), duration_s=20.0, seed=0)
    for name, imu in zip(("watch.csv", "shank.csv", "band.csv"), (*sensors, band), strict=True):
        rows = np.column_stack([imu.time_s, imu.acc_sensor, imu.gyr_sensor])
        np.savetxt(name, rows, delimiter=",", header=header, comments="", fmt="%.6f")
    return tmp_path


@pytest.mark.parametrize("page", WITH_EXAMPLES, ids=lambda page: page.name)
@pytest.mark.usefixtures("walk")
def test_a_pages_examples_run(page, capsys):
    """One after another in one folder and one namespace, as a reader would type them; titled blocks are files."""
    names: dict[str, object] = {"__name__": "example"}
    for i, (kind, title, body) in enumerate(fences(page)):
        if title:
            Path(title).write_text(body, encoding="utf-8")
        elif kind == "python":
            exec(compile(body, f"{page.name}, block {i + 1}", "exec"), names)
        elif kind == "console":
            for command in commands(body):
                assert run(shlex.split(command)) == 0, f"{command}\n{capsys.readouterr()}"


@pytest.mark.parametrize(
    "name", ["README.md", "docs/sync.md", "docs/formats.md", "docs/results.md", "docs/training.md", "docs/models.md"]
)
def test_pages_name_flags_that_there_are(name, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "300")
    for command in (
        "sync", "inspect", "convert", "bench", "train", "finetune align", "finetune recognise", "finetune har", "test",
        "simulate", "embed", "export", "data build"
    ):  # fmt: skip
        run([*command.split(), "--help"])
    # The first is torchrun's, the second that of kinebind.training.ship.
    there = {"--nproc-per-node", "--corpus", *re.findall(r"--[a-z][a-z-]*", capsys.readouterr().out)}
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", (ROOT / name).read_text(encoding="utf-8"))) <= there


def test_every_reason_of_a_refusal_is_explained():
    page = (ROOT / "docs/sync.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `(\w+)` \|[^|]+\|[^|]+\|$", page, re.MULTILINE)) == set(get_args(ReasonCode))


@pytest.mark.usefixtures("walk")
def test_what_the_readme_says_lies_in_the_folder_does(capsys):
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for command in commands(readme):
        run(shlex.split(command))
    told = re.findall(r"^\| `([\w.-]+)` \|", readme, re.MULTILINE)
    found = {path.name for path in Path("walk").iterdir()}
    assert {name.replace("NAME", "left_wrist") for name in told} <= found
    assert len(told) == 4


def test_the_pages_with_examples_are_found():
    found = {page.name for page in WITH_EXAMPLES}
    assert {"README.md", "conventions.md", "format.md", "formats.md", "sync.md", "training.md", "models.md"} <= found


# -- commands that need data sets ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["docs/training.md", "docs/models.md", "docs/datasets.md"])
def test_commands_that_are_only_shown_exist(name, capsys, monkeypatch):
    """Each `kinebind` of a shell block: the command, its flags, and the recipe if it names one."""
    monkeypatch.setenv("COLUMNS", "300")
    lines = [line for kind, _, body in fences(ROOT / name) if kind == "sh" for line in body.splitlines()]
    shown = [line.split("#")[0].partition("kinebind ")[2] for line in lines if "kinebind " in line]
    assert shown
    for words in map(shlex.split, shown):
        command = words[: 2 if words[0] in ("data", "finetune") else 1]
        run([*command, "--help"])
        there = set(re.findall(r"--[a-z][a-z0-9-]*", capsys.readouterr().out))
        assert {word for word in words if word.startswith("--")} <= there, words
        if command[-1] in ("train", "build"):
            load_recipe(words[len(command)])


def test_every_recipe_is_on_the_page_of_models():
    page = (ROOT / "docs/models.md").read_text(encoding="utf-8")
    for name in recipe_names():
        model, _, data = name.partition("-")
        assert f"`{name}`" in page or f"`-{name.rpartition('-')[2]}`" in page or (
            f"`{model}-`" in page and f"`{data}`" in page
        ), name  # fmt: skip


# -- figures ---------------------------------------------------------------------------------------------------

RESULTS = figures.load_results()


def test_every_number_in_the_readme_is_that_of_the_results():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert readme == figures.refreshed(readme, RESULTS), "run docs/_hooks/figures.py"
    found = [row.split("|")[2] for row in re.findall(r"^\|.*\|$", readme, re.MULTILINE)]
    bare = [cell for cell in found if re.search(r"\d", figures.IN_README.sub("", cell))]
    assert not bare, f"figures without their metric: {bare}"


def test_a_figure_in_the_readme_follows_its_result():
    results = {"sync": {"metrics": {"lag_ms": 7.249, "share": 0.6512}}}
    old = "| lag | 5.0 ms <!-- sync.lag_ms --> |\n| right | 1 % <!-- sync.share --> |\n"
    assert figures.refreshed(old, results) == (
        "| lag | 7.2 ms <!-- sync.lag_ms --> |\n| right | 65 % <!-- sync.share --> |\n"
    )


def test_results_files_are_of_one_form():
    for name, result in RESULTS.items():
        assert {"command", "commit", "machine", "date", "variant", "metrics"} <= set(result), name
        assert result["variant"] in ("small", "full"), name
        for key, value in result["metrics"].items():
            assert isinstance(value, int | float), f"{name}.{key}"
            if key.endswith("_lo"):
                assert value <= result["metrics"][key[:-3] + "_hi"], f"{name}.{key}"
                assert key[:-3] in result["metrics"], f"{name}.{key}"


def test_pages_name_metrics_that_were_measured():
    for page in PAGES:
        for match in figures.FIGURE.finditer(page.read_text(encoding="utf-8")):
            if match["file"] in RESULTS:
                assert figures.figure(match, RESULTS) != figures.NOT_MEASURED, f"{page.name}: {match[0]}"


def test_a_placeholder_becomes_its_figure(tmp_path):
    result = {
        "command": "kinebind bench sync", "commit": "0123456789abcdef", "machine": "2 cores", "date": "2025-01-01",
        "variant": "full", "metrics": {"lag_ms": 7.249, "lag_ms_lo": 6.5, "lag_ms_hi": 8.01, "clips": 400},
    }  # fmt: skip
    (tmp_path / "sync.json").write_text(json.dumps(result))
    results = figures.load_results(tmp_path)

    def page(text):
        return figures.FIGURE.sub(lambda match: figures.figure(match, results), text)

    assert page("{{ sync.lag_ms }} ms") == "7.25 (6.5–8.01) ms"
    assert page("{{ sync.lag_ms | .1f }} ms") == "7.2 (6.5–8.0) ms"
    assert page("{{ sync.clips }}") == "400"
    assert page("{{ sync.clips >= 300 }}") == "400, aim ≥ 300"
    assert page("{{ sync.lag_ms <= 5 | .1f }}") == "**7.2 (6.5–8.0)**, misses ≤ 5"
    text = "{{ sync.clips >= 300 }} {{ sync.lag_ms <= 5 | .1f }} {{ sync.lag_ms <= 8 }} {{ sync.gone <= 1 }}"
    assert figures.missed(text, results) == (
        "- `lag_ms`: **7.2 (6.5–8.0)**, misses ≤ 5\n- Not measured yet: 1 of 4 aims."
    )
    assert figures.missed("{{ sync.clips >= 300 }}", results) == "Every aim on this page is met."
    assert page("{{ sync.gone }}") == page("{{ gone.lag_ms }}") == "not measured"
    assert "commit `0123456789`" in page("{{ sync.about }}")


def test_the_table_of_formats_names_them_all():
    page = figures.on_page_markdown((ROOT / "docs/formats.md").read_text(encoding="utf-8"))
    assert all(f"| `{fmt.name}` |" in page for fmt in FORMATS)
    assert "{{" not in page


def test_curves_are_drawn_of_what_was_measured_and_nothing_else(monkeypatch):
    metrics = {}
    for count, value in ((1, 0.5), (2, 0.75), (6, 1.0)):
        for method in ("", "_classical"):
            key = f"sim_sensors_{count}_within_100ms{method}"
            metrics |= {key: value, f"{key}_lo": value - 0.1, f"{key}_hi": value}
    curve = curves.CURVES["sensors"]
    own = curves.points(curve, "_classical", metrics)
    assert (own.name, own.x.tolist(), own.y.tolist()) == ("classical", [1, 2, 6], [0.5, 0.75, 1.0])
    assert np.allclose(own.low, [0.4, 0.65, 0.9])
    assert curves.points(curve, "_syncwise", metrics) is None
    assert b"<svg" in curves.drawn("sensors", metrics)
    monkeypatch.setattr(curves, "measured", lambda: metrics)
    page = curves.on_page_markdown("{{ curve: sensors }}, {{ curve: rate }}")
    assert page == "![sensors: 3 s, normal keypoints](curves/sensors.svg), not measured"


def test_every_curve_of_the_pages_is_known():
    named = {name for page in PAGES for name in curves.PLACE.findall(page.read_text(encoding="utf-8"))}
    assert named == set(curves.CURVES)
