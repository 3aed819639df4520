# SPDX-License-Identifier: Apache-2.0
"""C++ of a DynamicMVAU."""

from __future__ import annotations

from collections.abc import Sequence

from qnnc.backends.hls.hls_node import HlsNode, largest_divisor
from qnnc.backends.hls.kernel import Header, Kernel, template
from qnnc.compiler.dataflow import Stream
from qnnc.nodes.dynamic_mvau.node import DynamicMVAU, DynamicMVAUFolding

HEADER = Header.beside(__name__, "dynamic_mvau.h")


class Hls(HlsNode[DynamicMVAU, DynamicMVAUFolding]):
    """`qnnc::dynamic_mvau`: each matrix is kept while it is used."""

    def widest(self, arriving: Sequence[Stream]) -> DynamicMVAUFolding:
        simd = largest_divisor(arriving[0].lanes, self.node.MW)
        return DynamicMVAUFolding(PE=self.node.MH, SIMD=simd)

    def kernel(self, folding: DynamicMVAUFolding) -> Kernel:
        node = self.node
        name = template(
            "dynamic_mvau",
            node.x_type,
            node.w_type,
            node.out_type,
            node.MW,
            node.MH,
            folding.SIMD,
            folding.PE,
            node.rows,
            node.matrices,
            node.transposed,
            folding.resType == "dsp",
        )
        return Kernel(HEADER, name, node.ports(folding))
