"""rtmlib's models: which files a mode means, and what is said where there is none."""

from __future__ import annotations

import sys
import types
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from kinebind import InputError
from kinebind.cli.video_options import backend_by
from kinebind.video import rtmlib_models
from kinebind.video.rtmlib_models import is_rtmlib, rtmlib_files

MODE = {
    "balanced": {"det": "https://host/det_m.zip", "pose": "https://host/pose_m.zip"},
    "lightweight": {"det": "https://host/det_s.zip", "pose": "https://host/pose_s.zip"},
}


@pytest.fixture
def rtmlib(monkeypatch):
    """A package with rtmlib's table and download, which gives what a test puts into `kept`, or has no network."""
    kept = {}

    def download_checkpoint(url):
        if url not in kept:
            raise OSError("no network")
        return kept[url]

    package, tools, file = (types.ModuleType(name) for name in ("rtmlib", "rtmlib.tools", "rtmlib.tools.file"))
    package.__spec__ = ModuleSpec("rtmlib", None)
    package.Body = type("Body", (), {"MODE": MODE})
    file.download_checkpoint = download_checkpoint
    for module in (package, tools, file):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    return kept


def test_a_mode_means_a_detector_and_a_pose_model(rtmlib):
    rtmlib |= {url: f"/kept/{Path(url).stem}.onnx" for mode in MODE.values() for url in mode.values()}
    assert [path.name for path in rtmlib_files("rtmlib")] == ["det_m.onnx", "pose_m.onnx"]
    assert [path.name for path in rtmlib_files("rtmlib:lightweight")] == ["det_s.onnx", "pose_s.onnx"]
    assert is_rtmlib("rtmlib:lightweight")
    assert not is_rtmlib("rtmlib.onnx")
    assert not is_rtmlib(None)


def test_what_it_cannot_give_is_told(rtmlib, tmp_path, monkeypatch):
    with pytest.raises(InputError, match=r"no mode 'best'. Use one of: balanced, lightweight"):
        rtmlib_files("rtmlib:best")
    with pytest.raises(InputError, match=r"could not fetch https://host/det_m.zip \(no network\).* as det_m.onnx"):
        rtmlib_files("rtmlib")
    with pytest.raises(InputError, match="a detector of its own"), backend_by("rtmlib", tmp_path / "det.onnx"):
        pass
    rtmlib |= {url: str(tmp_path / "none.onnx") for url in MODE["balanced"].values()}
    with pytest.raises(InputError, match=r"none\.onnx"), backend_by("rtmlib", None):
        pass
    monkeypatch.setattr(rtmlib_models, "find_spec", lambda name: None)
    with pytest.raises(InputError, match="pip install --no-deps rtmlib"):
        rtmlib_files("rtmlib")
