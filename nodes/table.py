# SPDX-License-Identifier: Apache-2.0
"""The dataflow nodes that come with qnnc, and the folder of each: the only list of them.

A folder holds a node's facets, a file each: `node` (the declaration), `lower`, `rtl`, `hls`,
`finn`. One that a node does without is named with the reason in `LACKS` of its `__init__`.
Nothing is imported here; `qnnc.compiler.dataflow.registry` finds a facet when it is wanted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

Purpose = Literal["copies", "reordering", "width-conversion", "waiting"]
"""What a node that the compiler puts in by itself is for."""


@dataclass(frozen=True)
class Line:
    """A node of the table.

    Attributes:
        folder: its package.
        serves: what the compiler puts it in for, for nodes that no operator becomes.
    """

    folder: str
    serves: Purpose | None = None


NODES: Final[Mapping[str, Line]] = {
    "MVAU": Line("qnnc.nodes.mvau"),
    "DynamicMVAU": Line("qnnc.nodes.dynamic_mvau"),
    "VVAU": Line("qnnc.nodes.vvau"),
    "Thresholding": Line("qnnc.nodes.thresholding"),
    "QuantSoftmax": Line("qnnc.nodes.quant_softmax"),
    "ElementwiseAdd": Line("qnnc.nodes.elementwise_add"),
    "ElementwiseMul": Line("qnnc.nodes.elementwise_mul"),
    "ConvolutionInputGenerator": Line("qnnc.nodes.convolution_input_generator"),
    "FMPadding": Line("qnnc.nodes.fm_padding"),
    "FMPadding_Pixel": Line("qnnc.nodes.fm_padding_pixel"),
    "Pool": Line("qnnc.nodes.pool"),
    "GlobalAccPool": Line("qnnc.nodes.global_acc_pool"),
    "UpsampleNearestNeighbour": Line("qnnc.nodes.upsample_nearest_neighbour"),
    "Shuffle": Line("qnnc.nodes.shuffle", serves="reordering"),
    "DuplicateStreams": Line("qnnc.nodes.duplicate_streams", serves="copies"),
    "StreamingConcat": Line("qnnc.nodes.streaming_concat"),
    "StreamingSplit": Line("qnnc.nodes.streaming_split"),
    "StreamingDataWidthConverter": Line(
        "qnnc.nodes.streaming_data_width_converter", serves="width-conversion"
    ),
    "StreamingFIFO": Line("qnnc.nodes.streaming_fifo", serves="waiting"),
    "LabelSelect": Line("qnnc.nodes.label_select"),
    "ReverseSteps": Line("qnnc.nodes.reverse_steps"),
    "PreviousStates": Line("qnnc.nodes.previous_states"),
    "NextStates": Line("qnnc.nodes.next_states"),
}
