# SPDX-License-Identifier: Apache-2.0
"""C++ of ElementwiseAdd and ElementwiseMul with a constant."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from qnnc.backends.hls.hls_node import HlsNode, largest_divisor
from qnnc.backends.hls.kernel import Kernel, Table, template
from qnnc.compiler.dataflow import DataflowNode, Folding, Stream
from qnnc.compiler.dataflow.elementwise import ElementwiseConstant

_OPERATIONS = {"Add": "qnnc::sum_of", "Mul": "qnnc::product_of"}


class ElementwiseHls(HlsNode):
    """`qnnc::elementwise_constant`."""

    node: ElementwiseConstant

    def __init__(self, node: DataflowNode) -> None:
        assert isinstance(node, ElementwiseConstant)
        super().__init__(node)

    def widest(self, arriving: Sequence[Stream]) -> Folding:
        return Folding(PE=largest_divisor(arriving[0].lanes, self.node.shape[-1]))

    def kernel(self, folding: Folding) -> Kernel:
        node = self.node
        ports = node.ports(folding)
        rows = node.operand().reshape(node.folds(folding), -1)
        if rows.shape[1] != folding.PE:
            rows = np.repeat(rows, folding.PE, axis=1)
        name = template(
            "elementwise_constant",
            _OPERATIONS[node.onnx_op],
            node.x_type,
            node.constant_type,
            node.out_type,
            ports.inputs[0].words,
            folding.PE,
            rows.shape[0],
        )
        table = Table("row", node.constant_type, rows)
        return Kernel("qnnc_elementwise.h", name, ports, (table,))
