# SPDX-License-Identifier: Apache-2.0
"""Integer tensors of a model, each as a float tensor that holds its integers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from qnnc.compiler.ir.builder import EditBuilder
from qnnc.compiler.ir.edit import QNNC, Editor

INT32 = ir.DataType.INT32
RANGES = {
    ir.DataType.INT2: (-2, 1),
    ir.DataType.UINT2: (0, 3),
    ir.DataType.INT4: (-8, 7),
    ir.DataType.UINT4: (0, 15),
    ir.DataType.INT8: (-128, 127),
    ir.DataType.UINT8: (0, 255),
    ir.DataType.INT16: (-32768, 32767),
    ir.DataType.UINT16: (0, 65535),
}
"""The types that quantized activations and weights have."""

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float32]


@dataclass
class IntTensor:
    """q = base + shift.

    Attributes:
        base: float tensor whose values are integers.
        shift: what was taken off q, usually its zero point.
        dtype: of q.
        shifted: the same integers less another number, by that number.
    """

    base: ir.Value
    shift: int
    dtype: ir.DataType
    shifted: dict[int, ir.Value] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Affine:
    """How integers stand for real numbers: (q - zero) * scale.

    Attributes:
        scale: of one element or shaped so that it broadcasts against the tensor.
        zero: likewise.
        dtype: of q.
    """

    scale: FloatArray
    zero: IntArray
    dtype: ir.DataType

    def same(self, other: Affine) -> bool:
        """Both stand for the same numbers."""
        return (
            self.dtype == other.dtype
            and np.array_equal(self.scale, other.scale)
            and np.array_equal(self.zero, other.zero)
        )

    @property
    def single_zero(self) -> int | None:
        """The zero point, if it is one for the tensor."""
        if self.zero.size and np.all(self.zero == self.zero.flat[0]):
            return int(self.zero.flat[0])
        return None

    def codes(self) -> Affine:
        """The same integers, less the zero point, standing for themselves."""
        return Affine(np.ones((), np.float32), self.zero, self.dtype)


class Writer(EditBuilder):
    """Writes what one node of the user's model becomes, in its place."""

    def __init__(self, editor: Editor, node: ir.Node, *, at_end: bool = False) -> None:
        before = None if at_end else node
        super().__init__(editor, before, node.outputs[0].name or node.op_type, (node,))

    def quantize(
        self,
        x: ir.Value,
        affine: Affine,
        *,
        order: str = "after",
        codes: bool = False,
        grid: tuple[int, int] | None = None,
    ) -> ir.Value:
        """A LinearQuant of x.

        Args:
            order: where the zero point comes in, see LinearQuant.
            codes: give q - zero point instead of the number it stands for.
            grid: least and greatest q, by default those of its type.
        """
        low, high = RANGES[affine.dtype] if grid is None else grid
        return self.node(
            "LinearQuant",
            x,
            self.constant(affine.scale),
            self.constant(affine.zero),
            domain=QNNC,
            low=low,
            high=high,
            order=order,
            codes=int(codes),
        )

    def node(
        self, op_type: str, *inputs: ir.Value | None, domain: str = "", **attributes: Any
    ) -> ir.Value:
        """An operator with one output, of the shape of its first input."""
        first = inputs[0]
        known = first.shape if first is not None else None
        return self.editor.insert(
            self.before,
            op_type,
            inputs,
            f"{self.base}_{op_type}",
            domain=domain,
            attributes=attributes,
            origins=self.origins,
            shape=known,  # type: ignore[arg-type]
        )

    def standard(
        self, op_type: str, node: ir.Node, *inputs: ir.Value | None, drop: tuple[str, ...] = ()
    ) -> ir.Value:
        """A standard operator with a node's attributes, but for some."""
        kept = {n: a.value for n, a in node.attributes.items() if n not in drop}
        y = self.op(op_type, *inputs, **kept)
        y.shape = node.outputs[0].shape
        return y


def along(parameter: NDArray[Any], axis: int, rank: int) -> NDArray[Any]:
    """A parameter for each index of an axis, shaped to broadcast against a tensor of `rank`."""
    shape = [1] * rank
    shape[axis] = parameter.size
    return parameter.reshape(shape)
