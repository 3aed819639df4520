# SPDX-License-Identifier: Apache-2.0
"""What the tests of Thresholding run over, and what it computes, in numpy."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np
from qonnx.core.datatype import BaseDataType, DataType

from qnnc.compiler.dataflow.folding import Arithmetic, RamStyle
from qnnc.compiler.datatypes import smallest_type
from qnnc.compiler.ir.facts import IntArray
from qnnc.nodes.testing import Case
from qnnc.nodes.thresholding.node import Style, Thresholding


def cases() -> list[Case]:
    """Tables of few steps and many, for each channel and for all, with counts and with values;
    affine maps with exceptions and ties, in LUTs and in DSP blocks."""
    return [*of_tables(), *factored()]


def thresholding(
    rng: np.random.Generator,
    *,
    channels: int,
    steps: int,
    x: str,
    pe: int,
    base: int = 0,
    shared: bool = False,
    values: bool = False,
    ram_style: RamStyle = "distributed",
    vectors: int = 1,
) -> Case:
    """A Thresholding with random tables.

    Args:
        rng: of the tables.
        channels: of the input.
        steps: thresholds per channel.
        x: type of the input.
        pe: elements per cycle.
        base: least code.
        shared: all channels have the same thresholds.
        values: codes are looked up.
        ram_style: of the tables.
        vectors: per frame.
    """
    x_type = DataType[x]
    rows = 1 if shared else channels
    low, high = int(x_type.min()), int(x_type.max()) + 1
    tables = [np.sort(rng.integers(low, high, size=(rows, steps), endpoint=True), axis=1)]
    if values:
        tables.append(rng.integers(-3, 4, size=(rows, steps + 1), endpoint=True))
        base = 0
    folding = {"PE": pe, "ram_style": ram_style}
    return _with(x_type, (vectors, channels), tables, base, folding)


def tail(
    rng: np.random.Generator,
    *,
    channels: int,
    steps: int,
    x: str,
    function: str = "uniform",
    spread: float = 1.2,
    base: int = 0,
    falling: bool = False,
    exceptions: int = 0,
    rows: int | None = None,
    pe: int = 1,
    style: Style = "table",
    res: Arithmetic = "lut",
    ram_style: RamStyle = "distributed",
    vectors: int = 1,
) -> Case:
    """A Thresholding whose channels have a function of an affine map in common.

    Args:
        rng: of the map.
        channels: of the input.
        steps: thresholds per channel.
        x: type of the input.
        function: "uniform", "tanh" or "ties" (steps at exact halves, which go to even).
        spread: how far the steps reach over the range of x.
        base: least code.
        falling: some channels fall, given by values.
        exceptions: steps moved by one.
        rows: of the table, 1 if all channels share one.
        pe: elements per cycle.
        style: implementation.
        res: what multiplies.
        ram_style: of the tables.
        vectors: per frame.
    """
    x_type = DataType[x]
    low, high = int(x_type.min()), int(x_type.max())
    count = channels if rows is None else rows
    middle = rng.integers(low, high, size=(count, 1), endpoint=True) / 2 + (low + high) / 4
    width = (high - low) * spread * rng.uniform(0.5, 1, size=(count, 1))
    at = (np.arange(steps) + 0.5) / steps
    codes = base + np.arange(steps)
    if function == "tanh":
        at = np.arctanh(0.99 * (2 * at - 1)) / 5 + 0.5
    if function == "ties":
        unit = 2.0 ** np.ceil(np.log2(width / steps))
        places = (codes + 0.5 - base - steps // 2) * unit + np.rint(middle / unit) * unit
        exact = np.where(codes % 2 == 0, np.floor(places) + 1, np.ceil(places))
    else:
        exact = np.ceil((at - 0.5) * width + middle)
    thresholds = np.clip(exact, low, high + 1).astype(np.int64)
    for _ in range(exceptions):
        row, step = rng.integers(count), rng.integers(steps)
        if low + 1 < thresholds[row, step] < high:
            thresholds[row, step] += rng.choice([-1, 1])
    tables = [np.sort(thresholds, axis=1)]
    if falling:
        values = np.broadcast_to(base + np.arange(steps + 1), (count, steps + 1))
        tables.append(np.where(rng.random((count, 1)) < 0.5, values[:, ::-1], values))
        base = 0
    folding = {"PE": pe, "ram_style": ram_style, "impl_style": style, "resType": res}
    return _with(x_type, (vectors, channels), tables, base, folding)


def of_tables() -> list[Case]:
    """Searches."""
    rng = np.random.default_rng(2)
    found = [
        thresholding(
            rng, channels=channels, steps=steps, x=x, pe=pe, base=base, shared=shared, vectors=2
        )
        for x, steps, base in (
            ("UINT8", 1, 0),
            ("INT9", 2, -1),
            ("INT6", 3, 0),
            ("UINT4", 15, -8),
            ("INT12", 7, 0),
            ("BINARY", 1, 0),
            ("INT8", 255, 0),
            ("INT20", 5, 2),
        )
        for channels, pe, shared in ((12, 3, False), (10, 1, False), (6, 2, True))
    ]
    for steps in (1, 4, 9):
        for pe, shared in ((2, False), (3, True)):
            found.append(
                thresholding(
                    rng, channels=6, steps=steps, x="INT8", pe=pe, shared=shared, values=True
                )
            )
    found.append(thresholding(rng, channels=160, steps=3, x="INT10", pe=1, ram_style="block"))
    return found


def factored() -> list[Case]:
    """Both affine styles and multipliers, one and two DSP blocks, exceptions, constant and shared
    parameters, ties."""
    rng = np.random.default_rng(8)
    found = []
    styles: tuple[tuple[Style, str], ...] = (("requant", "uniform"), ("factored", "tanh"))
    for style, function in styles:
        make = partial(tail, rng, style=style, function=function)
        found += [
            make(channels=12, steps=15, x="INT10", pe=3, res="dsp", base=-8),
            make(channels=12, steps=30, x="UINT9", pe=2, base=-20, falling=True),
            make(channels=6, steps=30, x="INT12", pe=6, base=3),
            make(channels=6, steps=30, x="INT12", pe=6, res="dsp", falling=True),
            make(
                channels=160,
                steps=63,
                x="INT18",
                res="dsp",
                exceptions=60,
                ram_style="block",
                vectors=2,
            ),
            make(channels=32, steps=63, x="INT14", pe=2, res="dsp", exceptions=30),
            make(channels=200, steps=100, x="INT24", res="dsp", exceptions=100, ram_style="block"),
        ]
    ties = partial(tail, rng, channels=12, steps=15, x="INT10", style="requant", function="ties")
    found += [ties(base=-7, res="dsp", pe=3), ties(base=0, res="lut", pe=3)]
    found.append(tail(rng, channels=6, steps=100, x="INT16", pe=2, style="requant", rows=1))
    return found


def _with(
    x_type: BaseDataType,
    shape: tuple[int, int],
    tables: list[IntArray],
    base: int,
    folding: Mapping[str, int | str],
) -> Case:
    """A node with tables of thresholds, or of thresholds and values, for [vectors, channels]."""
    thresholds = tables[0]
    if len(tables) > 1:
        out = smallest_type(int(tables[1].min()), int(tables[1].max()))
    else:
        out = smallest_type(base, base + thresholds.shape[1])
    new = Thresholding.create(
        channels=shape[1],
        steps=thresholds.shape[1],
        x=x_type,
        thresholds=smallest_type(int(thresholds.min()), int(thresholds.max())),
        out=out,
        base=base,
        vectors=shape[:1],
    )
    streams = ((x_type, shape),), ((out, shape),)
    definition = partial(_codes, tables, base)
    return Case(new, *streams, definition, dict(folding), tuple(tables), near=thresholds)


def _codes(tables: list[IntArray], base: int, x: IntArray) -> list[IntArray]:
    count = (x[..., None] >= tables[0]).sum(axis=-1)
    if len(tables) == 1:
        return [count + base]
    values = np.broadcast_to(tables[1], (*x.shape, tables[1].shape[1]))
    return [np.take_along_axis(values, count[..., None], axis=-1)[..., 0]]
