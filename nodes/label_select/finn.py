# SPDX-License-Identifier: Apache-2.0
"""LabelSelect in FINN, both ways."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx

from qnnc.backends.finn.facet import ToFinn
from qnnc.frontends.finn.images import Window
from qnnc.frontends.finn.operators import Reader
from qnnc.frontends.finn.writer import Node, Writer


class Finn(ToFinn):
    """Labels of the greatest scores."""

    attributes = "Labels PE K inputDataType outputDataType numInputVectors"


def read(writer: Writer, node: Node, windows: dict[str, Window]) -> None:
    """LabelSelect: indices of the K largest."""
    k = writer.constant([node.integer("K")], np.int64)
    values, indices = writer.fresh("scores"), writer.fresh("labels")
    writer.nodes.append(
        onnx.helper.make_node(
            "TopK", [writer.value(node.inputs[0]), k], [values, indices], name=indices, axis=-1
        )
    )
    writer.op("Cast", indices, output=node.outputs[0], to=onnx.TensorProto.FLOAT)


READERS: Mapping[str, Reader] = {"LabelSelect": read}
