# SPDX-License-Identifier: Apache-2.0
"""qnnc opt: any passes on any model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from qnnc.cli.options import (
    FoldingBoard,
    Force,
    Frontend,
    HostLayers,
    InputName,
    InputScale,
    InputType,
    Passes,
    PrintAfter,
    SaveIr,
    TimePasses,
    TopK,
    Verify,
)


def opt(
    model: Annotated[str, typer.Argument(help="A network, or an IR saved before.")],
    passes: Passes,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="File for the IR; printed by default.")
    ] = None,
    plain: Annotated[
        bool, typer.Option("--plain", help="Write standard ONNX operators, without facts.")
    ] = False,
    input_type: InputType = "",
    input_scale: InputScale = "1",
    input_name: InputName = "",
    top_k: TopK = 0,
    host_layers: HostLayers = False,
    frontend: Frontend = None,
    board: FoldingBoard = "Pynq-Z1",
    samples: Annotated[
        Path | None, typer.Option(help="Inputs to verify with; random ones by default.")
    ] = None,
    verify: Verify = "each",
    print_after: PrintAfter = "",
    force: Force = False,
    save_ir: SaveIr = None,
    time_passes: TimePasses = False,
) -> None:
    """Run passes on a model and write the IR, which is ONNX with its facts as metadata.

    After its import the model's input is declared and its shapes are inferred; everything else is
    as the passes say. Example: qnnc opt mlp.onnx -p 'tidy,...,scaled-integer' -o now.onnx
    """
    from dataclasses import asdict

    from qnnc.cli.debugging import printers, show_times
    from qnnc.compiler.building.optimize import optimize
    from qnnc.compiler.building.options import BuildOptions
    from qnnc.compiler.building.watchers import IrSaver
    from qnnc.compiler.ir.saved import refuse_to_overwrite, write_own
    from qnnc.compiler.ir.saved import save_ir as save
    from qnnc.compiler.ir.text import model_text

    options = BuildOptions(
        model=model,
        out=Path("."),
        board=board,
        frontend=frontend,
        input_type=input_type,
        input_scale=input_scale,
        input_name=input_name,
        top_k=top_k,
        host_layers=host_layers,
        samples=samples,
        verify=verify,  # type: ignore[arg-type]
        passes=passes,
    )
    options.check()
    if out is not None:
        refuse_to_overwrite(out, "--out", force=force)
    watchers = printers(print_after)
    if save_ir is not None:
        watchers.append(IrSaver(save_ir, force=force))
    result = optimize(options, watchers)
    if time_passes:
        show_times([asdict(run) for run in result.manager.runs])
    if out is None:
        typer.echo(model_text(result.model))
    elif plain:
        import onnx_ir as ir

        from qnnc.compiler.ir.written import with_types
        from qnnc.compiler.reference import expand

        write_own(out, with_types(ir.to_proto(expand(result.model, any_batch=True))))
    else:
        save(result.model, out, result.manager.done)
