# SPDX-License-Identifier: Apache-2.0
"""Softmax over the last axis between two quantizers, on integers."""

from __future__ import annotations

import math

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from qnnc.compiler.errors import Unsupported
from qnnc.compiler.integer.form import Form
from qnnc.compiler.ir.edit import Editor, attribute, constant, replace_value, shape_of
from qnnc.compiler.ir.facts import IntArray, integer, set_integer
from qnnc.compiler.ir.operators import integer_softmax
from qnnc.compiler.ir.operators.integer_softmax import Exponents
from qnnc.compiler.reference import Session, expand

PARTS = frozenset(
    {
        *("Div", "Mul", "Add", "Sub", "Clip", "Min", "Max", "Cast", "Identity"),
        *("Round", "Floor", "Ceil", "Abs", "Sign"),
    }
)
"""What a quantizer is made of."""
MOST_BETWEEN = 32
"""Operators of a quantizer at most."""
MOST_DISTANCES = 1 << 12
MOST_CODES = 1 << 12
MOST_BITS = 40
"""Of a number in a table."""
SAMPLED = 1 << 12
CLOSE = 2.0**-20
"""How far the quantizer's boundaries may be from equal distances, relative."""


def apply(model: ir.Model, editor: Editor, node: ir.Node, form: Form) -> ir.Value | None:
    """Compute the codes of the quantizer after a Softmax from the codes before it.

    Returns:
        The codes, or None if no quantizer follows.

    Raises:
        Unsupported: what is before or after it is not a quantizer of one scale.
    """
    chain, codes = _chain(node)
    if codes is None:
        return None
    fact, result = form.fact, integer(codes)
    assert result is not None
    rank = len(shape_of(node.outputs[0]))
    if int(attribute(node, "axis", -1)) % rank != rank - 1:
        raise Unsupported("a Softmax along another axis than the last; transpose before and after")
    if not fact.quantized or form.scale.size != 1 or form.offset.size != 1:
        raise Unsupported("its input has no quantizer of one scale")
    distances = int(fact.high.max()) - int(fact.low.min()) + 1
    if distances > MOST_DISTANCES:
        raise Unsupported("its input has more than 12 bits; quantize it to fewer")
    rise = -float(form.scale.reshape(())) * (distances - 1)
    if rise > (MOST_BITS - integer_softmax.FRACTION) * math.log(2):
        raise Unsupported(
            "its input falls where the codes before it rise, by too much for a table; put the "
            "negative factor before the quantizer"
        )
    boundaries, base = _boundaries(model, node.outputs[0], chain, codes)
    step = float(np.asarray(result.scale, np.float64).reshape(-1)[0])
    rounding = _rounding(boundaries, step)
    found = Exponents.tabulate(
        distances,
        scale=float(form.scale.reshape(())),
        offset=float(form.offset.reshape(())),
        step=step,
        rounding=rounding,
        most=boundaries.size,
        base=base,
    )
    if int(found.tables.max()).bit_length() > MOST_BITS:
        raise Unsupported("the quantizer after it has too small a scale; take one for 0 to 1")
    y = integer_softmax.insert(
        editor, node, form.base, found, f"{codes.name}_softmax", [node, *chain]
    )
    low, high = base, base + boundaries.size
    set_integer(y, result.with_(low=np.asarray(low), high=np.asarray(high)))
    replace_value(codes, y)
    return y


def _chain(node: ir.Node) -> tuple[list[ir.Node], ir.Value | None]:
    """The operators from a Softmax to the code of the one quantizer that reads it, in order."""
    chain: list[ir.Node] = []
    known, waiting, codes = {node.outputs[0]}, [node.outputs[0]], None
    while waiting:
        value = waiting.pop()
        if integer(value) is not None:
            if codes is not None:
                raise Unsupported("several quantizers read it; put one after it")
            codes = value
            continue
        users = [user for user, _ in value.uses()]
        if value.is_graph_output() or not users or len(chain) > MOST_BETWEEN:
            return chain, None
        for user in dict.fromkeys(users):
            if user.domain != "" or user.op_type not in PARTS:
                return chain, None
            others = [constant(v) for v in user.inputs if v is not None and v not in known]
            if any(array is not None and array.size > 1 for array in others):
                raise Unsupported("the quantizer after it has several scales; take one for all")
            if any(array is None for array in others) or user in chain:
                continue  # its other operand is on the way
            chain.append(user)
            known.update(user.outputs)
            waiting += user.outputs
    return chain, codes


def _boundaries(
    model: ir.Model, start: ir.Value, chain: list[ir.Node], codes: ir.Value
) -> tuple[NDArray[np.float32], int]:
    """Least float32 from 0 to 1 for each code but the first, and that one, by evaluation."""
    plain = expand(model, inputs=[start], outputs=[codes], nodes=chain, any_shape=True)
    session = Session(plain, threads=1)
    rank = len(shape_of(start))

    def evaluate(p: NDArray[np.float32]) -> IntArray:
        given = p.astype(np.float32).reshape((1,) * (rank - 1) + (-1,))
        found = session.run({str(start.name): given})[session.outputs[0]]
        return np.rint(found).astype(np.int64).reshape(-1)

    grid = np.linspace(0, 1, SAMPLED, dtype=np.float32)
    sampled = evaluate(grid)
    base, top = int(sampled[0]), int(sampled[-1])
    if np.any(np.diff(sampled) < 0) or not 0 < top - base <= MOST_CODES:
        raise Unsupported("the quantizer after it does not tell 0 from 1, or has too many steps")
    wanted = np.arange(base + 1, top + 1)
    # floats from 0 to 1 are in the order of their bits
    below = np.zeros(wanted.size, np.int64)
    above = np.full(wanted.size, np.float32(1).view(np.int32), np.int64)
    while np.any(above - below > 1):
        middle = (below + above) // 2
        reached = evaluate(middle.astype(np.int32).view(np.float32)) >= wanted
        above, below = np.where(reached, middle, above), np.where(reached, below, middle)
    return above.astype(np.int32).view(np.float32), base


def _rounding(boundaries: NDArray[np.float32], step: float) -> int:
    """How a quantizer of this step rounds, in halves of a step up.

    Raises:
        Unsupported: its boundaries are not a step apart.
    """
    numbers = np.arange(1, boundaries.size + 1)
    for rounding in (1, 0, 2):
        expected = (numbers - rounding / 2) * step
        near = np.abs(boundaries.astype(np.float64) - expected) <= CLOSE * (expected + step)
        if np.all(near):
            return rounding
    raise Unsupported("the quantizer after it has steps of several sizes, or an unusual rounding")
