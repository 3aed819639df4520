# SPDX-License-Identifier: Apache-2.0
"""Builds side by side as a page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from qnnc.compiler.page.environment import plain_page


class Row(Protocol):
    """A figure of every build; `better` is 1 for more, -1 for less, 0 for neither."""

    @property
    def name(self) -> str: ...
    @property
    def cells(self) -> tuple[float | str | None, ...]: ...
    @property
    def better(self) -> int: ...


class LayerRow(Protocol):
    """A layer of every build, and the figures that differ."""

    @property
    def rows(self) -> Sequence[Row]: ...


class Comparison(Protocol):
    """What `qnnc compare` found."""

    @property
    def names(self) -> Sequence[str]: ...
    @property
    def figures(self) -> Sequence[Row]: ...
    @property
    def options(self) -> Sequence[Row]: ...
    @property
    def layers(self) -> Sequence[LayerRow]: ...
    @property
    def changed(self) -> Sequence[LayerRow]: ...


@dataclass(frozen=True)
class Cell:
    """A figure in words, how far it is from the first build's, and whether that is good."""

    text: str
    change: str = ""
    kind: str = "muted"


def comparison_page(found: Comparison) -> str:
    """The page of a comparison."""
    return plain_page(
        "comparison.html.j2",
        title="Builds compared",
        names=found.names,
        figures=_rows(found.figures),
        options=_rows(found.options),
        layers=[(layer, _rows(layer.rows)) for layer in found.changed],
        whole=len(found.layers),
    )


def _rows(rows: Iterable[Row]) -> list[tuple[Row, list[Cell]]]:
    return [(row, cells(row)) for row in rows]


def cells(row: Row) -> list[Cell]:
    """A row in words; numbers after the first with their change, in percent."""
    first = row.cells[0]
    found = []
    for index, cell in enumerate(row.cells):
        if cell is None or isinstance(cell, str):
            found.append(Cell("–" if cell is None else cell))
            continue
        text = f"{cell:,.10g}"
        if not index or not row.better or not isinstance(first, (int, float)) or cell == first:
            found.append(Cell(text))
            continue
        change = f"{100 * (cell - first) / first:+.1f} %" if first else f"{cell - first:+,.10g}"
        kind = "better" if (cell > first) == (row.better > 0) else "worse"
        found.append(Cell(text, change, kind))
    return found
