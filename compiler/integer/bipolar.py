# SPDX-License-Identifier: Apache-2.0
"""Two-valued tensors: codes 0 and 1 that stand for -1 and +1 (times a scale)."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from qnnc.compiler.integer.form import Form, Unsupported
from qnnc.compiler.ir.edit import Editor, shape_of
from qnnc.compiler.ir.facts import Integer, set_integer


def is_bipolar(form: Form) -> bool:
    """Codes 0 and 1 that stand for two opposite values."""
    fact = form.fact
    return (
        int(fact.low.min()) >= 0
        and int(fact.high.max()) <= 1
        and bool(np.all(form.offset == -form.scale / 2))
    )


def centred(editor: Editor, node: ir.Node, x: Form) -> Form:
    """The same values with integers among which zero stands for zero.

    Raises:
        Unsupported: the offset is no multiple of the scale, nor of half the scale.
    """
    for factor in (1, 2):
        shift = x.offset / x.scale * factor
        if np.all(shift == np.rint(shift)) and np.all(shift == shift.flat[0]):
            return _moved(editor, node, x, factor, int(shift.flat[0]))
    raise Unsupported("padding of an input that does not represent zero exactly")


def _moved(editor: Editor, node: ir.Node, x: Form, factor: int, shift: int) -> Form:
    y, fact = x.base, x.fact
    low, high = fact.low, fact.high
    for op, number in (("Mul", factor), ("Add", shift)):
        if number == (1 if op == "Mul" else 0):
            continue
        low, high = (low * number, high * number) if op == "Mul" else (low + number, high + number)
        operand = editor.initializer(f"{y.name}_{op}_constant", np.float32(number).reshape(()))
        set_integer(operand, Integer.of(number, number))
        y = editor.insert(
            node, op, [y, operand], f"{y.name}_{op}", shape=shape_of(y), origins=(node,)
        )
        set_integer(y, Integer.of(low, high, x.scale / factor))
    return Form(y, x.scale / factor, np.zeros(()))
