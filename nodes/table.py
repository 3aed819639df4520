# SPDX-License-Identifier: Apache-2.0
"""The dataflow nodes that come with qnnc, and the folder of each: the only list of them.

A folder holds a node's facets, a file each: `node` (the declaration), `lower`, `rtl`, `hls`,
`finn`. One that a node does without is named with the reason in `LACKS` of its `__init__`.
Nothing is imported here; `qnnc.compiler.dataflow.registry` finds a facet when it is wanted.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

NODES: Final[Mapping[str, str]] = {
    "MVAU": "qnnc.nodes.mvau",
    "VVAU": "qnnc.nodes.vvau",
    "Thresholding": "qnnc.nodes.thresholding",
    "ElementwiseAdd": "qnnc.nodes.elementwise_add",
    "ElementwiseMul": "qnnc.nodes.elementwise_mul",
    "ConvolutionInputGenerator": "qnnc.nodes.convolution_input_generator",
    "FMPadding": "qnnc.nodes.fm_padding",
    "FMPadding_Pixel": "qnnc.nodes.fm_padding_pixel",
    "Pool": "qnnc.nodes.pool",
    "GlobalAccPool": "qnnc.nodes.global_acc_pool",
    "UpsampleNearestNeighbour": "qnnc.nodes.upsample_nearest_neighbour",
    "Shuffle": "qnnc.nodes.shuffle",
    "DuplicateStreams": "qnnc.nodes.duplicate_streams",
    "StreamingConcat": "qnnc.nodes.streaming_concat",
    "StreamingSplit": "qnnc.nodes.streaming_split",
    "StreamingDataWidthConverter": "qnnc.nodes.streaming_data_width_converter",
    "StreamingFIFO": "qnnc.nodes.streaming_fifo",
    "LabelSelect": "qnnc.nodes.label_select",
}
