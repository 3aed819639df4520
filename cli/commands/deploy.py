# SPDX-License-Identifier: Apache-2.0
"""qnnc deploy: a build onto a board."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from qnnc.cli.options import BuildFolder, Force, Labels


def deploy(
    build: BuildFolder,
    board: Annotated[str, typer.Argument(help="The board, for ssh: user@host.")],
    samples: Annotated[
        Path | None, typer.Option(help="Also label these inputs on the board: .npy.")
    ] = None,
    labels: Labels = None,
    folder: Annotated[str, typer.Option(help="On the board, below the home folder.")] = "qnnc",
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="Of the ssh server.")] = None,
    force: Force = False,
) -> None:
    """Copy a build's package to a board over ssh, validate it there, and measure its speed.

    Exit code 1 if the board answers otherwise than the quantized network.
    """
    from qnnc.backends.bitstream.deploy import deploy as run

    code = run(build, board, samples=samples, labels=labels, folder=folder, port=port, force=force)
    if code:
        raise typer.Exit(code)
