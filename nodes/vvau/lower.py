# SPDX-License-Identifier: Apache-2.0
"""Depthwise convolutions become VVAU."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from qnnc.compiler.integer.window import Window
from qnnc.compiler.ir.edit import attribute
from qnnc.compiler.ir.facts import IntArray, Integer, set_integer
from qnnc.compiler.lowering.streams import (
    Streams,
)
from qnnc.nodes.convolution_input_generator.lower import windows


def depthwise(
    streams: Streams, image: ir.Value, window: Window, values: IntArray, out: Sequence[int]
) -> ir.Value:
    """Products of a padded image with kernels [C, 1, KH, KW]."""
    node, weights = streams.node, streams.node.inputs[1]
    vectors = windows(streams, image, window)
    fact, w_fact = streams.fact(node.outputs[0]), streams.fact(weights)
    stored = streams.editor.initializer(
        f"{node.outputs[0].name}_kernels", values.astype(np.float32)
    )
    set_integer(stored, w_fact)
    attributes = {
        "PE": 1,
        "SIMD": 1,
        "Dim": list(window.out),
        "Channels": len(values),
        "Kernel": list(window.kernel),
        "inputDataType": streams.fact(vectors).type.name,
        "weightDataType": w_fact.type.name,
        "outputDataType": fact.type.name,
        "accDataType": fact.type.name,
        "noActivation": 1,
        "binaryXnorMode": int(attribute(node, "xnor", 0)),
    }
    whole = Integer.of(fact.low.min(), fact.high.max())
    kind = node.outputs[0].dtype
    return streams.emit("VVAU", [vectors, stored], attributes, [out], [whole], kind)[0]
