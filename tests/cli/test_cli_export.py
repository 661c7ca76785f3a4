"""`kinebind export`: its refusals and what it tells; what it writes is run in tests/tasks/test_onnx_binder.py."""

from __future__ import annotations

import importlib.util
import json

import pytest

import kinebind as package
from kinebind.nn import onnx_export
from kinebind.nn.universal_file import save_universal


@pytest.fixture
def quick(monkeypatch):
    """The export without its work: files of the right names."""

    def write(model, contract, about, folder, *, int8=False):
        for name in onnx_export.onnx_files(int8):
            (folder / name).write_text(json.dumps({"contract": contract.to_dict(), "sha256": {}}), encoding="utf-8")

    monkeypatch.setattr(onnx_export, "export_onnx", write)


@pytest.mark.usefixtures("quick")
def test_it_tells_what_it_wrote(kinebind, tmp_path):
    out = tmp_path / "out"
    said = kinebind("export", out, "--int8")
    assert said.code == 0, said
    assert "felt.int8.onnx" in said.out
    said = kinebind("export", out, "--json")
    assert said.json["format"] == "kinebind-export-1"
    assert set(said.json["files"]) == {"felt.onnx", "seen.onnx", "contract.json"}
    assert said.json["contract"]["acc_unit"] == "m/s2"
    assert "CC BY 4.0" in said.json["licence"]
    # Files of eight bits would belong to other weights.
    assert {p.name for p in out.iterdir()} == set(said.json["files"])


@pytest.mark.usefixtures("quick")
def test_another_model(kinebind, tmp_path):
    save_universal(package.load().model, tmp_path / "mine.safetensors", {"licence": "MIT"})
    said = kinebind("export", tmp_path / "out", "--model", tmp_path / "mine.safetensors", "--json")
    assert "MIT" in said.json["licence"]


def test_bad_input_writes_nothing(kinebind, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    kinebind("export", tmp_path / "file").refused("is a file")
    kinebind("export", tmp_path / "out", "--model", tmp_path / "gone.safetensors").refused("no file")
    kinebind("export").refused("OUT_DIR")
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *a: None if name == "onnxscript" else find(name, *a))
    kinebind("export", tmp_path / "out").refused("onnxscript", "pip install 'kinebind[onnx]'")
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
