# SPDX-License-Identifier: Apache-2.0
"""qnnc export: a build for other tools."""

from __future__ import annotations

from typing import Annotated

import typer

from qnnc.cli.options import BuildFolder, Force


def export(
    build: BuildFolder,
    to: Annotated[str, typer.Option(help="What for: finn.")] = "finn",
    force: Force = False,
) -> None:
    """Write the dataflow graph of a build for another tool, into the build's folder.

    Raises:
        OptionError: there is no such tool.
    """
    from qnnc.backends.finn.export import export_finn
    from qnnc.compiler.errors import OptionError

    if to != "finn":
        raise OptionError(f"--to is finn, not {to!r}")
    folder = export_finn(build, force=force)
    typer.echo(f"dataflow graph for FINN: {folder}")
    typer.echo("with FINN installed: python check.py, python build.py [estimates] in that folder")
