# SPDX-License-Identifier: Apache-2.0
"""StreamingSplit in FINN, both ways."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from onnx import helper

from qnnc.backends.finn.facet import ToFinn
from qnnc.frontends.finn.images import Window
from qnnc.frontends.finn.operators import Reader
from qnnc.frontends.finn.writer import Node, Writer


class Finn(ToFinn):
    """Channels apart."""

    attributes = "SIMD ChannelsPerStream inputDataType numInputVectors"


def read(writer: Writer, node: Node, windows: dict[str, Window]) -> None:
    """StreamingSplit: groups of channels."""
    sizes = writer.constant(node.integers("ChannelsPerStream"), np.int64)
    first = writer.is_first(node.inputs[0])
    x = writer.first(node.inputs[0]) if first else writer.value(node.inputs[0])
    name = writer.fresh("Split")
    outputs = [writer.fresh(output) if first else output for output in node.outputs]
    axis = 1 if first else -1
    writer.nodes.append(helper.make_node("Split", [x, sizes], outputs, name=name, axis=axis))
    if first:
        for output, made in zip(node.outputs, outputs, strict=True):
            writer.give_first(output, made)


READERS: Mapping[str, Reader] = {"StreamingSplit": read}
