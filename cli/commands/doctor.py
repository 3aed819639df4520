# SPDX-License-Identifier: Apache-2.0
"""qnnc doctor: which tools are installed, and what each is for."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from qnnc.cli.options import PrjxrayDb


def doctor(
    try_bitstream: Annotated[
        bool,
        typer.Option(
            "--try-bitstream", help="Take a counter through nextpnr and the database found."
        ),
    ] = False,
    nextpnr: Annotated[str, typer.Option(help="A nextpnr to try.")] = "",
    chipdb: Annotated[Path | None, typer.Option(help="Its chip database.")] = None,
    prjxray_db: PrjxrayDb = None,
    board: Annotated[str, typer.Option(help="Board whose part to try.")] = "Pynq-Z1",
) -> None:
    """Show which tools are installed and what each enables; exit code 1 if a build cannot run.

    With --try-bitstream, nextpnr, its chip database and the prjxray database are tried on a tiny
    design, whose bitstream is read back and compared.
    """
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from qnnc.cli.tools import find_tools

    tools = find_tools()
    table = Table("tool", "found", "what it enables")
    for tool in tools:
        found = (
            f"[green]{escape(tool.found)}[/]"
            if tool.found
            else ("[red]missing[/]" if tool.needed else "[yellow]not found[/]")
        )
        more = "" if tool.found else f" — {tool.get}"
        table.add_row(tool.name, found, escape(tool.enables + more))
    Console().print(table)
    if try_bitstream:
        from qnnc.backends.bitstream.trial import try_tools
        from qnnc.compiler.board import find_board

        part = find_board(board).part
        checks = try_tools(
            part, nextpnr, chipdb, prjxray_db, lambda text: typer.echo(f"{text} …", err=True)
        )
        for check in checks:
            typer.echo(f"{check.name:12} {check.status:9} {check.detail}")
    if any(tool.needed and not tool.found for tool in tools):
        raise typer.Exit(1)
