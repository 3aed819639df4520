# SPDX-License-Identifier: Apache-2.0
"""C++ of Pool, GlobalAccPool and VVAU."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from typing_extensions import TypeVar

from qnnc.backends.hls.hls_node import HlsNode, largest_divisor
from qnnc.backends.hls.kernel import Header, Kernel, template
from qnnc.compiler.dataflow import Stream
from qnnc.compiler.dataflow.folding import PEFolding
from qnnc.nodes.shared.channel_fold.node import ChannelFold

HEADER = Header.beside(__name__, "channel_fold.h")
N = TypeVar("N", bound=ChannelFold[Any], default=ChannelFold[PEFolding])
F = TypeVar("F", bound=PEFolding, default=PEFolding)


class Hls(HlsNode[N, F]):
    """`qnnc::channel_fold`."""

    def widest(self, arriving: Sequence[Stream]) -> F:
        lanes = largest_divisor(arriving[0].lanes, self.node.channels)
        chosen: F = self.node.folding_type(PE=lanes)
        return chosen

    def shape(self, folding: F) -> tuple[int, int, int, int]:
        """PE, words of a vector, elements of a window, results."""
        node = self.node
        results = math.prod(node.out_shape) // node.channels
        return folding.PE, node.groups(folding), node.window, results

    def kernel(self, folding: F) -> Kernel:
        node = self.node
        operation = "qnnc::greatest_of" if node.maximum else "qnnc::total_of"
        shape = self.shape(folding)
        name = template("channel_fold", operation, node.x_type, node.out_type, *shape)
        return Kernel(HEADER, name, node.ports(folding))
