# SPDX-License-Identifier: Apache-2.0
"""The constant inputs of quantized operators: scales and zero points, checked."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from qnnc.compiler.errors import ModelError, quote
from qnnc.compiler.ir.edit import attribute, constant
from qnnc.frontends.qdq.integers import INT32, RANGES, Affine, FloatArray, IntArray, along


class Parameters:
    """Reads the constant inputs of a node, and names what is wrong with them."""

    def __init__(self, node: ir.Node) -> None:
        self.node = node

    def error(self, index: int, what: str, text: str) -> ModelError:
        """An error about an input."""
        value = self.value(index)
        name = quote(value.name if value is not None else None)
        return ModelError(
            f"node {quote(self.node.name)} ({self.node.op_type}): its {what} {name} {text}"
        )

    def value(self, index: int) -> ir.Value | None:
        """An input, or None if it is left out."""
        value = self.node.inputs[index] if index < len(self.node.inputs) else None
        return None if value is None or not value.name else value

    def data(self, index: int, what: str) -> ir.Value:
        """An input that must be there."""
        value = self.value(index)
        if value is None:
            raise self.error(index, what, "is missing")
        return value

    def array(self, index: int, what: str) -> NDArray[Any]:
        """A constant input, in its shape."""
        found = constant(before_identity(self.data(index, what)))
        if found is None:
            raise self.error(
                index, what, "is computed; quantize the model statically, with calibration data"
            )
        return found

    def scale(self, index: int) -> FloatArray:
        """A scale: float32, positive, finite."""
        found = self.array(index, "scale")
        if found.dtype != np.float32:
            raise self.error(index, "scale", f"is {found.dtype.name}; export the model in float32")
        if not found.size or not (np.all(np.isfinite(found)) and np.all(found > 0)):
            raise self.error(index, "scale", "must be positive and finite")
        return found

    def zero(self, index: int) -> tuple[IntArray, ir.DataType | None]:
        """A zero point, in its shape, and its type; zero of no type if it is left out."""
        if self.value(index) is None:
            return np.zeros((), np.int64), None
        found = self.array(index, "zero point")
        try:
            kind = ir.DataType.from_numpy(found.dtype)
        except (TypeError, ValueError, KeyError):
            kind = ir.DataType.UNDEFINED
        if kind not in RANGES and kind != INT32:
            raise self.error(
                index,
                "zero point",
                f"is of type {kind.name}; hardware takes integers of 2 to 16 bits: quantize to "
                "INT8 (in TFLite not the 16x8 mode, whose biases are INT64)",
            )
        return found.astype(np.int64), kind

    def affine(self, scale: int, zero: int, dtype: ir.DataType | None = None) -> Affine:
        """Scale and zero point of a tensor that has one of each; `dtype` is its type if the
        zero point does not say."""
        step, (offset, kind) = self.scale(scale), self.zero(zero)
        if step.size != 1 or offset.size != 1:
            raise self.error(scale, "scale", "must be one number for the whole tensor")
        return Affine(step.reshape(()), offset.reshape(()), kind or dtype or ir.DataType.UINT8)

    def affine_along(
        self, scale: int, zero: int, axis: int, shape: tuple[int, ...], dtype: ir.DataType
    ) -> Affine:
        """Scale and zero point for each index of an axis, or one for all."""
        step, (offset, kind) = self.scale(scale), self.zero(zero)
        if not -len(shape) <= axis < len(shape):
            raise self.error(scale, "scale", f"belongs to axis {axis} of a tensor of shape {shape}")
        for index, what, array in ((scale, "scale", step), (zero, "zero point", offset)):
            if array.size not in (1, shape[axis]):
                raise self.error(
                    index, what, f"has {array.size} elements for {shape[axis]} channels"
                )
        rank = len(shape)
        step = step.reshape(()) if step.size == 1 else along(step, axis, rank)
        offset = offset.reshape(()) if offset.size == 1 else along(offset, axis, rank)
        return Affine(step, offset, kind or dtype)

    def affine_of_tensor(self, value: ir.Value, dtype: ir.DataType | None) -> Affine:
        """Of QuantizeLinear and DequantizeLinear: one, one for each index of an axis, or one for
        each block along it.

        Args:
            value: the tensor that is quantized or dequantized.
            dtype: of the integers, if the zero point does not say.
        """
        step, (offset, kind) = self.scale(1), self.zero(2)
        kind = kind or dtype or ir.DataType.UINT8
        if step.size == 1 and offset.size == 1:
            return Affine(step.reshape(()), offset.reshape(()), kind)
        if value.shape is None or not all(isinstance(d, int) for d in value.shape):
            raise self.error(
                1,
                "scale",
                "differs along an axis of a tensor whose shape is not known; "
                "quantize activations per tensor",
            )
        shape = tuple(int(d) for d in value.shape)  # type: ignore[arg-type]
        axis = int(attribute(self.node, "axis", 1))
        if not -len(shape) <= axis < len(shape):
            raise self.error(1, "scale", f"belongs to axis {axis} of a tensor of shape {shape}")
        axis %= len(shape)
        block = int(attribute(self.node, "block_size", 0))
        if block:
            return Affine(
                self._blocks(1, step, axis, block, shape).astype(np.float32),
                self._blocks(2, offset, axis, block, shape),
                kind,
            )
        return self.affine_along(1, 2, axis, shape, kind)

    def _blocks(
        self, index: int, array: NDArray[Any], axis: int, block: int, shape: tuple[int, ...]
    ) -> NDArray[Any]:
        if array.size == 1:
            return array.reshape(())
        wide = np.repeat(array, block, axis=axis) if array.ndim == len(shape) else array
        wide = wide.take(range(min(shape[axis], wide.shape[axis])), axis=axis)
        if wide.shape != shape:
            raise self.error(index, "scale", f"does not fit blocks of {block} along axis {axis}")
        return wide

    def integers(self, index: int, what: str) -> IntArray:
        """A constant integer input, in its shape."""
        found = self.array(index, what)
        if found.dtype.kind not in "iu":
            raise self.error(index, what, f"is {found.dtype.name}, not integer")
        return found.astype(np.int64)


def before_identity(value: ir.Value | None) -> ir.Value | None:
    """What a chain of Identity nodes hands on."""
    while value is not None:
        node = value.producer()
        if node is None or node.op_type != "Identity" or node.domain != "":
            return value
        value = node.inputs[0]
    return None
