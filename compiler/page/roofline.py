# SPDX-License-Identifier: Apache-2.0
"""The build against what the board could do: arithmetic, and memory (Williams, Waterman, Patterson:
Roofline, CACM 52(4), 2009)."""

from __future__ import annotations

import math
from dataclasses import dataclass

from qnnc.compiler.board import find_board
from qnnc.compiler.errors import QnncError
from qnnc.compiler.page.text import count, percent
from qnnc.compiler.report import Layer, Report

WIDTH, HEIGHT = 560.0, 320.0
LEFT, RIGHT, TOP, BOTTOM = 62.0, 34.0, 26.0, 40.0
OPERATIONS_PER_DSP = 2.0
"""A multiplication and an addition per cycle, where no layer of the build shows another figure."""


@dataclass(frozen=True)
class Tick:
    """A place on an axis, and its number in words."""

    at: float
    words: str


@dataclass(frozen=True)
class Roof:
    """A plot on logarithmic axes, operations per second upwards, operations per byte along.

    Attributes:
        board: path of what the board allows.
        built: path of what the multipliers that were built could do in every cycle.
        x: place of the build.
        y: likewise.
        label: of the point.
        words: figures of the plot in sentences.
    """

    xs: list[Tick]
    ys: list[Tick]
    board: str
    built: str
    x: float
    y: float
    label: str
    words: list[str]


def roofline(report: Report) -> Roof | None:
    """None where there are no products, or nothing is known of the board's memory."""
    speed = report.performance
    operations = sum(layer.operations for layer in report.layers)
    if speed is None or not operations or report.resources is None or not speed.fps:
        return None
    moved = _bytes_per_frame(report)
    try:
        ports = find_board(report.board).memory(report.clock_mhz)
    except QnncError:  # a board of another package, which is not here
        return None
    bandwidth = ports.rate * report.clock_mhz / 1e3  # GB/s
    if not moved or not math.isfinite(bandwidth):
        return None
    attained = operations * speed.fps / 1e9
    built = sum(_per_cycle(layer) for layer in report.layers) * report.clock_mhz / 1e3
    peak = _peak(report) * report.clock_mhz / 1e3
    intensity = operations / moved
    where = "measured" if speed.ii_cycles is not None else "estimated"
    words = [
        f"{count(operations)} operations per frame (a multiplication and an addition are two), "
        f"{count(round(moved))} bytes per frame over the board's memory"
        + (f", {count(round(speed.memory_bytes))} of them weights" if speed.memory_bytes else "")
        + ".",
        f"{_giga(attained)} GOPS attained, {where}: {percent(attained / built)} of what the "
        f"multipliers that were built could do ({_giga(built)} GOPS), {percent(attained / peak)} "
        f"of the board's peak for this network ({_giga(peak)} GOPS with all LUTs and DSPs in "
        "multipliers such as these).",
        f"{_giga(attained / intensity)} GB/s of the {_giga(bandwidth)} GB/s that the memory gives: "
        + ("memory" if intensity * bandwidth < peak else "arithmetic")
        + " would be the limit first.",
    ]
    return _drawn(intensity, attained, min(built, peak), peak, bandwidth, words)


def _bytes_per_frame(report: Report) -> float:
    """Streams of the host, each word in whole bytes, and weights."""
    ends = [s for s in report.streams if s.words_per_batch is None and s.words_per_round is None]
    frames = sum(s.words_per_frame * -(-s.tdata_bits // 8) for s in ends)
    weights = 0.0 if report.performance is None else report.performance.memory_bytes
    if not ends:  # before the design is made: from the streams of the graph's ends
        links = [c for c in report.connections if c.source is None or c.target is None]
        frames = sum(-(-math.prod(c.shape) * _bits(c.datatype) // 8) for c in links)
    return frames + weights


def _bits(datatype: str) -> int:
    from qnnc.compiler.datatypes import datatype as named

    return int(named(datatype).bitwidth())


def _per_cycle(layer: Layer) -> float:
    return layer.operations / layer.cycles if layer.cycles else 0.0


def _peak(report: Report) -> float:
    """Operations per cycle if the whole board were multipliers as this build has them."""
    assert report.resources is not None
    device = report.resources.device
    products = [layer for layer in report.layers if layer.operations]
    in_dsp = [layer for layer in products if _used(layer, "DSP")]
    in_lut = [layer for layer in products if not _used(layer, "DSP")]
    dsps = sum(_used(layer, "DSP") for layer in in_dsp)
    luts = sum(_used(layer, "LUT") for layer in in_lut)
    per_dsp = sum(map(_per_cycle, in_dsp)) / dsps if dsps else OPERATIONS_PER_DSP
    per_lut = sum(map(_per_cycle, in_lut)) / luts if luts else 0.0
    return max(per_dsp * device.DSP + per_lut * device.LUT, sum(map(_per_cycle, products)))


def _used(layer: Layer, name: str) -> int:
    return int(getattr(layer.synthesis or layer.resources, name))


def _giga(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _drawn(
    intensity: float,
    attained: float,
    built: float,
    peak: float,
    bandwidth: float,
    words: list[str],
) -> Roof:
    ridge = peak / bandwidth
    left = math.floor(math.log10(min(intensity, ridge)) - 0.3)
    right = math.ceil(math.log10(max(intensity, ridge)) + 0.3)
    low = math.floor(math.log10(min(attained, built, bandwidth * 10.0**left)))
    high = math.ceil(math.log10(peak) + 0.1)

    def x_of(value: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * (math.log10(value) - left) / (right - left)

    def y_of(value: float) -> float:
        share = (math.log10(value) - low) / (high - low)
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * share

    start, end = 10.0**left, 10.0**right
    board = (
        f"M{x_of(start):.1f} {y_of(bandwidth * start):.1f}"
        f"L{x_of(ridge):.1f} {y_of(peak):.1f}H{x_of(end):.1f}"
    )
    knee = max(start, built / bandwidth)
    return Roof(
        [Tick(x_of(10.0**n), _power(n)) for n in range(left, right + 1)],
        [Tick(y_of(10.0**n), _power(n)) for n in range(low, high + 1)],
        board,
        f"M{x_of(knee):.1f} {y_of(built):.1f}H{x_of(end):.1f}",
        x_of(intensity),
        y_of(attained),
        f"{_giga(attained)} GOPS at {_giga(intensity)} operations per byte",
        words,
    )


def _power(exponent: int) -> str:
    return count(10**exponent) if exponent >= 0 else f"{10.0**exponent:g}"
