# SPDX-License-Identifier: Apache-2.0
"""UpsampleNearestNeighbour in FINN, both ways."""

from __future__ import annotations

from collections.abc import Mapping

from qnnc.backends.finn.facet import ToFinn
from qnnc.frontends.finn.images import Window
from qnnc.frontends.finn.operators import Reader
from qnnc.frontends.finn.writer import Node, Writer


class Finn(ToFinn):
    """An image enlarged."""

    attributes = "SIMD HO WO HI WI NumChannels inputDataType batchSize"


def read(writer: Writer, node: Node, windows: dict[str, Window]) -> None:
    """UpsampleNearestNeighbour by whole factors."""
    sizes = [node.integer(name) for name in ("HO", "HI", "WO", "WI")]
    if sizes[0] % sizes[1] or sizes[2] % sizes[3]:
        raise node.refusal("only whole factors are supported")
    factors = [1.0, 1.0, sizes[0] / sizes[1], sizes[2] / sizes[3]]
    y = writer.op(
        "Resize",
        writer.first(node.inputs[0]),
        "",
        writer.constant(factors),
        mode="nearest",
        coordinate_transformation_mode="asymmetric",
        nearest_mode="floor",
    )
    writer.give_first(node.outputs[0], y)


READERS: Mapping[str, Reader] = {"UpsampleNearestNeighbour": read}
