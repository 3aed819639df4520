# SPDX-License-Identifier: Apache-2.0
"""FMPadding in FINN, both ways."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from qnnc.backends.finn.facet import ToFinn
from qnnc.frontends.finn.images import Window
from qnnc.frontends.finn.operators import Reader
from qnnc.frontends.finn.writer import Node, Writer
from qnnc.nodes.fm_padding.node import FMPadding


class Finn(ToFinn):
    """A border of zeros."""

    attributes = "ImgDim Padding NumChannels SIMD inputDataType numInputVectors"
    style = "rtl"
    node: FMPadding

    def refusal(self) -> str:
        if not self.node.value:
            return ""
        return f"FINN's FMPadding pads with 0 only, not {self.node.value}"


def read(writer: Writer, node: Node, windows: dict[str, Window]) -> None:
    """FMPadding: zeros around the image."""
    top, left, bottom, right = node.integers("Padding")
    pads = writer.constant([0, 0, top, left, 0, 0, bottom, right], np.int64)
    zero = writer.constant(0.0)
    writer.give_first(node.outputs[0], writer.op("Pad", writer.first(node.inputs[0]), pads, zero))


READERS: Mapping[str, Reader] = {"FMPadding": read}
