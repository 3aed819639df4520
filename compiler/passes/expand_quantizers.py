# SPDX-License-Identifier: Apache-2.0
"""expand-quantizers: every quantizer as the operators that give its integer code, and those that
give its value from the code."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from qnnc.compiler.errors import ModelError, quote
from qnnc.compiler.ir.builder import EditBuilder
from qnnc.compiler.ir.edit import Editor, constant, remove_unused, replace_value
from qnnc.compiler.ir.facts import Integer, set_integer
from qnnc.compiler.ir.quantizers import quantizer
from qnnc.compiler.passes.base import Pass


@dataclass
class ExpandQuantizers(Pass):
    """Write quantizers in standard operators and mark their integer codes."""

    name = "expand-quantizers"

    def run(self, model: ir.Model) -> bool:
        editor = Editor(model.graph)
        changed = False
        for node in list(model.graph):
            found = quantizer(node)
            if found is None:
                continue
            weights = constant(found.input)
            if weights is not None and not np.all(np.isfinite(weights)):
                raise ModelError(
                    f"node {quote(node.name)}: its weights {quote(found.input.name)} are not finite"
                )
            output = node.outputs[0]
            b = EditBuilder(editor, node, output.name or "quantized", (node,))
            codes = found.codes(b, found.input)
            codes.shape = output.shape
            set_integer(
                codes,
                Integer.of(
                    found.low,
                    found.high,
                    found.scale,
                    found.offset,
                    golden=output.name,
                    quantized=True,
                ),
            )
            values = found.values(b, codes)
            values.shape = output.shape
            replace_value(output, values)
            changed = True
        remove_unused(model)
        return changed
