# SPDX-License-Identifier: Apache-2.0
"""GlobalAccPool in FINN, both ways."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from qnnc.backends.finn.facet import ToFinn
from qnnc.frontends.finn.images import Window
from qnnc.frontends.finn.operators import Reader
from qnnc.frontends.finn.writer import Node, Writer
from qnnc.nodes.global_acc_pool.node import GlobalAccPool


class Finn(ToFinn):
    """Sums over an image."""

    attributes = "NumChannels PE inputDataType numInputVectors"
    node: GlobalAccPool

    def group(self) -> int:
        return self.node.folding().PE

    def cycles(self, lanes: int | None) -> int:
        folding = self.node.folding()
        return self.node.cycles(folding) + self.node.groups(folding)  # given after the last pixel


def read(writer: Writer, node: Node, windows: dict[str, Window]) -> None:
    """GlobalAccPool: the sum over the image."""
    axes = writer.constant([2, 3], np.int64)
    total = writer.op("ReduceSum", writer.first(node.inputs[0]), axes, keepdims=1)
    writer.give_first(node.outputs[0], total)


READERS: Mapping[str, Reader] = {"GlobalAccPool": read}
