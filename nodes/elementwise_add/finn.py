# SPDX-License-Identifier: Apache-2.0
"""ElementwiseAdd in FINN, both ways."""

from __future__ import annotations

from collections.abc import Mapping

from qnnc.frontends.finn.images import Window
from qnnc.frontends.finn.operators import Reader
from qnnc.frontends.finn.writer import Node, Writer
from qnnc.nodes.shared.elementwise.finn import Elementwise, apply, read


class Finn(Elementwise):
    """A sum."""


def read_add_streams(writer: Writer, node: Node, windows: dict[str, Window]) -> None:
    """AddStreams and StreamingEltwise's additions, of older versions."""
    if node.text("eltwiseOp", "Add") != "Add":
        raise node.refusal("only additions are supported")
    apply(writer, node, "Add")


def read_channelwise(writer: Writer, node: Node, windows: dict[str, Window]) -> None:
    """ChannelwiseOp of older versions, sums and products."""
    function = node.text("Func")
    if function not in ("add", "mul"):
        raise node.refusal(f"its function {function!r} is not supported")
    apply(writer, node, {"add": "Add", "mul": "Mul"}[function])


READERS: Mapping[str, Reader] = {
    "ElementwiseAdd": read,
    "AddStreams": read_add_streams,
    "StreamingEltwise": read_add_streams,
    "ChannelwiseOp": read_channelwise,
}
