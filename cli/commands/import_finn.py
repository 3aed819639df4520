# SPDX-License-Identifier: Apache-2.0
"""qnnc import-finn: FINN's graphs, built like any model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from qnnc.cli.options import BuildOut, Force, Json, given


def import_finn(
    model: Annotated[
        str,
        typer.Argument(help="FINN's graph: dataflow nodes, a parent model, or before conversion."),
    ],
    out: BuildOut = Path("build"),
    board: Annotated[str, typer.Option(help="Board to build for.")] = "Pynq-Z1",
    fps: Annotated[
        float | None, typer.Option(help="Frames per second to reach; the most that fits.")
    ] = None,
    budget: Annotated[
        float | None, typer.Option(help="Share of the board that may be used.")
    ] = None,
    backend: Annotated[
        str, typer.Option(help="What makes the nodes: rtl, hls or auto, with exceptions.")
    ] = "rtl",
    until: Annotated[str, typer.Option(help="Last stage, as for qnnc build.")] = "",
    samples: Annotated[Path | None, typer.Option(help="Inputs to verify with.")] = None,
    cache_dir: Annotated[
        Path | None, typer.Option(envvar="QNNC_CACHE", help="Where parts are kept.")
    ] = None,
    force: Force = False,
    json: Json = False,
) -> None:
    """Build an accelerator from a FINN graph; folding is chosen anew.

    The input's integer type is the one that FINN has annotated.
    """
    from qnnc.cli.progress import ConsoleProgress
    from qnnc.cli.show import show_report
    from qnnc.compiler.api import build as run
    from qnnc.frontends.finn.graph import input_type

    options = given(
        board=board,
        fps=fps,
        budget=budget,
        backend=backend,
        until=until,
        samples=samples,
        frontend="finn",
        input_type=input_type(model),
        cache=cache_dir,
        force=force,
    )
    with ConsoleProgress() as progress:
        report = run(model, out=out, progress=progress, **options)
    if json:
        typer.echo(report.model_dump_json(indent=2))
    else:
        show_report(report, out)
