# SPDX-License-Identifier: Apache-2.0
"""qnnc bisect: which pass makes the numbers differ."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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
    TopK,
)

if TYPE_CHECKING:
    from qnnc.compiler.building.bisect import Culprit
    from qnnc.compiler.building.region import Operand


def bisect(
    model: Annotated[str, typer.Argument(help="A network, or the folder of a build of it.")],
    samples: Annotated[
        Path | None, typer.Option(help="Inputs; by default the build's, or random ones.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for the files that reproduce it.")] = Path(
        "bisect"
    ),
    passes: Passes = "",
    input_type: InputType = "",
    input_scale: InputScale = "1",
    input_name: InputName = "",
    top_k: TopK = 0,
    host_layers: HostLayers = False,
    frontend: Frontend = None,
    board: FoldingBoard = "Pynq-Z1",
    force: Force = False,
) -> None:
    """Find the first pass after which the network computes something else.

    For the folder of a build, its own options are taken. Exit code 1 if a pass is found.
    """
    import tempfile
    from dataclasses import replace

    from qnnc.compiler.building.bisect import bisect as run
    from qnnc.compiler.building.options import BuildOptions
    from qnnc.compiler.building.run import options_from
    from qnnc.compiler.building.workspace import Workspace
    from qnnc.compiler.folders import refuse_foreign

    if Path(model).is_dir():
        with Workspace(Path(model)).reading() as settings:
            options = options_from(settings, Path(model))
        options = replace(
            options,
            samples=samples.absolute() if samples else options.samples,
            passes=passes or options.passes,
        )
    else:
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
            passes=passes,
        )
    options.check()
    refuse_foreign(out, force=force)
    with tempfile.TemporaryDirectory(prefix="qnnc-bisect-") as scratch:
        found = run(replace(options, force=force), Path(scratch), out)
    _show(found)
    if found.step is not None or found.failure:
        raise typer.Exit(1)


def _show(found: Culprit) -> None:
    from qnnc.compiler.errors import printable, quote

    if found.step is None:
        typer.echo(
            f"no pass changes the result ({found.passes} passes, "
            f"{found.verifications} verifications)"
        )
    else:
        typer.echo(
            f"first wrong pass: {found.step.name} (number {found.step.number} of {found.passes}, "
            f"{found.verifications} verifications)"
        )
    if found.failure:
        typer.echo(printable(found.failure))
    region = found.region
    if region is None:
        return
    first = region.difference
    typer.echo(
        f"first wrong tensor: {quote(first.tensor)}, which stands for {quote(first.golden)}: "
        f"sample {first.sample}, element {first.element} is {first.found:g} and should be "
        f"{first.expected:g}"
    )
    typer.echo(f"source layer: {printable(', '.join(region.sources)) or 'none'}")
    typer.echo(f"computed by: {region.node}")
    for operand in region.operands:
        typer.echo(_operand_text(operand))
    typer.echo(f"region of {region.nodes} nodes that reproduces it: {region.folder}/region.onnx")


def _operand_text(operand: Operand) -> str:
    from qnnc.compiler.building.region import SHOWN
    from qnnc.compiler.errors import quote

    numbers = operand.values.reshape(-1)
    shown = " ".join(f"{n:g}" for n in numbers[:SHOWN])
    more = f" … ({numbers.size} numbers)" if numbers.size > SHOWN else ""
    what = f" (whole, {list(operand.values.shape)})" if operand.whole else ""
    return f"operand {quote(operand.name)}{what}: {shown}{more}"
