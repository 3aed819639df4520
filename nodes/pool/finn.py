# SPDX-License-Identifier: Apache-2.0
"""Pool in FINN, both ways."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from qnnc.backends.finn.facet import ToFinn
from qnnc.compiler.datatypes import smallest_type
from qnnc.frontends.finn.images import Window, depthwise, geometry, max_pool
from qnnc.frontends.finn.operators import Reader
from qnnc.frontends.finn.writer import Node, Writer
from qnnc.nodes.pool.node import Pool


class Finn(ToFinn):
    """A pool after its window generator."""

    attributes = (
        "Channels PE KernelSize Function OutImgDims InputDataType OutputDataType "
        "AccumBits Size BatchSize"
    )

    node: Pool

    def group(self) -> int:
        return self.node.folding().PE


def read(writer: Writer, node: Node, windows: dict[str, Window]) -> None:
    """Pool after a depthwise window generator."""
    window = windows.get(node.inputs[0])
    if window is None:
        raise node.refusal("no window generator stands before it")
    function = node.text("Function")
    if function == "AccPool":
        ones = np.ones((window.channels, 1, *window.kernel), dtype=np.float32)
        kind = smallest_type(0, 1)
        writer.give_first(node.outputs[0], depthwise(writer, node, window, ones, kind))
        return
    if function != "MaxPool":
        raise node.refusal("only MaxPool and AccPool are supported")
    writer.give_first(node.outputs[0], writer.op("MaxPool", window.x, **geometry(window)))


def read_max_pool(writer: Writer, node: Node, windows: dict[str, Window]) -> None:
    """StreamingMaxPool of older versions."""
    max_pool(writer, node, node.pair("PoolDim"), node.pair("PoolDim"), (0, 0, 0, 0))


READERS: Mapping[str, Reader] = {"Pool": read, "StreamingMaxPool": read_max_pool}
