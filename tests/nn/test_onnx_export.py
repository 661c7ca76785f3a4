"""The export without its packages; what it writes is tested where it is run (tests/tasks/test_onnx_binder.py)."""

from __future__ import annotations

import importlib.util

import pytest

from kinebind.errors import InputError
from kinebind.nn.onnx_export import export_onnx, needs_onnx, onnx_files
from kinebind.nn.universal import Universal, UniversalConfig
from kinebind.nn.universal_contract import UniversalContract


@pytest.fixture
def without(monkeypatch):
    """Function of a package's name: from now on it is not installed."""
    find = importlib.util.find_spec

    def remove(gone):
        monkeypatch.setattr(importlib.util, "find_spec", lambda name, *a: None if name == gone else find(name, *a))

    return remove


@pytest.mark.parametrize(("package", "int8"), [("onnx", False), ("onnxscript", False), ("onnxruntime", True)])
def test_a_missing_package_is_named_with_its_remedy(without, tmp_path, package, int8):
    without(package)
    model = Universal(UniversalConfig(width=8, stem=4, blocks=1, heads=2, token=4))
    with pytest.raises(InputError, match=f"needs the package {package},") as refused:
        export_onnx(model, UniversalContract(), {}, tmp_path, int8=int8)
    assert refused.value.fix == "pip install 'kinebind[onnx]'"
    assert list(tmp_path.iterdir()) == []


def test_what_is_installed_is_found():
    needs_onnx("torch", "json")


def test_the_contract_is_written_last():
    assert onnx_files(False) == ("felt.onnx", "seen.onnx", "contract.json")
    assert onnx_files(True)[-1] == "contract.json"
    assert len(onnx_files(True)) == 5
