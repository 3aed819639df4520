# SPDX-License-Identifier: Apache-2.0
"""C++ of elementwise nodes, with a constant or of two streams."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from qnnc.backends.hls.hls_node import HlsNode, largest_divisor
from qnnc.backends.hls.kernel import Header, Kernel, Table, template
from qnnc.compiler.dataflow import Stream
from qnnc.compiler.dataflow.folding import PEFolding
from qnnc.nodes.shared.elementwise.node import Elementwise

HEADER = Header.beside(__name__, "elementwise.h")


class ElementwiseHls(HlsNode[Elementwise, PEFolding]):
    """`qnnc::elementwise_constant` or `qnnc::elementwise`.

    Attributes:
        operation: class of what is done to two elements.
        header: that has it.
    """

    operation: ClassVar[str]
    header: ClassVar[Header] = HEADER

    def widest(self, arriving: Sequence[Stream]) -> PEFolding:
        return PEFolding(PE=largest_divisor(arriving[0].lanes, self.node.shape[-1]))

    def kernel(self, folding: PEFolding) -> Kernel:
        node = self.node
        ports = node.ports(folding)
        types = (self.operation, node.x_type, node.y_type, node.out_type)
        shape = (ports.inputs[0].words, folding.PE)
        if not node.is_constant:
            return Kernel(
                self.header, template("elementwise", *types, *shape), ports, includes=(HEADER,)
            )
        rows = node.operand().reshape(node.folds(folding), -1)
        if rows.shape[1] != folding.PE:
            rows = np.repeat(rows, folding.PE, axis=1)
        name = template("elementwise_constant", *types, *shape, rows.shape[0])
        table = Table("row", node.y_type, rows)
        return Kernel(self.header, name, ports, (table,), (HEADER,))
