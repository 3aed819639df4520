# SPDX-License-Identifier: Apache-2.0
"""Charts of the page, as numbers: who takes what, who works when, what waits where, which
integers occur."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from qnnc.compiler.page.graph import layer_key
from qnnc.compiler.page.text import count, percent
from qnnc.compiler.report import (
    AccuracyReport,
    Histogram,
    Layer,
    QuantizationReport,
    Report,
)
from qnnc.compiler.resources import RESOURCE_NAMES

MOST = 200
"""Layers of a chart."""


@dataclass(frozen=True)
class Share:
    """A layer's counts of each primitive, and its shares of what all layers take."""

    key: str
    name: str
    counts: list[int]
    shares: list[float]


@dataclass(frozen=True)
class Line:
    """When a layer works: the left and the width of each frame, in percent."""

    key: str
    name: str
    spans: list[tuple[float, float, str]]


@dataclass(frozen=True)
class Waiting:
    """A FIFO: its size, against the largest, and why it is there."""

    key: str
    name: str
    words: int
    bits: int
    share: float
    block: bool
    why: str


@dataclass(frozen=True)
class Bars:
    """A histogram: heights in percent of the tallest, and what it says in words."""

    key: str
    name: str
    low: int
    high: int
    heights: list[float]
    words: str


@dataclass(frozen=True)
class Cell:
    """Samples of a label that got an answer; `share` is of the label's."""

    samples: int
    share: float
    right: bool


def shares(report: Report) -> list[Share]:
    """Layers by the largest of their shares."""
    used = [layer.synthesis or layer.resources for layer in report.layers]
    totals = [sum(getattr(u, name) for u in used) for name in RESOURCE_NAMES]
    found = []
    for index, (layer, counts) in enumerate(zip(report.layers, used, strict=True)):
        numbers = [int(getattr(counts, name)) for name in RESOURCE_NAMES]
        parts = [n / t if t else 0.0 for n, t in zip(numbers, totals, strict=True)]
        found.append(Share(layer_key(index), layer.instance or layer.name, numbers, parts))
    return sorted(found, key=lambda share: -max(share.shares))


def lines(report: Report) -> tuple[list[Line], list[tuple[float, str]]]:
    """When each layer works on the first frames, and marks of the time in cycles."""
    known = [(i, layer) for i, layer in enumerate(report.layers) if layer.work is not None][:MOST]
    whole = max((max(layer.work.ends) for _, layer in known if layer.work), default=0)
    if not whole:
        return [], []
    found = []
    for index, layer in known:
        assert layer.work is not None
        spans = [
            (100 * a / whole, 100 * (b - a) / whole, f"cycles {count(a)} to {count(b)}")
            for a, b in zip(layer.work.starts, layer.work.ends, strict=True)
        ]
        found.append(Line(layer_key(index), layer.instance or layer.name, spans))
    step = _step(whole / 5)
    marks = [(100 * at / whole, count(at)) for at in range(0, whole + 1, step)]
    return found, marks


def _step(rough: float) -> int:
    power = 10 ** math.floor(math.log10(max(rough, 1)))
    return int(next(power * n for n in (1, 2, 5, 10) if power * n >= rough))


def waiting(report: Report) -> list[Waiting]:
    """FIFOs, the largest first."""
    found = []
    width = {link.source: link.bits for link in report.connections if link.source is not None}
    for index, layer in enumerate(report.layers):
        if layer.depth is None:
            continue
        bits = width.get(index, 0)
        why = layer.notes[0].partition(": ")[2] if layer.notes else ""
        block = layer.resources.BRAM18 > 0
        name = layer.instance or layer.name
        found.append(Waiting(layer_key(index), name, layer.depth, bits, 0.0, block, why))
    most = max((f.words * f.bits for f in found), default=0) or 1
    ordered = sorted(found, key=lambda f: -f.words * f.bits)
    return [
        Waiting(f.key, f.name, f.words, f.bits, f.words * f.bits / most, f.block, f.why)
        for f in ordered
    ]


def outputs(report: Report) -> list[Bars]:
    """What quantizers gave."""
    return [
        _bars(index, layer, layer.output_values, _ends(layer.output_values))
        for index, layer in enumerate(report.layers)
        if layer.output_values is not None
    ][:MOST]


def _ends(found: Histogram) -> str:
    """How many of a quantizer's values were clipped, or at least are codes at the ends."""
    if found.clipped is None:
        return f"{percent(found.at_ends)} at the ends"
    return f"{percent(found.clipped)} clipped"


def weights(report: Report) -> list[Bars]:
    """What the weights of products are."""
    return [
        _bars(index, layer, layer.weight_values, f"{percent(layer.weight_values.zeros)} are 0")
        for index, layer in enumerate(report.layers)
        if layer.weight_values is not None
    ][:MOST]


def _bars(index: int, layer: Layer, found: Histogram, words: str) -> Bars:
    most = max(found.counts, default=0) or 1
    heights = [100 * n / most for n in found.counts]
    name = layer.source_nodes[-1] if layer.source_nodes else layer.name
    return Bars(layer_key(index), name, found.low, found.high, heights, words)


@dataclass(frozen=True)
class Loss:
    """A layer of a float network: name of the error, its bar against the largest, in words."""

    name: str
    bars: list[tuple[str, float, str]]


def losses(found: QuantizationReport | None) -> list[Loss]:
    """What quantization costs each layer, in the network's order."""
    if found is None:
        return []
    kinds = ("output", "weights")
    errors = [(layer.output_error, layer.weight_error) for layer in found.layers[:MOST]]
    most = [max((pair[i] or 0.0 for pair in errors), default=0.0) or 1.0 for i in range(2)]
    return [
        Loss(
            layer.node,
            [
                (kind, (e or 0.0) / top, "" if e is None else percent(e))
                for kind, e, top in zip(kinds, pair, most, strict=True)
            ],
        )
        for layer, pair in zip(found.layers, errors, strict=False)
    ]


def confusion(accuracy: AccuracyReport | None) -> Sequence[Sequence[Cell]]:
    """Samples by label (rows) and answer; empty without a table."""
    if accuracy is None:
        return []
    rows = []
    for label, row in enumerate(accuracy.confusion):
        whole = sum(row) or 1
        rows.append([Cell(n, n / whole, label == answer) for answer, n in enumerate(row)])
    return rows
