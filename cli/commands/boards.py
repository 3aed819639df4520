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
    from rich.table import Table

    table = Table("board", "part", "LUT", "FF", "BRAM18", "DSP", "clock", "description")
    for board in found:
        r = board.resources
        table.add_row(
            board.name,
            board.part,
            *(f"{n:,.0f}" for n in (r.LUT, r.FF, r.BRAM18, r.DSP)),
            f"{board.clock_mhz:g} MHz",
            board.description,
        )
    Console().print(table)
