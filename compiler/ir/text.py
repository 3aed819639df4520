# SPDX-License-Identifier: Apache-2.0
"""An IR as text for people: one line per node, with what is known about its results."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx_ir as ir

from qnnc.compiler.errors import printable
from qnnc.compiler.ir.edit import constant
from qnnc.compiler.ir.facts import integer, part, sources

_LONGEST = 60


def model_text(model: ir.Model) -> str:
    """Every input, node and output of a model. Example of a line:

    y: UINT2[1,64] 0..3 x0.25 ~golden = MultiThreshold(acc, t[64,3]) axis=-1 @accelerator <- act
    """
    return "\n".join(_lines(model))


def _lines(model: ir.Model) -> Iterator[str]:
    for value in model.graph.inputs:
        yield f"input  {_value(value)}"
    for node in model.graph:
        yield node_text(node)
    for value in model.graph.outputs:
        yield f"output {printable(str(value.name))}"


def node_text(node: ir.Node) -> str:
    """A node in one line."""
    results = ", ".join(_value(v) for v in node.outputs)
    operands = ", ".join(_operand(v) for v in node.inputs)
    parts = [f"{results} = {printable(node.op_type)}({operands})"]
    parts += [_attribute(name, a.value) for name, a in sorted(node.attributes.items())]
    if part(node) is not None:
        parts.append(f"@{part(node)}")
    origin = [name for name in sources(node) if name != node.name]
    if origin:
        more = f" +{len(origin) - 3}" if len(origin) > 3 else ""
        parts.append(f"<- {printable(' '.join(origin[:3]))}{more}")
    return " ".join(parts)


def _value(value: ir.Value) -> str:
    fact = integer(value)
    kind = fact.type.name if fact is not None else _dtype(value)
    text = f"{printable(str(value.name))}: {kind}{_shape(value)}"
    if fact is None:
        return text
    text += f" {int(fact.low.min())}..{int(fact.high.max())} x{_numbers(fact.scale)}"
    if np.any(fact.offset):
        text += f" +{_numbers(fact.offset)}"
    return f"{text} ~{printable(fact.golden)}" if fact.golden not in (None, value.name) else text


def _dtype(value: ir.Value) -> str:
    return "?" if value.dtype is None else value.dtype.name.lower()


def _shape(value: ir.Value) -> str:
    return "[?]" if value.shape is None else f"[{','.join(str(d) for d in value.shape)}]"


def _operand(value: ir.Value | None) -> str:
    if value is None:
        return "-"
    array = constant(value)
    if array is None:
        return printable(str(value.name))
    if array.size == 1:
        return f"{array.reshape(-1)[0]:g}"
    return f"{printable(str(value.name))}{_shape(value)}"


def _numbers(array: Any) -> str:
    low, high = float(np.min(array)), float(np.max(array))
    return f"{low:g}" if low == high else f"({low:g}..{high:g})"


def _attribute(name: str, value: Any) -> str:
    shown = printable(str(value))
    return f"{printable(name)}={shown if len(shown) <= _LONGEST else shown[:_LONGEST] + '…'}"
