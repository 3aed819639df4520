# SPDX-License-Identifier: Apache-2.0
"""qnnc doctor: which tools are installed, and what each is for."""

from __future__ import annotations

import typer


def doctor() -> None:
    """Show which tools are installed and what each enables; exit code 1 if a build cannot run."""
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
    if any(tool.needed and not tool.found for tool in tools):
        raise typer.Exit(1)
