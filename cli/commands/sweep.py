# SPDX-License-Identifier: Apache-2.0
"""qnnc sweep: what speed costs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qnnc.cli.options import (
    Force,
    Frontend,
    HostLayers,
    InputName,
    InputScale,
    InputType,
    Json,
    TopK,
    given,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qnnc.compiler.building.sweep import Point


def sweep(
    model: Annotated[str, typer.Argument(help="A quantized network.")],
    out: Annotated[Path, typer.Option(help="Folder for sweep.csv, sweep.html and foldings.")] = (
        Path("sweep")
    ),
    board: Annotated[str, typer.Option(help="Board (see qnnc boards).")] = "Pynq-Z1",
    fps: Annotated[
        str,
        typer.Option(help="Frames per second, such as 1000,10000; by default from the fastest."),
    ] = "",
    points: Annotated[
        int, typer.Option(help="Without --fps: the fastest, and halvings of it, so many in all.")
    ] = 8,
    clock_mhz: Annotated[
        str, typer.Option(help="Clocks, such as 100,125; by default the board's.")
    ] = "",
    memory: Annotated[
        str, typer.Option(help="What to save where either would do: balanced, few-luts, few-brams.")
    ] = "balanced,few-luts,few-brams",
    budget: Annotated[
        float | None, typer.Option(help="Share of the board that may be used; by default 0.8.")
    ] = None,
    folding: Annotated[
        Path | None, typer.Option(help="Foldings by hand that hold at every point.")
    ] = None,
    input_type: InputType = "",
    input_scale: InputScale = "1",
    input_name: InputName = "",
    top_k: TopK = 0,
    host_layers: HostLayers = False,
    frontend: Frontend = None,
    force: Force = False,
    json: Json = False,
) -> None:
    """Find what speed costs: the solver's optimum for many frame rates, clocks and memories.

    Nothing is simulated or synthesised; latency and resources are estimates. Prints the points
    that no other beats in everything.
    """
    from qnnc.cli.progress import LineProgress
    from qnnc.compiler.building.options import BuildOptions
    from qnnc.compiler.building.sweep import sweep as run

    more: dict[str, Any] = given(budget=budget, folding=folding, frontend=frontend)
    options = BuildOptions(
        model=model,
        out=out,
        board=board,
        input_type=input_type,
        input_scale=input_scale,
        input_name=input_name,
        top_k=top_k,
        host_layers=host_layers,
        force=force,
        **more,
    )
    with LineProgress(lines=not json) as progress:
        found = run(
            options,
            clocks=numbers(clock_mhz, "--clock-mhz"),
            memories=[name.strip() for name in memory.split(",")],
            rates=numbers(fps, "--fps"),
            count=points,
            notify=progress.notify,
        )
    if json:
        import json as library
        from dataclasses import asdict

        typer.echo(library.dumps([asdict(point) for point in found], indent=2))
        return
    _show(found)
    count = f"{len(found)} point{'s' * (len(found) > 1)}"
    typer.echo(f"\n{count}: {out / 'sweep.csv'}\npage: {out / 'sweep.html'}")


def numbers(text: str, option: str) -> list[float]:
    """Positive numbers separated by commas; raises OptionError for anything else."""
    import math

    from qnnc.compiler.errors import OptionError

    try:
        found = [float(part) for part in text.split(",")] if text else []
    except ValueError:
        found = [math.nan]
    if not all(0 < number < math.inf for number in found):
        raise OptionError(f"{option} is numbers separated by commas, not {text!r}")
    return found


def _show(found: Sequence[Point]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("frames/s", "MHz", "latency µs", "LUT", "FF", "BRAM18", "DSP"):
        table.add_column(name, justify="right")
    table.add_column("memory")
    table.add_column("folding")
    for point in sorted(found, key=lambda p: (-p.fps, p.LUT)):
        if point.best:
            late = "–" if point.latency_us is None else f"{point.latency_us:,.1f}"
            counts = (f"{n:,}" for n in (point.LUT, point.FF, point.BRAM18, point.DSP))
            start = f"{point.fps:,.0f}", f"{point.clock_mhz:g}", late
            table.add_row(*start, *counts, point.memory, f"{point.number:02d}.yaml")
    Console().print(table)
