# SPDX-License-Identifier: Apache-2.0
"""qnnc simulate: the RTL of a build, on any samples, under any back-pressure."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from qnnc.cli.options import BuildFolder, Json


def simulate(
    build: BuildFolder,
    engine: Annotated[
        str, typer.Option(help="Simulator: auto (Verilator if installed), verilator or cxxrtl.")
    ] = "auto",
    samples: Annotated[
        Path | None, typer.Option(help="Inputs; by default those of the build.")
    ] = None,
    frames: Annotated[
        int | None, typer.Option(min=1, help="Frames; by default as many as are quick.")
    ] = None,
    source: Annotated[
        int, typer.Option(min=1, max=100, help="Percent of cycles in which input is offered.")
    ] = 100,
    sink: Annotated[
        int, typer.Option(min=1, max=100, help="Percent of cycles in which output is taken.")
    ] = 100,
    board: Annotated[
        bool,
        typer.Option("--board", help="Simulate the whole board: driver, DMA, memory, accelerator."),
    ] = False,
    labels: Annotated[Path | None, typer.Option(help="Labels of the samples (--board).")] = None,
    count: Annotated[
        int | None, typer.Option(min=1, help="Frames on the board; 64 by default (--board).")
    ] = None,
    seed: Annotated[int, typer.Option(min=1, help="Seed of the random back-pressure.")] = 1,
    json: Json = False,
) -> None:
    """Simulate the stitched RTL and compare every stream with the dataflow graph.

    Exit code 1 if any stream differs. With --board the driver of the build's package runs on a
    simulated board instead, and its answers are compared with the golden graph's.
    """
    if board:
        _on_board(build, engine, samples, labels, count, seed, json)
        return
    from qnnc.backends.rtl.resimulate import resimulate
    from qnnc.backends.simulation.simulate import Pressure

    result = resimulate(build, engine, samples, frames, Pressure(source, sink, seed))
    if json:
        import json as library
        from dataclasses import asdict

        plain = asdict(result)
        plain["mismatches"] = result.mismatches
        del plain["outputs"], plain["done"]
        typer.echo(library.dumps(plain, indent=2))
    else:
        for stream in result.streams:
            verdict = "equal" if not stream.mismatches else f"{stream.mismatches} differ"
            typer.echo(f"{stream.name:32} {stream.elements:>10,} elements  {verdict}")
        typer.echo(
            f"{result.frames} frames in {result.cycles:,} cycles ({result.engine}); "
            f"latency {result.latency_cycles:,} cycles"
            + (
                f", one frame every {result.ii_cycles:,.1f} cycles"
                if result.ii_cycles is not None
                else ""
            )
        )
    if result.mismatches:
        raise typer.Exit(1)


def _on_board(
    build: Path,
    engine: str,
    samples: Path | None,
    labels: Path | None,
    count: int | None,
    seed: int,
    json: bool,
) -> None:
    from qnnc.backends.bitstream.simulated.board import Bus
    from qnnc.backends.bitstream.simulated.run import run_on_board

    result = run_on_board(
        build, engine=engine, samples=samples, labels=labels, count=count, bus=Bus(seed)
    )
    if json:
        import json as library
        from dataclasses import asdict

        typer.echo(library.dumps(asdict(result), indent=2))
    else:
        for name, (starved, blocked) in result.stalls.items():
            typer.echo(f"{name:16} receiver waited {starved:,} cycles, words waited {blocked:,}")
        typer.echo(
            f"{result.frames} frames in {result.cycles:,} cycles ({result.engine}): "
            f"{result.cycles / result.frames:,.1f} per frame, at least {result.bound_cycles:,.1f}"
        )
        typer.echo(f"{result.frames_per_second:,.0f} frames/s at the build's clock")
        if result.correct is not None:
            share = 100 * result.correct / result.frames
            typer.echo(f"correct {result.correct} of {result.frames} ({share:.2f} %)")
        ties = f", {result.near_ties} near-ties" if result.near_ties else ""
        typer.echo(f"{result.mismatches} mismatches against the golden graph{ties}")
    if result.mismatches:
        raise typer.Exit(1)
