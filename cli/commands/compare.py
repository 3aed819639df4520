# SPDX-License-Identifier: Apache-2.0
"""qnnc compare: builds side by side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from qnnc.cli.options import Force, Json

if TYPE_CHECKING:
    from qnnc.compiler.building.compare import Comparison, LayerRow


def compare(
    builds: Annotated[list[Path], typer.Argument(help="Folders of two builds or more.")],
    page: Annotated[Path | None, typer.Option(help="Also write a page, such as compare.html.")] = (
        None
    ),
    force: Force = False,
    json: Json = False,
) -> None:
    """Compare builds: figures, options that differ, and layer by layer what is not the same."""
    from qnnc.compiler.building.compare import compare as run
    from qnnc.compiler.files import refuse_existing, write_text

    if page is not None:
        refuse_existing(page, "--page", force=force)
    found = run(builds)
    if page is not None:
        from qnnc.compiler.page.comparison import comparison_page

        write_text(page, comparison_page(found))
    if json:
        import json as library
        from dataclasses import asdict

        typer.echo(library.dumps(asdict(found), indent=2))
        return
    _show(found)
    if page is not None:
        typer.echo(f"page: {page}")


def _show(found: Comparison) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from qnnc.compiler.page.comparison import cells

    console = Console()
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for index, name in enumerate(["", *found.names]):
        table.add_column(escape(name), justify="right" if index else "left", overflow="fold")
    for row in (*found.figures, *found.options):
        style = "bold" if row.differs else "dim"
        shown = (f"({c.change}) {c.text}" if c.change else c.text for c in cells(row))
        table.add_row(escape(row.name), *map(escape, shown), style=style)
    console.print(table)
    changed = found.changed
    console.print(f"\n{len(changed)} of {len(found.layers)} layers differ", highlight=False)
    for layer in changed:
        console.print(escape(_line(found, layer)), highlight=False, soft_wrap=True)


def _line(found: Comparison, layer: LayerRow) -> str:
    if not all(layer.present):
        only = [name for name, there in zip(found.names, layer.present, strict=True) if there]
        return f"  {layer.name}: only in {', '.join(only)}"
    parts = (f"{row.name} {' → '.join(_cell(c) for c in row.cells)}" for row in layer.rows)
    return f"  {layer.name}: {', '.join(parts)}"


def _cell(cell: float | str | None) -> str:
    if cell is None:
        return "–"
    return cell if isinstance(cell, str) else f"{cell:,.10g}"
