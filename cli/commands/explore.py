# SPDX-License-Identifier: Apache-2.0
"""qnnc explore: a study of many networks, from training to figures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from qnnc.cli.options import Force


def explore(
    study: Annotated[str, typer.Argument(help="Name of a shipped study, or a .toml file.")],
    out: Annotated[
        Path | None, typer.Option(help="Folder of the study; by default its name.")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Fewer networks and epochs.")] = False,
    data: Annotated[Path | None, typer.Option(help="Folder with MNIST's idx files.")] = None,
    epochs: Annotated[
        str, typer.Option(help="Epochs after which to measure, such as 1,5,10; 0 for no training.")
    ] = "",
    weights: Annotated[str, typer.Option(help="Weight widths, such as 1,2,4.")] = "",
    activations: Annotated[str, typer.Option(help="Activation widths, such as 1,2,4.")] = "",
    seeds: Annotated[
        str, typer.Option(help="Seeds to train each network with, such as 1,2,3.")
    ] = "",
    synthesize: Annotated[
        str, typer.Option(help="Networks to synthesise and simulate too, such as W1A1,W4A4.")
    ] = "",
    search: Annotated[
        int, typer.Option(help="Networks to search with widths per layer; 0 for none.")
    ] = 0,
    jobs: Annotated[
        int, typer.Option(help="Networks to work on in parallel; 0 for one per core.")
    ] = 0,
    storage: Annotated[
        str,
        typer.Option(help="Database shared with others, such as postgresql+psycopg://me@host/db."),
    ] = "",
    heartbeat: Annotated[
        int, typer.Option(help="Seconds between heartbeats of a worker on a shared database.")
    ] = 15,
    force: Force = False,
) -> None:
    """Train and build every network of a study; write study.html, results.csv and figures.

    A killed study continues where it was when the same command is run again. With --storage, run
    the same command on as many machines as you like: each network is taken by one of them.
    """
    import os
    from typing import Any

    from qnnc.cli.progress import LineProgress
    from qnnc.explore.report.files import PAGE, publish
    from qnnc.explore.report.page import write_report
    from qnnc.explore.run import StudyRun, run_study
    from qnnc.explore.study import load_study

    changes: dict[str, dict[str, Any]] = {
        "training": _given("epochs", epochs) | _given("seeds", seeds),
        "quantization": _given("weights", weights) | _given("activations", activations),
        "hardware": {"synthesize": synthesize.split(",")} if synthesize else {},
        "search": {"trials": search} if search else {},
    }
    plan = load_study(study, quick=quick, **changes)
    folder = out or Path(plan.name)
    run = StudyRun(
        study=plan,
        out=folder,
        data=data,
        storage=storage,
        jobs=jobs or os.cpu_count() or 1,
        heartbeat=heartbeat,
        force=force,
    )
    with LineProgress() as progress:
        store = run_study(run, progress.notify)
    results, failures = store.results(), store.failures()

    def write(into: Path) -> Path:
        return write_report(plan, results, failures, store.searched(), into)

    publish(folder, write, force=force)
    fitting = sum(bool(result["fastest"]["fits"]) for result in results.values())
    typer.echo(f"{len(results)} of {len(plan.grid())} networks, {fitting} fit {run.board}")
    for name, reason in failures.items():
        typer.echo(f"{name} failed: {reason}")
    typer.echo(f"results: {folder / 'results.csv'}")
    typer.echo(f"report: {folder / PAGE}")
    if failures:
        raise typer.Exit(1)


def _given(name: str, text: str) -> dict[str, list[int]]:
    """An option of comma-separated numbers, as a change of the study."""
    from qnnc.compiler.errors import OptionError

    if not text:
        return {}
    try:
        return {name: [int(number) for number in text.split(",")]}
    except ValueError as error:
        raise OptionError(f"--{name} must be numbers such as 1,2,4, not {text!r}") from error
