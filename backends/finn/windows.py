# SPDX-License-Identifier: Apache-2.0
"""Where FINN's nodes are not ours: window generators before depthwise nodes, and cycles."""

from __future__ import annotations

from qnnc.backends.finn.attributes import INSERTED
from qnnc.compiler.dataflow import DataflowNode
from qnnc.compiler.dataflow.stream_graph import StreamGraph
from qnnc.nodes.convolution_input_generator.node import ConvolutionInputGenerator
from qnnc.nodes.global_acc_pool.node import GlobalAccPool
from qnnc.nodes.shared.channel_fold.node import ChannelFold


def depthwise_lanes(graph: StreamGraph, index: int) -> int | None:
    """PE of the depthwise node that takes a window generator's output, None if none does.

    FINN's generator then gives all elements of a group of channels before the next group's, and a
    group must be what its consumer works on at once.
    """
    at = index
    while True:
        targets = [e.target for e in graph.edges if e.source is not None and e.source.node == at]
        if len(targets) != 1 or targets[0] is None:
            return None
        at = targets[0].node
        node = graph.nodes[at]
        if node.op_type not in INSERTED:
            return node.folding().PE if isinstance(node, ChannelFold) else None


def finn_cycles(node: DataflowNode, lanes: int | None) -> int:
    """Cycles a frame that FINN's estimate gives (finn-plus 1.6.1). Its window generator is not
    ours: it starts each frame with an empty buffer, and takes a row or gives one at a time.

    Args:
        lanes: of a depthwise window generator, as `depthwise_lanes` gives them.
    """
    if isinstance(node, GlobalAccPool):  # sums are given behind the last pixel
        return node.cycles(node.folding()) + node.groups(node.folding())
    if not isinstance(node, ConvolutionInputGenerator):
        return node.cycles(node.folding())
    window = node.window
    words = node.channels // (lanes or node.folding().SIMD)
    (height, width), (kh, kw), (oh, ow) = window.image, window.kernel, window.out
    (dh, dw), (sh, sw) = window.dilation, window.stride
    if 1 in window.image:
        if width == 1:
            width, kw, ow, sw = height, kh, oh, sh
        given = ow * kw * words
        if lanes is None:
            return given + 2
        given += (words - 1) * kw
        return max(given, width * words + words * (kw - 1) * (sw - 1)) + 2
    row = max(ow * kw * kh * words, sw * width * words)
    first = ((kh - 1) * dh * width + (kw - 1) * dw + 1) * words
    if lanes is None:
        return first + oh * row
    row += ow * (sw - 1) * (words - 1)
    return first + oh * row + (sh - 1) * width * words
