# SPDX-License-Identifier: Apache-2.0
"""qnnc boards: what can be built for."""

from __future__ import annotations

import typer

from qnnc.cli.options import Json


def boards(
    json: Json = False,
) -> None:
    """List the boards that accelerators can be built for, with their resources."""
    from dataclasses import asdict

    from qnnc.compiler.board import all_boards

    found = all_boards()
    if json:
        import json as library

        typer.echo(library.dumps([asdict(board) for board in found], indent=2))
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("board", "part"):
        table.add_column(name, no_wrap=True)
    for name in ("LUT", "FF", "BRAM18", "DSP", "clock"):
        table.add_column(name, no_wrap=True, justify="right")
    for board in found:
        r = board.resources
        counts = (f"{n:,.0f}" for n in (r.LUT, r.FF, r.BRAM18, r.DSP))
        table.add_row(escape(board.name), board.part, *counts, f"{board.clock_mhz:g} MHz")
    console = Console()
    console.print(table, "")
    for board in found:
        console.print(f"{escape(board.name)}: {escape(board.description)}", highlight=False)
