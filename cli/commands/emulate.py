# SPDX-License-Identifier: Apache-2.0
"""qnnc emulate: a build as compiled C++, on any samples."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from qnnc.cli.options import BuildFolder, Json, Labels, Samples


def emulate(
    build: BuildFolder,
    samples: Samples,
    labels: Labels = None,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Threads that share the frames; one per core.")
    ] = None,
    cache_dir: Annotated[
        Path | None, typer.Option(envvar="QNNC_CACHE", help="Where the compiled program is kept.")
    ] = None,
    json: Json = False,
) -> None:
    """Run the emulator of a build on samples and compare its answers with the golden graph's.

    Exit code 1 if they differ on any sample by more than the golden graph's own rounding.
    """
    from qnnc.backends.hls.emulate import emulate as run
    from qnnc.cli.show import same_as_golden
    from qnnc.compiler.building.options import default_cache

    cores = len(os.sched_getaffinity(0))
    verdict = run(build, samples, labels, threads or cores, cache_dir or default_cache())
    if json:
        import json as library
        from dataclasses import asdict

        plain = {**asdict(verdict), "microseconds": verdict.microseconds}
        typer.echo(library.dumps(plain, indent=2))
    else:
        if verdict.correct is not None:
            share = 100 * verdict.correct / verdict.samples
            typer.echo(f"correct {verdict.correct} of {verdict.samples} ({share:.2f} %)")
        typer.echo(same_as_golden(verdict.same, verdict.near, verdict.samples))
        typer.echo(
            f"{verdict.microseconds:.1f} µs per frame in {verdict.threads} thread"
            f"{'s' if verdict.threads > 1 else ''}; compiled in {verdict.compile_seconds:.1f} s"
        )
    if verdict.same + verdict.near != verdict.samples:
        raise typer.Exit(1)
