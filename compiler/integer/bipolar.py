# SPDX-License-Identifier: Apache-2.0
"""Two-valued tensors: codes 0 and 1 that stand for -1 and +1 (times a scale)."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from qnnc.compiler.errors import Unsupported
from qnnc.compiler.integer.arithmetic import with_constant
from qnnc.compiler.integer.form import Form
from qnnc.compiler.ir.edit import Editor


def is_bipolar(form: Form) -> bool:
    """Codes 0 and 1 that stand for two opposite values."""
    fact = form.fact
    return (
        int(fact.low.min()) >= 0
        and int(fact.high.max()) <= 1
        and bool(np.all(form.scale != 0))
        and bool(np.all(form.offset == -form.scale / 2))
    )


def centred(editor: Editor, node: ir.Node, x: Form) -> Form:
    """The same values with integers among which zero stands for zero.

    Raises:
        Unsupported: the offset is not a multiple of the scale, nor of half the scale.
    """
    if np.any(x.scale == 0):
        raise Unsupported("padding of an input that is constant; fold it into the bias")
    for factor in (1, 2):
        shift = x.offset / x.scale * factor
        if np.all(shift == np.rint(shift)) and np.all(shift == shift.flat[0]):
            return _moved(editor, node, x, factor, int(shift.flat[0]))
    raise Unsupported("padding of an input that does not represent zero exactly")


def _moved(editor: Editor, node: ir.Node, x: Form, factor: int, shift: int) -> Form:
    y = x.base
    if factor != 1:
        y = with_constant(editor, node, y, "Mul", np.asarray(factor))
    if shift != 0:
        y = with_constant(editor, node, y, "Add", np.asarray(shift))
    return Form(y, x.scale / factor, np.zeros(()))
