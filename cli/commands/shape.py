# SPDX-License-Identifier: Apache-2.0
"""qnnc shape: a routed design, for other networks of the same shape."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from qnnc.cli.options import BuildFolder


def shape(
    build: BuildFolder,
    out: Annotated[Path, typer.Option(help="The shape, a new zip file.")] = Path("shape.zip"),
) -> None:
    """Save a build's routed design, without its weights, for networks of the same shape.

    `qnnc build MODEL --from-shape FILE` fills it in without place and route.
    """
    from qnnc.backends.bitstream.export_shape import export_shape

    typer.echo(export_shape(build, out))
