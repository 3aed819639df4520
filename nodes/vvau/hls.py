# SPDX-License-Identifier: Apache-2.0
"""C++ of VVAU."""

from __future__ import annotations

from qnnc.backends.hls.kernel import Kernel, Table, template
from qnnc.nodes.shared.channel_fold import hls as channel_fold
from qnnc.nodes.vvau.node import VVAU, VVAUFolding


class Hls(channel_fold.Hls[VVAU, VVAUFolding]):
    """`qnnc::vvau`."""

    def kernel(self, folding: VVAUFolding) -> Kernel:
        node = self.node
        types = (node.x_type, node.w_type, node.out_type)
        dsp = folding.resType == "dsp"
        name = template("vvau", *types, *self.shape(folding), node.xnor, dsp)
        words = node.weights().reshape(-1, folding.PE)
        weights = Table("weights", node.w_type, words, folding.ram_style)
        return Kernel(channel_fold.HEADER, name, node.ports(folding), (weights,))
