"""The documentation holds: its examples run, and its figures are those of the results files."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path

import pytest

import sync_scene
from kinebind import ClockMap, Recording, save
from kinebind.readers import FORMATS

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(r"^```(\w+)[^\n]*\n(.*?)^```", re.DOTALL | re.MULTILINE)

_spec = importlib.util.spec_from_file_location("figures", ROOT / "docs/_hooks/figures.py")
figures = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(figures)


def fences(page: Path, language: str) -> list[str]:
    return [body for kind, body in FENCE.findall(page.read_text(encoding="utf-8")) if kind == language]


WITH_PYTHON = [page for page in PAGES if fences(page, "python")]


@pytest.fixture
def walk(tmp_path, monkeypatch):
    """A folder as the examples take it to be: a recording whose sensors' clock is 3.2 s behind the video's."""
    clock = ClockMap(offset_s=3.2, skew=50e-6, ref_time_s=12.0)
    sensors = tuple(sync_scene.imu(site, clock, clock_id="recorder") for site in ("left_wrist", "right_shank"))
    save(Recording(people=(sync_scene.poses(),), imus=sensors, name="walk"), tmp_path / "walk.kinebind")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("page", WITH_PYTHON, ids=lambda page: page.name)
@pytest.mark.usefixtures("walk")
def test_python_examples_run(page):
    """A page's examples run one after another in one namespace, as a reader would type them."""
    names: dict[str, object] = {"__name__": "example"}
    for i, example in enumerate(fences(page, "python")):
        exec(compile(example, f"{page.name}, example {i + 1}", "exec"), names)


def test_the_pages_with_examples_are_found():
    assert {"conventions.md", "format.md"} <= {page.name for page in WITH_PYTHON}


# -- figures ---------------------------------------------------------------------------------------------------

RESULTS = figures.load_results()
# In the README: `7.2 <!-- sync.sim_median_ms -->`.
MARKED = re.compile(r"(?P<shown>-?\d+(?:\.\d+)?) ?(?P<unit>%?)[^\d\n|]*?<!-- (?P<file>\w+)\.(?P<key>\w+) -->")


def test_every_number_in_the_readme_is_that_of_the_results():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for row in re.findall(r"^\|.*\|$", readme, re.MULTILINE):
        for number in MARKED.finditer(row):
            value = RESULTS[number["file"]]["metrics"][number["key"]] * (100 if number["unit"] else 1)
            decimals = len(number["shown"].partition(".")[2])
            assert number["shown"] == f"{value:.{decimals}f}", number[0]
        bare = re.sub(r"`[^`]*`", "", MARKED.sub("", row))
        assert not re.search(r"\d+(\.\d+)? ?(ms|ppm|s|%|×|times)\b", bare), f"a figure without its metric: {row}"


def test_results_files_are_of_one_form():
    for name, result in RESULTS.items():
        assert {"command", "commit", "machine", "date", "variant", "metrics"} <= set(result), name
        assert result["variant"] in ("small", "full"), name
        for key, value in result["metrics"].items():
            assert isinstance(value, int | float), f"{name}.{key}"
            if key.endswith("_lo"):
                assert value <= result["metrics"][key[:-3]] <= result["metrics"][key[:-3] + "_hi"], f"{name}.{key}"


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
    assert page("{{ sync.gone }}") == page("{{ gone.lag_ms }}") == "not measured"
    assert "commit `0123456789`" in page("{{ sync.about }}")


def test_the_table_of_formats_names_them_all():
    page = figures.on_page_markdown((ROOT / "docs/formats.md").read_text(encoding="utf-8"))
    assert all(f"| `{fmt.name}` |" in page for fmt in FORMATS)
    assert "{{" not in page
