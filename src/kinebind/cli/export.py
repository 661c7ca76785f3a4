"""`kinebind export`: the universal model as ONNX, with what goes into it."""

from __future__ import annotations

import json as json_module
from pathlib import Path
from typing import Annotated

import typer

from kinebind.cli import options
from kinebind.cli.console import Screen
from kinebind.cli.model_options import binder_by
from kinebind.errors import InputError
from kinebind.output.folder import check_out, folder_written_whole


def export(
    out: Annotated[Path, typer.Argument(metavar="OUT_DIR", help="The folder to write.")],
    int8: Annotated[bool, typer.Option("--int8", help="Also with weights of eight bits.")] = False,
    model: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A universal model; by default Kinebind's own.")
    ] = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> int:
    """Write the universal model as ONNX, an encoder a file, with its input contract (docs/models.md).

    Needs pip install 'kinebind[onnx]'. What it writes, kinebind.load reads and onnxruntime runs.
    """
    screen = Screen(json=json, quiet=quiet)
    check_out(out)
    # Here, because this imports torch.
    from kinebind.nn.onnx_export import CONTRACT_FILE, export_onnx, needs_onnx, onnx_files
    from kinebind.nn.universal import Universal

    needs_onnx("onnx", "onnxscript", *(("onnxruntime",) if int8 else ()))
    with screen.logging():
        binder = binder_by(model)
    if not isinstance(binder.model, Universal):
        raise InputError(f"{model} is ONNX already.", "Name a universal model's .safetensors file.")
    # An earlier export's eight-bit files would go with other weights.
    with screen.busy("Exporting"), folder_written_whole(out, outdated=onnx_files(int8=True)) as part:
        export_onnx(binder.model, binder.contract, binder.about, part, int8=int8)
    sizes = {name: (out / name).stat().st_size for name in onnx_files(int8)}
    for name, size in sizes.items():
        screen.show(f"{out / name}: {size / 1e6:.2f} MB")
    told = json_module.loads((out / CONTRACT_FILE).read_text(encoding="utf-8"))
    screen.answer({
        "format": "kinebind-export-1", "out": str(out), "files": sizes, "licence": binder.licence,
        "contract": told["contract"], "sha256": told["sha256"],
    })  # fmt: skip
    return 0
