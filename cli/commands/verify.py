# SPDX-License-Identifier: Apache-2.0
"""qnnc verify: a build against the golden graph, on any samples."""

from __future__ import annotations

import typer

from qnnc.cli.options import BuildFolder, Labels, Samples


def verify(
    build: BuildFolder,
    samples: Samples,
    labels: Labels = None,
) -> None:
    """Run the compiled graph and the quantized one on samples and compare their answers.

    Exit code 1 if they differ on any sample by more than the golden graph's own rounding.
    """
    from qnnc.cli.show import same_as_golden
    from qnnc.compiler.api import verify as run

    verdict = run(build, samples, labels)
    if verdict.correct is not None:
        share = 100 * verdict.correct / verdict.samples
        typer.echo(f"correct {verdict.correct} of {verdict.samples} ({share:.2f} %)")
    typer.echo(same_as_golden(verdict.same, verdict.near, verdict.samples))
    if verdict.same + verdict.near != verdict.samples:
        raise typer.Exit(1)
