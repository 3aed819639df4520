# SPDX-License-Identifier: Apache-2.0
"""StreamingConcat in FINN, both ways."""

from __future__ import annotations

from collections.abc import Mapping

from qnnc.backends.finn.facet import ToFinn
from qnnc.frontends.finn.images import Window
from qnnc.frontends.finn.operators import Reader
from qnnc.frontends.finn.writer import Node, Writer


class Finn(ToFinn):
    """Streams side by side."""

    attributes = "SIMD ChannelsPerStream inputDataTypes numInputVectors"


def read(writer: Writer, node: Node, windows: dict[str, Window]) -> None:
    """StreamingConcat: along the channels."""
    if any(writer.is_first(name) for name in node.inputs):
        names = [writer.first(name) for name in node.inputs]
        writer.give_first(node.outputs[0], writer.op("Concat", *names, axis=1))
        return
    names = [writer.value(name) for name in node.inputs]
    writer.op("Concat", *names, output=node.outputs[0], axis=-1)


READERS: Mapping[str, Reader] = {"StreamingConcat": read}
