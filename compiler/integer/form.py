# SPDX-License-Identifier: Apache-2.0
"""The affine form of a tensor: an integer tensor, a scale and an offset."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from qnnc.compiler.errors import Unsupported
from qnnc.compiler.ir.edit import constant
from qnnc.compiler.ir.facts import FloatArray, IntArray, Integer, integer, is_derived


@dataclass(frozen=True, eq=False)
class Form:
    """value = base * scale + offset, where `base` is integer.

    Attributes:
        base: an integer-valued tensor of the graph, of the same shape as the value.
        scale: broadcasts against the value.
        offset: broadcasts against the value.
    """

    base: ir.Value
    scale: FloatArray
    offset: FloatArray

    @property
    def fact(self) -> Integer:
        """The fact of the base."""
        found = integer(self.base)
        if found is None:
            raise ValueError(f"{self.base.name} is not an integer tensor")
        return found

    @property
    def constant(self) -> IntArray | None:
        """The base's values, in its shape, where it is a constant."""
        array = constant(self.base)
        return None if array is None else np.rint(array).astype(np.int64)


def own_form(value: ir.Value) -> Form | None:
    """An integer tensor as its own form, for those that operate on the integers themselves."""
    if integer(value) is None:
        return None
    return Form(value, np.ones(()), np.zeros(()))


def named_result(node: ir.Node, fact: Integer) -> Integer:
    """The fact of an operator's integers, which stand for its output in the golden graph if that
    has such a tensor."""
    output = node.outputs[0]
    return fact.with_(golden=None if is_derived(output) else output.name)


def per_channel(array: FloatArray, shape: Sequence[int]) -> FloatArray:
    """A scale or offset as one number for each channel of a tensor [1, C, …].

    Raises:
        Unsupported: it differs along other axes.
    """
    full = array.reshape((1,) * (len(shape) - array.ndim) + array.shape)
    first = full[(slice(None), slice(None), *(slice(0, 1),) * (len(shape) - 2))]
    if not np.all(full == first):
        raise Unsupported(
            "the input has scales that differ along its image; quantize it per tensor"
        )
    found: FloatArray = np.broadcast_to(first.ravel(), (shape[1],))
    return found
