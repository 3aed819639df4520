# SPDX-License-Identifier: Apache-2.0
"""What the tests of elementwise nodes run over; what they compute is given by a function."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import product

import numpy as np
from qonnx.core.datatype import DataType

from qnnc.compiler.datatypes import smallest_type
from qnnc.compiler.ir.facts import IntArray
from qnnc.nodes.shared.elementwise.node import Elementwise
from qnnc.nodes.testing import Case, random_of

Function = Callable[[IntArray, IntArray], IntArray]


def with_constant(
    rng: np.random.Generator,
    node: type[Elementwise],
    function: Function,
    *,
    channels: int,
    x: str,
    c: str,
    pe: int,
    shared: bool,
) -> Case:
    """One vector and a random constant for each channel, or one for all (`shared`)."""
    x_type, c_type = DataType[x], DataType[c]
    operand = random_of(rng, c_type, (1 if shared else channels,))
    ends = np.stack([function(np.asarray(int(e)), operand) for e in (x_type.min(), x_type.max())])
    out, shape = smallest_type(int(ends.min()), int(ends.max())), (1, channels)
    new = node.create(shape=shape, x=x_type, y=c_type, out=out, constant=operand.size)
    definition = partial(_with, function, operand)
    streams = ((x_type, shape),), ((out, shape),)
    return Case(new, *streams, definition, {"PE": pe}, (operand,))


def of_two(
    node: type[Elementwise],
    function: Function,
    *,
    vectors: tuple[int, ...],
    channels: int,
    kinds: tuple[str, str],
    pe: int = 1,
) -> Case:
    """Two streams [*vectors, channels]."""
    x, y = (DataType[kind] for kind in kinds)
    pairs = product((int(x.min()), int(x.max())), (int(y.min()), int(y.max())))
    ends = [int(function(np.asarray(a), np.asarray(b))) for a, b in pairs]
    out, shape = smallest_type(min(ends), max(ends)), (*vectors, channels)
    new = node.create(shape=shape, x=x, y=y, out=out)
    definition = partial(_of_two, function)
    return Case(new, ((x, shape), (y, shape)), ((out, shape),), definition, {"PE": pe})


def constants(node: type[Elementwise], function: Function) -> list[Case]:
    """Constants for each channel and for all, few lanes and many."""
    rng = np.random.default_rng(3)
    return [
        with_constant(rng, node, function, channels=12, x=x, c=c, pe=pe, shared=shared)
        for x, c, pe, shared in (
            ("INT8", "INT6", 1, False),
            ("UINT4", "UINT4", 3, False),
            ("INT5", "INT12", 12, True),
            ("BINARY", "INT3", 2, False),
        )
    ]


def _with(function: Function, operand: IntArray, x: IntArray) -> list[IntArray]:
    return [function(x, operand)]


def _of_two(function: Function, x: IntArray, y: IntArray) -> list[IntArray]:
    return [function(x, y)]
