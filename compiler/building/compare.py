# SPDX-License-Identifier: Apache-2.0
"""Builds side by side: figures, options, and the layers in which they differ."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from qnnc.compiler.building.workspace import REPORT, Workspace, read_report
from qnnc.compiler.errors import OptionError
from qnnc.compiler.report import Layer, Report
from qnnc.compiler.resources import RESOURCE_NAMES

LEFT_OUT = frozenset({"out", "cache", "jobs", "force", "save_ir"})
"""Options that do not change what is built."""
Cell = float | str | None


@dataclass(frozen=True)
class Row:
    """A figure or an option of every build; None where a build has none.

    Attributes:
        name: what it is.
        cells: one for each build.
        better: which way is better, 1 for more, -1 for less, 0 for neither.
    """

    name: str
    cells: tuple[Cell, ...]
    better: int = 0

    @property
    def differs(self) -> bool:
        """The builds do not agree."""
        return len(set(self.cells)) > 1


@dataclass(frozen=True)
class LayerRow:
    """A layer in every build; `rows` holds what differs in it, and is empty if nothing does.

    Attributes:
        name: of the first build that has it.
        op: its operator.
        layers: of the user's model that it does.
        present: in which builds it is.
        rows: figures that differ.
    """

    name: str
    op: str
    layers: tuple[str, ...]
    present: tuple[bool, ...]
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Comparison:
    """Several builds.

    Attributes:
        names: of the builds: their folders.
        figures: of the whole accelerators.
        options: that differ.
        layers: all of them.
    """

    names: tuple[str, ...]
    figures: tuple[Row, ...]
    options: tuple[Row, ...]
    layers: tuple[LayerRow, ...]

    @property
    def changed(self) -> list[LayerRow]:
        """Layers that are not the same in all builds."""
        return [layer for layer in self.layers if layer.rows or not all(layer.present)]


def compare(folders: Sequence[Path]) -> Comparison:
    """Compare builds, failed ones as far as they came.

    Raises:
        OptionError: there are fewer than two.
        WorkspaceError: a folder is not a build.
    """
    if len(folders) < 2:
        raise OptionError("compare takes two builds or more")
    reports, settings = [], []
    for folder in folders:
        workspace = Workspace(folder)
        with workspace.reading() as found:
            settings.append(found["options"])
            reports.append(read_report(workspace.path(REPORT)))
    return Comparison(
        tuple(map(str, folders)),
        tuple(_figures(reports)),
        tuple(_options(settings)),
        tuple(_layers(reports)),
    )


def _figures(reports: Sequence[Report]) -> list[Row]:
    def row(name: str, value: Callable[[Report], Cell], better: int = 0) -> Row:
        return Row(name, tuple(map(value, reports)), better)

    def speed(value: Callable[[Any], Cell]) -> Callable[[Report], Cell]:
        return lambda r: None if r.performance is None else value(r.performance)

    rows = [
        row("status", lambda r: r.status),
        row("model", lambda r: r.model),
        row("board", lambda r: r.board),
        row("accuracy, %", _accuracy, 1),
        row("clock, MHz", lambda r: round(r.clock_mhz, 3)),
        row(
            "highest clock by the timing model, MHz",
            lambda r: None if r.timing is None else r.timing.fmax_mhz,
            1,
        ),
        row("frames/s at that clock", speed(lambda p: round(p.fps)), 1),
        row("cycles per frame", speed(lambda p: p.ii_cycles or p.ii_cycles_estimate), -1),
        row("latency, µs", speed(_latency), -1),
        row("slowest", speed(lambda p: p.bottleneck)),
    ]
    for name in RESOURCE_NAMES:
        rows.append(row(f"{name}, estimated", partial(_count, "estimate", name), -1))
        rows.append(row(f"{name}, synthesised", partial(_count, "synthesis", name), -1))
    rows.append(row("wrong integers", lambda r: r.verification.mismatches, -1))
    return [found for found in rows if any(cell is not None for cell in found.cells)]


def _accuracy(report: Report) -> Cell:
    found = report.accuracy
    return None if found is None else round(100 * found.correct / found.samples, 2)


def _latency(performance: Any) -> Cell:
    cycles = performance.latency_cycles
    return None if cycles is None else round(cycles / performance.clock_mhz, 1)


def _count(kind: str, name: str, report: Report) -> Cell:
    found = None if report.resources is None else getattr(report.resources, kind)
    return None if found is None else float(getattr(found, name))


def _options(settings: Sequence[Mapping[str, Any]]) -> list[Row]:
    names = dict.fromkeys(name for options in settings for name in options)
    rows = [
        Row(name, tuple(_plain(options.get(name)) for options in settings))
        for name in names
        if name not in LEFT_OUT
    ]
    return [row for row in rows if row.differs]


def _plain(value: Any) -> Cell:
    if value is None or value in ("", []):
        return None
    if isinstance(value, list):
        return " ".join(map(str, value))
    return value if isinstance(value, float) else str(value)


def _layers(reports: Sequence[Report]) -> list[LayerRow]:
    """Layers that do the same for the user's model are one, in the order in which they come."""
    placed: dict[tuple[str, tuple[str, ...], int], list[Layer | None]] = {}
    for index, report in enumerate(reports):
        counts: dict[tuple[str, tuple[str, ...]], int] = {}
        for layer in report.layers:
            what = (layer.op, tuple(layer.source_nodes))
            number = counts[what] = counts.get(what, -1) + 1
            places = placed.setdefault((*what, number), [None] * len(reports))
            places[index] = layer
    return [_layer_row(key[0], key[1], found) for key, found in placed.items()]


def _used(name: str, layer: Layer) -> Cell:
    return float(getattr(layer.synthesis or layer.resources, name))


def _layer_row(op: str, layers: tuple[str, ...], found: Sequence[Layer | None]) -> LayerRow:
    def row(name: str, value: Callable[[Layer], Cell], better: int = 0) -> Row:
        cells = tuple(None if layer is None else value(layer) for layer in found)
        return Row(name, cells, better)

    rows = [
        row("PE", lambda x: x.PE),
        row("SIMD", lambda x: x.SIMD),
        row("memory", lambda x: x.weights or x.ram_style),
        row("arithmetic", lambda x: x.arithmetic),
        row("types", lambda x: f"{x.input_type} → {x.output_type}"),
        row("cycles", lambda x: x.cycles, -1),
    ]
    for name in RESOURCE_NAMES:
        rows.append(row(name, partial(_used, name), -1))
    present = tuple(layer is not None for layer in found)
    name = next(layer.name for layer in found if layer is not None)
    return LayerRow(name, op, layers, present, tuple(r for r in rows if r.differs and all(present)))
