# SPDX-License-Identifier: Apache-2.0
"""C++ of a Thresholding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from qnnc.backends.hls.hls_node import HlsNode, largest_divisor
from qnnc.backends.hls.kernel import Header, Kernel, Table, cpp_type, template
from qnnc.compiler.dataflow import Stream
from qnnc.compiler.datatypes import smallest_type
from qnnc.nodes.thresholding.affine_hls import affine_kernel
from qnnc.nodes.thresholding.node import TABLE, Thresholding, ThresholdingFolding

HEADER = Header.beside(__name__, "thresholding.h")


class Hls(HlsNode[Thresholding, ThresholdingFolding]):
    """`qnnc::thresholding`, or `qnnc::affine` where thresholds are factored."""

    def widest(self, arriving: Sequence[Stream]) -> ThresholdingFolding:
        chosen = self.node.folding()
        return replace(chosen, PE=largest_divisor(arriving[0].lanes, self.node.channels))

    def kernel(self, folding: ThresholdingFolding) -> Kernel:
        node = self.node
        if folding.impl_style != TABLE:
            return affine_kernel(node, folding)
        table = self._words(node.thresholds(), folding)
        kind = smallest_type(int(table.min()), int(table.max()))
        tables = [Table("row", kind, table, folding.ram_style)]
        rows, steps = table.shape[0], table.shape[1]
        values = node.values()
        if values is None:
            output = f"qnnc::counted<{cpp_type(node.out_type)}, {node.base}>"
        else:
            output = f"qnnc::looked_up<{cpp_type(node.out_type)}, {folding.PE}>"
            tables.append(Table("value_row", node.out_type, self._words(values, folding)))
        types = (node.x_type, kind, node.out_type)
        shape = (node.channels, folding.PE, steps, rows, node.vectors)
        name = template("thresholding", *types, output, *shape)
        return Kernel(HEADER, name, node.ports(folding), tuple(tables))

    def _words(self, array: NDArray[np.int64], folding: ThresholdingFolding) -> NDArray[np.int64]:
        """[C or 1, n] as [C / PE or 1, n, PE]."""
        if self.node.shared:
            array = np.repeat(array[:1], folding.PE, axis=0)
        return array.reshape(-1, folding.PE, array.shape[1]).transpose(0, 2, 1)
