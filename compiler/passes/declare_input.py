# SPDX-License-Identifier: Apache-2.0
"""declare-input: the type of the real input, to move preprocessing into the accelerator."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from qnnc.compiler.datatypes import BIPOLAR, MAX_BITS, datatype
from qnnc.compiler.errors import OptionError, quote
from qnnc.compiler.ir.edit import Editor
from qnnc.compiler.ir.facts import Integer, set_integer
from qnnc.compiler.passes.base import Pass
from qnnc.compiler.plugins import close_matches


@dataclass
class DeclareInput(Pass):
    """Say that an input is an integer of a type times a scale, such as a byte times 1/255.

    Options:
        type: integer type, such as uint8; bipolar means -1 or +1.
        scale: the network expects integer * scale; a number or a fraction "1/255".
        input: name of the input, needed only if there are several.
    """

    name = "declare-input"
    type: str = ""
    scale: str = "1"
    input: str = ""

    def run(self, model: ir.Model) -> bool:
        if not self.input and not self.type:
            return False
        value = self._find(model)
        if not self.type:
            return False
        kind = datatype(self.type)
        if not 1 <= kind.bitwidth() <= MAX_BITS:
            raise OptionError(
                f"--input-type {self.type!r} is not an integer of 1 to {MAX_BITS} bits; use one "
                "such as uint8"
            )
        editor = Editor(model.graph)
        users = list(value.uses())
        first = next(iter(model.graph))
        y = value
        if kind == BIPOLAR:
            zero = editor.initializer(f"{value.name}_zero", np.float32(0).reshape(()))
            reached = editor.insert(
                first,
                "GreaterOrEqual",
                [value, zero],
                f"{value.name}_reached",
                dtype=ir.DataType.BOOL,
            )
            y = editor.insert(
                first, "Cast", [reached], f"{value.name}_code", attributes={"to": ir.DataType.FLOAT}
            )
            set_integer(
                y,
                Integer.of(
                    0,
                    1,
                    2,
                    -1,
                    golden=value.name,
                    quantized=True,
                ),
            )
            y = self._apply(editor, first, y, "Mul", 2.0)
            y = self._apply(editor, first, y, "Sub", 1.0)
        else:
            set_integer(
                value,
                Integer.of(kind.min(), kind.max(), golden=value.name, quantized=True),
            )
        numerator, denominator = parse_scale(self.scale)
        if numerator != 1:
            y = self._apply(editor, first, y, "Mul", numerator)
        if denominator != 1:
            y = self._apply(editor, first, y, "Div", denominator)
        for user, index in users:
            user.replace_input_with(index, y)
        return True

    def _find(self, model: ir.Model) -> ir.Value:
        named = {value.name: value for value in model.graph.inputs}
        if self.input:
            if self.input not in named:
                raise OptionError(
                    f"the model has no input {quote(self.input)}; it has "
                    f"{', '.join(quote(name) for name in named)}"
                    f"{close_matches(self.input, [str(name) for name in named])}"
                )
            return named[self.input]
        if len(named) != 1:
            raise OptionError(
                f"the model has {len(named)} inputs; say which one the input type is for"
            )
        return next(iter(named.values()))

    @staticmethod
    def _apply(editor: Editor, before: ir.Node, x: ir.Value, op: str, number: float) -> ir.Value:
        operand = editor.initializer(f"{x.name}_{op}_constant", np.float32(number).reshape(()))
        return editor.insert(before, op, [x, operand], f"{x.name}_{op}")


def parse_scale(text: str) -> tuple[float, float]:
    """Numerator and denominator of "1/255" or "0.5"; raises OptionError for anything else."""
    parts = text.split("/")
    try:
        numbers = [float(part) for part in parts]
    except ValueError:
        numbers = []
    with np.errstate(all="ignore"):
        used = [float(np.float32(n)) for n in numbers]
        used += [float(np.float32(used[0]) / np.float32(used[1]))] if len(used) == 2 else []
    if len(numbers) not in (1, 2) or not all(np.isfinite(n) and n > 0 for n in used):
        raise OptionError(
            f"{text[:60]!r} is not a scale; write a positive number or fraction (1/255) that "
            "float32 can hold"
        )
    return numbers[0], numbers[1] if len(numbers) == 2 else 1.0
