# SPDX-License-Identifier: Apache-2.0
"""Relu and Clip of quantized values that a layer or a softmax reads without a quantizer between:
the integers are clipped."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import onnx_ir as ir

from qnnc.compiler.errors import Unsupported
from qnnc.compiler.integer.affine import OPERATORS as AFFINE
from qnnc.compiler.integer.form import Form, named_result
from qnnc.compiler.integer.layout import OPERATORS as LAYOUTS
from qnnc.compiler.ir.edit import Editor, constant
from qnnc.compiler.ir.facts import Integer, set_integer
from qnnc.compiler.ir.intervals import clipped, interval_of
from qnnc.compiler.ir.operators import multi_threshold
from qnnc.compiler.ir.operators.multi_threshold import Table

OPERATORS = frozenset({"Relu", "Clip"})
MOST_STEPS = 4096
"""Thresholds up to which integers are clipped by a table."""


def is_wanted(node: ir.Node, x: Form | None, linear: Collection[str]) -> bool:
    """The input is quantized, and one of these operators reads the result before any other
    function or quantizer."""
    if x is None or not x.fact.quantized:
        return False
    stack, seen = [node.outputs[0]], set[ir.Value]()
    while stack:
        value = stack.pop()
        if value in seen:
            continue
        seen.add(value)
        for user, _ in value.uses():
            computed = [v for v in user.inputs if v is not None and constant(v) is None]
            if user.op_type in (AFFINE | LAYOUTS | OPERATORS) and len(computed) == 1:
                stack.append(user.outputs[0])
            elif user.op_type in linear:
                return True
    return False


def apply(editor: Editor, node: ir.Node, forms: Sequence[Form | None]) -> list[Form]:
    """The integers of a quantized tensor between those of the bounds.

    Raises:
        Unsupported: no integer stands for a bound, or there are too many integers.
    """
    x = forms[0]
    assert x is not None
    low, high = int(x.fact.low.min()), int(x.fact.high.max())
    bottom, top = (_code(x, bound) for bound in _bounds(node))
    first, last = (_within(end, bottom, top) for end in (low, high))
    if last - first > MOST_STEPS:
        raise Unsupported(
            f"{last - first + 1} integers are too many for a table; quantize to fewer bits"
        )
    steps = np.arange(first + 1, max(last, first + 1) + 1, dtype=np.int64)
    if last == first:
        steps[0] = high + 1
    y = multi_threshold.insert(
        editor, node, x.base, Table(steps[None, :], first), _name(node), (node,)
    )
    found = clipped(interval_of(x.fact), first, last)
    fact = Integer.of(found.low, found.high, x.scale, x.offset, quantized=True)
    set_integer(y, named_result(node, fact))
    return [Form(y, x.scale, x.offset)]


def _within(code: int, bottom: int | None, top: int | None) -> int:
    """As Clip does it: the upper bound counts where both contradict each other."""
    code = code if bottom is None else max(code, bottom)
    return code if top is None else min(code, top)


def _name(node: ir.Node) -> str:
    return f"{node.outputs[0].name}_clipped"


def _bounds(node: ir.Node) -> tuple[float | None, float | None]:
    """Least and greatest value."""
    if node.op_type == "Relu":
        return 0.0, None
    bounds: list[float | None] = []
    for index in (1, 2):
        value = node.inputs[index] if index < len(node.inputs) else None
        array = constant(value)
        if value is not None and array is None:
            raise Unsupported("its bounds are computed")
        bounds.append(None if array is None else float(array.reshape(())))
    return bounds[0], bounds[1]


def _code(x: Form, bound: float | None) -> int | None:
    """The integer that stands for a number, in all channels the same."""
    if bound is None:
        return None
    if not np.all(x.scale > 0):
        raise Unsupported("a scale that is not positive")
    code = (np.float64(bound) - x.offset) / x.scale
    rounded = np.rint(code.ravel()[0])
    if not np.all(np.abs(code - rounded) <= np.abs(rounded) * 2.0**-22):
        raise Unsupported(f"no integer of its input stands for {bound:g}; put a quantizer after it")
    return int(rounded)
