# SPDX-License-Identifier: Apache-2.0
"""What is known of tensors before any pass has run: the grid of a quantizer, and shapes."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import onnx_ir as ir

from qnnc.compiler.ir.edit import QONNX, attribute, constant
from qnnc.compiler.ir.facts import FloatArray
from qnnc.compiler.ir.quantizers import quantizer
from qnnc.compiler.ir.quantizers.base import integer_range

PASSED = frozenset({"Identity", "Transpose", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Slice"})
FURTHEST = 64


@dataclass(frozen=True)
class Grid:
    """A uniform quantizer: value = (q - zero) * scale.

    Attributes:
        scale: one, or one for each of some channels.
        zero: zero point.
        bits: of q.
        signed: q may be negative.
        narrow: q does without its least value.
        rounding: QONNX's name of the rounding mode.
    """

    scale: FloatArray
    zero: float
    bits: int
    signed: bool
    narrow: bool
    rounding: str = "ROUND"

    @property
    def coded(self) -> Grid:
        """The same with a scale of one: what quantizes to q - zero."""
        return replace(self, scale=np.ones(()))

    def nearest(self, value: float) -> float:
        """q - zero of a number."""
        low, high = integer_range(self.bits, self.signed, self.narrow)
        q = np.clip(np.float32(value) / np.float32(self.scale) + np.float32(self.zero), low, high)
        return float(np.rint(q) - self.zero)


def grid_of(value: ir.Value) -> Grid | None:
    """The quantizer that a tensor comes from, nothing but moves between; None if there is none,
    or several of different scales."""
    for _ in range(FURTHEST):
        node = value.producer()
        if node is None or not node.inputs or node.inputs[0] is None:
            return None
        if node.domain == QONNX and node.op_type in ("Quant", "BipolarQuant"):
            return declared(node)
        if node.op_type == "Mul" and (scale := constant(node.inputs[1])) is not None:
            inner = grid_of(node.inputs[0])  # the codes that a cell has written
            if inner is None or np.any(inner.scale != 1) or scale.size != 1:
                return None
            return replace(inner, scale=np.asarray(scale, np.float64).reshape(()))
        if node.op_type == "Concat":
            grids = [grid_of(v) for v in node.inputs if v is not None]
            first = grids[0]
            if first is None or any(g is None or not _same(g, first) for g in grids):
                return None
            return first
        if node.op_type not in PASSED and node.op_type != "StateWrite":
            return None
        source = node.inputs[node.outputs.index(value) if node.op_type == "StateWrite" else 0]
        if source is None:
            return None
        value = source
    return None


def _same(one: Grid, other: Grid) -> bool:
    return bool(np.array_equal(one.scale, other.scale)) and replace(
        one, scale=other.scale
    ) == replace(other)


def declared(node: ir.Node) -> Grid | None:
    """The grid of a Quant or BipolarQuant; None if its zero points or bit widths are several.

    Raises:
        ModelError: its parameters are not constant or not possible.
    """
    found = quantizer(node)
    scale = constant(node.inputs[1])
    if found is None or scale is None:
        return None
    if node.op_type == "BipolarQuant":
        return Grid(np.asarray(scale, np.float64), 0.0, 1, True, False)
    zero, bits = constant(node.inputs[2]), constant(node.inputs[3])
    if zero is None or bits is None or zero.size != 1 or bits.size != 1:
        return None
    return Grid(
        np.asarray(scale, np.float64),
        float(zero.reshape(())),
        int(bits.reshape(())),
        bool(attribute(node, "signed", 1)),
        bool(attribute(node, "narrow", 1)),
        str(attribute(node, "rounding_mode", "ROUND")),
    )


def sequence_shape(value: ir.Value) -> tuple[int, int, int] | None:
    """The shape of a tensor of three dimensions, a free batch taken as one; None if it is not
    known."""
    for _ in range(FURTHEST):
        node = value.producer()
        if value.shape is not None and len(value.shape) == 3:
            dims = [d if isinstance(d, int) and d > 0 else None for d in value.shape]
            free = [i for i, d in enumerate(dims) if d is None]
            if not free:
                return tuple(d for d in dims if d is not None)  # type: ignore[return-value]
            if free == [0] and node is None:
                return (1, dims[1], dims[2])  # type: ignore[return-value]
        if node is None or not node.inputs or node.inputs[0] is None:
            return None
        if node.op_type == "Transpose":
            before = sequence_shape(node.inputs[0])
            perm = attribute(node, "perm", [2, 1, 0])
            if before is None or len(perm) != 3:
                return None
            return tuple(before[p] for p in perm)  # type: ignore[return-value]
        if node.op_type == "Concat" and attribute(node, "axis", 0) in (-1, 2):
            parts = [sequence_shape(v) for v in node.inputs if v is not None]
            known = [p for p in parts if p is not None]
            if len(known) < len(parts):
                return None
            return (*known[0][:2], sum(p[2] for p in known))
        if node.op_type not in ("Quant", "BipolarQuant", "Identity", "Cast", "Relu", "Mul", "Add"):
            return None
        value = node.inputs[0]
    return None
