# SPDX-License-Identifier: Apache-2.0
"""C++ of an MVAU."""

from __future__ import annotations

from collections.abc import Sequence

from qnnc.backends.hls.hls_node import HlsNode, largest_divisor
from qnnc.backends.hls.kernel import Header, Kernel, Table, template
from qnnc.compiler.dataflow import Stream
from qnnc.nodes.mvau.node import MVAU, MVAUFolding

HEADER = Header.beside(__name__, "mvau.h")

MACHINE_WORD = 64
"""Elements that a processor works on at once, at most."""


class Hls(HlsNode[MVAU, MVAUFolding]):
    """`qnnc::mvau`, weights in the order of use: [pass * steps + step][PE][SIMD]."""

    def widest(self, arriving: Sequence[Stream]) -> MVAUFolding:
        lanes = arriving[0].lanes
        few = lanes < MACHINE_WORD  # such words are worth converting
        simd = self.node.MW if few else largest_divisor(lanes, self.node.MW)
        return MVAUFolding(PE=self.node.MH, SIMD=simd)

    def kernel(self, folding: MVAUFolding) -> Kernel:
        node = self.node
        steps, passes = node.steps(folding), node.passes(folding)
        # [MW, MH] -> [SF, SIMD, NF, PE] -> [NF, SF, PE, SIMD]
        arranged = node.weights().reshape(steps, folding.SIMD, passes, folding.PE)
        words = arranged.transpose(2, 0, 3, 1).reshape(steps * passes, folding.PE, folding.SIMD)
        name = template(
            "mvau",
            node.x_type,
            node.w_type,
            node.out_type,
            node.MW,
            node.MH,
            folding.SIMD,
            folding.PE,
            node.vectors,
            node.xnor,
            folding.resType == "dsp",
        )
        style = "" if node.in_logic(folding) else folding.ram_style
        weights = Table("weights", node.w_type, words, style)
        return Kernel(HEADER, name, node.ports(folding), (weights,))
