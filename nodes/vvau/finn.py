# SPDX-License-Identifier: Apache-2.0
"""VVAU in FINN, both ways."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from qonnx.core.datatype import BaseDataType

from qnnc.backends.finn.facet import ToFinn
from qnnc.compiler.datatypes import BIPOLAR
from qnnc.frontends.finn.images import Window, depthwise
from qnnc.frontends.finn.operators import Reader
from qnnc.frontends.finn.sums import channels_first, give_sum
from qnnc.frontends.finn.writer import Node, Writer
from qnnc.nodes.shared.finn_signs import negate
from qnnc.nodes.vvau.node import VVAU


class Finn(ToFinn):
    """A depthwise product after its window generator."""

    attributes = (
        "PE SIMD Dim Channels Kernel resType ActVal inputDataType weightDataType "
        "outputDataType accDataType noActivation mem_mode ram_style binaryXnorMode"
    )
    node: VVAU

    def group(self) -> int:
        return self.node.folding().PE

    def negate(self, falling: NDArray[np.bool_], kind: BaseDataType) -> int:
        return negate(self.node, falling.reshape(-1, 1, 1, 1), self.node.window, kind)


def read(writer: Writer, node: Node, windows: dict[str, Window]) -> None:
    """VVAU: a depthwise convolution after its window generator."""
    window = windows.get(node.inputs[0])
    if window is None:
        raise node.refusal("no window generator stands before it")
    weights = np.rint(writer.array(node, 1))
    xnor = bool(node.integer("binaryXnorMode", 0))
    kind = BIPOLAR if xnor else node.integer_type("weightDataType")
    factors = 2 * weights - 1 if xnor else weights
    total = depthwise(writer, node, window, factors, kind)
    if xnor:  # as for MVAU
        missing = (1 - weights).sum(axis=(1, 2, 3))
        total = writer.op("Add", total, writer.constant(channels_first(missing, True)))
    give_sum(writer, node, total, True)


READERS: Mapping[str, Reader] = {
    "VVAU": read,
    "Vector_Vector_Activate": read,  # of older versions
    "VectorVectorActivation": read,
}
