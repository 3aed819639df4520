# SPDX-License-Identifier: Apache-2.0
"""Where the nodes of a model went, as a table for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from qnnc.compiler.errors import printable
from qnnc.compiler.report import NodeOrigin

COUNTED = {
    "dataflow": "in hardware",
    "host-pre": "on the host before it",
    "host-post": "on the host after it",
    "folded": "folded away",
    "open": "undecided",
}
UNWRAPPED = 100_000
"""Columns where the output is not a terminal: every node has one line."""


def show_origins(origins: Sequence[NodeOrigin]) -> None:
    """Print how many nodes are where, and of each where it is, why, and what would move it."""
    typer.echo(_counted(origins))
    console = Console()
    if not console.is_terminal:
        console = Console(width=UNWRAPPED)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for name in ("node", "where", "why", "what would move it"):
        table.add_column(name, overflow="fold")
    for origin in origins:
        cells = (f"{origin.node} ({origin.op})", _where(origin), origin.reason, origin.remedy)
        table.add_row(*(escape(printable(cell)) for cell in cells))
    if origins:
        console.print(table, highlight=False)


def _counted(origins: Sequence[NodeOrigin]) -> str:
    """How many nodes are where, in one line; a node may be in several places."""
    counts = ((sum(place in o.places for o in origins), text) for place, text in COUNTED.items())
    return f"{len(origins)} nodes: " + ", ".join(f"{n} {text}" for n, text in counts if n)


def _where(origin: NodeOrigin) -> str:
    words = {
        "dataflow": f"hardware: {', '.join(origin.dataflow)}",
        "host-pre": "host, before",
        "host-post": "host, after",
        "folded": f"folded: {origin.folded_by or 'frontend'}",
        "open": "undecided",
    }
    return "; ".join(words[place] for place in origin.places)
