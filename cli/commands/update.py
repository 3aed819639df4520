# SPDX-License-Identifier: Apache-2.0
"""qnnc update: new weights into a bitstream, without place and route."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from qnnc.cli.options import BuildPrjxrayDb, Force


def update(
    build: Annotated[Path, typer.Argument(help="Folder of a build with a bitstream.")],
    model: Annotated[str, typer.Argument(help="The same network with other weights.")],
    prjxray_db: BuildPrjxrayDb = None,
    force: Force = False,
) -> None:
    """Put a retrained network into a build's bitstream and package, without place and route.

    Topology, types and folding must be those of the build. Thresholds are part of the logic
    unless the build was made with --updatable.
    """
    from qnnc.backends.bitstream.update.update import update as run

    digest = run(
        build, model, prjxray_db, force=force, notify=lambda text: typer.echo(text, err=True)
    )
    typer.echo(digest)
