# SPDX-License-Identifier: Apache-2.0
"""MVAU in FINN, both ways."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from qonnx.core.datatype import BaseDataType

from qnnc.backends.finn.facet import ToFinn
from qnnc.frontends.finn.images import Window
from qnnc.frontends.finn.operators import Reader
from qnnc.frontends.finn.sums import give_sum, product
from qnnc.frontends.finn.writer import Node, Writer
from qnnc.nodes.mvau.node import MVAU
from qnnc.nodes.shared.finn_signs import negate


class Finn(ToFinn):
    """A dense product; its thresholds are nodes of their own."""

    attributes = (
        "PE SIMD MW MH resType ActVal inputDataType weightDataType outputDataType "
        "accDataType binaryXnorMode noActivation numInputVectors mem_mode ram_style"
    )
    node: MVAU

    def negate(self, falling: NDArray[np.bool_], kind: BaseDataType) -> int:
        return negate(self.node, falling.reshape(1, -1), self.node.MW, kind)


def read(writer: Writer, node: Node, windows: dict[str, Window]) -> None:
    """MVAU, dense or after a window generator, with or without thresholds."""
    matrix = np.rint(writer.array(node, 1))
    kind = node.integer_type("weightDataType")
    total = product(writer, node, windows, matrix, kind, bool(node.integer("binaryXnorMode", 0)))
    give_sum(writer, node, *total)


READERS: Mapping[str, Reader] = {
    "MVAU": read,
    "StreamingFCLayer": read,  # of older versions
    "MatrixVectorActivation": read,
}
