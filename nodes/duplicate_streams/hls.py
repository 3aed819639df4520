# SPDX-License-Identifier: Apache-2.0
"""C++ of a DuplicateStreams."""

from __future__ import annotations

from collections.abc import Sequence

from qnnc.backends.hls.hls_node import HlsNode, largest_divisor
from qnnc.backends.hls.kernel import Kernel
from qnnc.backends.hls.primitives import copies
from qnnc.compiler.dataflow import Stream
from qnnc.compiler.dataflow.folding import PEFolding
from qnnc.nodes.duplicate_streams.node import DuplicateStreams


class Hls(HlsNode[DuplicateStreams, PEFolding]):
    """`qnnc::duplicate`."""

    def widest(self, arriving: Sequence[Stream]) -> PEFolding:
        return PEFolding(PE=largest_divisor(arriving[0].lanes, self.node.shape[-1]))

    def kernel(self, folding: PEFolding) -> Kernel:
        return copies(self.node.ports(folding))
