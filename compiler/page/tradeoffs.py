# SPDX-License-Identifier: Apache-2.0
"""A sweep as a page: plots of speed against cost, and all points as a table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Protocol

from qnnc.compiler.page.environment import plain_page
from qnnc.compiler.page.text import count
from qnnc.compiler.resources import Resources

WIDTH, HEIGHT = 560.0, 320.0
LEFT, RIGHT, TOP, BOTTOM = 62.0, 14.0, 12.0, 40.0
TICKS = 6
COSTS = {"LUT": "LUT", "BRAM18": "BRAM18", "DSP": "DSP", "latency_us": "latency, µs"}


class Point(Protocol):
    """One accelerator."""

    @property
    def fps(self) -> float: ...
    @property
    def best(self) -> bool: ...
    @property
    def memory(self) -> str: ...
    @property
    def clock_mhz(self) -> float: ...


@dataclass(frozen=True)
class Tick:
    """A place on an axis, and its number in words."""

    at: float
    words: str


@dataclass(frozen=True)
class Dot:
    """A point of a plot."""

    x: float
    y: float
    kind: int
    front: bool
    title: str


@dataclass(frozen=True)
class Plot:
    """Frames per second upwards, on a logarithmic scale, against a cost."""

    label: str
    xs: list[Tick]
    ys: list[Tick]
    dots: list[Dot]
    line: str


def tradeoff_page(model: str, board: str, device: Resources, points: Sequence[Point]) -> str:
    """The page of a sweep."""
    kinds = list(dict.fromkeys(point.memory for point in points))
    plots = [
        _plot(name, label, getattr(device, name, None), points, kinds)
        for name, label in COSTS.items()
        if any(getattr(point, name) for point in points)
    ]
    return plain_page(
        "tradeoffs.html.j2",
        title=f"{PurePath(model).name or model}: speed against cost on {board}",
        plots=plots,
        kinds=kinds,
        points=sorted(points, key=lambda p: (-p.fps, getattr(p, "LUT", 0))),
        size=(WIDTH, HEIGHT),
        edges=(LEFT, TOP, WIDTH - RIGHT, HEIGHT - BOTTOM),
    )


def _plot(
    name: str, label: str, device: float | None, points: Sequence[Point], kinds: Sequence[str]
) -> Plot:
    known = [point for point in points if getattr(point, name) is not None]
    most = max(float(getattr(point, name)) for point in known) or 1.0
    lows, highs = min(p.fps for p in known), max(p.fps for p in known)
    low, high = math.log10(lows) - 0.1, math.log10(highs) + 0.1

    def x_of(value: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * value / (1.05 * most)

    def y_of(fps: float) -> float:
        share = (math.log10(fps) - low) / (high - low)
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * share

    dots = []
    for point in known:
        value = float(getattr(point, name))
        share = f" ({100 * value / device:.1f} % of the board)" if device else ""
        words = (
            f"{count(round(point.fps))} frames/s, {count(value)} {label}{share}, "
            f"{point.clock_mhz:g} MHz, {point.memory}"
        )
        kind = kinds.index(point.memory)
        dots.append(Dot(x_of(value), y_of(point.fps), kind, point.best, words))
    return Plot(
        f"{label} of {count(device)}" if device else label,
        [Tick(x_of(value), count(value)) for value in _round_steps(most)],
        [Tick(y_of(fps), count(fps)) for fps in _decades(10**low, 10**high)],
        dots,
        _stairs([(float(getattr(p, name)), p.fps) for p in known], x_of, y_of),
    )


def _stairs(points: Sequence[tuple[float, float]], x_of, y_of) -> str:  # type: ignore[no-untyped-def]
    """The front in these two figures alone, as a path: the most frames per second for each cost."""
    path, best = "", -math.inf
    for cost, fps in sorted(points, key=lambda p: (p[0], -p[1])):
        if fps <= best:
            continue
        x, y = x_of(cost), y_of(fps)
        path += f"H{x:.1f}V{y:.1f}" if path else f"M{x:.1f} {y:.1f}"
        best = fps
    return path


def _round_steps(most: float) -> list[float]:
    """About `TICKS` round numbers from 0 up."""
    rough = most / TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * n for n in (1, 2, 5, 10) if power * n >= rough)
    return [step * i for i in range(int(1.05 * most / step) + 1)]


def _decades(low: float, high: float) -> list[float]:
    found = [
        base * 10.0**power
        for power in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        for base in (1, 2, 5)
    ]
    return [value for value in found if low <= value <= high]
